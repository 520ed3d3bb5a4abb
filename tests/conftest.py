"""What holds for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from renzheng.store import engines
from tests.support.schema import Template

PARTS = frozenset({"attacks", "races", "disk", "overload", "replay", "cluster", "soak"})
LONG = frozenset({"browser", "capture", "cli", "evaluation", "server"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A long test without a part would run in no part of `make stress`. Folders whose files take long come first, so
    that no worker is left with one of them at the end; files of the browser are spread among the others of these, as
    several at once, each with a browser, a server and a puppet, would take two cores from each other."""
    places = _places(items)
    items.sort(key=lambda item: places[item.path])
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        if ("stress" in marks) != (len(marks & PARTS) == 1):
            raise pytest.UsageError(f"{item.nodeid}: `stress` goes with one part of {', '.join(sorted(PARTS))}")


def _places(items: list[pytest.Item]) -> dict[Path, float]:
    """Return the position of each file: those of the browser and other long ones spread evenly in 0..1, all others
    after."""
    places: dict[Path, float] = dict.fromkeys((item.path for item in items), 1.0)
    browser = [path for path in places if "browser" in path.parts]
    others = [path for path in places if LONG & {*path.parts} and path not in browser]
    for files in (browser, others):
        places.update((path, number / len(files)) for number, path in enumerate(files))
    return places


@pytest.fixture(scope="session", autouse=True)
def _migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Stores opened in this process begin with the newest schema; processes of their own migrate as shipped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "migrate", Template(tmp_path_factory.mktemp("schema")).migrate)
        yield
