"""Each setting stands once, in the section of its room, and somebody reads it."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import fields
from pathlib import Path

import renzheng
from renzheng.capture.bounds import ChannelLimits
from renzheng.capture.capacity import CapacityLimits
from renzheng.engine.limits import WorkerLimits
from renzheng.settings import SECTIONS, Settings

SOURCE = Path(renzheng.__file__).parent
BY_FIELD = {one.name for limits in (ChannelLimits, CapacityLimits, WorkerLimits) for one in fields(limits)}
"""`room_settings` fills these types from the settings of the same names."""


BY_VARIABLE = {"models_dir"}
"""`engine/manifests.py` reads its variable, as worker processes and the evaluation find models without the server."""


def attributes(path: Path) -> set[str]:
    return {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}


def test_each_setting_stands_in_one_section() -> None:
    named = Counter(name for section in SECTIONS for name in section.model_fields)
    assert [name for name, count in named.items() if count > 1] == []
    assert set(named) == set(Settings.model_fields)
    assert set(SECTIONS) == {section for section in Settings.__bases__ if section.__module__.startswith("renzheng.")}


def test_each_setting_is_read() -> None:
    files = [path for path in SOURCE.rglob("*.py") if "settings" in path.read_text()]
    read = set().union(*map(attributes, files)) | BY_FIELD | BY_VARIABLE
    assert set(Settings.model_fields) - read == set()


def test_each_setting_has_a_sentence_and_a_default() -> None:
    for name, field in Settings.model_fields.items():
        assert (field.description or "").endswith("."), name
        assert not field.is_required(), name
