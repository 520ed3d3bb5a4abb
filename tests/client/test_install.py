"""What `pip install renzheng` brings, and that the client's page works there as written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from renzheng.gateway.encryption import KeyPairs

if TYPE_CHECKING:
    from tests.client.conftest import Peer

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "client.md"
BASE = {"renzheng", "cryptography", "cffi", "pycparser", "gmalg", "msgspec", "pybase64", "urllib3"}
MARK = "-- the next example --"


def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> str:
    # Nothing of the checkout may be found by accident.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=inherited | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def check_page(python: str | Path, peer: Peer, keys: KeyPairs, folder: Path) -> None:
    """Runs every Python block of the page in order, in one process, and compares what each prints."""
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0 any bytes: this peer does not look at them")
    (folder / "rsa-public.pem").write_text(keys.public.rsa_pem)
    (folder / "sm2-public.pem").write_text(keys.public.sm2_pem)
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    examples = [text for kind, text in blocks if kind == "python"]
    expected = [text for kind, text in blocks if kind == "text"]
    (folder / "page.py").write_text(f"print({MARK!r})\n".join(examples))
    printed = run(
        python,
        "-I",
        "page.py",
        cwd=folder,
        TENCENTCLOUD_SECRET_ID="AKIDEXAMPLE0000000000000000000000000",
        TENCENTCLOUD_SECRET_KEY="GoldenSecretKey000000000000000000",
        RENZHENG_ENDPOINT=peer.endpoint,
        PYTHONUTF8="1",
        LC_ALL="C.UTF-8",
    )
    assert printed.split(MARK + "\n") == expected


def test_the_clients_page_works_as_written(peer: Peer, keys: KeyPairs, tmp_path: Path) -> None:
    check_page(sys.executable, peer, keys, tmp_path)


@pytest.fixture(scope="module")
def empty_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the built wheel and what its base dependencies pull in."""
    pytest.importorskip("build")
    probe = [
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-cache-dir",
        "--retries",
        "0",
        "--timeout",
        "10",
        "--dest",
        ".",
        "pybase64",
    ]
    reached = subprocess.run(
        [sys.executable, "-m", *probe], cwd=tmp_path_factory.mktemp("probe"), capture_output=True, check=False
    )
    if reached.returncode != 0:
        pytest.skip("no package registry within reach")
    folder = tmp_path_factory.mktemp("install")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    run(sys.executable, "-m", "venv", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    (wheel,) = folder.glob("*.whl")
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    return python


def test_an_install_without_extras_pulls_nothing_of_the_server(empty_environment: Path) -> None:
    listed = run(empty_environment, "-m", "pip", "list", "--format", "freeze", "--disable-pip-version-check")
    names = {re.split("==| @", line)[0].lower() for line in listed.splitlines()}
    assert names - {"pip", "setuptools"} <= BASE | {"typing-extensions", "typing_extensions"}
    assert names >= {"renzheng", "cryptography", "gmalg", "msgspec", "pybase64", "urllib3"}


def test_the_client_imports_and_its_page_works_in_an_install_without_extras(
    empty_environment: Path, peer: Peer, keys: KeyPairs, tmp_path: Path
) -> None:
    where = run(empty_environment, "-I", "-c", "import renzheng.client as c; print(c.__file__)", cwd=tmp_path)
    assert not where.startswith(str(ROOT / "src"))
    check_page(empty_environment, peer, keys, tmp_path)
