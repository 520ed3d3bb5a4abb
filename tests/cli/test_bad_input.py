"""Whatever a command is given, it ends in a sentence: no traceback, no library's own notation, no exit code but 1 or 2.

Each command runs in a process of its own as people run it, but several share one, as starting Python costs most.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

LARGE = "9" * 30
COMMANDS = f"""
account show --account {LARGE}
account balance --account {LARGE}
key list --account {LARGE}
rule submit {LARGE}
rule approve {LARGE}
encryption retire {LARGE}
identity list --after {LARGE}
identity remove {LARGE}
audit list --after {LARGE}
audit list --limit {LARGE}
session list --before {LARGE}
session show {LARGE}
session show -- -1
rejudge {LARGE}
explain FOLDER
explain FOLDER/none
explain FOLDER/bytes
identity import FOLDER/bytes
identity import FOLDER
identity add --id-card 110101199003070062 --name x --photo FOLDER
backup records FOLDER/bytes
backup keys /proc/x
vault replay FOLDER/bytes
evaluate FOLDER/people --out FOLDER/out --all-pairs
evaluate FOLDER/bytes --out FOLDER/out
evaluate FOLDER/none --out FOLDER/out
evaluate FOLDER/people --out /proc/x --all-pairs
models add FOLDER/bytes --from FOLDER
models add FOLDER --from FOLDER
models use none
models stop none
token --photo FOLDER --no-wait
token --photo FOLDER/bytes --no-wait
token --photo FOLDER/none --no-wait
RENZHENG_MODELS_DIR=FOLDER/bytes models list
RENZHENG_MODELS_DIR=FOLDER/bytes models verify
RENZHENG_MODELS_DIR=FOLDER/bytes judge
RENZHENG_MODELS_DIR=FOLDER/bytes serve
RENZHENG_MODELS_DIR=FOLDER/damaged models list
RENZHENG_MODELS_DIR=FOLDER/damaged models stop passive
RENZHENG_MODELS_DIR=FOLDER/damaged serve
RENZHENG_DATABASE_URL=nonsense backup records FOLDER/copy
RENZHENG_DATABASE_URL=nonsense operator add x --role owner
RENZHENG_DATABASE_URL=nonsense encryption rotate
RENZHENG_DATABASE_URL=nonsense session show 1
RENZHENG_DATABASE_URL=nonsense rule create x
RENZHENG_DATA_DIR=FOLDER/bytes account list
RENZHENG_DATA_DIR=FOLDER/bytes serve
RENZHENG_KEYS_DIR=FOLDER/bytes vault status
RENZHENG_DATA_DIR=FOLDER/broken account list
RENZHENG_DATA_DIR=FOLDER/broken serve
RENZHENG_DATA_DIR=FOLDER/folders backup keys FOLDER/copy
RENZHENG_PORTT=1 account list
bucket authorise faces-1250000000 --region ap-guangzhou --key-id x --endpoint http://[
bucket authorise faces-1250000000 --region ap-guangzhou --key-id x --endpoint https://s3.example.com:99999
verify x --server http://[
demo --server http://[
RENZHENG_DATABASE_URL=postgresql://[ account list
RENZHENG_REDIS_URL=redis://[ account list
RENZHENG_OIDC_ISSUER=https://[ account list
RENZHENG_PUBLIC_URL=http://[ account list
"""
"""Words with `=` before a command are of its environment."""

PROGRAM = """
import contextlib, io, itertools, json, os, shlex, sys, traceback
from renzheng.__main__ import main
before = dict(os.environ)
for line in json.loads(sys.argv[1]):
    words = shlex.split(line)
    given = list(itertools.takewhile(lambda word: "=" in word, words))
    sys.argv = ["renzheng", *words[len(given):]]
    os.environ.clear()
    os.environ.update(before, **dict(word.split("=", 1) for word in given))
    out, err, code = io.StringIO(), io.TextIOWrapper(io.BytesIO(), write_through=True), "fell"
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code
        except BaseException:
            traceback.print_exc()
    said = out.getvalue() + err.buffer.getvalue().decode()
    print(json.dumps([line, code, said]), file=sys.__stdout__, flush=True)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bad")
    (made / "bytes").write_bytes(bytes(range(256)) * 3)
    (made / "damaged").mkdir()
    (made / "damaged" / "active.toml").write_bytes(b"\xff = [")
    (made / "broken").mkdir()
    (made / "broken" / "renzheng.db").write_bytes(bytes(range(256)) * 32)
    (made / "folders" / "renzheng.db").mkdir(parents=True)
    for name in ("a/1.jpg", "a/2.jpg", "b/1.jpg"):
        path = made / "people" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"no image")
    return made


def test_every_command_ends_in_a_sentence(folder: Path) -> None:
    lines = [line.replace("FOLDER", shlex.quote(str(folder))) for line in COMMANDS.strip().splitlines()]
    environment = {
        **os.environ, "RENZHENG_DATA_DIR": str(folder / "data"), "RENZHENG_KEYS_DIR": str(folder / "keys"),
        "RENZHENG_PORT": "0",
    }  # fmt: skip
    command = [sys.executable, "-m", "renzheng", "account", "create", "only"]
    subprocess.run(command, env=environment, cwd=folder, capture_output=True, check=True, timeout=60)
    command = [sys.executable, "-c", PROGRAM, json.dumps(lines)]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120)
    ended = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(ended) == len(lines), done.stderr
    for line, code, said in ended:
        assert code in (1, 2), (line, code, said)
        assert "Traceback" not in said, (line, said)
        assert said.strip(), line
        assert not any(word in said for word in ("Debug", "concatenate", "codec", "Errno", "0x")), (line, said)
