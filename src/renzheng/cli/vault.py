"""`renzheng vault`: the keys that everything at rest is sealed under."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from renzheng.cli.local import JsonOption, print_json, with_store
from renzheng.store.keyring import generations
from renzheng.store.open import Store

app = typer.Typer(no_args_is_help=True, help="The keys that everything at rest is sealed under.")


@app.command()
def rotate(as_json: JsonOption = False) -> None:
    """Make a new master key, wrap every data key under it, and delete the old one. The server may run meanwhile."""

    async def work(store: Store) -> tuple[int, int]:
        wrapped = await asyncio.to_thread(store.vault.rotate)
        generation = max(generations(store.vault.folder))
        await store.audit.record("master key rotated", f"master {generation}")
        return generation, wrapped

    generation, wrapped = with_store(work)
    if as_json:
        print_json({"generation": generation, "wrapped": wrapped})
    else:
        print(f"{wrapped} data keys are wrapped under master-{generation}.key now; back up the keys folder anew.")


@app.command()
def replay(
    erasures: Annotated[Path, typer.Argument(help="A newer erasures.db of this keys folder.")],
    as_json: JsonOption = False,
) -> None:
    """After a restore of an older keys folder: erase again what a newer list of erasures says."""

    async def work(store: Store) -> int:
        added = await store.vault.erasures.replay(erasures)
        await store.audit.record("erasures replayed", f"{added} entries")
        return added

    added = with_store(work)
    if as_json:
        print_json({"erased": added})
    else:
        missing = f"{added} {'erasure was' if added == 1 else 'erasures were'} missing here and done again"
        print(f"{missing if added else 'no erasure was missing here'}.")
