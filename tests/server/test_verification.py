"""Whole verifications by a puppet against the running server: each way that one can end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import simplejpeg

from renzheng.engine.runtimes import Image
from renzheng.evaluation.device import Device, DeviceError, DeviceLimits, DeviceOutcome
from renzheng.evaluation.performance import Performance
from renzheng.evaluation.puppet import Puppet
from tests.support.images import base64_of, drawn, sample, sample_picture
from tests.support.puppets import sample_puppet
from tests.support.server import Server, result
from tests.support.server import token as issue

ENROLLED, NO_PHOTO, STRANGER = "110101199003070011", "110101199003070022", "110101199003070033"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("verification")).start()
    photo = running.folder / "photo.png"
    photo.write_bytes(sample())
    running.command("identity", "add", "--id-card", ENROLLED, "--name", "艾琳", "--photo", str(photo))
    running.command("identity", "add", "--id-card", NO_PHOTO, "--name", "艾琳")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def puppet() -> Puppet:
    return sample_puppet()


def film(server: Server, puppet: Puppet, token: str, seed: int = 0) -> DeviceOutcome:
    """One token's verification by a head that complies."""
    scene = Performance(puppet, "head", seed=seed)
    return asyncio.run(Device(server.url, token, scene, limits=DeviceLimits(reconnects=5, seconds=120)).run())


def run(server: Server, puppet: Puppet, token: str, seed: int = 0) -> bool:
    """What the device was told."""
    return film(server, puppet, token, seed).passed


def jpeg_of(picture: Image) -> bytes:
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(picture), 90, "BGR"))


def judged_alive(server: Server, puppet: Puppet, issue_token: Callable[[], str]) -> tuple[bool, Any]:
    """What device and merchant were told of a head that was found alive.

    On a busy machine too few frames may come, and even a real person is not found alive every time: three tries.
    """
    for seed in range(3):
        token = issue_token()
        passed = run(server, puppet, token, seed)
        fetched = result(server.sdk(), token)
        if fetched.Result not in ("1004", "1005"):
            return passed, fetched
    raise AssertionError("not found alive in three tries")


def business(server: Server, id_card: str, name: str = "艾琳") -> str:
    return issue(server.sdk(), CompareLib="BUSINESS", IdCard=id_card, Name=name)


@pytest.mark.parametrize(
    ("id_card", "name", "code"),
    [(STRANGER, "艾琳", "2005"), (ENROLLED, "另一个名字", "2006"), (NO_PHOTO, "艾琳", "2007"), (ENROLLED, "艾琳", "0")],
    ids=["unknown", "wrong name", "no photo", "enrolled"],
)
def test_a_library_tells_people_apart(server: Server, puppet: Puppet, id_card: str, name: str, code: str) -> None:
    passed, fetched = judged_alive(server, puppet, lambda: business(server, id_card, name))
    assert fetched.Result == code
    assert passed == (code == "0")
    assert (fetched.Similarity >= 70) == (code == "0")


def billed(server: Server) -> int:
    return int(json.loads(server.command("account", "show", "--json"))["billed"])


@pytest.mark.parametrize(
    ("photo", "code"),
    [
        (drawn(), "2009"),
        (jpeg_of(np.hstack([sample_picture()] * 2)), "2012"),
        (jpeg_of(sample_picture()[100:]), "2013"),
    ],
    ids=["no face", "two faces", "cut"],
)
def test_a_photo_that_cannot_be_used_ends_it_before_it_begins_and_costs_nothing(
    server: Server, puppet: Puppet, photo: bytes, code: str
) -> None:
    before = billed(server)
    token = issue(server.sdk(), CompareLib="LOCAL", ImageBase64=base64_of(photo))
    outcome = film(server, puppet, token)
    assert (outcome.passed, outcome.frames, outcome.attempts) == (False, 0, 0)
    fetched = result(server.sdk(), token, IsNeedBestFrame=True)
    assert (fetched.Result, fetched.Similarity, fetched.BestFrameBase64 or "") == (code, 0, "")
    assert billed(server) == before
    with pytest.raises(DeviceError, match="used"):
        run(server, puppet, token)


def test_attempts_beyond_the_day_s_limit_are_2018_and_nothing_is_captured(tmp_path: Any, puppet: Puppet) -> None:
    server = Server(tmp_path, attempts_a_day=1).start()
    try:
        run(server, puppet, business(server, STRANGER))
        late = business(server, STRANGER)
        assert run(server, puppet, late) is False
        assert result(server.sdk(), late).Result == "2018"
        other = business(server, NO_PHOTO)
        assert run(server, puppet, other) is False
        assert result(server.sdk(), other).Result != "2018"
    finally:
        server.stop()
