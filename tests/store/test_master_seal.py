"""Where the master key comes from: a file in the clear, a secret from outside, a KMS; a rotation leads from one to
another."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from renzheng.cli.account import app as account_app
from renzheng.cli.key import app as key_app
from renzheng.cli.vault import app as vault_app
from renzheng.store.engine import StoreError
from renzheng.store.keyring import generations, make_master, master_seal, read_master, write_private
from renzheng.store.master_seal import MasterSealError, SecretSeal, master_seals
from renzheng.store.open import Store, open_store

from .commands import folders as folders
from .commands import run
from .conftest import OpenWorld, World

OLD, NEW = "0f" * 32, "a7" * 32


def test_a_secret_opens_its_own_generation_alone(tmp_path: Path) -> None:
    seals = master_seals(OLD)
    key = make_master(tmp_path, 1, os.urandom, seals)
    assert read_master(tmp_path, 1, seals) == key
    text = (tmp_path / "master-1.key").read_text()
    assert key.hex() not in text
    assert master_seal(tmp_path, 1) == seals[0].name
    (tmp_path / "master-2.key").write_text(text)
    with pytest.raises(MasterSealError, match=r"master-2\.key is damaged"):
        read_master(tmp_path, 2, seals)
    with pytest.raises(MasterSealError, match=f"sealed by {seals[0].name}, and what is configured here is none"):
        read_master(tmp_path, 1)
    assert read_master(tmp_path, 1, master_seals(f"{NEW},{OLD}")) == key


def test_a_key_that_the_disk_takes_in_part_is_none(tmp_path: Path) -> None:
    """A rotation would drop the old one for it. A bound for files stands for the disk: the first write is cut short."""
    program = (
        "import os, resource, signal, sys; from pathlib import Path;"
        "from renzheng.store.keyring import make_master;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40));"
        "make_master(Path(sys.argv[1]), 1, os.urandom)"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=False)
    assert "File too large" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_cannot_be_opened_again_is_none(tmp_path: Path) -> None:
    class Forgetful(SecretSeal):
        def open(self, sealed: bytes, generation: int) -> bytes:
            raise MasterSealError("this one seals and does not open")

    class Confused(SecretSeal):
        def open(self, sealed: bytes, generation: int) -> bytes:
            return bytes(32)

    for seal in (Forgetful(bytes.fromhex(NEW)), Confused(bytes.fromhex(NEW))):
        with pytest.raises(StoreError):
            make_master(tmp_path, 1, os.urandom, [seal])
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("secrets", "content", "said"),
    [
        ("abc", None, "RENZHENG_MASTER_KEY has no valid secret"),
        ("", "", "is empty"),
        ("", f"{OLD}\nxyz", "has no valid secret"),
        (OLD, OLD, "give one of them"),
    ],
)
def test_what_is_no_secret_is_said_and_not_repeated(
    tmp_path: Path, secrets: str, content: str | None, said: str
) -> None:
    file = None
    if content is not None:
        file = tmp_path / "secret"
        file.write_text(content)
        file.chmod(0o600)
    with pytest.raises(MasterSealError, match=said) as raised:
        master_seals(secrets, file)
    assert not re.search("abc|xyz|0f0f", str(raised.value).replace(str(tmp_path), ""))


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{NEW}\n{OLD}\n")
    file.chmod(0o640)
    with pytest.raises(MasterSealError, match=f"run: chmod 600 {file}"):
        master_seals("", file)
    file.chmod(0o600)
    assert [seal.name for seal in master_seals("", file)] == [seal.name for seal in master_seals(f"{NEW} {OLD}")]


def in_place(world: World, secrets: str) -> Store:
    return open_store(
        world.root / "data", world.root / "keys", world.clock, os.urandom, postgres=world.postgres,
        seals=master_seals(secrets),
    )  # fmt: skip


async def test_a_rotation_leads_from_the_clear_to_a_secret_and_on_to_the_next(open_world: OpenWorld) -> None:
    world = await open_world()
    session_id = await world.capture("A")
    await world.store.stop()
    keys = world.root / "keys"
    for number, secrets in enumerate([OLD, f"{NEW},{OLD}", NEW], start=1):
        store = in_place(world, secrets)
        assert await store.sessions.frame(session_id, 1, 1) is not None
        if number < 3:
            assert store.vault.rotate() > 1
            assert master_seal(keys, number + 1) == SecretSeal(bytes.fromhex(secrets[:64])).name
            assert await store.sessions.frame(session_id, 1, 1) is not None
        await store.stop()
    for wrong in ("", OLD):
        with pytest.raises(StoreError, match="see RENZHENG_MASTER_KEY"):
            in_place(world, wrong)
    assert [path.name for path in keys.glob("master*")] == ["master-3.key"]


async def test_a_master_key_can_be_brought_to_every_machine_before_it_is_used(world: World) -> None:
    session_id = await world.capture("A")
    vault, keys = world.store.vault, world.root / "keys"
    for _ in range(2):  # it can be asked for again
        assert await asyncio.to_thread(vault.prepare, await vault.generation()) == 2
        assert generations(keys) == [1, 2]
    assert await vault.generation() == 1
    prepared = read_master(keys, 2)
    await world.capture("B")
    assert await asyncio.to_thread(vault.rotate) > 1
    assert await vault.generation() == 2
    assert generations(keys) == [2]
    assert read_master(keys, 2) == prepared
    assert await world.store.sessions.frame(session_id, 1, 1) is not None


def test_the_secret_leaves_the_environment_and_is_in_no_child_and_no_output(tmp_path: Path) -> None:
    """A process as an operator starts it: it reads the secret, and what it starts afterwards does not have it."""
    program = (
        "import os, subprocess, sys\n"
        "from renzheng.settings import load_settings\n"
        "from renzheng.server.room_settings import seals_of\n"
        "first, second = load_settings(), load_settings()\n"
        "assert seals_of(first)[0].name == seals_of(second)[0].name\n"
        "print(first, os.environ, flush=True)\n"
        "subprocess.run(['env'])\n"
    )
    environment = {**os.environ, "RENZHENG_MASTER_KEY": OLD, "RENZHENG_DATA_DIR": str(tmp_path / "data")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert "RENZHENG_DATA_DIR" in done.stdout
    assert OLD not in done.stdout + done.stderr


@pytest.mark.usefixtures("folders")
def test_an_operator_sees_what_seals_the_master_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(account_app, "create", "shop")
    made = json.loads(run(key_app, "create", "--json"))
    assert "master-1.key (in the clear)" in run(vault_app, "status")
    secret = tmp_path / "secret"
    secret.write_text(OLD)
    secret.chmod(0o600)
    monkeypatch.setenv("RENZHENG_MASTER_KEY_FILE", str(secret))
    assert "young enough" in run(vault_app, "rotate", "--after-days", "1")
    assert "young enough" in run(vault_app, "rotate", "--prepare", "--after-days", "1")
    assert "copy it" in run(vault_app, "rotate", "--prepare")
    assert "master-2.key (sealed" in run(vault_app, "status")
    run(vault_app, "rotate")
    assert f"master-2.key (sealed by {master_seals(OLD)[0].name})" in run(vault_app, "status")
    os.utime(tmp_path / "keys" / "master-2.key", (0, 0))
    assert "master-3.key" in run(vault_app, "rotate", "--after-days", "1")
    assert json.loads(run(key_app, "show", "--json"))["secret_key"] == made["secret_key"]
    monkeypatch.delenv("RENZHENG_MASTER_KEY_FILE")
    assert "sealed by secret-" in run(key_app, "show", code=1)


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The id of a key in a KMS of moto's, over HTTP."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    given = {"AWS_ENDPOINT_URL_KMS": f"http://{host}:{port}", "AWS_REGION": "eu-west-1",
             "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    yield str(boto3.client("kms", "eu-west-1").create_key()["KeyMetadata"]["KeyId"])
    server.stop()


@pytest.mark.sqlite
async def test_a_kms_seals_and_opens_and_its_refusals_are_sentences(
    open_world: OpenWorld, kms: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await open_world()
    session_id = await world.capture("A")
    await world.store.stop()
    where = (world.root / "data", world.root / "keys", world.clock, os.urandom)
    store = open_store(*where, seals=master_seals(kms=kms))
    assert store.vault.rotate() > 1
    await store.stop()
    assert master_seal(world.root / "keys", 2) == "aws-kms"
    store = open_store(*where, seals=master_seals(kms=kms))
    assert await store.sessions.frame(session_id, 1, 1) is not None
    await store.stop()
    with pytest.raises(MasterSealError, match=r"AWS KMS refuses to decrypt .*: NotFoundException"):
        open_store(*where, seals=master_seals(kms="alias/nobody"))
    other = world.root / "keys" / "master-3.key"  # sealed for generation 2
    write_private(other, (world.root / "keys" / "master-2.key").read_bytes())
    with pytest.raises(MasterSealError, match=r"AWS KMS refuses to decrypt .*: InvalidCiphertextException"):
        read_master(other.parent, 3, master_seals(kms=kms))
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:1")
    with pytest.raises(MasterSealError, match="cannot be reached to decrypt"):
        open_store(*where, seals=master_seals(kms=kms))
