"""Who fetched a verdict is noted; who only waited for one is not."""

from __future__ import annotations

import os
from typing import Any

from renzheng.actions.get_face_id_result import GetFaceIdResult, Request
from renzheng.actions.ports import Parts
from renzheng.gateway.contract import Caller
from renzheng.verification.policy import Policy

from .conftest import World
from .test_sweeper import judged


async def test_a_call_that_fetched_a_verdict_is_noted_and_one_that_waited_is_not(world: World) -> None:
    nothing: Any = None
    store = world.store
    await store.keys.refresh()
    parts = Parts(
        sessions=store.sessions,
        accounts=store.keys,
        photos=nothing,
        shelf=nothing,
        deliveries=nothing,
        calls=store.calls,
        entropy=os.urandom,
        policy=Policy(),
        token_seconds=600,
        delivery_seconds=0,
    )
    fetch = GetFaceIdResult(parts)
    decided, waiting = await judged(world, "DECIDED"), await world.issue("WAITING")
    for token, request_id in (("DECIDED", "one"), ("WAITING", "two")):
        caller = Caller(world.account.id, "AKID", request_id, "zh-CN", None, world.clock(), "127.0.0.1")
        assert (await fetch(caller, Request(token))).result
    await store.calls.flush(world.clock())
    (note,) = await store.calls.of_session(decided)
    assert (note.action, note.secret_id, note.request_id) == ("GetFaceIdResult", "AKID", "one")
    assert await store.calls.of_session(waiting) == []
