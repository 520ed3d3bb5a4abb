"""`renzheng verify`: a device without a person runs the verification of one token."""

from __future__ import annotations

import asyncio
import secrets
import time
from pathlib import Path
from typing import Annotated

import cv2
import typer

from renzheng.cli.local import print_json, refuse
from renzheng.engine import packs
from renzheng.engine.runtimes import Image
from renzheng.evaluation.device import Device, DeviceError, DeviceEvent, DeviceLimits, DeviceOutcome
from renzheng.evaluation.performance import Kind, Performance
from renzheng.evaluation.puppet import Puppet, UnfitPhotoError
from renzheng.settings import SettingsError, load_settings

ServerOption = Annotated[
    str | None, typer.Option("--server", help="URL of the server; by default the one that runs on this machine.")
]


def verify(
    token: Annotated[str, typer.Argument(help="The FaceIdToken to verify.")],
    photo: Annotated[
        Path | None, typer.Option("--puppet", help="Photo of the person; by default the sample portrait.")
    ] = None,
    flat: Annotated[bool, typer.Option("--flat", help="Show the photo as a flat picture instead of a head.")] = False,
    server: ServerOption = None,
    fps: Annotated[float, typer.Option(min=1, max=30, help="Frames a second.")] = 10.0,
    seed: Annotated[int | None, typer.Option(help="Repeat a performance: reactions, tremor, grain.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the result, as JSON.")] = False,
) -> None:
    """Run one verification with a puppet: exit code 0 passed, 1 failed, 2 refused or not possible."""
    puppet = make_puppet(read_photo(photo))
    kind: Kind = "flat" if flat else "head"
    scene = Performance(puppet, kind, seed=secrets.randbelow(2**31) if seed is None else seed)
    began = time.time()
    try:
        device = Device(
            server or local_server(),
            token,
            scene,
            limits=DeviceLimits(fps=fps),
            tell=(lambda event: None) if as_json else print_event,
        )
        outcome = asyncio.run(device.run())
    except (DeviceError, ValueError) as error:
        code = getattr(error, "code", None)
        refuse(f"{error}" + (f" (close code {code})" if code else ""), 2)
    if as_json:
        print_json(_as_json(outcome))
    else:
        print(f"{'passed' if outcome.passed else 'failed'} after {time.time() - began:.1f} s")
    raise typer.Exit(0 if outcome.passed else 1)


def local_server() -> str:
    """Return the address of the server that runs on this machine with these settings."""
    try:
        settings = load_settings()
    except SettingsError as error:
        refuse(str(error), 2)
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - where to look for it
    return settings.public_url or f"http://{host}:{settings.port}"


def read_photo(path: Path | None) -> Image:
    """Read the photo, or the sample portrait. Ends the command if it cannot be read."""
    if path is None:
        try:
            path = packs.require("sample")
        except packs.PackError as error:
            refuse(str(error), 2)
    photo: Image | None = cv2.imread(str(path)) if path.is_file() else None
    if photo is None:
        refuse(f"{path} is not a photo that can be read", 2)
    return photo


def make_puppet(photo: Image) -> Puppet:
    """Make a puppet from a photo. Ends the command with the reason if that is impossible."""
    try:
        return Puppet(photo)
    except UnfitPhotoError as error:
        refuse(f"No puppet can be made of this photo: {error}", 2)
    except packs.PackError as error:
        refuse(str(error), 2)


def print_event(event: DeviceEvent) -> None:
    """Print one line for what a person would see. Pings and acknowledgements are not shown."""
    if line := describe(event):
        print(f"{event.at:6.1f} s  {line}", flush=True)


def describe(event: DeviceEvent) -> str | None:
    fields = event.fields
    match event.kind:
        case "welcome":
            return f"welcome: {fields['state']}, {fields['attempts_left']} attempts left"
        case "step":
            count = f"{fields['index']} of {fields['of']}: " if 0 < fields["index"] <= fields["of"] else ""
            return f"step {count}{fields['action']}, within {fields['seconds']:g} s"
        case "hint":
            return f"hint: {fields['code']}" if fields["code"] else None
        case "network":
            return "the line is good again" if fields["ok"] else f"the line is too slow: {fields['reason']}"
        case "attempt_over":
            return f"attempt over: {fields['reason']}, {fields['attempts_left']} left"
        case "judging":
            return "being judged"
        case "outcome":
            return "outcome: " + ("passed" if fields["passed"] else "failed")
        case "reconnect":
            return "the connection was lost; connecting again"
    return None


def _as_json(outcome: DeviceOutcome) -> dict[str, object]:
    return {
        "passed": outcome.passed,
        "attempts": outcome.attempts,
        "actions": outcome.actions,
        "hints": outcome.hints,
        "frames": outcome.frames,
        "frames_per_second": round(outcome.rate, 1),
        "seconds": round(outcome.seconds, 1),
    }
