"""`renzheng backup`: copies of the records and of the keys, while the server runs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from renzheng.cli.local import JsonOption, print_json, refuse, with_store
from renzheng.settings import load_settings
from renzheng.store.backup import Copied, copy_keys, copy_records
from renzheng.store.open import Store

app = typer.Typer(no_args_is_help=True, help="Copies of the records and of the keys, while the server runs.")

Target = Annotated[Path, typer.Argument(help="A new folder, or an earlier copy, which is brought up to date.")]


@app.command()
def records(target: Target, as_json: JsonOption = False) -> None:
    """Copy the records, and the evidence if it is in the data folder. Everything is sealed."""

    _check_engine()

    async def work(store: Store) -> Copied:
        copied = await asyncio.to_thread(copy_records, load_settings().data_dir, target)
        await store.audit.record("records copied", "backup")
        return copied

    copied = with_store(work)
    if as_json:
        print_json(copied._asdict())
        return
    print(f"records copied; files of evidence: {copied.new} new, {copied.gone} gone")
    if load_settings().evidence_url:
        print("evidence that lies in the object store is copied by its own means")
    print("now the keys, onto other media: renzheng backup keys FOLDER")


@app.command()
def keys(target: Target, as_json: JsonOption = False) -> None:
    """Copy the keys and the list of erasures. Anybody who has this and the records can read everything."""

    _check_engine()

    async def work(store: Store) -> None:
        await store.audit.record("keys copied", "backup")
        await asyncio.to_thread(copy_keys, store.vault.folder, target)

    with_store(work)
    if as_json:
        print_json({"copied": True})
    else:
        print("keys and the list of erasures copied; keep them apart from the records")


def _check_engine() -> None:
    """Refuse a backup of PostgreSQL, whose own tools copy a running database consistently."""
    if load_settings().database_url.get_secret_value():
        refuse(
            "records and keys are in PostgreSQL: copy both databases by pg_dump or by base backups, "
            "and the keys folder with the master key by hand"
        )
