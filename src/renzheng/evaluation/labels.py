"""A folder of clips of real people and real attacks: its `clips.csv`, which says who does what and when.

Columns: `file`, `kind` (`real`, or the type of an attack such as `replay_screen`), `person`, `actions`; others are
ignored. `actions` are items `name start[-end]`, in seconds, separated by `;`, left and right being the person's own.
The names in `NAMES` are used; any other item, and what stands in brackets, is a distractor that is only reported.

A second file, of one's own, may say the times more exactly, name tilts of the head, or leave something out. Its
columns: `file`, `actions`, `reason`. A row without a reason replaces the actions of that clip; a row with one leaves
these actions out, or the whole clip where it names none. Reasons are written before anything is judged.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from renzheng.evaluation.pairs import DataError

LIST = "clips.csv"
STILL = "still"
NAMES = ("blink", "open_mouth", "nod", "turn_left", "turn_right", STILL)
OWN_NAMES = (*NAMES, "tilt_left", "tilt_right")
REAL = "real"
COLUMNS = ("file", "kind", "person", "actions")
OWN_COLUMNS = ("file", "actions", "reason")
BRACKETS = re.compile(r"\([^()]*\)")
TIMES = re.compile(r"(\d+(?:\.\d+)?)(?:\s*-\s*(\d+(?:\.\d+)?))?$")


@dataclass(frozen=True, slots=True)
class Item:
    """Something that a person does. Seconds of the clip; `end` is `start` where none is told."""

    name: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class LabelledClip:
    """One row. `attack`: its type, empty for a real person. `distractors`: texts of items that nothing is composed of,
    `busy`: those of them that say when. `without`: actions that are left out, with the reason. `unfit`: why the whole
    clip is, empty where it takes part."""

    path: Path
    person: str
    attack: str
    items: tuple[Item, ...]
    distractors: tuple[str, ...] = ()
    busy: tuple[Item, ...] = ()
    without: tuple[tuple[Item, str], ...] = ()
    unfit: str = ""

    @property
    def actions(self) -> tuple[Item, ...]:
        """The actions that challenges ask for, in the order of their beginning."""
        return tuple(sorted((item for item in self.items if item.name != STILL), key=lambda item: item.start))

    @property
    def stills(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.name == STILL)

    def reason_against(self, used: Sequence[Item]) -> str:
        """Return why a presentation of these actions is left out; empty if it is not."""
        return self.unfit or next((reason for item, reason in self.without if item in used), "")


def holds_clips(folder: Path) -> bool:
    return (folder / LIST).is_file()


def read_clips(folder: Path, own: Path | None = None) -> list[LabelledClip]:
    """Read the clips of a folder, in the order of its list. `own`: a file that corrects it. DataError names the
    line."""
    clips: dict[str, LabelledClip] = {}
    for where, row in _rows(folder / LIST, COLUMNS):
        name, kind, person = (row[column].strip() for column in COLUMNS[:3])
        for column, value in zip(COLUMNS, (name, kind, person), strict=False):
            if not value:
                raise DataError(f"{where}: {column} is empty")
        if name in clips:
            raise DataError(f"{where}: {name} is listed twice")
        if Path(name).name != name or not (folder / name).is_file():
            raise DataError(f"{where}: the file {name!r} is not in the folder")
        items, distractors, busy = parse_actions(row["actions"], where)
        clips[name] = LabelledClip(folder / name, person, "" if kind == REAL else kind, items, distractors, busy)
    if own is not None:
        for where, row in _rows(own, OWN_COLUMNS):
            name = row["file"].strip()
            if name not in clips:
                raise DataError(f"{where}: the file {name!r} is not in {LIST}")
            clips[name] = _corrected(clips[name], row["actions"], row["reason"].strip(), where)
    if not clips:
        raise DataError(f"{folder / LIST} lists no clip")
    return list(clips.values())


def _corrected(clip: LabelledClip, actions: str, reason: str, where: str) -> LabelledClip:
    items, distractors, busy = parse_actions(actions, where, OWN_NAMES)
    if not reason:
        return replace(clip, items=items, distractors=distractors, busy=busy)
    if not items:
        return replace(clip, unfit=reason)
    unknown = [item for item in items if item not in clip.items]
    if unknown:
        raise DataError(f"{where}: the clip has no {unknown[0].name} at {unknown[0].start:g} to leave out")
    return replace(clip, without=(*clip.without, *((item, reason) for item in items)))


def parse_actions(
    text: str, where: str, names: Sequence[str] = NAMES
) -> tuple[tuple[Item, ...], tuple[str, ...], tuple[Item, ...]]:
    """Return (actions and stills, texts of distractors, those of them with times). DataError begins with `where`."""
    plain = text
    while BRACKETS.search(plain):
        plain = BRACKETS.sub(" ", plain)
    if "(" in plain or ")" in plain:
        raise DataError(f"{where}: a bracket is not closed in {text!r}")
    items, distractors, busy = [], [part.strip("() ") for part in BRACKETS.findall(text)], []
    for part in (part.strip() for part in plain.split(";")):
        if not part:
            continue
        name, _, rest = part.partition(" ")
        times = TIMES.search(part)
        if name not in names:
            distractors.append(part)
            if times is not None:
                busy += [item for item in [_timed(part[: times.start()].strip(), times)] if item.end >= item.start]
            continue
        whole = TIMES.match(rest.strip())
        if whole is None:
            raise DataError(f"{where}: {part!r} is not of the form `name start[-end]` in seconds")
        item = _timed(name, whole)
        if item.end < item.start:
            raise DataError(f"{where}: {part!r} ends before it begins")
        items.append(item)
    return tuple(items), tuple(distractors), tuple(busy)


def _timed(name: str, times: re.Match[str]) -> Item:
    start = float(times[1])
    return Item(name, start, start if times[2] is None else float(times[2]))


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (place for an error, row). Blank lines are skipped, and other columns ignored."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.reader(file, strict=True)
            head = [name.strip() for name in next(table, [])]
            if missing := [column for column in columns if column not in head]:
                raise DataError(f"{path.name}: line 1: the column {missing[0]!r} is missing")
            for cells in table:
                where = f"{path.name}: line {table.line_num}"
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(head):
                    raise DataError(f"{where}: {len(cells)} cells under {len(head)} columns")
                yield where, dict(zip(head, cells, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path.name}: {error}") from error
