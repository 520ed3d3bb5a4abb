"""`renzheng explain`: why a request's signature is wrong, from a captured request or from the running server."""

from __future__ import annotations

import base64
import binascii
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from renzheng.cli.local import JsonOption, print_json, refuse, unusable, when, with_store
from renzheng.gateway.explain import explain as explain_request
from renzheng.gateway.explanation import Captured, Explanation
from renzheng.gateway.failures import FILE_NAME, Failure, read_failures
from renzheng.settings import SettingsError, load_settings
from renzheng.store.open import Store

_MOST_BYTES = 16 * 1024 * 1024


def explain(
    file: Annotated[
        Path | None, typer.Argument(help="A captured request: raw HTTP as on the wire, or JSON; - reads stdin.")
    ] = None,
    recent: Annotated[bool, typer.Option("--recent", help="The last failed signatures of the running server.")] = False,
    language: Annotated[Literal["zh-CN", "en-US"], typer.Option(help="Of the sentences.")] = "en-US",
    as_json: JsonOption = False,
) -> None:
    """Say why a signature is wrong: each plausible mistake is made, and named where it gives the client's signature.

    JSON is an object with method, target, headers (a list of pairs, or an object) and body_b64 or body.
    """
    if recent == (file is not None):
        refuse("name a FILE with a captured request, or say --recent", 2)
    if recent:
        _print_recent(_recent(), language, as_json)
        return
    assert file is not None
    try:
        captured = read_captured(_content(file))
    except ValueError as fault:
        refuse(f"{file}: {fault}")
    found = explain_request(captured, _secret_keys())
    if as_json:
        print_json(_plain(found, language))
    else:
        _print_found(found, language)
    if found.cause != "valid":
        raise typer.Exit(1)


def read_captured(content: bytes) -> Captured:
    """A request from raw HTTP (lines end in CRLF or LF) or from JSON. ValueError: neither."""
    if len(content) > _MOST_BYTES:
        raise ValueError(f"larger than {_MOST_BYTES} bytes")
    if content.lstrip()[:1] == b"{":
        return _from_json(content)
    separator = b"\r\n" if b"\r\n\r\n" in content else b"\n"
    head, found, body = content.partition(separator * 2)
    lines = head.strip().split(separator)
    words = lines[0].split()
    if len(words) < 2 or not words[0].isalpha():
        raise ValueError("the first line is no request line, as in: POST / HTTP/1.1")
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon:
            raise ValueError("a header line has no colon")
        headers.append((name.strip(), value.strip()))
    return _captured(words[0].decode("ascii"), words[1].decode("latin-1"), headers, body if found else b"")


def _from_json(content: bytes) -> Captured:
    try:
        given = msgspec.json.decode(content, type=dict[str, Any])
        given = given.get("request", given)
        pairs = given["headers"].items() if isinstance(given["headers"], dict) else given["headers"]
        headers = [(str(name).encode(), str(value).encode()) for name, value in pairs]
        if given.get("body_b64") is not None:
            body = base64.b64decode(given["body_b64"], validate=True)
        else:
            body = str(given.get("body") or "").encode()
        return _captured(str(given["method"]), str(given.get("target", "/")), headers, body)
    except (msgspec.DecodeError, binascii.Error, KeyError, TypeError, AttributeError) as fault:
        raise ValueError("no captured request: it has method, target, headers and body_b64 or body") from fault


def _captured(method: str, target: str, headers: list[tuple[bytes, bytes]], body: bytes) -> Captured:
    return Captured(method.upper(), target.partition("?")[2].encode("latin-1", "replace"), headers, body)


def _content(file: Path) -> bytes:
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(_MOST_BYTES + 1)
        with file.open("rb") as stream:
            return stream.read(_MOST_BYTES + 1)
    except OSError as fault:
        refuse(f"{file} cannot be read: {fault.strerror}")


def _secret_keys() -> dict[str, str]:
    async def work(store: Store) -> dict[str, str]:
        return {key.secret_id: key.secret_key for key in await store.accounts.list_keys()}

    return with_store(work)


def _recent() -> list[Failure]:
    try:
        return read_failures(load_settings().data_dir / FILE_NAME)
    except OSError as fault:
        refuse(unusable(fault))
    except (ValueError, SettingsError) as fault:
        refuse(str(fault))


def _plain(found: Explanation, language: str) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(found)
    return plain | {"sentence": found.sentence(language)}


def _print_recent(failures: list[Failure], language: str, as_json: bool) -> None:
    if as_json:
        print_json([msgspec.to_builtins(f) | {"explanation": _plain(f.explanation, language)} for f in failures])
        return
    if not failures:
        print("no failed signature is on record")
    for failure in failures:
        print(f"{when(failure.at)}  {failure.request_id}  account {failure.account_id}  {failure.secret_id}")
        _print_found(failure.explanation, language)
        print()


def _print_found(found: Explanation, language: str) -> None:
    print(f"{found.method}: {found.cause}. {found.sentence(language)}")
    if found.difference is not None:
        place = found.difference
        print(f"\nfirst difference: {place.where}, line {place.line}")
        print(f"  server  {place.ours}\n  client  {place.theirs}")
    for title, text in (("canonical request", found.canonical_request), ("string to sign", found.string_to_sign)):
        if text:
            print(f"\nthe server's {title}:")
            print("\n".join(f"  {line}" for line in text.split("\n")))
