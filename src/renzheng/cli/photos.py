"""Checks whether the photos of people to be enrolled can be compared at all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from renzheng.cli.local import refuse
from renzheng.engine import packs
from renzheng.engine.interface import Engine, EngineUnusableError
from renzheng.engine.supervision import BusyError, WorkerDiedError
from renzheng.server.engines import make_engine
from renzheng.server.management_parts import look_at as look_at_photo
from renzheng.settings import SettingsError, load_settings

SHOWN_FROM = 9  # photos; fewer take only a moment


def look_at(photos: Sequence[Path]) -> list[str | None]:
    """Return what is wrong with each photo, as the judge would see it; None if nothing is.

    The photos are decoded in the same processes, and within the same limits, as those of a verification. Ends the
    command without models.
    """
    if not photos:
        return []
    try:
        if packs.faults():
            refuse("models are missing: run `renzheng models install` first, or enrol unseen with --no-look")
        return asyncio.run(_look_at(photos, make_engine(load_settings())))
    except (packs.PackError, SettingsError, EngineUnusableError) as error:
        refuse(str(error))
    except (BusyError, WorkerDiedError) as error:
        refuse(f"the photos cannot be looked at ({error}); --no-look enrols unseen")


async def _look_at(photos: Sequence[Path], engine: Engine) -> list[str | None]:
    console = Console(stderr=True)
    await engine.start()
    try:
        progress = track(
            photos, "Looking at the photos", console=console, transient=True, disable=len(photos) < SHOWN_FROM
        )
        return [await _fault(engine, photo) for photo in progress]
    finally:
        await engine.stop()


async def _fault(engine: Engine, photo: Path) -> str | None:
    """Return what is wrong with a photo. Raises WorkerDiedError if two workers die, as that is no fault of the
    photo."""
    return await look_at_photo(engine, await asyncio.to_thread(photo.read_bytes))
