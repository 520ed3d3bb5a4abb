"""This checkout against another one, by the CPU that one unit of each measurement costs.

    python -m bench.against ../before token photo compare hints

`token`: one GetFaceIdToken; `photo`: one with a photo of 8 MB; `compare`: one comparison of two photos; `hints`: the
live hints of six seconds. Each checkout measures itself, with this interpreter and its packages. The other one does so
twice: a difference that is no larger than theirs means nothing. They take turns, in one order and then in the other.
"""

from __future__ import annotations

import base64
import contextlib
import json
import statistics
import sys
import tempfile
from pathlib import Path

from bench.compare import HERE, Child, photos, recording
from bench.photo import big_photo
from renzheng.engine import packs

ROUNDS = 9
BUSINESS = {"CompareLib": "BUSINESS", "IdCard": "11204416541220243X", "Name": "韦小宝"}

# What runs in a checkout: it says that it is ready, and then, for each line that comes in, the CPU seconds of a unit.
SERVING = """
import pathlib, sys
from bench.load import is_token, measure, renzheng, sign_tc3, target_of
body, count, connections = pathlib.Path(sys.argv[1]).read_bytes(), int(sys.argv[2]), int(sys.argv[3])
with renzheng() as server:
    key = server.key()
    def run():
        request = sign_tc3(f"127.0.0.1:{server.port}", key, "GetFaceIdToken", body)
        return measure(target_of(server, request), count, connections, is_token)[0]
    run()
    print("ready", flush=True)
    for _ in sys.stdin:
        print(run(), flush=True)
"""
COMPARING = """
import sys
from bench import compare
compare.child(next(side for side in compare.SIDES if side.startswith(sys.argv[1])), *sys.argv[2:])
"""


def command(name: str, folder: Path) -> list[str]:
    """The program of a measurement and what it is given. SystemExit for a name that there is not."""
    if name == "token":
        body = json.dumps(BUSINESS)
        given = [SERVING, str(written(folder / "token", body)), "1500", "32"]
    elif name == "photo":
        body = json.dumps({"CompareLib": "LOCAL", "ImageBase64": base64.b64encode(big_photo()).decode()})
        given = [SERVING, str(written(folder / "photo", body)), "12", "2"]
    elif name == "compare":
        given = [COMPARING, "1:1 compare, renzheng", *map(str, photos(folder))]
    elif name == "hints":
        given = [COMPARING, "live hints", str(recording(folder, "blink")), str(packs.require("sample"))]
    else:
        raise SystemExit(f"no measurement {name}; there are: token, photo, compare, hints")
    return [sys.executable, "-c", *given]


def written(path: Path, body: str) -> Path:
    path.write_text(body)
    return path


def measure(name: str, before: Path, folder: Path) -> None:
    given = command(name, folder)
    sides = {"before": before, "before, again": before, "now": HERE}
    found: dict[str, list[float]] = {side: [] for side in sides}
    with contextlib.ExitStack() as stack:
        children = {}
        for side, place in sides.items():
            children[side] = stack.enter_context(Child(f"{name} in {place}", given, place))
            children[side].wait()
        for number in range(ROUNDS):
            for side in list(sides)[:: 1 if number % 2 else -1]:
                found[side].append(children[side].measure())
    for side, values in found.items():
        middle, least, most = (1e3 * value for value in (statistics.median(values), min(values), max(values)))
        ratios = [value / first for value, first in zip(values, found["before"], strict=True)]
        ratio = statistics.median(values) / statistics.median(found["before"])
        print(f"{name:<8} {side:<14} {middle:9.3f} ms CPU a unit ({least:.3f} to {most:.3f})", end="")
        print(f"   : before {ratio:.3f}, by round {statistics.median(ratios):.3f}", flush=True)


def main() -> None:
    before, *names = sys.argv[1:] or [""]
    if not (Path(before) / "bench" / "load.py").is_file():
        raise SystemExit("name the other checkout's folder first: python -m bench.against ../before token")
    for name in names or ("token", "photo", "compare", "hints"):
        with tempfile.TemporaryDirectory() as folder:
            measure(name, Path(before).resolve(), Path(folder))


if __name__ == "__main__":
    main()
