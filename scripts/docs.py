"""Fill the generated parts of the docs from the code: `python scripts/docs.py` writes, `--check` only compares.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end: NAME -->`; `PARTS` names them all.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from conformance.calls import calls
from conformance.test_node import PACKAGE
from conformance.test_tccli import VERSION as TCCLI
from renzheng.engine import reasons
from renzheng.metrics import Metrics
from renzheng.settings import Settings
from renzheng.verification import decision
from renzheng.verification.session import MOVES

DOCS = Path(__file__).resolve().parent.parent / "docs"
PART = re.compile(r"(<!-- generated: (\S+) -->\n)(.*?)(<!-- end: \2 -->)", re.DOTALL)


def states() -> str:
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> issued"]
    for name, move in MOVES.items():
        note = " (while the token is alive)" if move.while_alive else ""
        lines += [f"    {source} --> {move.target}: {name}{note}" for source in sorted(move.sources)]
    return "\n".join([*lines, "    passed --> [*]", "    failed --> [*]", "    expired --> [*]", "```"]) + "\n"


def settings() -> str:
    lines = ["| variable | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default
        if str(default).startswith(str(Path.home())):
            default = str(default).replace(str(Path.home()), "~", 1)
        shown = "" if default in (None, "", ()) else f"`{default}`"
        lines.append(f"| `RENZHENG_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines) + "\n"


def results() -> str:
    known = [value for value in vars(decision).values() if isinstance(value, decision.Result)]
    lines = ["| Result | Description | billed |", "|---|---|---|"]
    known.sort(key=lambda result: int(result.code))
    lines += [f"| {r.code} | {r.description} | {'yes' if r.billed else 'no'} |" for r in known]
    return "\n".join(lines) + "\n"


def tags() -> str:
    lines = ["| value | given where |", "|---|---|"]
    lines += [f"| {value} | {text} |" for value, text, _ in reasons.REASONS]
    return "\n".join(lines) + "\n"


def metrics() -> str:
    lines = ["| metric | labels | what it counts |", "|---|---|---|"]
    for family in Metrics().registry.collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {
            "renzheng_requests_total": "action, code",
            "renzheng_request_seconds": "action",
            "renzheng_failed_open_total": "part",
            "renzheng_capture_steps_total": "step, reason, browser",
        }
        lines.append(f"| `{name}` | {labels.get(name, '')} | {family.documentation} |")
    return "\n".join(lines) + "\n"


def live() -> str:
    clients = [
        ("tencentcloud-sdk-python", "test_python.py", "TC3, HmacSHA1, HmacSHA256; POST and GET"),
        (PACKAGE.replace("@", " "), "test_node.py", "TC3, HmacSHA1, HmacSHA256; POST and GET"),
        (f"tccli {TCCLI}", "test_tccli.py", "TC3; POST"),
    ]
    names = [call.name for call in calls()]
    lines = [f"| client | signatures | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for client, test, ways in clients:
        cells = " | ".join(f"[run](../conformance/{test})" for _ in names)
        lines.append(f"| {client} | {ways} | {cells} |")
    return "\n".join(lines) + "\n"


def replayed() -> str:
    counts = Counter[tuple[str, str]]()
    for path in sorted((DOCS.parent / "tests" / "golden").glob("*.json")):
        vector = json.loads(path.read_text())
        if "request" in vector:
            client = vector.get("client") or "-"
            is_official = client.startswith(("tencentcloud", "tccli"))
            counts[client if is_official else "documentation, or our own signer", vector["source"]] += 1
    rows = [f"| {client} | {source} | {count} |" for (client, source), count in sorted(counts.items())]
    return "\n".join(["| client | source of the bytes | requests |", "|---|---|---|", *rows]) + "\n"


PARTS: dict[str, Callable[[], str]] = {
    "states": states,
    "settings": settings,
    "results": results,
    "tags": tags,
    "metrics": metrics,
    "live": live,
    "replayed": replayed,
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
