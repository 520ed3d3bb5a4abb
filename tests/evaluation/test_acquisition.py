"""Images to embeddings, and the cache that lets a broken run go on."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Image
from renzheng.evaluation import acquisition
from renzheng.evaluation.acquisition import RECORD, EmbeddingCache, acquire, acquire_all


def write(path: Path, image: Image) -> Path:
    assert cv2.imwrite(str(path), image)
    return path


@pytest.fixture
def images(tmp_path: Path, portrait_photo: Image) -> list[Path]:
    folder = tmp_path / "images"
    folder.mkdir()
    broken = folder / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 no picture")
    return [
        write(folder / "face.png", portrait_photo),
        write(folder / "empty.png", np.full((200, 200, 3), 128, np.uint8)),
        broken,
        folder / "missing.jpg",
    ]


def test_what_gives_no_face_is_a_failure_with_its_reason(images: list[Path], tmp_path: Path) -> None:
    found = acquire_all(images, tmp_path)
    assert [one.failure for one in found] == ["", "no_face", "truncated", "unreadable"]
    assert found[0].embedding is not None
    assert float(np.linalg.norm(found[0].embedding)) == pytest.approx(1, abs=1e-5)
    assert all(one.embedding is None for one in found[1:])


def test_a_broken_run_goes_on_from_what_it_had(
    images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = acquire_all(images, tmp_path)
    cache = EmbeddingCache(tmp_path, "central").path
    whole = cache.read_bytes()
    assert len(whole) == 3 * RECORD.itemsize
    cache.write_bytes(whole[: 2 * RECORD.itemsize + 100])  # the third record was cut off by a crash
    read: list[str] = []
    real = acquisition._acquire_file

    def counting(path: Path, rule: str) -> acquisition.Acquired:
        read.append(path.name)
        return real(path, rule)

    monkeypatch.setattr(acquisition, "_acquire_file", counting)
    again = acquire_all(images, tmp_path)
    assert read == ["broken.jpg"]
    assert [one.failure for one in again] == [one.failure for one in first]
    assert np.array_equal(again[0].embedding, first[0].embedding)  # type: ignore[arg-type]
    assert len(cache.read_bytes()) == len(whole)


def test_the_cache_is_its_owners_and_can_be_forgotten(images: list[Path], tmp_path: Path) -> None:
    acquire_all(images[:1], tmp_path)
    cache = EmbeddingCache(tmp_path, "central")
    assert cache.path.stat().st_mode & 0o077 == 0
    assert EmbeddingCache(tmp_path, "largest").path != cache.path
    cache.forget()
    assert cache.read() == {}


def test_which_face_is_meant_follows_the_rule(portrait_photo: Image, engine: FaceModels) -> None:
    """A larger face at the side, a smaller one in the middle, and nobody else."""
    face = portrait_photo[30:270, 65:385]
    scene = np.full((480, 1200, 3), 127, np.uint8)
    mirrored = cv2.resize(face[:, ::-1], (480, 360))
    scene[60:420, :480] = mirrored
    scene[120:360, 500:820] = face
    content = cv2.imencode(".png", scene)[1].tobytes()
    digest = hashlib.sha256(content).digest()
    found = {rule: acquire(content, digest, engine, rule) for rule in ("central", "largest", "only")}
    faces = engine.photo_faces(scene)
    assert len(faces) == 2
    for rule, which in (("largest", faces[0]), ("central", faces[1])):
        assert found[rule].several
        expected = engine.embed(scene, which)
        assert expected is not None
        assert np.array_equal(found[rule].embedding, expected)  # type: ignore[arg-type]
    assert (found["only"].failure, found["only"].embedding) == ("several_faces", None)


def test_two_processes_give_what_one_gives(portrait_photo: Image, tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{k}.png", portrait_photo[k : 400 + k]) for k in range(16)]
    folders = [tmp_path / name for name in ("one", "two")]
    found = []
    for processes, folder in enumerate(folders, 1):
        folder.mkdir()
        found.append(acquire_all(paths, folder, processes=processes))
    for one, other in zip(*found, strict=True):
        assert one.digest == other.digest
        assert one.embedding is not None
        assert other.embedding is not None
        assert float(one.embedding @ other.embedding) == pytest.approx(1, abs=1e-5)
