"""`renzheng token`: the merchant's part by hand, so that one can verify one's own face before any code exists."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, NoReturn

import segno
import typer

from renzheng.cli import lan
from renzheng.cli.local import (
    STDIN_HELP,
    AccountOption,
    JsonOption,
    first_key,
    id_number,
    print_json,
    printable,
    refuse,
)
from renzheng.client import ApiError, Client, ClientError, FaceIdResult
from renzheng.settings import Settings, SettingsError, load_settings
from renzheng.store.enrolment import check_photo
from renzheng.verification.decision import UNFINISHED

REGION = "ap-guangzhou"
POLL_SECONDS = 1.0
PHOTO_BYTES = 6 * 1024 * 1024  # in Base64, the 8 MiB that the action accepts


def token(
    photo: Annotated[Path | None, typer.Option(help="Compare with this JPEG or PNG (CompareLib LOCAL).")] = None,
    id_card: Annotated[
        str | None,
        typer.Option("--id-card", help=f"Or with the person enrolled under this ID number (BUSINESS); {STDIN_HELP}."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="The name, with --id-card.")] = None,
    rule: Annotated[int | None, typer.Option(help="RuleId of an approved rule.")] = None,
    account: AccountOption = None,
    for_lan: Annotated[bool, typer.Option("--lan", help="The server was started by `renzheng serve --lan`.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the verdict and fetch it.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Get a token as a merchant would, show the link for a browser or a phone, and fetch the verdict.

    Exit code 0 if the person passed, or with --no-wait; 1 if not; 2 if there is no token or no verdict.
    """
    if (photo is None) == (id_card is None or name is None):
        refuse("name the person to compare with: --photo FILE, or --id-card NUMBER and --name NAME", 2)
    if photo is not None and (fault := check_photo(photo, PHOTO_BYTES)):
        refuse(f"photo: {fault}", 2)
    number = id_number(id_card)
    try:
        settings = load_settings()
    except SettingsError as error:
        refuse(str(error), 2)
    bases, client = _client(settings, account, for_lan)
    try:
        image = photo.read_bytes() if photo else None
        rule_id = None if rule is None else str(rule)
        made = str(client.get_face_id_token(name=name, id_card=number, image=image, rule_id=rule_id))
        links = [f"{base}/verify#{made}" for base in bases]
        if not as_json:
            _show(links, settings.token_seconds, for_lan)
        result = _verdict(client, made, settings.token_seconds) if wait else None
    except OSError as error:
        refuse(f"{error.filename or 'the photo'} cannot be read: {error.strerror}", 2)
    except ClientError as error:
        _refuse_call(error, bases[0])
    if as_json:
        verdict = result and {
            "result": result.result,
            "description": result.description,
            "similarity": result.similarity,
        }
        print_json({"token": made, "links": links, "verdict": verdict})
    elif result:
        print(f"  Result {result.result} {printable(result.description or '')}, Similarity {result.similarity:g}")
    if wait:
        raise typer.Exit(2 if result is None else 0 if result.passed else 1)


def _client(settings: Settings, account: str | None, for_lan: bool) -> tuple[list[str], Client]:
    """Return the addresses that devices use, and a client with a key of this machine's store."""
    secret_id, secret_key = first_key(account)
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - where to look for it
    if not for_lan:
        here = f"http://{host}:{settings.port}"
        return [settings.public_url or here], Client(
            secret_id, secret_key, endpoint=here, region=REGION, language="en-US"
        )
    chain = settings.keys_dir / lan.CERTIFICATE
    if not chain.is_file():
        refuse("there is no certificate for this network yet: start the server by `renzheng serve --lan` first", 2)
    bases = [f"https://{address}:{settings.port}" for address in lan.addresses()]
    here = f"https://127.0.0.1:{settings.port}"
    return bases or [here], Client(
        secret_id, secret_key, endpoint=here, region=REGION, language="en-US", ca_file=str(chain)
    )


def _show(links: list[str], seconds: float, for_lan: bool) -> None:
    where = "On a phone in this network" if for_lan else "In a browser"
    for link in links:
        print(f"\n  {where}, within {seconds / 60:g} minutes:  {link}\n", flush=True)
        if sys.stdout.isatty():
            segno.make(link, error="m").terminal(compact=True)
    if for_lan:
        print(lan.WARNING, flush=True)


def _verdict(client: Client, made: str, seconds: float) -> FaceIdResult | None:
    """Wait for the verdict. None if the token ended without one."""
    until = time.monotonic() + seconds + 60
    while time.monotonic() < until:
        result = client.get_face_id_result(made)
        if result.result != UNFINISHED.code:
            return result
        time.sleep(POLL_SECONDS)
    return None


def _refuse_call(error: ClientError, address: str) -> NoReturn:
    if isinstance(error, ApiError):
        refuse(f"the server answered {error.code}: {error.message}", 2)
    refuse(f"there is no renzheng at {address} ({error}): is the server running, and with --lan if you use it here?", 2)
