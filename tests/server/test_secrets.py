"""Nothing of a person or a key is found in the clear: not in logs, the database, its WAL, or the evidence folder."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import resource
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from renzheng.evaluation.device import Device
from renzheng.evaluation.performance import Performance
from tests.support.images import base64_of, sample
from tests.support.puppets import sample_puppet
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
        server = Server(tmp_path_factory.mktemp("secrets"), log_level="debug").start(as_shipped=True)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, limits)
    photo = server.folder / "enrolled.png"
    photo.write_bytes(sample())
    server.command("identity", "add", "--id-card", ID_CARD, "--name", NAME, "--photo", str(photo))
    photo.unlink()
    client = server.sdk()
    sent = {"CompareLib": "BUSINESS", "IdCard": ID_CARD, "Name": NAME, "Extra": EXTRA, "Meta": META}
    token = issue(client, **sent)
    asyncio.run(Device(server.url, token, Performance(sample_puppet(), "head", seed=5)).run())
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


def test_no_process_of_the_server_can_be_dumped(used: tuple[Server, str]) -> None:
    """They hold SecretKeys and faces in the clear. Of one that may not be dumped the files in /proc are root's,
    and so they are for a server of any other user."""
    process = used[0].process
    assert process is not None
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) >= 3
    for pid in (str(process.pid), *children):
        assert re.search(r"Max core file size +0 +0 ", Path(f"/proc/{pid}/limits").read_text())


def test_showing_a_key_or_a_verification_is_audited(used: tuple[Server, str]) -> None:
    server, token = used
    secret_id, _ = server.key()
    shown = server.json("session", "show", token)
    newest = server.json("session", "list", "--account", "default")
    assert shown["number"] in [one["id"] for one in newest]
    assert server.json("session", "show", str(shown["number"])) == shown
    assert NAME not in json.dumps(newest, ensure_ascii=False)
    events = server.json("audit", "list")
    told = [event for event in events if event["verb"] in ("key shown", "verification shown")]
    assert [event["verb"] for event in told][-3:] == ["key shown", "verification shown", "verification shown"]
    assert told[-3]["subject"].startswith(f"key {secret_id} ")
    assert all(event["actor"].startswith("cli:") for event in told)


def test_the_search_would_find_them(used: tuple[Server, str], tmp_path: Path) -> None:
    server, token = used
    with sqlite3.connect(tmp_path / "plain.db") as connection:
        connection.execute("CREATE TABLE t (name TEXT, photo BLOB)")
        connection.execute("INSERT INTO t VALUES (?, ?)", (NAME, sample()))
    content = (tmp_path / "plain.db").read_bytes()
    wanted = marks(server, sample(), token)
    assert wanted["name"] in content
    assert wanted["photo"] in content
