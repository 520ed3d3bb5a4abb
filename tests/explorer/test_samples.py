"""The samples that no client here can run, as the page's own modules write them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.support.node import NODE

STATIC = Path(__file__).resolve().parents[2] / "src" / "renzheng" / "explorer" / "static"
WRITE = """
import fs from "node:fs";
import { SAMPLES } from "./samples.js";
import { cppQuoted } from "./quoting.js";
const { call, texts } = JSON.parse(fs.readFileSync(0, "utf8"));
const samples = Object.fromEntries(SAMPLES.map(({ id, write }) => [id, write(call)]));
process.stdout.write(JSON.stringify({ samples, quoted: texts.map(cppQuoted) }));
"""
TRIGRAPHS = ["what??", "a??/b", "???/", "??=??(??)??<??>??!??'??-", "a?b", 'end??/"', "\u0001??/1"]


def written(folder: Path, region: str) -> dict[str, Any]:
    shutil.copytree(STATIC, folder, ignore=lambda _, names: [n for n in names if not n.endswith(".js")])
    (folder / "package.json").write_text('{"type": "module"}')
    call = {
        "service": "faceid", "version": "2018-03-01", "action": "GetFaceIdResult", "region": region, "scheme": "http",
        "host": "faceid.example:8400", "temporary": False, "body": "{}", "signed": {"headers": []},
        "values": [{"name": "FaceIdToken", "kind": "string", "value": "a??/b"}],
    }  # fmt: skip
    given = json.dumps({"call": call, "texts": TRIGRAPHS})
    done = subprocess.run(
        [NODE, "--input-type=module", "-e", WRITE],
        cwd=folder,
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_dotnet_names_a_region_where_none_is_chosen_and_both_it_and_ruby_show_the_code_of_an_error(
    tmp_path: Path,
) -> None:
    without = written(tmp_path / "without", "")["samples"]
    assert 'Client(credential, "ap-guangzhou", profile)' in without["csharp"]
    assert "Client(credential, null, profile)" in without["java"], "it leaves the header out"
    samples = written(tmp_path / "with", "ap-shanghai")["samples"]
    assert 'Client(credential, "ap-shanghai", profile)' in samples["csharp"]
    assert "sends an empty region" in without["csharp"]
    assert "sends an empty region" not in samples["csharp"]
    assert "{error.ErrorCode} {error.Message}" in samples["csharp"]
    assert "#{error.code} #{error.message}" in samples["ruby"]
    assert "scheme = 'http'\n" in samples["ruby"]


def test_no_text_becomes_a_trigraph_in_cpp(tmp_path: Path) -> None:
    quoted = written(tmp_path / "page", "")["quoted"]
    for literal in quoted:
        assert "??" not in literal
    if shutil.which("g++"):
        lines = [
            f'static_assert(sizeof({literal}) == {len(text.encode()) + 1}, "");'
            for text, literal in zip(TRIGRAPHS, quoted, strict=True)
        ]
        done = subprocess.run(
            ["g++", "-std=c++11", "-fsyntax-only", "-x", "c++", "-"],
            input="\n".join(lines),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
