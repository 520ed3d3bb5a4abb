"""`renzheng session` and `renzheng rejudge`: lists and details of verifications, and whether a verdict stands."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Column

from renzheng.capture.judging import ExaminerLostError
from renzheng.cli.local import (
    AccountOption,
    JsonOption,
    account_of,
    print_json,
    print_table,
    printable,
    when,
    with_store,
)
from renzheng.engine.interface import EngineUnusableError
from renzheng.engine.workers import WorkerDiedError
from renzheng.operations import rejudging, sessions
from renzheng.operations.rejudging import Rejudgement
from renzheng.operations.sessions import VerificationView
from renzheng.server.engine_adapters import EngineExaminer
from renzheng.server.engines import make_engine
from renzheng.settings import load_settings
from renzheng.store.accounts import NotFoundError, RefusedError
from renzheng.store.listing import ListedSession
from renzheng.store.open import Store
from renzheng.verification.session import State

app = typer.Typer(no_args_is_help=True, help="One verification: what was measured, and why it ended as it did.")

TokenArgument = Annotated[str, typer.Argument(help="The FaceIdToken, or the session's number as the log has it.")]


@app.command("list")
def list_(
    account: AccountOption = None,
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    before: Annotated[int | None, typer.Option(help="List sessions before this number.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List verifications, newest first: time, account and end. Shows no personal data."""

    async def work(store: Store) -> tuple[list[ListedSession], dict[int, str]]:
        only = (await account_of(store, account)).id if account else None
        names = {known.id: known.name for known in await store.accounts.all()}
        return await store.listing.newest(limit, account_id=only, before=before, state=state), names

    listed, names = with_store(work)
    if as_json:
        print_json([{**one._asdict(), "account": names.get(one.account_id)} for one in listed])
        return
    rows = [
        [
            *(str(one.id), when(one.created_at), names.get(one.account_id, str(one.account_id)), one.state),
            *(str(one.attempts), one.result or "", one.ending or ""),
        ]
        for one in listed
    ]
    columns: list[str | Column] = [Column("Number", no_wrap=True), "Created", "Account", "State", "Attempts", "Result"]
    print_table([*columns, "Ended by"], rows)


@app.command()
def show(token: TokenArgument, as_json: JsonOption = False) -> None:
    """Show a verification's state, verdict and measurements; names and numbers masked."""

    async def work(store: Store) -> dict[str, Any]:
        return _plain(await sessions.describe(store, await sessions.find(store, token), time.time()))

    shown = with_store(work)
    if as_json:
        print_json(shown)
        return
    print_table(["", ""], [[name, _text(value)] for name, value in shown.items() if name != "measurement"])
    if shown["measurement"]:
        print("measured, shortened to what a person reads; --json has every digit:")
    for name, value in ((shown["measurement"] or {}).get("presentation") or {}).items():
        print(f"  {printable(name)}: {printable(_text(value))}")


@app.command()
def erase(
    token: TokenArgument,
    sure: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase one verification at once: its result, photo, frames and video, and what was delivered to a bucket."""
    if not sure:
        typer.confirm("The result and all evidence of this verification are erased permanently. Continue?", abort=True)

    async def work(store: Store) -> int:
        session = await store.sessions.find(token)
        if session is None:
            raise NotFoundError("there is no such verification, or it is erased")
        return await store.sweeper.erase(session.id, session.account_id, time.time())

    due = with_store(work)
    print("erased")
    if due:
        print("what was delivered to the customer's bucket is deleted by the server; see: renzheng bucket deliveries")


def rejudge(token: TokenArgument, as_json: JsonOption = False) -> None:
    """Judge a verification's stored frames again and say whether its verdict stands: exit code 0 if so, else 1."""

    async def work(store: Store) -> Rejudgement:
        await sessions.find(store, token)  # checked before the models are loaded
        settings = load_settings()
        try:
            async with contextlib.AsyncExitStack() as stack:
                engine = make_engine(settings)
                stack.push_async_callback(engine.stop)
                await engine.start()
                return await rejudging.rejudge(store, token, EngineExaminer(engine), settings.max_seen_frames)
        except (EngineUnusableError, ExaminerLostError, WorkerDiedError) as error:
            raise RefusedError(f"the frames cannot be judged now: {error}") from None

    found = with_store(work)
    if as_json:
        print_json({**asdict(found), "same_numbers": found.same_numbers, "stands": found.stands})
    else:
        verb = "stands" if found.stands else f"does not stand: it would be {found.now} now"
        numbers = "the same numbers"
        if found.changed:
            numbers = f"other numbers (another machine, pack or photo): {', '.join(found.changed)}"
        if found.other_scale:
            numbers += "; its similarity was given on another scale than today's: the two are not to be compared"
        print(f"Result {found.before} {verb}; {numbers}")
    raise typer.Exit(0 if found.stands else 1)


def _plain(view: VerificationView) -> dict[str, Any]:
    plain = {"number": view.id, "account": view.account_id, "state": view.state, "created": when(view.created_at)}
    names = (
        *("compare_lib", "id_card", "name", "attempts", "counted", "ending", "result", "description", "similarity"),
        *("billed", "liveness_tags", "measurement"),
    )
    return plain | {name: getattr(view, name) for name in names}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(_shorten(value), ensure_ascii=False)


def _shorten(value: Any) -> Any:
    """Round numbers to four decimal places, as more tells a reader nothing, and unix times to two."""
    if isinstance(value, dict):
        return {key: _shorten(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_shorten(part) for part in value]
    return round(value, 2 if value > 1e6 else 4) if isinstance(value, float) else value
