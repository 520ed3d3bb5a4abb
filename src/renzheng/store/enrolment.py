"""Bulk enrolment: a CSV file and a folder of photos, checked as a whole before anything is stored.

Problems are reported by row and field. No message contains an ID number, a name, or a file's name, as photos are often
named after the person.
"""

from __future__ import annotations

import asyncio
import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from renzheng.store.accounts import RefusedError
from renzheng.store.identities import Identities, NewPerson
from renzheng.verification.identity import MAX_NAME, is_id_card, normal_id_card, normal_name

FIELDS = ("id_card", "name", "photo")
MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


@dataclass(frozen=True, slots=True)
class Problem:
    """`row`: the line's number as a spreadsheet shows it; the heading is row 1. `field`: a column's name."""

    row: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImportRow:
    """`photo`: a path, or another handle of the source of photos."""

    row: int
    id_card: str = field(repr=False)
    name: str = field(repr=False)
    photo: Any | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import would do: the rows to enrol, and the problems. It is carried out only if there are none."""

    lines: tuple[ImportRow, ...]
    problems: tuple[Problem, ...]
    replaced: int

    def without(self, faults: Mapping[int, str]) -> ImportPlan:
        """Return the plan after problems were found in the photos of these rows too."""
        lines = tuple(line for line in self.lines if line.row not in faults)
        problems = (*self.problems, *(Problem(row, "photo", reason) for row, reason in faults.items()))
        return ImportPlan(lines, tuple(sorted(problems, key=lambda p: (p.row, p.field))), self.replaced)


class PhotoSource(Protocol):
    """The photos that a CSV file names. `find` returns a handle for one."""

    def find(self, name: str) -> Any | None: ...
    def fault(self, photo: Any) -> str | None:
        """Return what is wrong with it, by its size and first bytes."""
        ...


class FolderOfPhotos:
    """Files below a folder; a handle is a path."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    def find(self, name: str) -> Path | None:
        return _inside(self._folder, name)

    def fault(self, photo: Path) -> str | None:
        return check_photo(photo, self._max_bytes)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RefusedError(f"the CSV file cannot be read: {error.strerror}") from None


def _decode(content: bytes) -> str:
    """Decode UTF-8, with or without a byte order mark, or GB 18030, as spreadsheets in China save. RefusedError."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise RefusedError("the CSV file is neither UTF-8 nor GB 18030")


def check_photo(path: Path, most_bytes: int) -> str | None:
    """Return what is wrong with a photo's file, by its size and first bytes; None if nothing is."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(16)
    except OSError:
        return "the file cannot be read"
    if size > most_bytes:
        return f"the file has more than {most_bytes} bytes"
    if not head.startswith(MAGIC):
        return "the file is not a JPEG or PNG"
    return None


def read_lines(content: bytes, photos: PhotoSource | None, most: float = math.inf) -> Iterator[ImportRow | Problem]:
    """Yield the rows of a CSV file and its problems.

    Raises RefusedError if it is not a CSV file, or has more than `most` rows.
    """
    reader = csv.DictReader(io.StringIO(_decode(content), newline=""), restkey="", restval="", strict=True)
    try:
        heading = [(name or "").strip() for name in reader.fieldnames or ()]
        missing = [name for name in FIELDS[:2] if name not in heading]
        if missing:
            raise RefusedError(f"the heading (row 1) lacks {' and '.join(missing)}; it is {','.join(FIELDS)}")
        reader.fieldnames = heading
        for number, values in enumerate(reader):
            if number >= most:
                raise RefusedError(f"the table has more than {most} rows: split it into several imports")
            yield from _line(reader.line_num, values, photos)
    except csv.Error:
        yield Problem(reader.line_num, "row", "the row is not CSV")


def _line(row: int, values: dict[str, str], photos: PhotoSource | None) -> Iterator[ImportRow | Problem]:
    if values.get(""):
        yield Problem(row, "row", "there are more fields than in the heading")
        return
    id_card, name, photo = ((values.get(column) or "").strip() for column in FIELDS)
    good = True
    if not is_id_card(normal_id_card(id_card)):
        good = False
        yield Problem(row, "id_card", "it has to be 17 digits and a digit or X" if id_card else "it is empty")
    if not normal_name(name):
        good = False
        yield Problem(row, "name", "it is empty")
    if len(name) > MAX_NAME:
        good = False
        yield Problem(row, "name", f"it has more than {MAX_NAME} characters")
    found: Any | None = None
    if photo:
        found = photos.find(photo) if photos is not None else None
        reason = "there is no folder of photos" if photos is None else "the file is not in the folder of photos"
        if photos is not None and found is not None:
            reason = photos.fault(found) or ""
        if reason:
            good = False
            yield Problem(row, "photo", reason)
    if good:
        yield ImportRow(row, normal_id_card(id_card), name, found)


def _inside(folder: Path, name: str) -> Path | None:
    """Return a file below the folder; None if it is elsewhere or missing."""
    try:
        path = (folder / name).resolve()
        return path if path.is_relative_to(folder.resolve()) and path.is_file() else None
    except (OSError, ValueError):
        return None


async def plan(
    identities: Identities,
    account_id: int,
    path: Path,
    photos: Path | None,
    *,
    replace: bool = False,
    most_bytes: int = 8 * 1024 * 1024,
) -> ImportPlan:
    """Check every row and store nothing. Raises RefusedError if the file as a whole cannot be used."""
    source = None if photos is None else FolderOfPhotos(photos, most_bytes)
    found = await asyncio.to_thread(lambda: list(read_lines(_read(path), source)))
    return await plan_of(identities, account_id, found, replace=replace)


async def plan_of(
    identities: Identities,
    account_id: int,
    found: Sequence[ImportRow | Problem],
    *,
    replace: bool = False,
    done: int = 0,
) -> ImportPlan:
    """Return what enrolling these rows would do. `done`: good rows that this import has already enrolled."""
    lines: list[ImportRow] = []
    problems: list[Problem] = []  # in the order of rows, as `found` is
    first: dict[str, int] = {}
    replaced = 0
    for number, line in enumerate(found):
        if number % 100 == 99:
            await asyncio.sleep(0)  # one look-up per row, so that others are served in between
        if isinstance(line, Problem):
            problems.append(line)
            continue
        if line.id_card in first:
            problems.append(Problem(line.row, "id_card", f"it is the same as in row {first[line.id_card]}"))
            continue
        first[line.id_card] = line.row
        if len(lines) >= done and await identities.is_enrolled(account_id, line.id_card):
            if not replace:
                problems.append(Problem(line.row, "id_card", "this person is enrolled already"))
                continue
            replaced += 1
        lines.append(line)
    return ImportPlan(tuple(lines), tuple(problems), replaced)


async def carry_out(identities: Identities, account_id: int, planned: ImportPlan, *, replace: bool = False) -> int:
    """Enrol the rows of a plan without problems. Returns how many; each is durable before the next begins.

    After a crash or a RefusedError, the same import with `replace` completes it.
    """
    if planned.problems:
        raise RefusedError("the import has problems; nothing was stored")
    for line in planned.lines:
        photo = None if line.photo is None else await asyncio.to_thread(line.photo.read_bytes)
        await identities.add(account_id, NewPerson(line.id_card, line.name, photo), replace=replace)
    return len(planned.lines)
