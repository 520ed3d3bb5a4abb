"""Nothing of a person or a key is found in the clear: not in logs, the database, its WAL, or the evidence folder."""

from __future__ import annotations

import asyncio
import base64
import re
import resource
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from renzheng.evaluation.device import Device
from renzheng.evaluation.performance import Performance
from renzheng.evaluation.puppet import Puppet
from tests.support.images import base64_of, sample, sample_picture
from tests.support.server import Server, result
from tests.support.server import token as issue

NAME, ID_CARD, EXTRA, META = "标记的姓名", "99887719900101123X", "marked-extra-7f3a", "marked-meta-91bc"


def marks(server: Server, face: bytes, token: str) -> dict[str, bytes]:
    """What must not be found, in each form that it could be written in."""
    secret_id, secret_key = server.key()
    found = {
        "name": NAME.encode(),
        "name as \\u": NAME.encode("unicode_escape"),
        "ID number": ID_CARD.encode(),
        "extra": EXTRA.encode(),
        "meta": META.encode(),
        "SecretKey": secret_key.encode(),
        "token": token.encode(),
        "photo": face[2000:2032],
        "photo in Base64": base64.b64encode(face[3000:3048]),
        "JPEG head": b"\xff\xd8\xff\xe0",
    }
    assert secret_id.encode() not in found.values()
    return found


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A server after a full verification, several refused requests and a sealed enrolment."""
    limits = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (limits[1], limits[1]))  # as services of systemd begin
    try:
        server = Server(tmp_path_factory.mktemp("secrets"), log_level="debug").start()
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, limits)
    photo = server.folder / "enrolled.png"
    photo.write_bytes(sample())
    server.command("identity", "add", "--id-card", ID_CARD, "--name", NAME, "--photo", str(photo))
    photo.unlink()
    client = server.sdk()
    sent = {"CompareLib": "BUSINESS", "IdCard": ID_CARD, "Name": NAME, "Extra": EXTRA, "Meta": META}
    token = issue(client, **sent)
    asyncio.run(Device(server.url, token, Performance(Puppet(sample_picture()), "head", seed=5)).run())
    fetched = result(client, token, IsNeedBestFrame=True, IsNeedVideo=True)
    assert fetched.Result == "0"
    assert fetched.Name == NAME
    assert base64.b64decode(fetched.BestFrameBase64)[:2] == b"\xff\xd8"
    assert base64.b64decode(fetched.VideoBase64)[4:8] == b"ftyp"
    issue(client, CompareLib="LOCAL", ImageBase64=base64_of(sample()))
    for broken in ({**sent, "CompareLib": NAME}, {**sent, "Extra": EXTRA * 100}, {**sent, "IdCard": ID_CARD + "1"}):
        with pytest.raises(TencentCloudSDKException):
            issue(client, **broken)
    yield server, token
    server.stop()


def test_a_person_enrolled_by_photo_passes_and_is_compared(used: tuple[Server, str]) -> None:
    server, token = used
    assert result(server.sdk(), token).Similarity >= 70


def test_no_file_holds_a_marked_secret_in_the_clear(used: tuple[Server, str]) -> None:
    server, token = used
    wanted = marks(server, sample(), token)
    files = [path for path in server.folder.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"renzheng.db", "renzheng.db-wal", "server.log", "keys.db"} <= names
    assert any("evidence" in str(path) for path in files)
    hits = [f"{mark} in {path.name}" for path in files for mark, text in wanted.items() if text in path.read_bytes()]
    assert not hits


def test_a_server_that_crashes_leaves_no_dump_of_its_memory(used: tuple[Server, str]) -> None:
    """It held the SecretKeys in the clear."""
    process = used[0].process
    assert process is not None
    assert re.search(r"Max core file size +0 +0 ", Path(f"/proc/{process.pid}/limits").read_text())


def test_the_search_would_find_them(used: tuple[Server, str], tmp_path: Path) -> None:
    server, token = used
    with sqlite3.connect(tmp_path / "plain.db") as connection:
        connection.execute("CREATE TABLE t (name TEXT, photo BLOB)")
        connection.execute("INSERT INTO t VALUES (?, ?)", (NAME, sample()))
    content = (tmp_path / "plain.db").read_bytes()
    wanted = marks(server, sample(), token)
    assert wanted["name"] in content
    assert wanted["photo"] in content
