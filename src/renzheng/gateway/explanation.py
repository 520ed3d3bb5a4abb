"""The parts of an explanation: the captured request, the signed texts, and the masks."""

from __future__ import annotations

import hashlib
import re

import msgspec

from renzheng.gateway.causes import CAUSES, OTHERS

_LONG_NUMBER = re.compile(rb"\d{7}|[^ -~]")
_OPEN_PARAMETERS = frozenset(
    {"Action", "Version", "Region", "Timestamp", "Nonce", "SignatureMethod", "Language", "RequestClient"}
)


class CapturedRequest(msgspec.Struct, frozen=True):
    """A request as it came. `query`: the raw text after the `?`. `headers`: in their order. `path`: undecoded.

    `payload_hash`: the hex SHA-256 of a body that is too large to be passed around; `body` is then empty.
    """

    method: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    payload_hash: str | None = None
    path: bytes = b"/"

    @property
    def sent_hash(self) -> str:
        """The hex SHA-256 of the body as it was sent."""
        return self.payload_hash or hashlib.sha256(self.body).hexdigest()


class SignatureDifference(msgspec.Struct, frozen=True):
    """The first place where the texts differ. `line` counts lines from 1; for v1, it counts parameters."""

    where: str
    line: int
    ours: str
    theirs: str


class Explanation(msgspec.Struct, frozen=True):
    """`cause`: a key of `CAUSES`, or valid, malformed, unknown-key, none-of-these. The texts are those of the server.

    `difference`: None if nothing or only the key differs. `service`: the one on offer here.
    """

    method: str
    cause: str
    canonical_request: str = ""
    string_to_sign: str = ""
    difference: SignatureDifference | None = None
    detail: str = ""
    service: str = ""

    def sentence(self, language: str = "en-US") -> str:
        """Return what is wrong, in `zh-CN` or else in English."""
        english, chinese = (CAUSES | OTHERS)[self.cause]
        text = (chinese if language == "zh-CN" else english).replace("{service}", self.service)
        return text + (f" ({self.detail})" if self.detail else "")


def digest_of(value: str) -> str:
    """Return a digest that stands for a value that may not be kept."""
    raw = value.encode("utf-8", "replace")
    return f"sha256:{hashlib.sha256(raw).hexdigest()[:16]} ({len(raw)} bytes)"


def masked_header(name: bytes, value: bytes) -> bytes:
    """Return a signed header's value as it may be kept: Host and Content-Type as they are, unless they hide
    something."""
    usual = name in (b"host", b"content-type") and len(value) <= 255 and not _LONG_NUMBER.search(value)
    return value if usual else digest_of(value.decode("latin-1")).encode()


def masked_detail(detail: str) -> str:
    """Return a detail as it may be kept, as it may come from a header."""
    return digest_of(detail) if len(detail) > 255 or re.search(r"\d{7}", detail) else detail


def mask_id(secret_id: str) -> str:
    """Return enough of a SecretId for its owner to recognise it."""
    return f"{secret_id[:4]}…{secret_id[-4:]}" if len(secret_id) > 12 else "…"


def masked_value(name: str, value: str) -> str:
    """Return a v1 parameter's value as it may be kept."""
    if name in _OPEN_PARAMETERS:
        return value
    return mask_id(value) if name == "SecretId" else digest_of(value)
