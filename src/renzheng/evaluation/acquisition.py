"""Computes embeddings of images. It is resumable: results are kept by the digests of the file and of the models.

The cache is a file of embeddings, which are biometric data: only its owner can read it, and `forget` removes it.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import BinaryIO

import numpy as np

from renzheng.engine import packs
from renzheng.engine.detection import Face
from renzheng.engine.limits import MediaLimits
from renzheng.engine.media import MediaError, decode
from renzheng.engine.observation import FaceModels
from renzheng.engine.quality import second_face
from renzheng.engine.runtimes import Floats, Image

FACE_RULES = ("central", "largest", "only")
"""Which face of a photo is used: the one nearest to the middle (a label names the person in the middle), the largest,
or the only one (a photo with a large second face is then a failure to acquire, as in the server)."""
FAILURES = ("", "no_face", "several_faces", "unreadable", *MediaError.KINDS)
SIZE = 128  # numbers in an embedding
RECORD = np.dtype(
    [
        ("digest", "u1", 32),
        ("failure", "u1"),
        ("several", "u1"),
        ("milliseconds", "<f4", 3),
        ("embedding", "<f4", SIZE),
    ]
)
STAGES = ("decode", "detect", "embed")


@dataclass(frozen=True)
class Acquired:
    """One image: its unit embedding, or why there is none. `milliseconds`: for decoding, detecting, embedding."""

    digest: bytes
    failure: str
    several: bool
    milliseconds: tuple[float, float, float]
    embedding: Floats | None


def nearest_to_centre(image: Image, faces: Sequence[Face]) -> Face:
    """Return the face that a photo is about: near the middle; a larger face may be farther away."""
    height, width = image.shape[:2]

    def distance(face: Face) -> float:
        x, y = face.centre
        return float(np.hypot(x - width / 2, y - height / 2)) - face.size / 2

    return min(faces, key=distance)


def acquire(content: bytes, digest: bytes, models: FaceModels, rule: str) -> Acquired:
    """Decode, find the face by `rule`, embed. A bad image raises nothing: it is a failure to acquire."""
    marks = [time.perf_counter()]

    def result(failure: str, several: bool = False, embedding: Floats | None = None) -> Acquired:
        while len(marks) < len(STAGES) + 1:
            marks.append(marks[-1])
        spent = [1000 * (later - earlier) for earlier, later in pairwise(marks)]
        return Acquired(digest, failure, several, (spent[0], spent[1], spent[2]), embedding)

    try:
        image = decode(content, MediaLimits()).image
    except MediaError as error:
        return result(error.kind)
    marks.append(time.perf_counter())
    faces = models.photo_faces(image)
    marks.append(time.perf_counter())
    if not faces:
        return result("no_face")
    several = second_face(faces, models.limits.second_face)
    if several and rule == "only":
        return result("several_faces", several)
    face = nearest_to_centre(image, faces) if rule == "central" else faces[0]
    embedding = models.embed(image, face)
    marks.append(time.perf_counter())
    return result("", several, embedding)


@cache
def _models() -> FaceModels:
    return FaceModels()


def _acquire_file(path: Path, rule: str) -> Acquired:
    try:
        content = path.read_bytes()
    except OSError:
        return Acquired(b"\0" * 32, "unreadable", False, (0.0, 0.0, 0.0), None)
    return acquire(content, hashlib.sha256(content).digest(), _models(), rule)


class EmbeddingCache:
    """Records of a fixed size, appended as they are made. A record that a crash truncated is dropped."""

    def __init__(self, folder: Path, rule: str) -> None:
        models = "+".join(packs.pack_for(part).id for part in ("detection", "embedding"))
        key = hashlib.sha256(f"{models}+{rule}+1".encode()).hexdigest()[:16]
        self.path = folder / f"embeddings-{key}.bin"

    def read(self) -> dict[bytes, Acquired]:
        """Return the known records, by digest."""
        if not self.path.is_file():
            return {}
        content = self.path.read_bytes()
        whole = len(content) // RECORD.itemsize
        return {row["digest"].tobytes(): _unpack(row) for row in np.frombuffer(content, RECORD, whole)}

    @contextmanager
    def append(self) -> Iterator[BinaryIO]:
        """Open the file, cut to whole records, at its end. Only its owner can read it."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            end = file.seek(0, os.SEEK_END)
            file.truncate(end - end % RECORD.itemsize)
            file.seek(0, os.SEEK_END)
            yield file

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)


def pack_record(acquired: Acquired) -> bytes:
    row = np.zeros((), RECORD)
    row["digest"] = np.frombuffer(acquired.digest, np.uint8)
    row["failure"] = FAILURES.index(acquired.failure)
    row["several"] = acquired.several
    row["milliseconds"] = acquired.milliseconds
    if acquired.embedding is not None:
        row["embedding"] = acquired.embedding
    return row.tobytes()


def _unpack(row: np.void) -> Acquired:
    failure = FAILURES[int(row["failure"])]
    spent = tuple(float(value) for value in row["milliseconds"])
    embedding = None if failure else np.array(row["embedding"], np.float32)
    return Acquired(row["digest"].tobytes(), failure, bool(row["several"]), (spent[0], spent[1], spent[2]), embedding)


def acquire_all(
    images: Sequence[Path],
    folder: Path,
    *,
    rule: str = "central",
    processes: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Acquired]:
    """Acquire every image, in order. `folder` keeps results, so that an interrupted run continues.

    `processes` at least 1; `progress` is called with (done, total). Raises ValueError for an unknown rule and
    `packs.PackError` if a model is not installed.
    """
    if rule not in FACE_RULES:
        raise ValueError(f"the rule for the face is one of {', '.join(FACE_RULES)}, not {rule!r}")
    for part in ("detection", "embedding"):
        packs.require(part)
    store = EmbeddingCache(folder, rule)
    known = store.read()
    digests = [_digest(path) for path in images]
    missing = {digest: path for digest, path in zip(digests, images, strict=True) if digest and digest not in known}
    done = len(images) - len(missing)
    progress(done, len(images))
    with store.append() as file:
        for acquired in _stream(list(missing.values()), rule, processes):
            if acquired.failure != "unreadable":
                known[acquired.digest] = acquired
                file.write(pack_record(acquired))
                file.flush()
            done += 1
            progress(done, len(images))
    unreadable = Acquired(b"\0" * 32, "unreadable", False, (0.0, 0.0, 0.0), None)
    return [known.get(digest, unreadable) for digest in digests]


def _digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return b""


def _stream(paths: list[Path], rule: str, processes: int) -> Iterable[Acquired]:
    if processes <= 1 or len(paths) < 8 * processes:
        for path in paths:
            yield _acquire_file(path, rule)
        return
    # Spawned, not forked: the inference runtimes keep threads that a fork would lose.
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    try:
        yield from pool.map(_acquire_file, paths, [rule] * len(paths), chunksize=8)
    finally:
        # An interrupted run must not first finish all the rest.
        pool.shutdown(cancel_futures=True)
