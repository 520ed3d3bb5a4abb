"""Whether the photos that people are to be enrolled with can be compared at all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from renzheng.app import engine_limits
from renzheng.cli.local import refuse
from renzheng.engine import packs
from renzheng.engine.media import MediaError
from renzheng.engine.supervision import WorkerDied
from renzheng.engine.workers import EngineWorkers
from renzheng.settings import SettingsError, load_settings

FAULTS = {
    "no_face": "no face is found in it",
    "several_faces": "it shows several faces",
    "cut": "the face is cut off",
    "too_small": "the face is too small",
    "poor": "the face is turned away, blurred, too dark or too pale",
}
SHOWN_FROM = 9  # photos: fewer take a moment


def look_at(photos: Sequence[Path]) -> list[str | None]:
    """What is wrong with each photo, as the judge would see it; None where nothing is. Ends the command without models.

    The photos are decoded in the processes, and within the limits, in which those of a verification are.
    """
    if not photos:
        return []
    try:
        if any(packs.state(pack) != "ok" for pack in packs.in_use()):
            refuse("models are missing: run `renzheng models install` first, or enrol unseen with --no-look")
        return asyncio.run(_look_at(photos, EngineWorkers(engine_limits(load_settings()))))
    except (packs.PackError, SettingsError) as error:
        refuse(str(error))
    except WorkerDied as error:
        refuse(f"the photos cannot be looked at ({error}); --no-look enrols unseen")


async def _look_at(photos: Sequence[Path], engine: EngineWorkers) -> list[str | None]:
    console = Console(stderr=True)
    await engine.start()
    try:
        progress = track(
            photos, "Looking at the photos", console=console, transient=True, disable=len(photos) < SHOWN_FROM
        )
        return [await _fault(engine, photo) for photo in progress]
    finally:
        await engine.stop()


async def _fault(engine: EngineWorkers, photo: Path) -> str | None:
    try:
        report = await engine.examine(await asyncio.to_thread(photo.read_bytes))
    except (MediaError, WorkerDied):
        return "it cannot be decoded"
    return FAULTS.get(report.status)
