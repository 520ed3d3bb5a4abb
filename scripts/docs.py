"""Fill the generated parts of the docs from the code: `python scripts/docs.py` writes, `--check` only compares.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end: NAME -->`; `PARTS` names them all.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from conformance.calls import calls
from conformance.test_node import PACKAGE
from conformance.test_tccli import VERSION as TCCLI
from renzheng.accounts.operators import Role
from renzheng.actions.product import SERVICE, make_product
from renzheng.engine import reasons
from renzheng.gateway.causes import CAUSES
from renzheng.management.product import make_product as make_management
from renzheng.server.metrics import Metrics
from renzheng.settings import SECTIONS
from renzheng.verification import decision
from renzheng.verification.session import MOVES
from scripts import chinese

DOCS = Path(__file__).resolve().parent.parent / "docs"
PART = re.compile(r"(<!-- generated: (\S+) -->\n)(.*?)(<!-- end: \2 -->)", re.DOTALL)


def states() -> str:
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> issued"]
    for name, move in MOVES.items():
        note = " (while the token is alive)" if move.while_alive else ""
        lines += [f"    {source} --> {move.target}: {name}{note}" for source in sorted(move.sources)]
    return "\n".join([*lines, "    passed --> [*]", "    failed --> [*]", "    expired --> [*]", "```"]) + "\n"


def settings(zh: bool) -> str:
    lines = [f"| {'变量 | 默认值 | 说明' if zh else 'variable | default | what it is'} |", "|---|---|---|"]
    for name, field in ((name, field) for section in SECTIONS for name, field in section.model_fields.items()):
        default = field.default
        if str(default).startswith(str(Path.home())):
            default = str(default).replace(str(Path.home()), "~", 1)
        shown = "" if default in (None, "", ()) else f"`{default}`"
        lines.append(f"| `RENZHENG_{name.upper()}` | {shown} | {chinese.SETTINGS[name] if zh else field.description} |")
    return "\n".join(lines) + "\n"


def results(zh: bool) -> str:
    known = {value for value in vars(decision).values() if isinstance(value, decision.Result)}
    billed: dict[tuple[str, str], set[bool]] = {}
    for result in known:
        billed.setdefault((result.code, result.description), set()).add(result.billed)
    lines = [f"| Result | Description | {'是否计费' if zh else 'billed'} |", "|---|---|---|"]
    yes, no, both = ("是", "否", "是；因照片所致则否") if zh else ("yes", "no", "yes; no if it is the photo's fault")
    said = {frozenset({True}): yes, frozenset({False}): no, frozenset({True, False}): both}
    lines += [
        f"| {code} | {description} | {said[frozenset(billed[code, description])]} |"
        for code, description in sorted(billed, key=lambda one: int(one[0]))
    ]
    return "\n".join(lines) + "\n"


def tags(zh: bool) -> str:
    lines = [f"| {'取值 | 何时给出' if zh else 'value | given when'} |", "|---|---|"]
    lines += [f"| {value} | {chinese.TAGS[value] if zh else text} |" for value, text, _ in reasons.REASONS]
    return "\n".join(lines) + "\n"


def metrics(zh: bool) -> str:
    lines = [f"| {'指标 | 标签 | 含义' if zh else 'metric | labels | what it counts'} |", "|---|---|---|"]
    for family in Metrics().registry.collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {
            "renzheng_requests_total": "service, action, code",
            "renzheng_request_seconds": "service, action",
            "renzheng_failed_open_total": "part",
            "renzheng_capture_steps_total": "step, reason, browser",
            "renzheng_changed_rows": "table",
            "renzheng_followed_changes": "of",
            "renzheng_free_bytes": "folder",
            "renzheng_kept_free_bytes": "folder",
            "renzheng_ready": "check",
            "renzheng_console_sign_ins_total": "outcome",
            "renzheng_deliveries_total": "outcome",
            "renzheng_worker_restarts": "kind",
            "renzheng_capture_attempts": "state",
        }
        text = chinese.METRICS[name] if zh else family.documentation
        lines.append(f"| `{name}` | {labels.get(name, '')} | {text} |")
    return "\n".join(lines) + "\n"


def actions(zh: bool) -> str:
    """The product's actions, with what each may be refused with beside the gateway's own errors."""
    product = make_product()
    head = (
        "接口 | 说明 | 地域 | 可加密的参数 | 特有的错误码"
        if zh
        else "action | what it does | regions | parameters that may be sealed | errors"
    )
    lines = [f"| {head} |", "|---|---|---|---|---|"]
    for action in product.actions:
        errors = dict.fromkeys(error.code for error in (*product.errors, *action.errors))
        cells = (
            f"`{action.name}`",
            action.text[0 if zh else 1],
            ", ".join(sorted(action.regions)) if action.regions else ("不区分" if zh else "none needed"),
            ", ".join(sorted(action.sealable)),
            ", ".join(sorted(errors)),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def management(zh: bool) -> str:
    """The actions of the management service, and who may call them."""
    roles = [role.value for role in Role]
    lines = [
        f"| {'接口 | 作用' if zh else 'action | what it does'} | {' | '.join(roles)} |",
        "|---" * (2 + len(roles)) + "|",
    ]
    for action in make_management().actions:
        marks = ["✓" if role in action.roles else "" for role in roles]
        lines.append(f"| `{action.name}` | {action.text[0 if zh else 1]} | {' | '.join(marks)} |")
    return "\n".join(lines) + "\n"


CALLS_ZH = {
    "token LOCAL": "LOCAL 的 Token",
    "token BUSINESS": "BUSINESS 的 Token",
    "result": "结果",
    "an error in Chinese": "中文错误",
    "an error in English": "英文错误",
    "the biggest allowed photo": "最大照片",
}


REPLAYED = ("client, as it ran | signature and method (requests) | requests", "other source of the bytes | requests")
REPLAYED_ZH = ("实际运行的客户端 | 签名与请求方法（请求数） | 请求数", "其他来源 | 请求数")


def live(zh: bool) -> str:
    clients = [
        ("tencentcloud-sdk-python", "test_python.py", "TC3, HmacSHA1, HmacSHA256; POST, GET"),
        (PACKAGE.replace("@", " "), "test_node.py", "TC3, HmacSHA1, HmacSHA256; POST, GET"),
        (f"tccli {TCCLI}", "test_tccli.py", "TC3; POST"),
    ]
    names = [CALLS_ZH[call.name] if zh else call.name for call in calls()]
    head = "客户端 | 签名方法" if zh else "client | signatures"
    lines = [f"| {head} | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for client, test, ways in clients:
        cells = " | ".join(f"[{'运行' if zh else 'run'}](../conformance/{test})" for _ in names)
        lines.append(f"| {client} | {ways} | {cells} |")
    return "\n".join(lines) + "\n"


def replayed(zh: bool) -> str:
    """Official clients that ran live, by the bytes that they sent; then what else is replayed."""
    clients: dict[str, Counter[str]] = {}
    others = Counter[str]()
    for path in sorted((DOCS.parent / "tests" / "golden").glob("*.json")):
        vector = json.loads(path.read_text())
        if "request" not in vector:
            continue
        client = vector.get("client") or "-"
        if vector["source"] == "observed" and client.startswith(("tencentcloud", "tccli")):
            clients.setdefault(client, Counter())[way_of(vector)] += 1
        else:
            others[vector["source"]] += 1
    rows = [
        f"| {client} | {', '.join(f'{way} ({count})' for way, count in sorted(ways.items()))} | {ways.total()} |"
        for client, ways in sorted(clients.items())
    ]
    heads = REPLAYED_ZH if zh else REPLAYED
    lines = [f"| {heads[0]} |", "|---|---|---|", *rows, "", f"| {heads[1]} |", "|---|---|"]
    lines += [f"| {SOURCES[source][zh]} | {count} |" for source, count in sorted(others.items())]
    return "\n".join(lines) + "\n"


SOURCES = {
    "doc": ("documentation: an example with its result", "文档：带结果的示例"),
    "doc-capture": ("documentation: a captured request and its answer", "文档：抓取的请求与应答"),
    "inferred": ("our own reading, where nothing is documented", "文档未作规定之处，我们的理解"),
    "synthetic": ("our own signer", "我们自己的签名程序"),
    "synthetic-from-sdk-code": ("the source of a client, read and not run", "客户端源码，只阅读、未运行"),
}


def way_of(vector: dict[str, Any]) -> str:
    """How a golden request is signed and sent, as in `TC3 POST`."""
    request, derivation = vector["request"], vector.get("derivation") or {}
    names = {name.lower() for name, _ in request["headers"]}
    method = "TC3" if "authorization" in names else derivation.get("method", "HmacSHA1")
    return f"{method} {request['method']}"


def causes(language: int) -> str:
    lines = ["| Cause | What happened, and what to do |" if language == 0 else "| 原因 | 说明与处理 |", "|---|---|"]
    lines += [f"| `{name}` | {sentences[language]} |" for name, sentences in CAUSES.items()]
    return "\n".join(lines).replace("{service}", SERVICE) + "\n"


PARTS: dict[str, Callable[[], str]] = {
    "states": states,
    "settings": partial(settings, False),
    "settings-zh": partial(settings, True),
    "results": partial(results, False),
    "results-zh": partial(results, True),
    "tags": partial(tags, False),
    "tags-zh": partial(tags, True),
    "metrics": partial(metrics, False),
    "metrics-zh": partial(metrics, True),
    "management": partial(management, False),
    "management-zh": partial(management, True),
    "actions": partial(actions, False),
    "actions-zh": partial(actions, True),
    "live": partial(live, False),
    "live-zh": partial(live, True),
    "replayed": partial(replayed, False),
    "replayed-zh": partial(replayed, True),
    "causes": partial(causes, 0),
    "causes-zh": partial(causes, 1),
}


def filled(text: str) -> str:
    """The page with its generated parts made anew; other parts, such as those of the evaluation, are left."""
    return PART.sub(lambda found: found[1] + (PARTS[found[2]]() if found[2] in PARTS else found[3]) + found[4], text)


def main() -> int:
    stale = []
    for page in sorted(DOCS.rglob("*.md")):
        text = page.read_text()
        if (new := filled(text)) != text:
            stale.append(str(page.relative_to(DOCS.parent)))
            if "--check" not in sys.argv:
                page.write_text(new)
    print("\n".join(f"{'stale' if '--check' in sys.argv else 'written'}: {page}" for page in stale) or "up to date")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
