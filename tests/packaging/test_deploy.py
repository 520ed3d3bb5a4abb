"""deploy/: what can be checked without containers; the compose file's reader and nginx are real ones."""

from __future__ import annotations

import http.server
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import compose_spec
import pytest
import yaml
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Origin

from renzheng.cli import COMMANDS
from renzheng.cli.lan import certificate
from renzheng.settings import Settings, load_settings
from tests.support.images import ROOT
from tests.support.nginx import Nginx, program
from tests.support.server import free_port

DEPLOY = ROOT / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
OURS = ("server", "judge")
SETTINGS = {f"RENZHENG_{name.upper()}" for name in Settings.model_fields}


def read_as_specified(text: str) -> compose_spec.PyCompose:
    """Raises ValueError. The variables that an operator gives have a value, as the reader wants paths and names."""
    plain = re.sub(r"\$\{[A-Z0-9_]+(:-([^}]*)|:[?][^}]*)?\}", lambda found: found[2] or "/given", text)
    found = compose_spec.PyCompose.from_json(json.dumps(yaml.safe_load(plain)))
    found.validate()
    return found


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("stop_grace_period:", "stop_graceful:"),
        ("condition: service_healthy", "condition: soon"),
        ("read_only: true", "read_only: often"),
        ('"state:/var', '"nothing:/var'),
        ("secrets: [master]", "secrets: [mistress]"),
    ],
)
def test_the_compose_file_is_one_as_the_specification_says(right: str, wrong: str) -> None:
    assert set(read_as_specified(TEXT).service_names()) == set(COMPOSE["services"])
    assert right in TEXT
    with pytest.raises(ValueError):  # noqa: PT011 - the reader's texts are its own
        read_as_specified(TEXT.replace(right, wrong))


def test_nothing_runs_with_more_than_it_needs() -> None:
    services = COMPOSE["services"]
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert "privileged" not in service, name
        tag = re.search(r"[:@]([A-Za-z0-9._:-]+)\}?$", service["image"])
        assert tag, f"{name}: {service['image']}"
        assert tag[1] not in ("latest", "alpine", "slim"), name
        assert re.search(r"\d", tag[1]), f"{name}: pinned to a version"
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]


def test_each_variable_is_a_setting_and_each_command_a_command() -> None:
    names = set(re.findall(r"\bRENZHENG_[A-Z0-9_]+", TEXT + CONTAINERFILE)) - {"RENZHENG_IMAGE"}
    assert names
    assert names <= SETTINGS, names - SETTINGS
    for name in OURS:
        assert COMPOSE["services"][name]["command"][0] in COMMANDS
    assert set(re.findall(r"# .*\b(RENZHENG_[A-Z_]+)", (DEPLOY / "nginx.conf").read_text())) <= SETTINGS


def test_the_settings_of_the_compose_file_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """As they are, with a value for each variable that the operator gives."""
    for name, value in COMPOSE["services"]["server"]["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{PUBLIC_URL:[^}]*\}", "https://faceid.example.com", re.sub(
            r"\$\{[A-Z]+_PASSWORD[^}]*\}", "secret", value)))  # fmt: skip
    settings = load_settings()
    assert settings.trusted_proxies == (COMPOSE["services"]["proxy"]["networks"]["inside"]["ipv4_address"],)
    assert settings.database_url.get_secret_value() == "postgresql://renzheng:secret@records/renzheng"
    assert not settings.judge_here


def test_the_image_is_made_in_two_stages_and_runs_as_nobody_in_particular() -> None:
    stages = re.findall(r"^FROM \$\{BASE\}.*$", CONTAINERFILE, re.MULTILINE)
    assert len(stages) == 2
    assert re.search(r"^ARG BASE=\S+:3\.11\.\d+-slim-\S+$", CONTAINERFILE, re.MULTILINE)
    final = CONTAINERFILE.split("FROM ${BASE}")[-1]
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert "pip" not in final
    assert "lab" not in re.sub(r"^#.*$", "", CONTAINERFILE, flags=re.MULTILINE)
    copied = {
        word for line in re.findall(r"^COPY (?!--from)(.*)$", CONTAINERFILE, re.MULTILINE) for word in line.split()[:-1]
    }
    assert all((ROOT / name).exists() for name in copied), copied
    admitted = {
        line[1:] for line in (DEPLOY / "Containerfile.dockerignore").read_text().splitlines() if line.startswith("!")
    }
    assert copied == admitted


def test_the_entry_point_runs_as_a_process(tmp_path: Path) -> None:
    [entry] = re.findall(r"^ENTRYPOINT (.*)$", CONTAINERFILE, re.MULTILINE)
    command = Path(sys.executable).with_name(json.loads(entry)[0])
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True, cwd=tmp_path)
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert done.stdout.split() == ["renzheng", version[1]]
    assert f"renzheng:{version[1]}" in TEXT


