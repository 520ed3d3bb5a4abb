"""A rule that asks for the light challenge: who takes on the shown colours passes, who does not fails by that alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from renzheng.evaluation.device import Device, DeviceEvent, DeviceLimits
from renzheng.evaluation.performance import Performance
from renzheng.evaluation.puppet import Puppet
from renzheng.evaluation.screen import NoScreen, Screen
from renzheng.verification.challenge import COLOURS, LIGHT_WARNING
from tests.support.images import base64_of, sample
from tests.support.puppets import sample_puppet
from tests.support.server import Server, result
from tests.support.server import token as issue


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One attempt a token: whoever fails is not asked again."""
    running = Server(tmp_path_factory.mktemp("light"), attempts=1).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def rule(server: Server) -> str:
    """The number of an approved rule that asks for colours."""
    return server.approved_rule("bright", "--light")


@pytest.fixture(scope="module")
def puppet() -> Puppet:
    return sample_puppet()


class Verification:
    """One token's verification under a rule, as device and merchant saw it. `cut`: the line breaks once, as soon
    as a colour is on the screen."""

    def __init__(self, server: Server, rule: str | None, scene: Performance, cut: bool = False) -> None:
        given = {"RuleId": rule} if rule else {}
        self.events: list[DeviceEvent] = []
        self.token = issue(server.sdk(), CompareLib="LOCAL", ImageBase64=base64_of(sample()), **given)
        self.passed = asyncio.run(self._run(server, scene, cut))
        self.result = result(server.sdk(), self.token)
        self.shown = json.loads(server.command("session", "show", self.token, "--json"))

    async def _run(self, server: Server, scene: Performance, cut: bool) -> bool:
        lit = asyncio.Event()

        def tell(event: DeviceEvent) -> None:
            self.events.append(event)
            if "colour" in event.fields:
                lit.set()

        device = Device(server.url, self.token, scene, limits=DeviceLimits(seconds=120), tell=tell)
        running = asyncio.create_task(device.run())
        if cut:
            await asyncio.wait({running, asyncio.create_task(lit.wait())}, return_when=asyncio.FIRST_COMPLETED)
            await device.drop()
        return (await running).passed

    def steps(self) -> list[dict[str, Any]]:
        return [event.fields for event in self.events if event.kind == "step"]

    @property
    def light(self) -> dict[str, Any]:
        return dict(self.shown["measurement"]["presentation"]["light"])

    @property
    def acted(self) -> bool:
        """Whether all but the light was answered: on a busy machine even a head that complies is not always noticed."""
        measured = self.shown["measurement"]["presentation"]
        return all(part["passed"] for part in (measured["depth"], measured["continuity"])) and all(
            one["answered"] and not one["unasked"] for one in measured["actions"]
        )


def verified(server: Server, rule: str, puppet: Puppet, screen: Screen, *, lit: bool = False) -> Verification:
    """A head that answers the actions, before this screen. `lit`: and the colours, which on a busy machine are over
    before enough pictures of them have come."""
    for seed in range(3):
        found = Verification(server, rule, Performance(puppet, seed=seed, screen=screen))
        if found.acted and (found.light["passed"] or not lit):
            return found
    raise AssertionError("it was not noticed in three tries")


def test_a_head_that_takes_on_the_colours_passes(server: Server, rule: str, puppet: Puppet) -> None:
    found = verified(server, rule, puppet, Screen(), lit=True)
    assert (found.passed, found.result.Result) == (True, "0"), found.light
    assert found.light["passed"]
    steps = found.steps()
    at = [event.at for event in found.events if event.kind == "step"]
    names = [step["action"] for step in steps]
    begun = names.index(LIGHT_WARNING)
    colours = names[begun + 1 :]
    assert len(colours) == found.light["colours"] == 7
    assert all(step["colour"] == "#{:02x}{:02x}{:02x}".format(*COLOURS[step["action"]]) for step in steps[begun + 1 :])
    assert all("colour" not in step and step["of"] == 2 for step in steps[: begun + 1])
    assert all(first != second for first, second in pairwise(colours))
    assert all(later - earlier >= 0.45 for earlier, later in pairwise(at[begun + 1 :]))
    again = server.json("rejudge", found.token)
    assert (again["stands"], again["same_numbers"], again["now"]) == (True, True, "0")


@pytest.mark.parametrize(
    "screen",
    [
        pytest.param(NoScreen(), id="a recording without the colours"),
        pytest.param(Screen(lag=1.2), id="colours that come late", marks=[pytest.mark.stress, pytest.mark.attacks]),
    ],
)
def test_a_head_that_does_the_actions_but_does_not_answer_the_colours_fails_by_light_alone(
    server: Server, rule: str, puppet: Puppet, screen: Screen
) -> None:
    found = verified(server, rule, puppet, screen)
    assert (found.passed, found.result.Result) == (False, "1202"), found.light
    assert found.result.LivenessInfoTag == "09"
    assert not found.light["passed"]
    assert found.result.Similarity == 0


@pytest.mark.stress
@pytest.mark.races
def test_a_line_that_breaks_during_a_colour_goes_on_with_the_same_one(
    server: Server, rule: str, puppet: Puppet
) -> None:
    found = Verification(server, rule, Performance(puppet, seed=2), cut=True)
    colours = [step for step in found.steps() if "colour" in step]
    assert "reconnect" in [event.kind for event in found.events]
    first, again = colours[:2]
    assert (first["nonce"], first["colour"], first["index"]) == (again["nonce"], again["colour"], again["index"])
    assert again["seconds"] < first["seconds"]
    assert found.light["passed"], found.light


def test_without_such_a_rule_nothing_speaks_of_light(server: Server, puppet: Puppet) -> None:
    found = Verification(server, None, Performance(puppet, seed=1))
    assert {step["action"] for step in found.steps()}.isdisjoint({LIGHT_WARNING, *COLOURS})
    assert all(set(step) - {"again"} == {"index", "of", "action", "nonce", "seconds"} for step in found.steps())
    assert not any("light" in event.fields for event in found.events if event.kind == "welcome")
    assert "light" not in found.shown["measurement"]["presentation"]
