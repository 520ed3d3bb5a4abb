"""What the advisory image scores are worth: `python scripts/appearance.py PHOTOS... [--real R] [--fake F] --out FILE`.

PHOTOS are folders of photos with one face each, which are spoiled in known ways; at most `--most` of each folder are
taken, in the order of their names. R and F are folders of pictures that people labelled as genuine and as attacks.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from importlib.metadata import version
from pathlib import Path

import msgspec

from renzheng.engine.observation import FaceModels
from renzheng.evaluation.appearances import evaluate_appearances, markdown

ENDINGS = (".jpg", ".jpeg", ".png")


def pictures(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in ENDINGS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--real", type=Path, nargs="*", default=[])
    parser.add_argument("--fake", type=Path, nargs="*", default=[])
    parser.add_argument("--most", type=int, default=100)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    photos = [path for folder in given.photos for path in pictures(folder)[: given.most]]
    real, fake = (
        [path for one in paths for path in ([one] if one.is_file() else pictures(one))]
        for paths in (given.real, given.fake)
    )
    words = [Path(word).name if Path(word).exists() else word for word in sys.argv[1:]]
    found = evaluate_appearances(
        photos,
        (real, fake),
        FaceModels(),
        command=shlex.join(["python", "scripts/appearance.py", *words]),
        version=version("renzheng"),
        clock=time.time,
    )
    given.out.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    print(markdown(found))


if __name__ == "__main__":
    main()
