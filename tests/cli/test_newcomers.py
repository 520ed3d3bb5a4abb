"""What a newcomer meets first: a server that says why it does not start, and a token without a line of code."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from renzheng.cli import build
from renzheng.evaluation.device import Device
from renzheng.evaluation.performance import Performance
from tests.support.commands import run_command
from tests.support.images import ROOT, drawn, sample
from tests.support.puppets import sample_puppet
from tests.support.server import PATIENCE, Server, free_port


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(
        tmp_path_factory.mktemp("newcomer"), challenge_length=4, step_seconds=10, min_frames_per_second=1
    ).start()
    yield running
    running.stop()


def run(environment: dict[str, str], folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run_command(words, environment, folder)


@contextlib.contextmanager
def started(environment: dict[str, str], folder: Path, *words: str) -> Iterator[str]:
    """A server with these options; what it has said once it runs. It is ended, and waited for, at the end."""
    log = folder / "started.log"
    with log.open("wb") as stream:
        command = [sys.executable, "-m", "renzheng", "serve", *words]
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=stream, stderr=stream)
    try:
        until = time.monotonic() + 60
        while " started " not in (said := log.read_text()):
            assert process.poll() is None, said
            assert time.monotonic() < until, said
            time.sleep(0.1)
        yield said
    finally:
        process.terminate()
        process.wait(PATIENCE)


def test_a_second_server_on_the_same_records_is_refused_by_a_sentence(server: Server) -> None:
    second = run({**server.environment, "RENZHENG_PORT": "0", "RENZHENG_OPERATOR_PORT": "0"}, server.folder, "serve")
    assert second.returncode == 2
    assert "another server" in second.stderr
    assert "Traceback" not in second.stderr
    assert "is starting on" not in second.stdout


def test_a_port_that_is_taken_is_told_before_anything_is_made(server: Server, tmp_path: Path) -> None:
    folders = {"RENZHENG_DATA_DIR": str(tmp_path / "data"), "RENZHENG_KEYS_DIR": str(tmp_path / "keys")}
    second = run({**server.environment, **folders}, tmp_path, "serve")
    assert second.returncode == 2
    assert f"Cannot listen on 127.0.0.1:{server.port}" in second.stderr
    assert "Traceback" not in second.stderr
    assert not (tmp_path / "data").exists()


def test_with_port_0_the_server_says_which_one_it_took(tmp_path: Path) -> None:
    environment = {**Server(tmp_path).environment, "RENZHENG_PORT": "0", "RENZHENG_OPERATOR_PORT": "0"}
    with started(environment, tmp_path) as said:
        [port] = re.findall(r"is starting on http://127\.0\.0\.1:(\d+)", said)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE) as reply:
            assert reply.status == 200


def test_the_first_start_for_a_network_leaves_keys_that_the_second_takes(tmp_path: Path) -> None:
    environment = {**Server(tmp_path).environment, "RENZHENG_PORT": str(free_port())}
    for _ in range(2):
        with started(environment, tmp_path, "--lan"):
            made = run(environment, tmp_path, "token", "--lan", "--photo", str(_photo(tmp_path)), "--no-wait", "--json")
        assert made.returncode == 0, made.stderr
        [link, *_] = json.loads(made.stdout)["links"]
        assert re.fullmatch(rf"https://[\d.]+:{environment['RENZHENG_PORT']}/verify#[0-9A-F-]{{36}}", link)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()}
    assert set(modes.values()) == {0o600}, modes


def verified(server: Server, folder: Path, *command: str) -> tuple[int, str]:
    """Run a program that prints a link and waits for the verdict, with a puppet that follows the link: code, output."""
    secret_id, secret_key = server.key()
    own = {"RENZHENG_ENDPOINT": server.url, "TENCENTCLOUD_SECRET_ID": secret_id, "TENCENTCLOUD_SECRET_KEY": secret_key}
    with subprocess.Popen(
        [sys.executable, *command], env={**server.environment, **own}, cwd=folder, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = ""
        while "/verify#" not in said:
            said += process.stdout.readline() or pytest.fail(said)
        [made] = re.findall(rf"{server.url}/verify#(\S+)", said)
        outcome = asyncio.run(Device(server.url, made, Performance(sample_puppet(), seed=3)).run())
        said += process.stdout.read()
    assert outcome.passed == ("0 成功" in said), said
    return process.returncode, said


def test_a_token_made_by_hand_is_verified_and_its_verdict_is_fetched(server: Server, tmp_path: Path) -> None:
    code, said = verified(server, tmp_path, "-m", "renzheng", "token", "--photo", str(_photo(tmp_path)))
    assert code == (0 if "Result 0 成功, Similarity 9" in said else 1)


def test_the_quickstarts_program_runs_as_it_stands(server: Server, tmp_path: Path) -> None:
    [program] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "quickstart.md").read_text(), re.DOTALL)
    (tmp_path / "first.py").write_text(program)
    code, said = verified(server, tmp_path, "first.py", str(_photo(tmp_path)))
    assert code == 0
    assert re.search(r"^(0 成功 9\d|1\d\d\d |2\d\d\d )", said, re.MULTILINE), said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name the person to compare with"),
        (("--id-card", "11204416541220243X"), "name the person to compare with"),
        (("--photo", "none.jpg"), "photo: the file cannot be read"),
        (("--photo", "text.jpg"), "photo: the file is not a JPEG or PNG"),
        (("--id-card", "1", "--name", "韦小宝"), "the server answered InvalidParameter"),
    ],
)
def test_a_token_that_cannot_be_made_is_a_sentence_and_exit_code_2(
    server: Server, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "text.jpg").write_text("text")
    done = run(server.environment, tmp_path, "token", "--no-wait", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_server_the_token_command_says_so(server: Server, tmp_path: Path) -> None:
    environment = {**server.environment, "RENZHENG_PORT": str(free_port())}
    done = run(environment, tmp_path, "token", "--photo", str(_photo(tmp_path)))
    assert done.returncode == 2
    assert "there is no renzheng at" in done.stderr


def test_a_photo_in_which_nobody_can_be_compared_is_not_enrolled(server: Server, tmp_path: Path) -> None:
    (tmp_path / "none.jpg").write_bytes(drawn())
    (tmp_path / "good.png").write_bytes(sample())
    (tmp_path / "people.csv").write_text(
        "id_card,name,photo\n110101199003070062,张三,good.png\n110101199003078072,李四,none.jpg\n"
    )
    who = ("--id-card", "110101199003078072", "--name", "李四", "--photo", "none.jpg")
    refused = run(server.environment, tmp_path, "identity", "add", *who)
    assert (refused.returncode, refused.stderr) == (1, "photo: no face is found in it\n")
    table = ("identity", "import", "people.csv", "--photos", ".", "--json")
    shown = json.loads(run(server.environment, tmp_path, *table).stdout)
    assert shown["problems"] == [{"row": 3, "field": "photo", "reason": "no face is found in it"}]
    assert shown["stored"] == 0
    unseen = run(server.environment, tmp_path, *table, "--no-look")
    assert json.loads(unseen.stdout)["stored"] == 2, unseen.stderr
    assert "no such folder" in run(server.environment, tmp_path, *table[:3], "--photos", "nowhere").stderr


def test_a_folder_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    environment = {**Server(tmp_path).environment, "RENZHENG_DATA_DIR": str(tmp_path / "file" / "data")}
    for words in (("key", "list"), ("serve", "--port", "0")):
        done = run(environment, tmp_path, *words)
        assert done.returncode in (1, 2)
        assert "cannot be used" in done.stderr
        assert "Traceback" not in done.stderr


def test_the_version_is_told() -> None:
    assert re.fullmatch(r"renzheng \d+\.\d+\.\d+\n", CliRunner().invoke(build(()), ["--version"]).output)


def _photo(folder: Path) -> Path:
    path = folder / "me.png"
    path.write_bytes(sample())
    return path
