"""What is durable before what: the order of writes, syncs, renames, commits and answers, as the system sees them."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from renzheng.store import backup
from renzheng.store.identities import NewPerson
from renzheng.store.keyring import write_private
from renzheng.store.records import session_folder
from renzheng.store.sealer import Kind
from renzheng.store.sweeper import DAY
from tests.support.stores import sqlite_of, vault_of

from .conftest import ID_CARD, PHOTO, World
from .test_sweeper import judged

pytestmark = pytest.mark.sqlite


def named(path: str) -> str:
    """A file's name without the part that is drawn for it; a folder's with a stroke."""
    name = Path(path).name
    if name.startswith("."):
        return f"new {name[1:].split('.')[0].split('-')[0]}"
    return f"{name}/" if Path(path).is_dir() else name


@contextlib.contextmanager
def recorded(world: World | None = None) -> Iterator[list[str]]:
    """What happens to files and databases, in order."""
    events: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("write", "fsync"):
            real = getattr(os, name)

            def run(descriptor: int, *given: Any, name: str = name, real: Callable[..., Any] = real) -> Any:
                if not stat.S_ISFIFO(os.fstat(descriptor).st_mode) and not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                    events.append(f"{name} {named(os.readlink(f'/proc/self/fd/{descriptor}'))}")
                return real(descriptor, *given)

            patch.setattr(os, name, run)
        real_replace, real_link, real_mkdir = Path.replace, os.link, Path.mkdir

        def replace(self: Path, target: Path) -> Path:
            events.append(f"rename {Path(target).name}")
            return real_replace(self, target)

        def link(source: Path, target: Path) -> None:
            events.append(f"link {Path(target).name}")
            real_link(source, target)

        def mkdir(self: Path, *given: Any, **named: Any) -> None:
            real_mkdir(self, *given, **named)
            events.append(f"mkdir {self.name}/ in {self.parent.name}/")

        patch.setattr(Path, "replace", replace)
        patch.setattr(os, "link", link)
        patch.setattr(Path, "mkdir", mkdir)
        traced = (
            {} if world is None else {"records": sqlite_of(world.store)._writer, "keys": vault_of(world.store)._writer}
        )
        for name, connection in traced.items():
            connection.set_trace_callback(
                lambda sql, name=name: events.append(f"commit {name}") if sql == "COMMIT" else None  # type: ignore[misc]
            )
        try:
            yield events
        finally:
            for connection in traced.values():
                connection.set_trace_callback(None)


async def test_a_photo_is_durable_before_its_key_and_that_before_its_token(world: World) -> None:
    with recorded(world) as events:
        session_id = await world.issue(photo=PHOTO)
        events.append("answered")
    folder = f"{session_id:016d}/"
    assert [event for event in events if not event.startswith("mkdir") and "/" not in event.removesuffix(folder)] == [
        *("write new photo", "fsync new photo", "rename photo", f"fsync {folder}"),
        *("commit keys", "commit records", "answered"),
    ]


async def test_each_new_folder_is_durable_in_the_one_that_it_is_in(world: World) -> None:
    with recorded(world) as events:
        await world.issue(photo=PHOTO)
    made = [event for event in events if event.startswith("mkdir")]
    assert len(made) == 3  # sessions, the hour, the session
    for event in made:
        assert events[events.index(event) + 1] == f"fsync {event.partition(' in ')[2]}"


async def test_frames_are_durable_before_the_rows_that_name_them_and_those_before_the_answer(world: World) -> None:
    session_id = await world.capture()
    with recorded(world) as events:
        assert await world.store.sessions.store_frames(session_id, 1, [world.frame(10)])
        events.append("answered")
    assert [event.split("-")[0] for event in events] == [
        *("write new 001", "fsync new 001", "rename 001", f"fsync {session_id:016d}/", "commit records", "answered")
    ]


async def test_a_photo_of_a_person_is_durable_before_the_row(world: World) -> None:
    with recorded(world) as events:
        await world.store.identities.add(world.account.id, NewPerson(ID_CARD, "name", PHOTO))
        events.append("answered")
    order = [e for e in events if e in ("fsync new photo", "rename photo", "commit keys", "answered")]
    assert order == ["fsync new photo", "rename photo", "commit keys", "answered"]
    assert events[-3:] == ["commit keys", "commit records", "answered"]


def test_a_master_key_is_durable_before_it_is_used(tmp_path: Path) -> None:
    with recorded() as events:
        write_private(tmp_path / "master-1.key", b"key")
    assert events == [
        *("write master-1.key.new", "fsync master-1.key.new", "link master-1.key"),
        f"fsync {tmp_path.name}/",
    ]
    assert (tmp_path / "master-1.key").stat().st_mode & 0o777 == 0o600


async def test_a_copy_of_the_evidence_is_durable_when_the_command_ends(world: World, tmp_path: Path) -> None:
    await world.issue(photo=PHOTO)
    with recorded() as events:
        backup.copy_records(world.root / "data", tmp_path / "copy")
    copied = events.index("rename photo")
    assert "fsync new photo" in events[:copied]
    folder = next(path for path in (tmp_path / "copy" / "evidence").rglob("photo")).parent
    assert f"fsync {folder.name}/" in events[copied:]
    records = events.index("rename renzheng.db")
    assert "fsync copy/" in events[records:]
    with recorded() as events:
        backup.copy_keys(world.root / "keys", tmp_path / "keys")
    for name in ("keys.db", "erasures.db", "master-1.key"):
        assert "fsync keys/" in events[events.index(f"rename {name}") :]
    for path in (*(tmp_path / "copy").rglob("*"), *(tmp_path / "keys").rglob("*"), tmp_path / "copy"):
        assert path.stat().st_mode & 0o077 == 0, path


Deed = Callable[..., Awaitable[Any]]


@pytest.fixture
def deeds(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys that are destroyed, objects that are deleted, and transactions, in order."""
    done: list[str] = []
    store = world.store

    def note(name: Callable[..., str], real: Deed) -> Deed:
        async def run(*given: Any, **named: Any) -> Any:
            result = await real(*given, **named)
            done.append(name(*given))
            return result

        return run

    def keys(subjects: list[Any]) -> str:
        return "keys of " + ",".join(sorted({Kind(subject.kind).name.lower() for subject in subjects}))

    monkeypatch.setattr(store.vault.erasures, "destroy", note(keys, store.vault.erasures.destroy))
    monkeypatch.setattr(store.objects, "delete", note(lambda _: "objects", store.objects.delete))
    monkeypatch.setattr(store.objects, "delete_all", note(lambda _: "objects", store.objects.delete_all))
    monkeypatch.setattr(store.database, "write", note(lambda _: "rows", store.database.write))
    return done


