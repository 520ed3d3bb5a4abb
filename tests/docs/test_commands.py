"""Each command, option and setting that a page or a text of the program names is there, and so is each default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from renzheng.base import environment
from renzheng.cli import build
from renzheng.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted({*ROOT.glob("README*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")})
SOURCES = sorted((ROOT / "src" / "renzheng").rglob("*.py"))
BLOCK = re.compile(r"^```(?:sh)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
CALLED = re.compile(r"(?:^ *(?:[A-Z_]+=\S+ +)*|/bin/| server )renzheng +(?=[a-z-])")
LABELS = ("renzheng device identity v1", "renzheng engine on ray")
"""What signatures and keys are made with; no command lines."""


@cache
def tree() -> Any:
    return typer.main.get_command(build())


def fault(words: list[str]) -> str | None:
    """What is wrong with `renzheng WORDS...`: an unknown command, or an option that it does not have."""
    command, path = tree(), ["renzheng"]
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return f"{' '.join(path)} has no command {words[0]}"
        command, path, words = command.commands[words[0]], [*path, words[0]], words[1:]
    known = {"--help", "--install-completion"} | {
        one for parameter in command.params for one in (*parameter.opts, *parameter.secondary_opts)
    }
    for word in words[: words.index("--")] if "--" in words else words:
        name = word.partition("=")[0]
        if name.startswith("--") and name not in known:
            return f"{' '.join(path)} has no option {name}"
    return None


def commands(text: str) -> Iterator[list[str]]:
    """The words behind `renzheng` of each command line in a page: in blocks for a shell, and between backticks."""
    for block in BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if found := CALLED.search(line.partition(" # ")[0]):
                yield line[found.end() :].partition("#")[0].split()
    groups = {name for name, command in tree().commands.items() if hasattr(command, "commands")}
    for span in SPAN.findall(re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)):
        first, _, rest = span.partition(" ")
        if first == "renzheng" and rest and span not in LABELS:
            yield rest.split()
        elif first in groups and re.match(r"[a-z-]+( |$)", rest):
            yield span.split()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_command_of_the_docs_is_there_with_its_options(page: Path) -> None:
    assert [wrong for words in commands(page.read_text()) if (wrong := fault(words))] == []


def test_the_commands_of_the_docs_are_found() -> None:
    """The test above would pass where it finds none."""
    assert sum(len(list(commands(page.read_text()))) for page in PAGES) > 200
    assert fault(["rule", "create", "slow", "--step-seconds", "12"]) is None
    assert fault(["rule", "make"]) == "renzheng rule has no command make"
    assert fault(["rule", "list", "--light"]) == "renzheng rule list has no option --light"


def known_settings() -> set[str]:
    return {f"{environment.PREFIX}{name.upper()}" for name in Settings.model_fields} | environment.OTHERS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_setting_of_the_docs_is_there(page: Path) -> None:
    named = set(re.findall(r"RENZHENG_[A-Z0-9_]+[A-Z0-9](?![A-Z0-9_]*\*)", page.read_text()))
    assert named - known_settings() == set()


def test_a_command_or_setting_that_the_program_names_is_there() -> None:
    groups = {name: command for name, command in tree().commands.items() if hasattr(command, "commands")}
    wrong = []
    for path in SOURCES:
        text = re.sub("|".join(LABELS), "", path.read_text())
        for group, name in re.findall(r"\brenzheng ([a-z]+) ([a-z][a-z-]*)", text):
            if group in groups and name not in groups[group].commands:
                wrong.append(f"{path.relative_to(ROOT)}: renzheng {group} {name}")
        unknown = set(re.findall(r"\bRENZHENG_[A-Z0-9_]+[A-Z0-9]\b", text)) - known_settings()
        wrong += [f"{path.relative_to(ROOT)}: {name}" for name in unknown if name not in environment.RENAMED]
    assert wrong == []


DEFAULTS = [
    ("api-choices", "exactly {clock_window} s off", "恰好相差 {clock_window} 秒"),
    ("capture-protocol", "(three by default)", "（默认三次）"),
    ("capture-protocol", "has {crowded_ready_seconds} s (a setting)", "须在 {crowded_ready_seconds} 秒（可配置）内"),
    ("capture-protocol", "({eased_step_seconds} s, a setting", "（{eased_step_seconds} 秒，可配置"),
    ("capture-protocol", "no `hello` within {hello_seconds} s", "{hello_seconds} 秒内没有 `hello`"),
    ("console", "At least {console_password_length} characters", "至少 {console_password_length} 个字符"),
    ("console", "After {console_tries} wrong passwords", "输错 {console_tries} 次密码"),
    ("console", "within {console_tries_minutes} minutes", "{console_tries_minutes} 分钟内输错"),
    ("console", "after {console_idle_minutes} minutes without a request", "{console_idle_minutes} 分钟无操作"),
    ("console", "after {console_session_hours} hours in any case", "登录满 {console_session_hours} 小时"),
    ("operating", "kept for {tombstone_days} more days", "再保留 {tombstone_days} 天"),
    ("operating", "127.0.0.1:{operator_port} by default", "默认 127.0.0.1:{operator_port}"),
    ("security", "at most {max_headers} headers", "最多 {max_headers} 个"),
    ("security", "at most {max_pairs} parameters", "最多 {max_pairs} 个参数"),
    ("signature-trouble", "The last {recent_failures} refusals", "密钥有效的 {recent_failures} 条"),
]


@pytest.mark.parametrize(("page", "english", "chinese"), DEFAULTS)
def test_a_default_that_a_sentence_gives_is_the_settings(page: str, english: str, chinese: str) -> None:
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert english.format(**defaults) in (ROOT / "docs" / f"{page}.md").read_text()
    assert chinese.format(**defaults) in (ROOT / "docs" / f"{page}.zh-CN.md").read_text()
    if "{" not in english:
        assert (page, defaults["attempts"]) == ("capture-protocol", 3)
