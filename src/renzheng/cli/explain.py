"""`renzheng explain`: why a request was refused, from a captured request or from the running server."""

from __future__ import annotations

import base64
import binascii
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from renzheng.accounts.keys import FACEID, RENZHENG
from renzheng.cli.local import JsonOption, print_json, printable, refuse, unusable, when, with_store
from renzheng.gateway.explain import explain as explain_request
from renzheng.gateway.explanation import CapturedRequest, Explanation
from renzheng.gateway.failures import FILE_NAME, RefusedRequest, read_failures
from renzheng.settings import Settings, SettingsError, load_settings
from renzheng.store.open import Store

_MAX_BYTES = 16 * 1024 * 1024


def explain(
    file: Annotated[
        Path | None, typer.Argument(help="A captured request: raw HTTP as on the wire, or JSON; - reads stdin.")
    ] = None,
    recent: Annotated[bool, typer.Option("--recent", help="The last refused requests of the running server.")] = False,
    language: Annotated[Literal["zh-CN", "en-US"], typer.Option(help="Language of the sentences.")] = "en-US",
    as_json: JsonOption = False,
) -> None:
    """Say why a request was refused. For a wrong signature, it signs the request again with each known mistake,
    and names the one that gives the client's signature.

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
    settings = _settings()
    found = explain_request(
        captured,
        _secret_keys(),
        services=(FACEID, RENZHENG),
        hosts=settings.server_names,
        endpoint_service=settings.local_services,
    )
    if as_json:
        print_json(_plain(found, language))
    else:
        _print_found(found, language)
    if found.cause != "valid":
        raise typer.Exit(1)


def read_captured(content: bytes) -> CapturedRequest:
    """Read a request from raw HTTP (lines end in CRLF or LF) or from JSON. ValueError if it is neither."""
    if len(content) > _MAX_BYTES:
        raise ValueError(f"larger than {_MAX_BYTES} bytes")
    if content.lstrip()[:1] == b"{":
        return _from_json(content)
    content = _without_arrows(content)
    separator = b"\r\n" if b"\r\n\r\n" in content else b"\n"
    head, found, body = content.partition(separator * 2)
    lines = head.strip().split(separator)
    words = lines[0].split()
    if len(words) < 2 or not words[0].isalpha():
        raise ValueError("the first line is not a request line, as in: POST / HTTP/1.1")
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon:
            raise ValueError("a header line has no colon")
        headers.append((name.strip(), value.strip()))
    whole = _whole_body(headers, body if found else b"")
    return _make_request(words[0].decode("ascii"), words[1].decode("latin-1"), headers, whole)


def _without_arrows(content: bytes) -> bytes:
    """Extract the request from the output of `curl -v`, whose lines begin with `> `. Anything else stays as it is."""
    lines = content.splitlines()
    sent = [line[2:] for line in lines if line.startswith(b"> ") or line == b">"]
    return b"\n".join([*sent, b""]) if sent and sent[0].split()[:1] else content


def _whole_body(headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    """Cut the body to its Content-Length, as an editor may have added a line feed. ValueError if it is shorter."""
    text = next((value for name, value in headers if name.lower() == b"content-length"), b"")
    length = int(text) if text.isdigit() and len(text) < 12 else len(body)
    if len(body) < length:
        raise ValueError(
            f"the body has {len(body)} bytes here and {length} by its Content-Length: capture it whole, byte for byte"
        )
    return body[:length]


def _from_json(content: bytes) -> CapturedRequest:
    try:
        given = msgspec.json.decode(content, type=dict[str, Any])
        given = given.get("request", given)
        pairs = given["headers"].items() if isinstance(given["headers"], dict) else given["headers"]
        headers = [(str(name).encode(), str(value).encode()) for name, value in pairs]
        if given.get("body_b64") is not None:
            body = base64.b64decode(given["body_b64"], validate=True)
        else:
            body = str(given.get("body") or "").encode()
        return _make_request(str(given["method"]), str(given.get("target", "/")), headers, body)
    except (msgspec.DecodeError, binascii.Error, KeyError, TypeError, AttributeError) as fault:
        raise ValueError("no captured request: it has method, target, headers and body_b64 or body") from fault


def _make_request(method: str, target: str, headers: list[tuple[bytes, bytes]], body: bytes) -> CapturedRequest:
    path, _, query = target.partition("#")[0].partition("?")
    if "://" in path[:8]:  # the form of a request to a proxy
        path = "/" + path.split("://", 1)[1].partition("/")[2]
    query_bytes, path_bytes = (part.encode("latin-1", "replace") for part in (query, path))
    return CapturedRequest(method.upper(), query_bytes, headers, body, path=path_bytes or b"/")


def _content(file: Path) -> bytes:
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(_MAX_BYTES + 1)
        with file.open("rb") as stream:
            return stream.read(_MAX_BYTES + 1)
    except OSError as fault:
        refuse(f"{file} cannot be read: {fault.strerror}")


def _secret_keys() -> dict[str, str]:
    async def work(store: Store) -> dict[str, str]:
        return {key.secret_id: key.secret_key for key in await store.accounts.list_keys()}

    return with_store(work)


def _settings() -> Settings:
    try:
        return load_settings()
    except SettingsError as fault:
        refuse(str(fault))


def _recent() -> list[RefusedRequest]:
    try:
        return read_failures(_settings().data_dir / FILE_NAME)
    except OSError as fault:
        refuse(unusable(fault))
    except ValueError as fault:
        refuse(str(fault))


def _plain(found: Explanation | RefusedRequest, language: str) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(found)
    return plain | {"sentence": found.sentence(language)}


def _print_recent(failures: list[RefusedRequest], language: str, as_json: bool) -> None:
    if as_json:
        print_json([_plain(failure, language) for failure in failures])
        return
    if not failures:
        _say("no refused request is on record")
    for failure in failures:
        who = f"account {failure.account_id}  {failure.secret_id}" if failure.account_id else "no known key"
        _say(f"{when(failure.at)}  {failure.request_id}  {who}  {failure.code}  {failure.action}".rstrip(), keep="")
        if failure.explanation is None:
            _say(failure.sentence(language))
        else:
            _print_found(failure.explanation, language)
        _say()


def _print_found(found: Explanation, language: str) -> None:
    _say(f"{found.method}: {found.cause}. {found.sentence(language)}", keep="")
    if found.difference is not None:
        place = found.difference
        _say(f"\nfirst difference: {place.where}, line {place.line}")
        _say(f"  server  {place.ours}", keep="")
        _say(f"  client  {place.theirs}", keep="")
    for title, text in (("canonical request", found.canonical_request), ("string to sign", found.string_to_sign)):
        if text:
            _say(f"\nthe server's {title}:")
            _say("\n".join(f"  {line}" for line in text.split("\n")))


def _say(text: str = "", keep: str = "\n") -> None:
    """Print the lines of a text. Most of it is what a stranger sent."""
    print(printable(text, keep))
