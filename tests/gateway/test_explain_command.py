"""The command that explains a captured request, with keys from a real store."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from renzheng.cli.account import app as account
from renzheng.cli.explain import explain, read_captured
from renzheng.cli.key import app as key
from renzheng.gateway.explain import explain as explain_request
from renzheng.gateway.explanation import Explanation
from renzheng.gateway.failures import FILE_NAME, RefusedRequest
from tests.gateway.signing import BUSINESS, tc3_headers
from tests.gateway.support import GOLDEN, load, raw_request

APP = typer.Typer()
APP.command()(explain)
APP.add_typer(account, name="account")
APP.add_typer(key, name="key")
BODY = json.dumps(BUSINESS).encode()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RENZHENG_DATA_DIR", str(path / "data"))
        patch.setenv("RENZHENG_KEYS_DIR", str(path / "keys"))
        yield path


@pytest.fixture(scope="module")
def made_key(home: Path) -> tuple[str, str]:
    runner = CliRunner()
    assert runner.invoke(APP, ["account", "create", "shop"]).exit_code == 0
    made = json.loads(runner.invoke(APP, ["key", "create", "--account", "shop", "--json"]).stdout)
    return made["secret_id"], made["secret_key"]


def test_a_captured_request_is_explained_with_its_first_difference(made_key: tuple[str, str], tmp_path: Path) -> None:
    secret_id, secret_key = made_key
    headers = tc3_headers(BODY, secret_id=secret_id, secret_key=secret_key, signed_host="http://faceid.example")
    file = tmp_path / "request.txt"
    file.write_bytes(raw_request("POST", "/", headers, BODY))
    found = CliRunner().invoke(APP, ["explain", str(file)])
    assert found.exit_code == 1
    assert "none-of-these" in found.stdout
    headers = tc3_headers(
        BODY, secret_id=secret_id, secret_key=secret_key, host="faceid.example", signed_host="http://faceid.example"
    )
    file.write_bytes(raw_request("POST", "/", headers, BODY))
    found = CliRunner().invoke(APP, ["explain", str(file)])
    assert "scheme-in-host" in found.stdout
    assert "server  host:faceid.example" in found.stdout
    assert "client  host:http://faceid.example" in found.stdout
    chinese = CliRunner().invoke(APP, ["explain", str(file), "--language", "zh-CN", "--json"])
    assert "前缀" in json.loads(chinese.stdout)["sentence"]


def test_a_right_signature_ends_the_command_with_success(made_key: tuple[str, str], tmp_path: Path) -> None:
    secret_id, secret_key = made_key
    headers = tc3_headers(BODY, secret_id=secret_id, secret_key=secret_key)
    request = {
        "method": "POST",
        "target": "/",
        "headers": {name.decode(): value.decode() for name, value in headers},
        "body_b64": base64.b64encode(BODY).decode(),
    }
    found = CliRunner().invoke(APP, ["explain", "-"], input=json.dumps(request))
    assert found.exit_code == 0, found.output
    assert "valid" in found.stdout


def test_recent_failures_are_read_from_the_servers_file(made_key: tuple[str, str], home: Path) -> None:
    assert "no refused request" in CliRunner().invoke(APP, ["explain", "--recent"]).stdout
    found = Explanation("TC3-HMAC-SHA256", "date-not-utc")
    failure = RefusedRequest(1795497000.0, "an-id", 1, "AKID…0000", "AuthFailure.SignatureFailure", explanation=found)
    (home / "data" / FILE_NAME).write_bytes(msgspec.json.encode([failure]))
    text = CliRunner().invoke(APP, ["explain", "--recent"]).stdout
    assert "2026-11-24" in text
    assert "an-id" in text
    assert "UTC" in text
    listed = json.loads(CliRunner().invoke(APP, ["explain", "--recent", "--json"]).stdout)
    assert listed[0]["explanation"]["cause"] == "date-not-utc"
    (home / "data" / FILE_NAME).write_bytes(b"{")
    assert CliRunner().invoke(APP, ["explain", "--recent"]).exit_code == 1


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"{}", b'{"method":1}', b"POST / HTTP/1.1\r\nnocolon\r\n\r\n", b"\xff\xfe"]
)
def test_what_is_no_request_is_refused_in_a_sentence(content: bytes, made_key: tuple[str, str], tmp_path: Path) -> None:
    file = tmp_path / "odd"
    file.write_bytes(content)
    found = CliRunner().invoke(APP, ["explain", str(file)])
    assert found.exit_code == 1
    assert isinstance(found.exception, SystemExit)
    assert len(found.output.splitlines()) == 1


def test_one_of_file_and_recent_is_asked_for() -> None:
    assert CliRunner().invoke(APP, ["explain"]).exit_code == 2
    assert CliRunner().invoke(APP, ["explain", "x", "--recent"]).exit_code == 2
    assert CliRunner().invoke(APP, ["explain", "/no/such/file"]).exit_code == 1


@pytest.mark.parametrize("name", ["py_tc3_post_json", "node_tc3_get", "py_hmacsha1_post", "node_tc3_multipart"])
def test_golden_files_and_raw_requests_are_read_alike(name: str) -> None:
    vector = load(name)
    raw = raw_request(vector.method, vector.target, vector.headers, vector.body)
    for content in (raw, (GOLDEN / f"{name}.json").read_bytes()):
        assert explain_request(read_captured(content), vector.keys, services=("faceid",)).cause == "valid"


def raw(headers: list[tuple[bytes, bytes]], body: bytes, mark: bytes = b"") -> bytes:
    length = (b"Content-Length", b"%d" % len(body))
    lines = [b"POST / HTTP/1.1", *(name + b": " + value for name, value in [*headers, length]), b""]
    return b"\n".join(mark + line if line else mark.strip() for line in lines) + b"\n" + body


def test_a_captured_file_may_end_in_an_editors_line_feed_and_must_be_whole(
    made_key: tuple[str, str], tmp_path: Path
) -> None:
    headers = tc3_headers(BODY, secret_id=made_key[0], secret_key=made_key[1])
    file = tmp_path / "request"
    file.write_bytes(raw(headers, BODY) + b"\n")
    assert CliRunner().invoke(APP, ["explain", str(file)]).exit_code == 0
    file.write_bytes(raw(headers, BODY)[:-3])
    refused = CliRunner().invoke(APP, ["explain", str(file)])
    assert refused.exit_code == 1
    assert "by its Content-Length" in refused.output
    verbose = b"* Connected\n" + raw(headers, BODY, b"> ")[: -len(BODY)]
    file.write_bytes(verbose + b"} [88 bytes data]\n< HTTP/1.1 200 OK\n")
    assert "0 bytes here" in CliRunner().invoke(APP, ["explain", str(file)]).output, "curl -v shows no body"
    empty = tc3_headers(b"", secret_id=made_key[0], secret_key=made_key[1])
    file.write_bytes(b"* Connected\n" + raw(empty, b"", b"> ") + b"< HTTP/1.1 200 OK\n")
    assert CliRunner().invoke(APP, ["explain", str(file)]).exit_code == 0
