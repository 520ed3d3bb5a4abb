"""``renzheng replay``: plays recordings of genuine verifications against new challenges, without a server."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from renzheng.cli.local import print_whole, refuse
from renzheng.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from renzheng.evaluation.replays import Replayed, Row

PROMISE = 0.01
"""Largest share of tokens that recordings of each kind may pass on average."""

SAID = {
    "first": "a token's first challenge",
    "further": "a further challenge",
    "both": "both, one after another",
}


def replay(
    photos: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PHOTOS]...",
            help="Folders with frontal photos, used in this order; by default those of RENZHENG_TEST_DATA.",
        ),
    ] = None,
    people: Annotated[int, typer.Option(min=4, help="People who are recorded.")] = 13,
    first: Annotated[int, typer.Option(min=1, help="Recordings of a first challenge by each person.")] = 6,
    tokens: Annotated[int, typer.Option(min=1, help="New tokens that each recording is tried with.")] = 2000,
    checked: Annotated[
        int, typer.Option(min=0, help="Answered challenges of each recording that are also given to the whole judge.")
    ] = 1,
    seed: Annotated[int, typer.Option(help="Seed of challenges, movements and blinks.")] = 0,
) -> None:
    """Measure how many new tokens a recording of a genuine verification passes, with this server's settings.

    Exit code 0 if the recordings of each kind pass at most 1 token in 100 on average, else 1.
    """
    from renzheng.engine.packs import PackError
    from renzheng.evaluation.pairs import DataError
    from renzheng.evaluation.portrait import models
    from renzheng.evaluation.replays import ReplayPlan, replay_all, tabulate_replays

    try:
        settings = load_settings()
    except SettingsError as fault:
        refuse(str(fault))
    plan = ReplayPlan(people, first, tokens, checked, seed, settings.policy)
    data = Path(os.environ.get("RENZHENG_TEST_DATA", "../shared/data"))
    folders = photos or [data / "deepface", data / "lfw_fold1"]
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("Recording and replaying", total=None)
            found = replay_all(
                folders, plan, models(), lambda done, total: bar.update(task, completed=done, total=total)
            )
    except (DataError, PackError) as error:
        console.print(f"[red]error:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error
    rows = tabulate_replays(found)
    _print(found, rows)
    raise typer.Exit(0 if is_kept(rows) else 1)


def is_kept(rows: Sequence[Row]) -> bool:
    """Return whether recordings of each kind keep the promise, by the tokens that were tried and by counting."""
    return all(row.chance <= PROMISE and (row.passed.value or 0.0) <= PROMISE for row in rows)


def _print(found: list[Replayed], rows: list[Row]) -> None:
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in ("recording of", "recordings", "tokens passed", "by counting all challenges", "of the worst recording"):
        table.add_column(name)
    for row in rows:
        passed = f"{row.passed.errors} of {row.passed.trials} ({100 * (row.passed.value or 0):.2f} %)"
        table.add_row(
            SAID[row.kind], f"{row.recordings}", passed, f"{100 * row.chance:.2f} %", f"{100 * row.highest:.2f} %"
        )
    print_whole(table)
    people = len({one.person for one in found})
    checked, confirmed = sum(one.checked for one in found), sum(one.confirmed for one in found)
    own = sum(one.own for one in found)
    typer.echo(
        f"{people} people; {own} of {len(found)} recordings answer their own challenges.\n"
        f"Of {checked} answered challenges that the whole judge was given, the actions of {confirmed} passed."
    )
