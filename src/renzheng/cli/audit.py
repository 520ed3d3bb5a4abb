"""`renzheng audit`: who did what to which account, key or person."""

from __future__ import annotations

from typing import Annotated

import typer

from renzheng.cli.local import JsonOption, print_json, print_table, when, with_store
from renzheng.store.audit import AuditEvent
from renzheng.store.open import Store

app = typer.Typer(no_args_is_help=True, help="The audit log: who did what to which account, key or person.")
app.callback()(lambda: None)  # a group of one command would be that command itself


@app.command("list")
def list_(
    after: Annotated[
        int | None, typer.Option(min=0, help="Entries after this id; left out: the newest entries.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List what operators and the server did, oldest first. Rows are named by id, never by person."""

    async def work(store: Store) -> list[AuditEvent]:
        return await store.audit.newest(limit) if after is None else await store.audit.events(after, limit)

    events = with_store(work)
    if as_json:
        print_json([event._asdict() for event in events])
        return
    rows = [[str(event.id), when(event.at), event.actor, event.verb, event.subject] for event in events]
    print_table(["id", "at", "who", "did", "to"], rows)
