"""What is compared with what: a labelled list of pairs, or every pair of a folder of people.

A list is a CSV file with a header: two columns that name images (relative to the list's folder) and one that says
whether they show the same person. A folder of people has one sub-folder a person, or files named
`Name_0001.jpg` as Labeled Faces in the Wild has them.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from renzheng.evaluation.rates import Indices

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
PEOPLE = "people.csv"
LISTS = ("pairs.csv", "master.csv")
"""Names by which a list of pairs is found in a folder."""
COLUMNS = (("a", "b", "same"), ("file_x", "file_y", "decision"), ("first", "second", "same"))
"""Headers that are known; another header of three columns is read in this order too."""
SAME = frozenset({"1", "yes", "true", "same", "genuine", "mated", "是"})
DIFFERENT = frozenset({"0", "no", "false", "different", "impostor", "non-mated", "否"})
NUMBERED = re.compile(r"(?P<person>.+)_\d{1,6}")


class DataError(Exception):
    """The given data cannot be read as labelled pairs or people. The text says what is wrong, and where."""


@dataclass(frozen=True)
class Pairs:
    """Images by path, the person of each (an index below `people`), and the pairs of a list.

    `first`, `second` (n) index `images`, `same` (n) is the label; all three are None where every pair of images is
    compared. `contradictions` counts pairs labelled different that other labels tie to one person.
    """

    name: str
    images: list[Path]
    person_of: Indices
    people: int
    first: Indices | None = None
    second: Indices | None = None
    same: np.ndarray | None = None
    contradictions: int = 0

    @property
    def mode(self) -> str:
        return "all-pairs" if self.first is None else "pairs"


def find_list(target: Path) -> Path | None:
    """Return the list of pairs that `target` is or contains; None for a folder without one."""
    if target.is_file():
        return target
    if not target.is_dir():
        raise DataError(f"{target} is neither a file nor a folder")
    for name in LISTS:
        if (target / name).is_file():
            return target / name
    lists = sorted(path for path in target.glob("*.csv") if path.name != PEOPLE)
    if len(lists) > 1:
        raise DataError(f"{target} holds {len(lists)} CSV files and none is called pairs.csv; name the one you mean")
    return lists[0] if lists else None


def read_pairs(path: Path) -> Pairs:
    """Read a labelled list. Raises DataError for a missing image, an unknown label or an unknown header."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        columns = _columns(rows.fieldnames or [], path)
        numbers: dict[Path, int] = {}
        first: list[int] = []
        second: list[int] = []
        same: list[bool] = []
        for row in rows:
            one, other, label = (str(row[column] or "").strip() for column in columns)
            first.append(numbers.setdefault(path.parent / one, len(numbers)))
            second.append(numbers.setdefault(path.parent / other, len(numbers)))
            same.append(_label(label, path, rows.line_num))
    images = list(numbers)
    missing = [image for image in images if not image.is_file()]
    if missing:
        raise DataError(f"{path.name} names {len(missing)} images that are not there, the first is {missing[0]}")
    if not same:
        raise DataError(f"{path.name} has a header but no pair")
    columns_of = np.array(first, dtype=np.int64), np.array(second, dtype=np.int64), np.array(same)
    person_of, contradictions = _people(images, *columns_of)
    people = int(person_of.max()) + 1
    return Pairs(_name(path), images, person_of, people, *columns_of, contradictions)


def _name(path: Path) -> str:
    return f"{path.resolve().parent.name}/{path.name}"


def _columns(header: object, path: Path) -> tuple[str, str, str]:
    names = [str(name) for name in header] if isinstance(header, (list, tuple)) else []
    by_lower = {name.strip().lower(): name for name in names}
    for known in COLUMNS:
        if all(name in by_lower for name in known):
            return by_lower[known[0]], by_lower[known[1]], by_lower[known[2]]
    if len(names) == 3:
        return names[0], names[1], names[2]
    wanted = " or ".join(",".join(known) for known in COLUMNS)
    raise DataError(f"{path.name} has the header {','.join(names)!r}; {wanted} is expected")


def _label(text: str, path: Path, line: int) -> bool:
    if text.lower() in SAME:
        return True
    if text.lower() in DIFFERENT:
        return False
    raise DataError(f"{path.name}, line {line}: {text!r} is not a label; 1 or 0, yes or no is expected")


def _people(images: list[Path], first: Indices, second: Indices, same: np.ndarray) -> tuple[Indices, int]:
    """Group images into people: by pairs labelled the same, and by file names that differ only in their number."""
    leader = list(range(len(images)))

    def find(image: int) -> int:
        while leader[image] != image:
            leader[image] = leader[leader[image]]
            image = leader[image]
        return image

    for one, other in zip(first[same], second[same], strict=True):
        leader[find(int(one))] = find(int(other))
    different = zip(first[~same], second[~same], strict=True)
    torn = sum(find(int(one)) == find(int(other)) for one, other in different)
    named: dict[tuple[Path, str], int] = {}
    for number, image in enumerate(images):
        if found := NUMBERED.fullmatch(image.stem):
            leader[find(number)] = find(named.setdefault((image.parent, found["person"]), number))
    roots = np.array([find(image) for image in range(len(images))], dtype=np.int64)
    return np.unique(roots, return_inverse=True)[1].astype(np.int64), torn


def _listed_people(folder: Path) -> dict[str, str] | None:
    """Return the person of each image, from the folder's list of people; None without one. DataError for another
    heading."""
    path = folder / PEOPLE
    if not path.is_file():
        return None
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if not {"image", "person"} <= set(rows.fieldnames or ()):
            raise DataError(f"{path} needs the columns image and person")
        return {str(row["image"]).strip(): str(row["person"] or "").strip() for row in rows}


def read_people(folder: Path, *, most: int | None = None) -> Pairs:
    """Read every image of a folder of people, in the order of their names. `most`: images taken of one person.

    People are told apart by `people.csv` (`image,person`) if it exists, or by sub-folders and file names. Raises
    DataError if the folder does not tell, or has fewer than two people.
    """
    found: dict[str, list[Path]] = {}
    loose = 0
    told = _listed_people(folder)
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in IMAGE_SUFFIXES or not path.is_file():
            continue
        if told is not None:
            if person := told.get(path.relative_to(folder).as_posix()):
                found.setdefault(person, []).append(path)
            else:
                loose += 1
        elif path.parent != folder:
            found.setdefault(str(path.relative_to(folder).parent), []).append(path)
        elif named := NUMBERED.fullmatch(path.stem):
            found.setdefault(named["person"], []).append(path)
        else:
            loose += 1
    if loose:
        raise DataError(
            f"{loose} images in {folder} belong to nobody: name them Name_0001.jpg, put them into one sub-folder "
            f"a person, or list them in {PEOPLE} (image,person)"
        )
    if len(found) < 2:
        raise DataError(f"{folder} holds {len(found)} people; impostor comparisons need two at least")
    images = [image for of_person in found.values() for image in of_person[:most]]
    sizes = [len(of_person[:most]) for of_person in found.values()]
    person_of = np.repeat(np.arange(len(found)), sizes).astype(np.int64)
    return Pairs(folder.resolve().name, images, person_of, len(found))
