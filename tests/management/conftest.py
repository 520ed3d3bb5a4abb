"""The management service on a real store, called through a real gateway without a socket."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest_asyncio

from renzheng.accounts.buckets import Bucket, BucketKey
from renzheng.accounts.keys import Account, Key
from renzheng.accounts.operators import Role
from renzheng.actions.product import make_product as make_faceid
from renzheng.gateway.contract import GatewaySettings
from renzheng.gateway.encryption import KeyPairs
from renzheng.gateway.manifest import Service
from renzheng.gateway.pipeline import Gateway
from renzheng.management.desk import BucketTroubleError, Parts, RoleGuard
from renzheng.management.product import SERVICE, VERSION, make_product
from renzheng.operations import people
from renzheng.store.open import Store, open_store
from renzheng.verification.policy import Policy
from tests.gateway.signing import signed_json
from tests.gateway.support import NOW, Answer, Clock, build, call
from tests.support.again import Again, Found

PRODUCT = make_product()
PAIRS = KeyPairs.generate(rsa_bits=1024)


class AnyPhoto:
    async def fault(self, photo: bytes) -> tuple[str, str] | None:
        return None


@dataclass
class House:
    """`keys`: by role, the key of a person of that role; the merchant's is of `account`, not of `other`."""

    store: Store
    gateway: Gateway
    clock: Clock
    account: Account
    other: Account
    keys: dict[str, Key] = field(default_factory=dict)
    tasks: list[asyncio.Future[Any]] = field(default_factory=list)
    look_fault: str | None = None
    engine: Found = field(default_factory=Found)

    async def call(self, action: str, content: dict[str, Any] | None = None, *, by: str | Key = "owner") -> Answer:
        await self.store.keys.refresh()
        key = self.keys[by] if isinstance(by, str) else by
        signed = signed_json(
            content or {},
            action=action,
            service=SERVICE,
            version=VERSION,
            secret_id=key.secret_id,
            secret_key=key.secret_key,
            host="127.0.0.1:8401",
        )
        return await call(self.gateway, **signed)

    async def do(self, action: str, content: dict[str, Any] | None = None, *, by: str | Key = "owner") -> Any:
        """The reply of a call that succeeds."""
        answer = await self.call(action, content, by=by)
        assert "Error" not in answer.response, (action, answer.response)
        return answer.response

    async def code(self, action: str, content: dict[str, Any] | None = None, *, by: str | Key = "owner") -> str:
        return (await self.call(action, content, by=by)).code


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = Clock(NOW)
    store = open_store(tmp_path / "data", tmp_path / "keys", clock, os.urandom)
    shop = await store.accounts.create("shop", NOW)
    other = await store.accounts.create("other", NOW)

    async def look(photo: bytes) -> str | None:
        return made.look_fault

    async def make_key_pairs(acting: Store, account_id: int) -> None:
        await acting.encryption_keys.add(account_id, PAIRS.to_pem(), NOW)

    async def probe(account_id: int, bucket: Bucket, key: BucketKey) -> str:
        if key.secret == "wrong":
            raise BucketTroubleError("the bucket does not take this key")
        return "probed"

    async def health() -> dict[str, str]:
        return {}

    def spawn(work: Awaitable[Any]) -> None:
        made.tasks.append(asyncio.ensure_future(work))

    async def offer_link(operator_id: int) -> str:
        return f"http://127.0.0.1:8401/console/welcome/{await store.sign_in.offer_link(operator_id, clock() + 60)}"

    again = Again(store)
    parts = Parts(
        store=store,
        **again.looks(),
        policy=Policy(),
        photos=AnyPhoto(),
        look=look,
        make_key_pairs=make_key_pairs,
        probe=probe,
        health=health,
        settings=lambda: {"RENZHENG_PORT": 8400},
        spawn=spawn,
        offer_link=offer_link,
        utc_offset=8,
        actions=tuple(action.name for action in make_faceid().actions),
        version="0",
    )
    gateway = Gateway(
        keys=store.keys,
        services=[Service.of(PRODUCT, parts, RoleGuard(store))],
        clock=clock,
        entropy=os.urandom,
        log=build().gateway._log,
        settings=GatewaySettings(requests_per_second=100_000),
    )
    made = House(store, gateway, clock, shop, other, engine=again.engine)
    for role in Role:
        account_id = shop.id if role is Role.MERCHANT else None
        _, made.keys[role.value] = await people.add(store, f"the {role.value}", role, NOW, account_id)
    yield made
    await asyncio.gather(*made.tasks)
    await store.stop()
