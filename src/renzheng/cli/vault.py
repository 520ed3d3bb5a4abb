"""`renzheng vault`: the keys that seal everything at rest."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from renzheng.cli.local import JsonOption, print_json, print_table, with_store
from renzheng.settings import load_settings
from renzheng.store.accounts import RefusedError
from renzheng.store.authenticity import TABLES
from renzheng.store.erasures import PATIENCE
from renzheng.store.files import KEYS_FILE
from renzheng.store.keyring import generations, master_made_at, master_seal
from renzheng.store.open import Store

app = typer.Typer(no_args_is_help=True, help="The keys that encrypt everything at rest.")


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Show the master key in use, how many data keys it opens, and whether every erasure is complete."""

    async def work(store: Store) -> dict[str, Any]:
        return {
            "folder": str(store.vault.folder),
            "master_keys": generations(store.vault.folder),
            "sealed_by": [master_seal(store.vault.folder, number) for number in generations(store.vault.folder)],
            "data_keys": await store.vault.count(),
            "erased_keys_in_log": not await store.vault.erasures.clean(PATIENCE),
            "erased_until_rotation": await store.vault.recoverable(),
            "left_by_the_move": bool(load_settings().keys_url.get_secret_value())
            and (store.vault.folder / KEYS_FILE).exists(),
        }

    shown = with_store(work)
    if as_json:
        print_json(shown)
        return
    masters = ", ".join(
        f"master-{number}.key ({f'sealed by {seal}' if seal else 'in the clear'})"
        for number, seal in zip(shown["master_keys"], shown["sealed_by"], strict=True)
    )
    gone = "no: see the note" if shown["erased_keys_in_log"] else "yes"
    rows = [["Folder", shown["folder"]], ["Master key", masters], ["Data keys", str(shown["data_keys"])]]
    if shown["erased_until_rotation"]:
        left = f"{shown['erased_until_rotation']}, until renzheng vault rotate"
        rows.append(["Erased keys in logs and copies of PostgreSQL", left])
    if shown["left_by_the_move"]:
        rows.append(["Keys of before the move", "still in keys.db: renzheng store discard removes them"])
    print_table(["", "Vault"], [*rows, ["Erased keys wholly gone", gone]])


@app.command()
def adopt(as_json: JsonOption = False) -> None:
    """Accept the records as they are, after a restore from before rows were signed or after you checked each change.

    Rows that decide (accounts, keys, rules, verdicts) are signed; a row that something else changed is not trusted.
    """

    async def work(store: Store) -> int:
        await store.audit.record("records adopted", "all signed rows")
        counts = [await store.database.one(f"SELECT count(*) FROM {table}") for table in TABLES]  # noqa: S608
        return sum(row[0] for row in counts if row)

    rows = with_store(work, adopt=True)
    if as_json:
        print_json({"signed": rows})
    else:
        print(f"{rows} rows are signed as they are now.")


async def _check_here(store: Store) -> None:
    """Raise RefusedError if processes on other machines would not find a new master key."""
    here = socket.gethostname()
    away = [node.name for node in await store.nodes.all() if node.is_there and node.name.rpartition(":")[0] != here]
    if away:
        raise RefusedError(
            f"{', '.join(away)} would not find the new master key: renzheng vault rotate --prepare makes its file; "
            "copy that to the keys folder of every machine, then rotate"
        )


@app.command()
def rotate(
    after_days: Annotated[
        float, typer.Option("--after-days", min=0, help="Only if the master key is older than this; for a timer.")
    ] = 0,
    prepare: Annotated[
        bool,
        typer.Option(
            "--prepare", help="Only make the file of the next master key, to copy it to other machines first."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a new master key, wrap every data key under it, and delete the old one. The server may keep running.

    The new key is sealed according to the current settings, so this command also changes the seal.
    """

    async def work(store: Store) -> tuple[int, int, str]:
        current = await store.vault.generation()
        if time.time() - master_made_at(store.vault.folder, current) < after_days * 86400:
            return current, 0, f"master-{current}.key is young enough; nothing was done."
        if prepare:
            made = await asyncio.to_thread(store.vault.prepare, current)
            return made, 0, f"master-{made}.key is made: copy it to the keys folder of every machine, then rotate."
        if max(generations(store.vault.folder)) == current:
            await _check_here(store)
        wrapped = await asyncio.to_thread(store.vault.rotate)
        new = await store.vault.generation()
        await store.audit.record("master key rotated", f"master {new}")
        return (
            new,
            wrapped,
            f"{wrapped} data keys are wrapped under master-{new}.key now; back up the keys folder again.",
        )

    generation, wrapped, said = with_store(work)
    if as_json:
        print_json({"generation": generation, "wrapped": wrapped})
    else:
        print(said)


@app.command()
def replay(
    erasures: Annotated[Path, typer.Argument(help="A newer erasures.db of this keys folder.")],
    as_json: JsonOption = False,
) -> None:
    """Repeat the erasures of a newer list, after a restore of an older keys folder."""

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
