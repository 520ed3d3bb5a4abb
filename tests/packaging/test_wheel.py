"""What the wheels hold: the puppet is in none but the lab's, and everything else runs without it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from renzheng.cli import COMMANDS
from tests.support.images import ROOT
from tests.support.server import PATIENCE

DOCS = ROOT / "docs"
SOURCES = ROOT / "src" / "renzheng"
PASSES_LIVENESS = (
    "puppet",
    "performance",
    "device",
    "trials",
    "suite",
    "attacks",
    "demo",
    "verify",
    "attack",
    "replay",
)


def built(project: Path, folder: Path) -> Path:
    [made] = WheelBuilder(str(project)).build(directory=str(folder), versions=["standard"])
    return Path(made)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel of renzheng, and the lab's."""
    folder = tmp_path_factory.mktemp("wheels")
    return built(ROOT, folder), built(ROOT / "lab", folder)


@pytest.fixture(scope="module")
def production(wheels: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as it is installed: a folder that Python finds packages in."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheels[0]) as archive:
        archive.extractall(folder)
    return folder


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name.removeprefix("renzheng/") for name in archive.namelist() if ".dist-info/" not in name}


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Python with that folder before the checkout."""
    program = f"import sys; sys.path.insert(0, {str(folder)!r}); sys.argv = ['renzheng', *sys.argv[1:]]; "
    program += "from renzheng.__main__ import main; main()"
    command = [sys.executable, "-c", program, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)


def test_each_file_is_in_one_of_the_two_wheels(wheels: tuple[Path, Path]) -> None:
    production, lab = map(names, wheels)
    ours = {str(path.relative_to(SOURCES)) for path in SOURCES.rglob("*") if path.is_file()}
    ours = {name for name in ours if "__pycache__" not in name}
    beside = {"deploy/renzheng.service", *(f"docs/{page.relative_to(DOCS)}" for page in DOCS.rglob("*.*"))}
    assert production | lab == ours | beside
    assert "docs/quickstart.md" in production
    assert not production & lab


def test_the_production_wheel_holds_nothing_that_passes_liveness(wheels: tuple[Path, Path]) -> None:
    held, lab = map(names, wheels)
    for name in PASSES_LIVENESS:
        assert not [path for path in held if path.endswith(f"/{name}.py")]
        assert [path for path in lab if path.endswith(f"/{name}.py")]


def test_no_module_of_the_production_wheel_needs_the_lab(production: Path) -> None:
    modules = [
        str(path.relative_to(production)).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for path in sorted((production / "renzheng").rglob("*.py"))
        if "migrations" not in path.parts and path.name != "__main__.py"
    ]
    program = (
        "import sys, importlib; sys.modules['tencentcloud'] = None\n"
        f"sys.path.insert(0, {str(production)!r})\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        f"assert sys.modules['renzheng'].__file__.startswith({str(production)!r})"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=production, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if command.extra == "lab"])
def test_the_labs_commands_say_where_they_are(production: Path, name: str) -> None:
    done = run(production, name, "TOKEN", "--out", "x")
    assert done.returncode == 2, done.stderr
    assert f"{name} renders people who pass liveness" in done.stderr
    assert "renzheng[server,lab]" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_other_commands_are_listed_without_the_labs(production: Path) -> None:
    shown = run(production, "--help").stdout
    assert "serve" in shown
    assert "demo" not in shown


def test_the_two_distributions_go_together() -> None:
    own = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lab = tomllib.loads((ROOT / "lab" / "pyproject.toml").read_text())
    version = own["project"]["version"]
    assert lab["project"]["version"] == version
    assert own["project"]["optional-dependencies"]["lab"] == [f"renzheng-lab=={version}"]
    assert lab["project"]["dependencies"] == [f"renzheng[server]=={version}", *own["dependency-groups"]["lab"]]


def test_the_wheel_brings_the_versions_that_it_was_tested_with(wheels: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(wheels[0]) as archive:
        shipped = archive.read("renzheng/constraints.txt").decode()
    lock = (ROOT / "requirements" / "run.lock").read_text()
    locked = re.findall(r"^([a-z0-9][^ \n]*==[^ \n]+(?: ; [^\\\n]*?)?) *\\$", lock, re.MULTILINE)
    assert shipped.splitlines()[1:] == locked
    assert "hash" not in shipped
