"""``renzheng attack``: the attack suite, rendered and judged on this machine without a server."""

from __future__ import annotations

import os
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from renzheng.cli.local import print_whole, unusable

if TYPE_CHECKING:
    from renzheng.evaluation.results import Presentations
    from renzheng.evaluation.suite import SuitePlan

STAGES = {"people": "Choosing people", "attack": "Rendering and judging"}


def attack(
    out: Annotated[Path, typer.Option(help="Folder of the run. An interrupted run continues from it.")],
    photos: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PHOTOS]...",
            help="Folders with frontal photos, used in this order; by default those of RENZHENG_TEST_DATA.",
        ),
    ] = None,
    people: Annotated[
        int, typer.Option(min=2, help="People in each half, one presentation of each type by each.")
    ] = 26,
    heads: Annotated[int, typer.Option(min=1, help="Complying heads of each person in the reported half.")] = 8,
    only: Annotated[list[str] | None, typer.Option("--only", help="Only this type; can be repeated.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep every sequence, frames and transcript, in the folder.")] = (
        False
    ),
    processes: Annotated[int, typer.Option(min=1, help="Processes that render and judge.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of challenges, movements and light.")] = 0,
    skip: Annotated[
        int,
        typer.Option(min=0, help="Skip this many people first: those of the run that the thresholds were set with."),
    ] = 0,
    language: Annotated[Literal["zh", "en"], typer.Option(help="Language of the report.")] = "en",
) -> None:
    """Attack the engine with every known type, and write results.json, attacks.csv and report.html.

    Exit code 0 if no attack passed in the reported half (not counting complying heads), else 1.
    """
    from renzheng.engine.packs import PackError
    from renzheng.evaluation import outputs
    from renzheng.evaluation.pairs import DataError
    from renzheng.evaluation.report import render
    from renzheng.evaluation.results import write_json
    from renzheng.evaluation.suite import SuitePlan, run_suite

    console = Console(stderr=True)
    folders = photos or _test_data()
    plan = SuitePlan(people, heads, seed, tuple(only or ()), skip)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=console) as bar:
            tasks = {}

            def show(stage: str, done: int, total: int) -> None:
                if stage not in tasks:
                    tasks[stage] = bar.add_task(STAGES[stage], total=total)
                bar.update(tasks[stage], completed=done, total=total)

            results = run_suite(
                folders,
                out,
                plan,
                command=_command(folders, out, plan),
                version=version("renzheng"),
                clock=time.time,
                keep=keep,
                processes=processes,
                progress=show,
            )
    except (DataError, PackError, OSError) as error:
        said = unusable(error) if isinstance(error, OSError) else escape(str(error))
        console.print(f"[red]error:[/red] {said}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error
    write_json(results, out / "results.json")
    outputs.write_attacks(results, out / "attacks.csv")
    (out / "report.html").write_text(render(results, language), encoding="utf-8")
    good = _print(results, language)
    typer.echo(str(out / "report.html"))
    raise typer.Exit(0 if good else 1)


def _test_data() -> list[Path]:
    data = Path(os.environ.get("RENZHENG_TEST_DATA", "../shared/data"))
    return [data / "deepface", data / "lfw_fold1"]


def _command(folders: list[Path], out: Path, plan: SuitePlan) -> str:
    """Return the command for repeating the run, without the folders' parents, as a report may be handed on."""
    names = " ".join(folder.name for folder in folders)
    options = f"--people {plan.people} --heads {plan.heads}"
    options += "".join(f" --only {name}" for name in plan.only)
    options += "".join(f" --{name} {value}" for name, value in (("skip", plan.skip), ("seed", plan.seed)) if value)
    return f"renzheng attack {names} --out {out.resolve().name} {options}"


def _print(results: Presentations, language: Literal["zh", "en"]) -> bool:
    """Print the table. True if no attack passed, except those that are listed as not caught."""
    from renzheng.evaluation.tables import counted, layers
    from renzheng.evaluation.texts import Words

    words = Words(language)
    table = Table(header_style="bold", box=None, pad_edge=False)
    for key in ("attack", "target", "passed", "stopped", "without", "chosen_half"):
        table.add_column(words(key))
    good = True
    for row in results.attacks:
        part = row.suite
        assert part is not None
        good &= part.nature == "uncaught" or not row.apcer.errors
        table.add_row(
            words.maybe("attack", row.name),
            words.maybe("layer", part.target) if part.target else words(f"nature_{part.nature}"),
            counted(row.apcer),
            layers(row.stopped_by, words),
            counted(part.without),
            counted(part.chosen),
        )
    print_whole(table)
    return good
