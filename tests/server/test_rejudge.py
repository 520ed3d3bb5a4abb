"""`renzheng rejudge`: whatever was measured while the person was acting, the frames give the same numbers again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import numpy as np
import pytest

from renzheng.evaluation.device import Device, DeviceLimits
from renzheng.evaluation.performance import Performance
from renzheng.evaluation.puppet import Puppet
from tests.support.images import base64_of, sample, sample_picture
from tests.support.puppets import sample_puppet
from tests.support.server import Server, result
from tests.support.server import token as issue


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One attempt a token: who is refused is not asked again."""
    running = Server(tmp_path_factory.mktemp("rejudge"), attempts=1).start()
    yield running
    running.stop()


@pytest.mark.parametrize(
    "count", [1, pytest.param(20, marks=[pytest.mark.stress, pytest.mark.replay], id="as many as one reads")]
)
def test_verifications_that_are_judged_again_give_identical_numbers(server: Server, count: int) -> None:
    mirrored = Puppet(np.ascontiguousarray(sample_picture()[:, ::-1])) if count > 1 else None
    results = set()
    for seed in range(count):
        # In every second one another face takes over in the turn, so that refusals are judged again too.
        scene = Performance(sample_puppet(), seed=seed, swap_to=mirrored if seed % 2 else None)
        token = issue(server.sdk(), CompareLib="LOCAL", ImageBase64=base64_of(sample()))
        device = Device(server.url, token, scene, limits=DeviceLimits(seconds=120))
        asyncio.run(device.run())
        shown = json.loads(server.command("session", "show", token, "--json"))
        if shown["measurement"] is None:
            continue  # an action was not noticed in its time, so nothing was judged
        again = server.json("rejudge", token)
        assert again["changed"] == []
        assert (again["stands"], again["same_numbers"], again["other_scale"]) == (True, True, False)
        results.add(result(server.sdk(), token).Result)
    assert results, "nothing was judged"
    if count == 20:
        assert "0" in results