async def test_of_evidence_the_key_goes_first_then_the_objects_then_the_rows(world: World, deeds: list[str]) -> None:
    await judged(world)
    deeds.clear()
    await world.store.sweeper._purge_evidence(world.clock() + 1, world.clock())
    assert deeds == ["keys of evidence", "objects", "rows"]


async def test_of_an_unused_photo_the_key_goes_first(world: World, deeds: list[str]) -> None:
    await world.issue(photo=PHOTO)
    deeds.clear()
    await world.store.sweeper._purge_unused(world.clock() + 600)
    assert deeds == ["keys of evidence", "objects", "rows"]


async def test_of_a_result_the_key_goes_before_its_row_is_buried(world: World, deeds: list[str]) -> None:
    await world.issue()
    deeds.clear()
    await world.store.sweeper._purge_results(world.clock() + 1, world.clock() + 4 * DAY)
    assert deeds == ["keys of session", "rows", "rows"]  # the row, and how far the sweeper has come


async def test_of_a_person_the_key_goes_first_then_the_row_then_the_photo(world: World, deeds: list[str]) -> None:
    await world.store.identities.add(world.account.id, NewPerson(ID_CARD, "name", PHOTO))
    deeds.clear()
    await world.store.identities.remove(world.account.id, ID_CARD)
    assert deeds[0] == "keys of person"
    assert deeds[-1] == "objects"
    assert "rows" in deeds[1:-1]


async def test_of_a_session_that_somebody_wants_erased_the_keys_go_first(world: World, deeds: list[str]) -> None:
    session_id = await judged(world)
    deeds.clear()
    await world.store.sweeper.erase(session_id, world.account.id, world.clock())
    assert deeds == ["keys of evidence,session", "objects", "rows"]
    assert not await world.store.objects.entries(session_folder(session_id))


async def test_a_copy_without_new_evidence_is_durable_too(world: World, tmp_path: Path) -> None:
    with recorded() as events:
        backup.copy_records(world.root / "data", tmp_path / "copy")
    assert events[-2:] == ["rename renzheng.db", "fsync copy/"]
