"""`renzheng engine`: the judging side of the engine on a Ray cluster."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from renzheng.cli.local import JsonOption, print_json, printable, refuse
from renzheng.engine import packs
from renzheng.engine.interface import EngineUnusableError
from renzheng.engine_ray import cluster
from renzheng.engine_ray.engine import require_ray
from renzheng.server.room_settings import engine_limits
from renzheng.settings import Settings, SettingsError, load_settings

app = typer.Typer(no_args_is_help=True, help="Judging on a Ray cluster, which RENZHENG_ENGINE names.")


@app.command()
def deploy(
    replicas: Annotated[
        int | None, typer.Option(min=1, help="Number of replicas; default: RENZHENG_ENGINE_REPLICAS.")
    ] = None,
) -> None:
    """Start the engine on the cluster, or replace what runs there, and wait until all replicas run."""
    settings = _connect()
    if faults := packs.faults():
        refuse(f"Models cannot be used ({'; '.join(faults)}): run `renzheng models install` first.", 2)
    count = replicas or settings.engine_replicas
    began = time.monotonic()
    try:
        cluster.deploy(engine_limits(settings), count)
    except EngineUnusableError as error:
        refuse(str(error), 2)
    print(f"{count} replicas run on {settings.engine} ({time.monotonic() - began:.0f} s)")


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Say whether the engine runs on the cluster: exit code 0 if so, else 1."""
    settings = _connect()
    found = cluster.status()
    if as_json:
        print_json({"address": settings.engine, **found._asdict()})
    else:
        print(f"{found.state}: {found.running} replicas run on {settings.engine}")
        if found.why and found.state != "RUNNING":
            print(printable(cluster.refusal(found.why) or found.why))
    raise typer.Exit(0 if found.state == "RUNNING" else 1)


@app.command()
def remove() -> None:
    """End the engine on the cluster. Verifications wait until it is deployed again or RENZHENG_ENGINE is unset."""
    settings = _connect()
    cluster.remove()
    print(f"removed from {settings.engine}")


def _connect() -> Settings:
    """Connect to the cluster, or end the command with a sentence."""
    try:
        settings = load_settings()
        if not settings.engine:
            refuse("RENZHENG_ENGINE names no cluster: set it to ray://host:port", 2)
        require_ray()
        cluster.connect(settings.engine)
    except (SettingsError, EngineUnusableError) as error:
        refuse(str(error), 2)
    return settings
