"""Evidence in a folder and in a real S3: the same promises."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from renzheng.store.bucket import BucketObjects
from renzheng.store.engine import AwayError, StoreError
from renzheng.store.objects import DIRECT_BYTES, KEPT_BYTES, FolderObjects, Made, Objects
from renzheng.store.open import open_store
from renzheng.store.sweeper import Retention
from renzheng.verification.session import RESULT_SECONDS

from .conftest import PHOTO, Clock, World, jpeg

CREDENTIALS = {"access_key_id": "test", "secret_access_key": "test", "region": "us-east-1", "allow_http": "true"}


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    client.create_bucket(Bucket="evidence")
    yield endpoint
    server.stop()


@pytest.fixture(params=["folder", "s3"])
async def objects(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Objects]:
    opened: Objects
    if request.param == "folder":
        opened = FolderObjects(tmp_path / "evidence")
    else:
        endpoint = request.getfixturevalue("s3_endpoint")
        opened = BucketObjects(f"s3://evidence/{tmp_path.name.lower()}", {"endpoint": endpoint, **CREDENTIALS})
    yield opened
    await opened.close()


async def test_what_was_put_is_got_and_what_was_deleted_is_not(objects: Objects) -> None:
    await objects.put("sessions/01/a/photo", b"one")
    await objects.put("sessions/01/a/photo", b"two")
    assert await objects.get("sessions/01/a/photo") == b"two"
    assert await objects.get("sessions/01/a/none") is None
    await objects.delete("sessions/01/a/photo")
    await objects.delete("sessions/01/a/photo")
    assert await objects.get("sessions/01/a/photo") is None


async def test_a_listing_is_in_order_in_portions_and_below_its_folder_only(objects: Objects) -> None:
    names = [f"sessions/{folder}/{name}" for folder in ("01/a", "01/b", "02/a") for name in ("photo", "video")]
    for name in (*names, "persons/01/a/photo"):
        await objects.put(name, b"x")
    assert [entry.name for entry in await objects.entries("sessions")] == names
    walked: list[str] = []
    while part := await objects.entries("sessions", walked[-1] if walked else "", 4):
        walked += [entry.name for entry in part]
    assert walked == names
    entry = (await objects.entries("persons"))[0]
    assert abs(entry.modified_at - time.time()) < 3600
    assert await objects.entries("nothing") == []


async def test_deleting_a_folder_leaves_its_neighbours(objects: Objects) -> None:
    for name in ("sessions/01/a/photo", "sessions/01/a/video", "sessions/01/ab/photo"):
        await objects.put(name, b"x")
    await objects.delete_all("sessions/01/a")
    await objects.delete_all("sessions/09")
    assert [entry.name for entry in await objects.entries("sessions")] == ["sessions/01/ab/photo"]


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../up", "a/../b", "a//b", ".hidden", "a/.hidden", "UPPER"])
async def test_a_name_that_leaves_its_place_is_refused(objects: Objects, name: str) -> None:
    with pytest.raises(ValueError, match="not an object's name"):
        await objects.put(name, b"x")


async def test_a_write_that_fails_leaves_neither_a_part_nor_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = FolderObjects(tmp_path / "evidence")
    await folder.put("sessions/photo", b"before")

    def fail(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(AwayError, match="OSError"):
        await folder.put("sessions/photo", b"after")
    monkeypatch.undo()
    assert await folder.get("sessions/photo") == b"before"
    assert [path.name for path in (tmp_path / "evidence" / "sessions").iterdir()] == ["photo"]
    await folder.close()


@pytest.mark.parametrize("size", [1, 4095, 4096, 70_000, DIRECT_BYTES, DIRECT_BYTES + 1, KEPT_BYTES + 5000])
async def test_what_is_made_where_it_is_written_is_read_as_it_was_made(tmp_path: Path, size: int) -> None:
    folder = FolderObjects(tmp_path / "evidence", threads=1)
    for mark in (b"a", b"b"):  # the second time into the buffer of the first
        for length in (size, max(1, size // 2)):
            content = os.urandom(length - 1) + mark
            await folder.put("sessions/made", Made(length, lambda view, content=content: _fill(view, content)))  # type: ignore[misc]
            assert await folder.get("sessions/made") == content
    await folder.close()


def _fill(view: memoryview, content: bytes) -> None:
    view[:] = content


async def test_content_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    folder = FolderObjects(tmp_path / "evidence")

    def fail(_: memoryview) -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        await folder.put("sessions/made", Made(5000, fail))
    assert list((tmp_path / "evidence").rglob("*")) == []  # nor the folder that was made for it
    await folder.close()


async def test_a_whole_verification_keeps_its_evidence_in_s3_and_sweeps_it(tmp_path: Path, s3_endpoint: str) -> None:
    clock = Clock()
    store = open_store(
        *(tmp_path / "data", tmp_path / "keys", clock, os.urandom, "s3://evidence/whole"),
        evidence_options={"endpoint": s3_endpoint, **CREDENTIALS},
        retention=Retention(),
    )
    await store.start(serving=False)
    try:
        world = World(tmp_path, clock, store, await store.accounts.create("shop", clock()))
        session_id = await world.hand_in(photo=PHOTO)
        assert [content for _, content in await store.sessions.frames(session_id, 1)] == [jpeg(n) for n in range(3)]
        assert await store.sessions.photo(session_id) == PHOTO
        assert not (tmp_path / "data" / "evidence").exists()
        await store.sweeper.sweep(clock() + RESULT_SECONDS)
        assert await store.objects.entries("sessions") == []
    finally:
        await store.stop()


@pytest.mark.sqlite
async def test_evidence_of_a_folder_can_be_copied_to_a_bucket(world: World, s3_endpoint: str) -> None:
    """Names below the folder are names below the prefix: any program that copies files does."""
    session_id = await world.hand_in(photo=PHOTO)
    folder = world.root / "data" / "evidence"
    client = boto3.client("s3", endpoint_url=s3_endpoint, region_name="us-east-1", aws_access_key_id="test",
                          aws_secret_access_key="test")  # fmt: skip
    for path in [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]:
        client.upload_file(str(path), "evidence", f"moved/{path.relative_to(folder)}")
        path.unlink()
    store = open_store(
        *(world.root / "data", world.root / "keys", world.clock, os.urandom, "s3://evidence/moved"),
        evidence_options={"endpoint": s3_endpoint, **CREDENTIALS},
    )
    await store.start(serving=False)
    try:
        assert [content for _, content in await store.sessions.frames(session_id, 1)] == [jpeg(n) for n in range(3)]
        assert await store.sessions.photo(session_id) == PHOTO
    finally:
        await store.stop()


async def test_a_large_sealed_photo_is_kept_byte_for_byte(world: World) -> None:
    photo = os.urandom(3_000_001)
    session_id = await world.issue("BIG", photo=photo)
    assert await world.store.sessions.photo(session_id) == photo
    (kept,) = (path for path in (world.root / "data").rglob("photo") if path.is_file())
    assert kept.stat().st_size == len(photo) + 12 + 16
    assert photo[:64] not in kept.read_bytes()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("bucket", "is not an address of an object store"),
        ("s3://", "is not an address of an object store"),
        ("s3:///prefix", "is not an address of an object store"),
        ("memory://", "is not an address of an object store"),
        ("file:///tmp", "is not an address of an object store"),
        ("http://bucket", "is not an address of an object store"),
    ],
)
def test_an_address_that_keeps_nothing_is_refused_in_one_line(address: str, said: str) -> None:
    with pytest.raises(StoreError, match=said) as caught:
        BucketObjects(address)
    assert "\n" not in str(caught.value)


async def test_a_bucket_that_cannot_be_used_is_a_sentence_of_where_credentials_go() -> None:
    """Nobody listens there, as nobody does where a machine of no cloud is asked for its credentials."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        bucket = BucketObjects("s3://evidence", {"endpoint": endpoint, **CREDENTIALS})
        for call in (bucket.check(), bucket.get("a"), bucket.put("a", b""), bucket.delete("a"), bucket.entries("a")):
            with pytest.raises(StoreError, match="AWS_ACCESS_KEY_ID") as caught:
                await call
            assert "\n" not in str(caught.value)
            assert "Debug" not in str(caught.value)


