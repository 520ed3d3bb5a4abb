"""A copy that is made beside a running server is a whole one, and what was erased since stays erased."""

from __future__ import annotations

import contextlib
import json
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from renzheng.cli.account import app as account
from renzheng.cli.audit import app as audit
from renzheng.cli.backup import app as backup
from renzheng.cli.identity import app as identity
from renzheng.cli.vault import app as vault
from renzheng.store import backup as copies

from .commands import folders as folders
from .commands import run
from .conftest import NAME, PHOTO, World

pytestmark = pytest.mark.sqlite

PEOPLE = ("110101199003070011", "110101199003070022", "110101199003070033")


def enrol(folder: Path, id_card: str) -> str:
    (folder / "photo.jpg").write_bytes(PHOTO)
    who = ("--id-card", id_card, "--name", NAME, "--photo", str(folder / "photo.jpg"))
    return str(json.loads(run(identity, "add", *who, "--no-look", "--json"))["id"])


def enrolled() -> list[str]:
    return [str(person["id"]) for person in json.loads(run(identity, "list", "--json"))]


def test_copies_bring_everybody_back_but_those_who_were_erased_since(tmp_path: Path) -> None:
    run(account, "create", "shop")
    first, second = (enrol(tmp_path, number) for number in PEOPLE[:2])
    assert json.loads(run(backup, "records", "copy/records", "--json")) == {"new": 2, "gone": 0}
    run(backup, "keys", "copy/keys")
    run(identity, "remove", first)
    third = enrol(tmp_path, PEOPLE[2])
    run(vault, "rotate")
    assert json.loads(run(backup, "records", "copy/records", "--json")) == {"new": 1, "gone": 1}
    older = shutil.copytree("copy/keys", "older")
    run(backup, "keys", "copy/keys")
    assert [path.name for path in Path("copy/keys").glob("*.key")] == ["master-2.key"]
    copied = [Path("copy/records"), Path("copy/keys"), *(path for path in Path("copy").rglob("*") if path.is_file())]
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in copied)
    for name in ("data", "keys"):
        shutil.rmtree(name)
    shutil.copytree("copy/records", "data")
    shutil.copytree("copy/keys", "keys")
    assert enrolled() == [second, third]
    assert {"records copied", "keys copied"} <= {event["verb"] for event in json.loads(run(audit, "list", "--json"))}
    shutil.rmtree("keys")
    shutil.copytree(older, "keys")  # older keys do not open what came later, and erase again what they are told
    assert json.loads(run(vault, "replay", "copy/keys/erasures.db", "--json")) == {"erased": 1}


def test_a_copy_goes_nowhere_where_it_does_not_belong(tmp_path: Path) -> None:
    run(account, "create", "shop")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("mine")
    assert "neither empty" in run(backup, "records", "other", code=1)
    assert "inside each other" in run(backup, "records", "data/copy", code=1)
    assert "inside each other" in run(backup, "keys", str(tmp_path), code=1)
    run(backup, "records", "copy")
    assert "media apart" in run(backup, "keys", "copy", code=1)
    assert "cannot be used" in run(backup, "records", "other/letter.txt", code=1)


async def test_a_copy_takes_what_is_whole_alone_and_is_the_owners_alone(world: World, tmp_path: Path) -> None:
    await world.issue(photo=PHOTO)
    data, copy = world.root / "data", tmp_path / "copy"
    (data / "evidence" / "sessions" / ".photo.0badcafe").write_bytes(b"half a write")
    assert copies.copy_records(data, copy) == (1, 0)
    assert not list((copy / "evidence").rglob(".*"))
    copy.chmod(0o755)
    assert copies.copy_records(data, copy) == (0, 0)
    assert copy.stat().st_mode & 0o777 == 0o700


async def test_keys_are_copied_while_nobody_rotates_them(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Path, list[str]]] = []

    @contextlib.contextmanager
    def lock(path: Path) -> Iterator[None]:
        yield
        seen.append((path, sorted(copied.name for copied in (tmp_path / "copy").iterdir())))

    monkeypatch.setattr(copies, "file_lock", lock)
    copies.copy_keys(world.root / "keys", tmp_path / "copy")
    assert seen == [(world.root / "keys" / "lock", ["erasures.db", "keys.db", "master-1.key"])]
    (tmp_path / "copy" / "master-0.key").touch(mode=0o600)
    copies.copy_keys(world.root / "keys", tmp_path / "copy")  # a master key that was rotated away goes here too
    assert [path.name for path in (tmp_path / "copy").glob("master-*")] == ["master-1.key"]
