"""Seals faces that pass through Ray: its object store, spilled files and connections contain no readable pixel.

The key is derived from the cluster's token, which every node and every caller has.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from renzheng.engine.interface import EngineUnusableError

NONCE_BYTES = 12
MIN_TOKEN = 32
"""Least characters of a token; Ray's own tokens have 64."""
UNGUARDED = (
    "Ray is used with its token only: set RAY_AUTH_TOKEN, or RAY_AUTH_TOKEN_PATH to a file with it, or put it into "
    "~/.ray/auth_token (`ray get-auth-token --generate` makes one)"
)


class SealError(Exception):
    """The bytes were not sealed under this token."""


def token() -> str:
    """Return the cluster's token, searched where Ray searches. Raises EngineUnusableError."""
    if os.environ.get("RAY_AUTH_MODE", "token").lower() != "token":
        raise EngineUnusableError("Ray is used with its token only, and RAY_AUTH_MODE says otherwise: leave it out")
    found = os.environ.get("RAY_AUTH_TOKEN", "").strip() or _token_file()
    if len(found) < MIN_TOKEN:
        raise EngineUnusableError(UNGUARDED if not found else f"Ray's token is shorter than {MIN_TOKEN} characters")
    return found


def _token_file() -> str:
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    try:
        return (Path(named) if named else Path.home() / ".ray" / "auth_token").read_text(encoding="utf-8").strip()
    except (OSError, RuntimeError, UnicodeDecodeError):
        return ""


class Seal:
    """AES-256-GCM under a key derived from the token."""

    def __init__(self, token: str) -> None:
        derived = HKDF(SHA256(), 32, salt=None, info=b"renzheng engine on ray").derive(token.encode())
        self._cipher = AESGCM(derived)

    def seal(self, content: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, None)

    def open(self, sealed: bytes) -> bytes:
        """Open sealed bytes. Raises SealError."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)
        except (InvalidTag, ValueError):
            raise SealError("sealed under another token, or damaged") from None
