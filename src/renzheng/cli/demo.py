"""`renzheng demo`: merchant, device and merchant again, step by step; with `--attacks`, attempts to cheat."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from renzheng.cli.local import first_key, refuse
from renzheng.cli.verify import ServerOption, local_server, make_puppet, print_event, read_photo
from renzheng.evaluation.device import Device, DeviceError, DeviceOutcome
from renzheng.evaluation.merchant import Merchant, MerchantCall, printable
from renzheng.evaluation.performance import Performance
from renzheng.evaluation.trials import (
    COMPLYING,
    SCENARIOS,
    Scenario,
    TrialCounts,
    TrialPerson,
    as_jpeg,
    find_people,
    run_scenario,
)

PEOPLE = 6


def demo(
    attacks: Annotated[bool, typer.Option("--attacks", help="Play the attacks too, each several times.")] = False,
    runs: Annotated[int, typer.Option(min=1, max=1000, help="Verifications of each kind.")] = 10,
    parallel: Annotated[int, typer.Option(min=1, max=16, help="Verifications at a time.")] = 2,
    faces: Annotated[
        Path | None,
        typer.Option("--faces", help="Folder with photos of more people; by default that of RENZHENG_TEST_DATA."),
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Only this kind; can be repeated.")] = None,
    server: ServerOption = None,
) -> None:
    """Show one verification from both sides. Exit code 0: every result was as expected."""
    console = Console()
    address = server or local_server()
    _check_server(address)
    merchant = _merchant(address)
    photo = read_photo(None)
    person = TrialPerson("sample", make_puppet(photo), as_jpeg(photo))
    try:
        if attacks or only:
            chosen = _chosen(only)
            people = _people(console, person, faces)
            tallies, skipped = asyncio.run(_play(console, chosen, people, address, merchant, runs, parallel))
            good = _print_tallies(console, tallies, skipped)
        else:
            good = _walk_through(console, person, address, merchant)
    except TencentCloudSDKException as error:
        refuse(f"The server answered {error.get_code()}: {error.get_message()}", 2)
    raise typer.Exit(0 if good else 1)


def _check_server(address: str) -> None:
    """End the command at once if no server answers, instead of once for each verification."""
    try:
        with urllib.request.urlopen(f"{address.rstrip('/')}/healthz", timeout=10):  # noqa: S310 - the operator's own
            pass
    except (OSError, ValueError) as error:
        cause = getattr(error, "reason", error)
        why = getattr(cause, "strerror", None) or cause
        refuse(
            f"No renzheng answers at {address} ({why}). Start one with `make run`, or name another with --server.", 2
        )


def _merchant(server: str) -> Merchant:
    """Make a merchant with the keys of the environment, or else of this machine's store."""
    secret_id, secret_key = os.environ.get("RENZHENG_SECRET_ID"), os.environ.get("RENZHENG_SECRET_KEY")
    if not secret_id or not secret_key:
        secret_id, secret_key = first_key()
    return Merchant(server, secret_id, secret_key)


# -- one verification, from both sides --


def _walk_through(console: Console, person: TrialPerson, server: str, merchant: Merchant) -> bool:
    console.rule("1  the merchant asks for a token")
    call = merchant.token(person.photo)
    _print_call(console, call)
    token = str(call.reply["FaceIdToken"])
    console.rule("2  the device answers the challenge")
    scene = Performance(person.puppet, seed=secrets.randbelow(2**31))
    try:
        outcome = asyncio.run(Device(server, token, scene, tell=print_event).run())
    except DeviceError as error:
        refuse(f"The device could not go on: {error}", 2)
    console.rule("3  the merchant fetches the result")
    call = merchant.result(token, video=True, best_frame=True)
    _print_call(console, call)
    return _print_summary(console, outcome, call.reply)


def _print_call(console: Console, call: MerchantCall) -> None:
    console.print(f"[bold]{call.action}[/bold]")
    console.print_json(json.dumps(printable(call.request), ensure_ascii=False))
    console.print("[bold]reply[/bold]")
    console.print_json(json.dumps(printable(call.reply), ensure_ascii=False))


