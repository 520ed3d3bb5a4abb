"""The Inspector's code: what is at hand runs as it stands, the rest is held to its language's literals."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
from pygments.token import Operator, Punctuation, String, Token  # type: ignore[import-untyped]

from renzheng.console.actions import Service
from renzheng.console.calls import Call
from renzheng.console.inspector import LANGUAGES, cpp, inspect, sample, shell
from tests.support.node import NODE
from tests.support.server import PATIENCE

from .conftest import PRODUCT, House

NASTY = 'it\'s "quoted" \\ $HOME `id` 韦小宝 \u0001 ??/ 𠮷 </script>'


async def run(command: list[str], given: str, environment: dict[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )
    out, problem = await process.communicate(given.encode())
    assert process.returncode == 0, problem.decode()[-2000:]
    return out.decode()


async def test_python_and_curl_run_as_they_stand(house: House) -> None:
    house.clock.now = time.time()
    operator = await house.person("li.wei")
    key = await house.store.operator_keys.renew(operator, house.clock())
    await house.store.keys.refresh()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        service = Service(PRODUCT.service, PRODUCT.version, "http", f"127.0.0.1:{bound.getsockname()[1]}")
        config = uvicorn.Config(house.app, ws="none", lifespan="off", log_config=None, access_log=False)
        server = uvicorn.Server(config)
        server.capture_signals = contextlib.nullcontext  # type: ignore[assignment,method-assign]
        serving = asyncio.create_task(server.serve([bound]))
        environment = {"TENCENTCLOUD_SECRET_ID": key.secret_id, "TENCENTCLOUD_SECRET_KEY": key.secret_key}
        name = 'it\'s "a" 韦小宝'
        made, listed = await asyncio.gather(
            run([sys.executable, "-"], sample("python", service, "CreateAccount", {"Name": "shop"}), environment),
            run(["bash"], sample("curl", service, "DescribeRules", {"Name": name, "Limit": 5}), environment),
        )
        server.should_exit = True
        await serving
    assert json.loads(made)["Response"]["Account"]["Name"] == "shop"
    assert json.loads(listed)["Response"]["Rules"] == []


def test_every_language_has_a_sample_that_holds_the_call_and_no_secret() -> None:
    far = Service("renzheng", "2026-11-26", "https", "console.example")
    call = Call(0.0, far.name, "CreateRule", {"Name": NASTY}, {"RequestId": "r"}, 1.0, region="ap-beijing")
    shown = inspect(call, far)
    names = [name for name, _, _ in LANGUAGES]
    assert [one.name for one in shown.samples] == [name for name in names if name != "tccli"]
    of_faceid = inspect(call, replace(far, name="faceid"))
    assert [one.name for one in of_faceid.samples] == names
    for one in shown.samples:
        assert "CreateRule" in one.code, one.name
        assert "console.example" in one.code, one.name
        assert "ap-beijing" in one.code, one.name
        assert "TENCENTCLOUD_SECRET_KEY" in one.code, one.name
    assert {one.name for one in shown.samples if one.needs_name} == {"java", "node", "php", "csharp", "cpp", "ruby"}
    near = inspect(call, Service("renzheng", "2026-11-26", "http", "127.0.0.1:8401"))
    assert not [one for one in near.samples if one.needs_name]


def test_the_node_sample_is_node_and_its_payload_is_the_parameters(tmp_path: Path) -> None:
    service = Service("renzheng", "2026-11-26", "http", "127.0.0.1:8401")
    fake = tmp_path / "node_modules" / "tencentcloud-sdk-nodejs-common"
    fake.mkdir(parents=True)
    (fake / "index.js").write_text(
        "exports.CommonClient = class { constructor(...given) { this.given = given; }\n"
        "  async request(action, payload) { return [action, payload, this.given[0]]; } };\n"
    )
    (tmp_path / "main.js").write_text(sample("node", service, "CreateRule", {"Name": NASTY}))
    done = subprocess.run([NODE, "main.js"], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert json.loads(done.stdout) == ["CreateRule", {"Name": NASTY}, "127.0.0.1:8401"], done.stderr


@pytest.mark.parametrize("language", ["java", "go", "php", "csharp", "cpp", "ruby"])
def test_what_is_not_run_here_is_code_of_its_language(language: str) -> None:
    """No character that the language has no token for, every bracket closed, and the call whole in one string."""
    service = Service("renzheng", "2026-11-26", "http", "127.0.0.1:8401")
    given = {"Name": NASTY, "Limit": 5}
    tokens = list(get_lexer_by_name(language).get_tokens(sample(language, service, "CreateRule", given)))
    assert not [text for kind, text in tokens if kind in Token.Error]
    opened: list[str] = []
    for _, text in ((kind, text) for kind, text in tokens if kind in Punctuation or kind in Operator):
        for character in text:
            if character in "([{":
                opened.append(")]}"["([{".index(character)])
            elif character in ")]}":
                assert opened.pop() == character
    assert not opened
    assert texts_of(language, tokens).count("CreateRule") == 1
    assert json.dumps(given, ensure_ascii=False) in texts_of(language, tokens)


def texts_of(language: str, tokens: list[tuple[Any, str]]) -> list[str]:
    """The strings of a program, as it reads them. The parts of a literal are tokens one behind the other."""
    literals, last = [""], False
    for kind, text in tokens:
        is_string = kind in String
        literals += [] if is_string == last else [""]
        literals[-1] += text if is_string else ""
        last = is_string
    return [read_literal(language, one) for one in literals if one and one[0] in "\"'"]


def read_literal(language: str, text: str) -> str:
    if language in ("php", "ruby"):
        return re.sub(r"\\([\\'])", r"\1", text[1:-1])
    if language == "cpp":
        octal = re.sub(r"\\([0-7]{3})", lambda found: f"\\u{int(found[1], 8):04x}", text.replace("\\?", "?"))
        return str(json.loads(octal))
    return str(json.loads(text.replace("\\x7f", "\x7f")))


@pytest.mark.skipif(not shutil.which("g++"), reason="there is no g++ on this machine")
def test_the_literals_of_cpp_hold_what_they_should() -> None:
    texts = [json.dumps({"Name": NASTY}, ensure_ascii=False), "a??/b", "\u0001x"]
    lines = [f'static_assert(sizeof({cpp(text)}) == {len(text.encode()) + 1}, "");' for text in texts]
    done = subprocess.run(
        ["g++", "-std=c++11", "-fsyntax-only", "-x", "c++", "-"],
        input="\n".join(lines), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_shells_words_are_the_texts(tmp_path: Path) -> None:
    done = subprocess.run(["bash", "-c", f"printf %s {shell(NASTY)}"], capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == NASTY