async def test_a_store_that_takes_connections_and_says_nothing_is_waited_for_within_bounds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        bucket = BucketObjects("s3://evidence", {"endpoint": endpoint, **CREDENTIALS}, answer_seconds=0.1)
        for call in (bucket.put("a", b"x"), bucket.get("a"), bucket.delete("a")):
            with pytest.raises(StoreError, match="cannot be used"):
                await call


async def test_a_bucket_that_does_not_exist_is_an_error_and_no_object_that_is_gone(s3_endpoint: str) -> None:
    bucket = BucketObjects("s3://mistyped", {"endpoint": s3_endpoint, **CREDENTIALS})
    for call in (bucket.put("a", b"x"), bucket.get("a"), bucket.delete("a"), bucket.entries("a"), bucket.check()):
        with pytest.raises(StoreError, match="s3://mistyped does not exist"):
            await call


async def test_a_folder_that_cannot_be_used_is_away_and_its_error_has_no_path(tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "sessions").write_bytes(b"a file where a folder was")
    folder = FolderObjects(tmp_path / "evidence")
    with pytest.raises(AwayError, match=r"the evidence folder cannot be used: builtins\.\w+ E") as away:
        await folder.put("sessions/1/photo", b"sealed")
    assert str(tmp_path) not in str(away.value)
    await folder.close()
