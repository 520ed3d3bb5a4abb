"""What a device is told helps nobody to cheat: the picture, the next step, passed or failed; never why."""

from __future__ import annotations

import ast
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from renzheng.capture.effects import End
from renzheng.engine.limits import ContinuityLimits, DepthLimits
from renzheng.engine.liveness import ACTIONS, HINTS, NEUTRAL, Glance, hint
from renzheng.engine.measurement import Appearance, Continuity, Depth, Measurement, Passive

ROOT = Path(__file__).resolve().parents[2]
PLACES = tuple(
    f"capture/{name}.py" for name in ("channel", "visit", "entry", "attempt", "conversation", "handover", "socket")
)
GOOD = Glance(
    *(640, 480),
    faces=1,
    box=(220.0, 120.0, 200.0, 240.0),
    left_eye=0.3,
    right_eye=0.3,
    sharpness=0.01,
    brightness=120.0,
    presence=0.99,
)


def sent() -> dict[str, set[str]]:
    """Every message that the capture sends, with its fields, as the code says."""
    found: dict[str, set[str]] = {}
    for place in PLACES:
        tree = ast.parse((ROOT / "src/renzheng" / place).read_text())
        for call in ast.walk(tree):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr in ("send", "_send")
            ):
                if not call.args or not isinstance(call.args[0], ast.Constant):
                    continue
                names = found.setdefault(str(call.args[0].value), set())
                for keyword in call.keywords:
                    names |= {keyword.arg} if keyword.arg else spread(keyword.value, tree)
    return found


def spread(value: ast.expr, tree: ast.Module) -> set[str]:
    """The keys of a dictionary whose entries become fields, written there or assigned to that name before."""
    if isinstance(value, ast.DictComp) and isinstance(value.generators[0].iter, ast.Call):
        walked = value.generators[0].iter.func  # those of a dictionary that are not empty
        assert isinstance(walked, ast.Attribute)
        value = walked.value
    sources: list[ast.AST] = [value]
    if isinstance(value, ast.Name):
        named = (node for node in ast.walk(tree) if isinstance(node, ast.Assign))
        sources = [one.value for one in named if ast.unparse(one.targets[0]) == value.id]
    keys = [key for one in sources for node in ast.walk(one) if isinstance(node, ast.Dict) for key in node.keys]
    assert keys, f"fields that cannot be read off: {ast.unparse(value)}"
    assert all(isinstance(key, ast.Constant) for key in keys), ast.unparse(value)
    return {str(key.value) for key in keys if isinstance(key, ast.Constant)}


def documented() -> dict[str, str]:
    """The rows of the protocol's table of messages from the server: type -> fields."""
    page = (ROOT / "docs/capture-protocol.md").read_text()
    table = page.split("## Messages from the server")[1].split("\n## ")[0]
    return {row[1]: row[2] for row in re.finditer(r"^\| `(\w+)` \| (.*?) \|", table, re.MULTILINE)}


def test_the_server_sends_what_the_protocol_says_and_no_other_field() -> None:
    messages, table = sent(), documented()
    assert {"hint", "outcome", "attempt_over", "step", "welcome"} <= set(messages)
    for kind, names in messages.items():
        assert kind in table, f"{kind} is sent and not documented"
        for name in names - {"protocol"}:
            assert f"`{name}`" in table[kind], f"{kind}.{name} is sent and not documented"


def test_no_message_has_a_field_of_a_measurement() -> None:
    kinds = (Measurement, Depth, Continuity, Appearance, Passive)
    secret = {field.name for kind in kinds for field in fields(kind)} - {
        "seconds",
        "passed",
        "light",
    }  # that colours are asked for is no secret
    secret |= {"result", "description", "tag", "score", "threshold", "layer", "failed", "why"}
    for kind, names in sent().items():
        assert not names & secret, f"{kind} tells {names & secret}"


def test_the_end_of_an_attempt_and_of_a_verification_say_no_more_than_that() -> None:
    of_the_line = {"turned", "camera", "eased", "slow_line", "server"}
    assert {str(end) for end in End} == {"completed", "timeout", "not_ready", *of_the_line}
    assert sent()["attempt_over"] == {"reason", "counted", "attempts_left", "eases", "advice"}
    assert sent()["outcome"] == {"passed", "retry", "advice"}
    assert sent()["hint"] == {"code"}


@pytest.mark.parametrize("action", ACTIONS)
def test_while_an_action_is_asked_no_hint_depends_on_how_it_is_carried_out(action: str) -> None:
    for changes in (
        {"yaw": 0.9},
        {"yaw": -0.9},
        {"pitch": 0.5},
        {"mouth": 0.8},
        {"left_eye": 0.0, "right_eye": 0.0},
        {"left_eye": None, "right_eye": None},
        {"presence": 0.5},
        {"sharpness": 0.0},
    ):
        assert hint(replace(GOOD, **changes), action) is None


def test_hints_name_the_picture_and_no_layer() -> None:
    layers = {"depth", "continuity", "challenge", "passive", "moire", "border", "blur", "occlusion"}
    layers |= {field.name for kind in (DepthLimits, ContinuityLimits) for field in fields(kind)} - {"frontal"}
    assert not [code for code in HINTS for layer in layers if layer in code.split("_")]
    assert hint(GOOD, NEUTRAL) is None