class _Healthz(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def health_checks() -> list[list[str]]:
    [ours] = re.findall(r"HEALTHCHECK .*\\\n +CMD (\[.*\])", CONTAINERFILE)
    return [json.loads(ours), COMPOSE["services"]["judge"]["healthcheck"]["test"][1:]]


@pytest.mark.parametrize("check", health_checks(), ids=["server", "judge"])
def test_a_health_check_tells_an_answer_from_silence(check: list[str]) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), _Healthz) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        here = [
            word.replace(":8400", f":{server.server_port}").replace(":8402", f":{server.server_port}") for word in check
        ]
        assert here != check
        assert subprocess.run([sys.executable, *here[1:]], check=False).returncode == 0
    silent = subprocess.run([sys.executable, *here[1:]], capture_output=True, check=False)
    assert silent.returncode != 0


# -- nginx


class Behind:
    """What nginx passes on: a WebSocket server that answers everything else with the headers it saw."""

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []
        self.server = serve(self._echo, "127.0.0.1", 0, process_request=self._answer)
        self.port = self.server.socket.getsockname()[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _answer(self, connection: ServerConnection, request: Any) -> Any:
        self.seen.append({"path": request.path, **{name.lower(): value for name, value in request.headers.raw_items()}})
        return None if request.path.startswith("/capture/v1") else connection.respond(200, "ok\n")

    def _echo(self, connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)


@pytest.fixture(scope="module")
def behind() -> Iterator[Behind]:
    made = Behind()
    yield made
    made.server.shutdown()


@pytest.fixture(scope="module")
def proxy(behind: Behind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    made = Nginx(tmp_path_factory.mktemp("nginx"), free_port(), [behind.port])
    made.start()
    yield made
    made.stop()


def test_nginx_takes_the_file_as_it_is_shipped(proxy: Nginx, tmp_path: Path) -> None:
    """With the certificates' place alone changed: names are resolved when they are asked for."""
    chain, key = certificate(proxy.folder / "keys", ["127.0.0.1"])
    text = (DEPLOY / "nginx.conf").read_text().replace("/etc/nginx/tls/server.pem", str(chain))
    (tmp_path / "nginx.conf").write_text(
        text.replace("/etc/nginx/tls/server.key", str(key)).replace("/tmp/", f"{tmp_path}/")
    )
    done = subprocess.run(
        [str(program()), "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def ask(proxy: Nginx, head: str, body: bytes = b"") -> bytes:
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as plain, proxy.context.wrap_socket(plain) as line:
        line.sendall(head.replace("\n", "\r\n").encode() + b"\r\n" + body)
        return line.recv(4096)


def test_a_signed_request_arrives_as_it_was_signed(proxy: Nginx, behind: Behind) -> None:
    answer = ask(
        proxy,
        "GET /?Action=x HTTP/1.1\nHost: faceid.example.com:8443\nAuthorization: TC3 a\nX-Forwarded-For: 6.6.6.6\n"
        "X-Forwarded-Proto: gopher\nConnection: close\n",
    )
    assert answer.startswith(b"HTTP/1.1 200")
    seen = behind.seen[-1]
    assert seen["host"] == "faceid.example.com:8443"
    assert seen["path"] == "/?Action=x"
    assert seen["authorization"] == "TC3 a"
    assert seen["x-forwarded-for"] == "127.0.0.1", "what a client says of itself is not passed on"
    assert seen["x-forwarded-proto"] == "https"


def test_no_query_is_logged(proxy: Nginx) -> None:
    ask(proxy, "GET /nowhere?IdCard=MARKED HTTP/1.1\nHost: x\nReferer: http://MARKED/\nConnection: close\n")
    log = proxy.folder / "access.log"
    for _ in range(200):
        if "/nowhere" in log.read_text():
            break
        time.sleep(0.01)
    assert "/nowhere" in log.read_text()
    assert "MARKED" not in log.read_text()


def test_a_body_that_is_too_large_is_refused_at_the_door(proxy: Nginx) -> None:
    size = Settings.model_fields["body_bytes"].default
    assert b" 413 " in ask(proxy, f"POST / HTTP/1.1\nHost: x\nContent-Length: {12 << 20}\nConnection: close\n")[:20]
    assert size < 11 << 20


def test_a_capture_socket_goes_through(proxy: Nginx, behind: Behind) -> None:
    with connect(
        f"wss://127.0.0.1:{proxy.port}/capture/v1", ssl=proxy.context, origin=Origin("https://shop.example"), proxy=None
    ) as device:
        device.send(b"\xff\xd8" * 50_000)
        assert device.recv(10) == b"\xff\xd8" * 50_000
    assert behind.seen[-1]["origin"] == "https://shop.example"
    assert behind.seen[-1]["host"] == f"127.0.0.1:{proxy.port}"
