"""A performance answers what is shown, as a person or as a cheat, and knows nothing of what comes next."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pytest

from renzheng.engine.liveness import ACTIONS, ActionWatcher, Baseline, Glance, unasked_actions
from renzheng.engine.observation import FaceModels
from renzheng.evaluation.performance import (
    ATTACKS,
    MOTIONS,
    Actor,
    OtherActions,
    OtherOrder,
    Performance,
    ScreenState,
    TooLate,
)
from renzheng.evaluation.puppet import Puppet, PuppetPose
from renzheng.verification.challenge import OTHERS

from .conftest import data_photo

FPS = 10
LONG = {"neutral": 1.2, "blink": 1.6, "open_mouth": 2.6, "turn_left": 3.2, "turn_right": 3.2, "nod": 2.4}
LONG |= {"tilt_left": 2.4, "tilt_right": 2.4}


def glances(performance: Performance, engine: FaceModels, action: str, seconds: float) -> Iterator[Glance]:
    near = None
    for i in range(round(seconds * FPS)):
        frame = performance.frame(action, i / FPS)
        seen = engine.observe(frame, eyes=action in ("neutral", "blink"), near=near)
        near = seen.mesh
        yield seen.glance


def baseline(performance: Performance, engine: FaceModels) -> Baseline:
    found = Baseline.from_glances(list(glances(performance, engine, "neutral", LONG["neutral"])))
    assert found is not None
    return found


def watched(action: str, base: Baseline, seen: Iterable[Glance]) -> bool:
    """Whether the action is noticed; nothing is rendered beyond that moment."""
    watcher = ActionWatcher(action, base)
    return any(watcher.feed(glance, i / FPS) for i, glance in enumerate(seen))


def test_a_head_does_every_action_as_asked_and_no_other(puppet: Puppet, engine: FaceModels) -> None:
    performance = Performance(puppet, seed=4)
    base = baseline(performance, engine)
    for action in ACTIONS:
        seen = list(glances(performance, engine, action, LONG[action]))
        assert watched(action, base, seen), action
        assert unasked_actions(action, seen, base) == (), action


@pytest.mark.data
@pytest.mark.parametrize("name", ["img2", "img11", "img18", "img35"])
def test_heads_of_other_people_do_every_action(name: str, engine: FaceModels) -> None:
    performance = Performance(Puppet(data_photo(f"deepface/{name}.jpg"), engine=engine), seed=5)
    base = baseline(performance, engine)
    for action in ACTIONS:
        assert watched(action, base, glances(performance, engine, action, LONG[action])), action


def test_a_flat_picture_blinks_but_cannot_turn(puppet: Puppet, engine: FaceModels) -> None:
    performance = Performance(puppet, "flat", seed=4)
    base = baseline(performance, engine)
    assert watched("blink", base, glances(performance, engine, "blink", LONG["blink"]))
    assert watched("open_mouth", base, glances(performance, engine, "open_mouth", LONG["open_mouth"]))
    for turn in ("turn_left", "turn_right"):
        assert not watched(turn, base, glances(performance, engine, turn, LONG[turn]))


def test_the_same_seed_plays_the_same(puppet: Puppet) -> None:
    def played(seed: int) -> list[PuppetPose]:
        performance = Performance(puppet, seed=seed)
        return [performance.pose(action, i / 10) for action in ("neutral", "blink", "nod") for i in range(12)]

    assert played(1) == played(1)
    assert played(1) != played(2)


def test_a_movement_under_way_is_brought_to_rest_when_the_next_instruction_comes(puppet: Puppet) -> None:
    performance = Performance(puppet, seed=2)
    turned = [performance.pose("turn_left", i / 20) for i in range(26)][-1]
    assert turned.yaw > 20
    then = [performance.pose("open_mouth", i / 20) for i in range(30)]
    steps = np.abs(np.diff([turned.yaw, *(pose.yaw for pose in then)]))
    assert steps.max() < 8
    assert abs(then[-1].yaw) < 1.5
    assert then[-1].mouth_open > 0.5


def test_nobody_holds_quite_still(puppet: Puppet) -> None:
    performance = Performance(puppet, seed=2)
    poses = [performance.pose("neutral", i / 10) for i in range(20)]
    assert len({pose.yaw for pose in poses}) == 20
    assert max(abs(pose.yaw) for pose in poses) < 1.5


def done(actor: Actor, actions: Sequence[str]) -> list[str]:
    found = []
    for action in actions:
        actor.begin(action)
        found.append(actor.doing(ScreenState(action, 3.0, 6.0)).action)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_the_one_who_does_something_else_never_does_what_is_asked(seed: int) -> None:
    asked = ["neutral", "blink", "turn_right", "neutral", "nod", "turn_left"]
    for action, did in zip(asked, done(OtherActions(seed), asked), strict=True):
        assert (did == action) == (action == "neutral")
        assert did == "neutral" or did in MOTIONS


@pytest.mark.parametrize("seed", range(10))
def test_the_recording_in_the_other_order_does_first_what_may_come_second(seed: int) -> None:
    did = done(OtherOrder(seed), ["neutral", "blink", "turn_left", "neutral", "turn_right", "nod"])
    assert did[1] in ("turn_left", "turn_right")
    assert did[2] == "blink"
    assert did[4] in OTHERS
    assert did[5] == "turn_right"


def test_the_late_one_begins_when_the_time_is_as_good_as_over() -> None:
    actor = TooLate(0)
    actor.begin("nod")
    assert actor.doing(ScreenState("nod", 5.0, 6.0)).seconds < 0
    assert actor.doing(ScreenState("nod", 6.2, 6.0)).seconds > 0


@pytest.mark.data
def test_the_person_is_swapped_while_the_head_is_turned(puppet: Puppet, another: Puppet, engine: FaceModels) -> None:
    performance = Performance(puppet, seed=1, swap_to=another)
    first = engine.embed(performance.frame("neutral", 0.5))
    for i in range(40):
        last = performance.frame("turn_left", i / 10)
    ended = engine.embed(performance.frame("blink", 1.9))
    assert first is not None
    assert ended is not None
    own, theirs = (engine.embed(one.render(PuppetPose())) for one in (puppet, another))
    assert own is not None
    assert theirs is not None
    assert last.shape == (480, 640, 3)
    assert float(first @ own) > 0.6
    assert float(ended @ theirs) > 0.6
    assert float(ended @ own) < 0.35
    anew = engine.embed(performance.frame("neutral", 1.0))
    assert anew is not None
    assert float(anew @ own) > 0.6


def test_every_attack_names_the_layer_that_it_is_meant_to_meet(puppet: Puppet) -> None:
    assert {attack.layer for attack in ATTACKS} == {"depth", "challenge", "continuity"}
    for attack in ATTACKS:
        frame = attack.stage(puppet, puppet, 1).frame("turn_left", 1.0, 6.0)
        assert frame.shape == (480, 640, 3)
