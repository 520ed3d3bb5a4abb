"""A copy of the checkout with an interpreter of its own: nothing that runs in it looks back at the original."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import site
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from scripts.mutation.reach import FILES, WRITTEN

ROOT = Path(__file__).resolve().parents[2]
COPIED = (
    *("src", "tests", "docs", "lab", "scripts", "deploy", "examples", "conformance", "requirements"),
    *("conftest.py", "pyproject.toml", "README.md", "README.zh-CN.md", "Makefile"),
)
QUIET = {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Reached(NamedTuple):
    """`tests`: by file and line, those that reach it. `seconds`: of each test that passed."""

    tests: dict[tuple[str, int], set[str]]
    seconds: dict[str, float]
    failed: list[str]


class Checkout:
    """`folder`: empty, and whoever made it removes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for entry in COPIED:
            source = ROOT / entry
            if source.exists():
                (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / entry)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
        self._python = folder / "venv" / "bin" / "python"
        packages = next((folder / "venv" / "lib").glob("python*")) / "site-packages"
        # Packages are read where they are; what says there that the checkout is one of them is not read.
        (packages / "copied.pth").write_text("\n".join([str(folder / "src"), *_packages()]) + "\n", encoding="utf-8")
        compileall.compile_dir(folder / "src", quiet=2)
        self._runner: subprocess.Popen[str] | None = None

    def reach(self, tests: tuple[str, ...], files: list[Path]) -> Reached:
        """Run all of the tests once, and see what each of them reaches."""
        written = self.folder / "reach.json"
        given = [
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "scripts.mutation.reach",
            "-m",
            "not stress",
            "-o",
            "timeout=600",
        ]
        environment = {**os.environ, FILES: os.pathsep.join(map(str, files)), WRITTEN: str(written)}
        environment.pop("PYTHONPATH", None)
        subprocess.run(
            [self._python, "-m", "pytest", *given, *tests],
            cwd=self.folder, env=environment, stdout=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        told = json.loads(written.read_text(encoding="utf-8"))
        failed = set(told["failed"])
        by_line = {(path, line): set(names) - failed for path, line, names in told["lines"]}
        seconds = {test: took for test, took in told["seconds"].items() if test not in failed}
        return Reached(by_line, seconds, told["failed"])

    def passes(self, tests: list[str], seconds: float) -> bool:
        """Whether these tests pass; `seconds`: that each of them may take."""
        if self._runner is None:
            environment = {**os.environ, **QUIET}
            environment.pop("PYTHONPATH", None)
            self._runner = subprocess.Popen(
                [self._python, "-m", "scripts.mutation.runner"],
                cwd=self.folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
        assert self._runner.stdin is not None
        assert self._runner.stdout is not None
        self._runner.stdin.write(json.dumps({"tests": tests, "seconds": seconds}) + "\n")
        self._runner.stdin.flush()
        answer = self._runner.stdout.readline()
        if not answer:
            raise RuntimeError("the process that runs the tests has ended")
        return bool(json.loads(answer)["code"] == 0)

    def close(self) -> None:
        if self._runner is not None:
            assert self._runner.stdin is not None
            self._runner.stdin.close()
            self._runner.wait()


def _packages() -> list[str]:
    """Return where this interpreter's packages are."""
    return [path for path in (*site.getsitepackages(), site.getusersitepackages()) if Path(path).is_dir()]