def _print_summary(console: Console, outcome: DeviceOutcome, reply: dict[str, Any]) -> bool:
    table = Table("", "", show_header=False)
    rows = (
        ("asked", "; ".join(", ".join(actions) for actions in outcome.actions)),
        ("frames", f"{outcome.frames}, {outcome.rate:.1f} a second"),
        ("seconds", f"{outcome.seconds:.1f}"),
        ("Result", f"{reply['Result']} {reply['Description']}"),
        ("Similarity", f"{reply['Similarity']}"),
    )
    for row in rows:
        table.add_row(*row)
    console.print(table)
    return outcome.passed and reply["Result"] == "0" and float(reply["Similarity"]) >= 70


# -- many verifications, and attempts to cheat --


def _people(console: Console, first: TrialPerson, faces: Path | None) -> list[TrialPerson]:
    folder = faces or Path(os.environ.get("RENZHENG_TEST_DATA", "../shared/data")) / "deepface"
    photos = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    with console.status("Looking for more people ..."):
        people = find_people(photos, first, PEOPLE)
    console.print(f"{len(people)} {'person' if len(people) == 1 else 'people'}: {', '.join(p.name for p in people)}")
    return people


def _chosen(only: Sequence[str] | None) -> tuple[Scenario, ...]:
    if not only:
        return SCENARIOS
    known = {scenario.name: scenario for scenario in SCENARIOS}
    for name in only:
        if name not in known:
            refuse(f"unknown kind {name}; known are {', '.join(known)}", 2)
    return tuple(known[name] for name in only)


async def _play(
    console: Console,
    scenarios: Sequence[Scenario],
    people: Sequence[TrialPerson],
    server: str,
    merchant: Merchant,
    runs: int,
    parallel: int,
) -> tuple[list[TrialCounts], list[Scenario]]:
    skipped = [scenario for scenario in scenarios if scenario.people > len(people)]
    tallies = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        for scenario in scenarios:
            if scenario in skipped:
                continue
            task = bar.add_task(scenario.title, total=runs)
            tally = await run_scenario(
                scenario,
                people,
                server=server,
                merchant=merchant,
                runs=runs,
                parallel=parallel,
                seed=secrets.randbelow(2**31),
                progress=lambda task=task: bar.advance(task),  # type: ignore[misc]
            )
            tallies.append(tally)
    return tallies, skipped


def _print_tallies(console: Console, tallies: Sequence[TrialCounts], skipped: Sequence[Scenario]) -> bool:
    table = Table("", "passed", "stopped by its layer", "elsewhere", "never ready", "Result", "as it must")
    for tally in tallies:
        codes = ", ".join(f"{code} x {count}" for code, count in tally.codes.most_common())
        attack = tally.scenario.is_attack
        layer = f"{tally.scenario.layer} {tally.right} of {tally.runs}"
        stopped = (layer, f"{tally.elsewhere}") if attack else ("-", "-")
        table.add_row(
            tally.scenario.title,
            f"{tally.passed} of {tally.runs}",
            *stopped,
            f"{tally.unready}",
            codes,
            "yes" if tally.is_as_expected else "[red]no[/red]",
        )
    for scenario in skipped:
        table.add_row(scenario.title, "skipped", scenario.layer, "-", "-", "needs a second face", "-")
    console.print(table)
    console.print(
        "As it must: no attack passes, and nine of ten are stopped by the layer that they are made to meet (1005 is "
        "liveness, 2016 the comparison); one of ten may fall elsewhere, as of ten heads that comply one may fail. "
        "Never ready: the server found nothing to begin with, and judged nothing."
    )
    if starved := sum(tally.starved for tally in tallies):
        slowest = min(tally.slowest for tally in tallies)
        console.print(
            f"{starved} devices got too little of the CPU and were started again; the slowest that counts sent "
            f"{slowest:.1f} frames a second. A quieter machine or --parallel 1 helps."
        )
    if skipped:
        console.print("Some kinds were skipped, so this run is not complete: set --faces or RENZHENG_TEST_DATA.")
    if COMPLYING in (tally.scenario for tally in tallies):
        console.print("The head that complies shows what is not caught: a program that renders the right answer.")
    return all(tally.is_as_expected for tally in tallies)
