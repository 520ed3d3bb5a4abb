"""Types of values that several settings share, with their checks. Each check raises ValueError with a sentence."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from renzheng.base.addresses import is_loopback, split_url

_BUCKET_HOST = re.compile(r"(\*\.)?[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(/[0-9]{1,3})?")
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+|\[[0-9A-Fa-f:.]+\]")


def home(name: str) -> Path:
    """Return a folder of ours in the user's home."""
    try:
        return Path.home() / ".renzheng" / name
    except RuntimeError:  # a user without a home, as in some containers
        return Path("/nonexistent/.renzheng") / name


def _says_something(value: object) -> object:
    """Refuse an empty value: an empty host would be every address, an empty folder the current one."""
    if value == "":
        raise ValueError("is empty: leave it out for the default")
    return value


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _network(given: str) -> str:
    """Normalise an address, or a network by its first address."""
    try:
        network = ipaddress.ip_network(given, strict=False)
    except ValueError:
        raise ValueError(f"{given!r} is not an address or network, such as 127.0.0.1 or 10.0.0.0/8") from None
    return str(network) if "/" in given else str(network.network_address)


def _host_name(given: str) -> str:
    if not _HOST.fullmatch(given):
        raise ValueError(f"{given!r} is not a single name or address, such as faceid.example.com")
    return given


def _bucket_host(given: str) -> str:
    if not _BUCKET_HOST.fullmatch(given):
        raise ValueError(f"{given!r} is not a name, ending, address or network, such as *.example.com or 10.0.0.0/8")
    return given


def _site(given: str) -> str:
    """Normalise `scheme://host` or `scheme://host:port`, or nothing."""
    if not given:
        return given
    sentence = "say scheme and host, such as https://faceid.example.com, without a path"
    parts = split_url(given)
    if parts is None:
        raise ValueError(sentence)
    named = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.hostname or "")
    if not named or parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(sentence)
    if parts.port == 0 or parts.netloc.endswith(":"):
        raise ValueError(sentence)
    return f"{parts.scheme}://{parts.netloc}"


def _issuer(given: str) -> str:
    """Check an https address, which may have a path; http on this machine alone; or nothing."""
    if not given:
        return given
    sentence = "say an https address, such as https://id.example.com/realms/staff"
    parts = split_url(given)
    if parts is None or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(sentence)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError(sentence)
    return given


def _scheme(address: str) -> str:
    """Return the scheme; empty if it is not an address."""
    parts = split_url(address)
    return parts.scheme if parts is not None else ""


def _postgres(given: SecretStr) -> SecretStr:
    """Check an address of PostgreSQL. The error does not repeat it, as it may contain a password."""
    address = given.get_secret_value()
    if address and _scheme(address) not in ("postgresql", "postgres"):
        raise ValueError("say an address of PostgreSQL, such as postgresql://user:password@host:5432/database")
    return given


def _redis(given: SecretStr) -> SecretStr:
    """Check an address of Redis. The error does not repeat it, as it may contain a password."""
    address = given.get_secret_value()
    if address and _scheme(address) not in ("redis", "rediss", "unix"):
        raise ValueError("say an address of Redis, such as redis://:password@host:6379/0")
    return given


def _ray(given: str) -> str:
    """Check Ray's own notation of a client port, or nothing."""
    if not given:
        return given
    sentence = "say the client port of a Ray cluster, such as ray://head.example.com:10001, or nothing"
    parts = split_url(given)
    if parts is None or parts.scheme != "ray" or not parts.hostname or not parts.port:
        raise ValueError(sentence)
    if given != f"ray://{parts.netloc}" or "@" in parts.netloc:
        raise ValueError(sentence)
    return given


Filled = Annotated[str, BeforeValidator(_says_something)]
Folder = Annotated[Path, BeforeValidator(_says_something)]
Site = Annotated[str, AfterValidator(_site)]
Issuer = Annotated[str, AfterValidator(_issuer)]
RayAddress = Annotated[str, AfterValidator(_ray)]
RedisAddress = Annotated[SecretStr, AfterValidator(_redis)]
PostgresAddress = Annotated[SecretStr, AfterValidator(_postgres)]
HostNames = Annotated[
    tuple[Annotated[str, AfterValidator(_host_name)], ...],
    NoDecode,
    BeforeValidator(_split),
]
Networks = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], NoDecode, BeforeValidator(_split)]
BucketHosts = Annotated[tuple[Annotated[str, AfterValidator(_bucket_host)], ...], NoDecode, BeforeValidator(_split)]
