"""Seals for the master key's files, so that a copy of the keys folder alone opens nothing: a secret, or a KMS.

The file stays in the keys folder, and its first word names the seal. A rotation makes a new master key under the first
configured seal, so it is also the way from one seal to another.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from renzheng.store.engine import AwayError, StoreError

SECRET_BYTES = 32
_NONCE_BYTES = 12
_SECRET = re.compile(r"[0-9a-fA-F]{64}")
# systemd, Docker and Kubernetes put secrets here, for one service or container; the user cannot choose their modes.
_HANDED_IN = (Path("/run"), Path("/var/run"))


class MasterSealError(StoreError):
    """A master key can be neither sealed nor opened. The text says why and what to do."""


class SealAwayError(MasterSealError, AwayError):
    """The seal's service cannot be reached now."""


class MasterSeal(Protocol):
    """`name`: the first word of the files that it opens."""

    @property
    def name(self) -> str: ...

    def seal(self, key: bytes, generation: int) -> bytes: ...

    def open(self, sealed: bytes, generation: int) -> bytes:
        """Open a master key's sealed bytes. Raises MasterSealError."""
        ...


class SecretSeal:
    """A secret of 32 bytes from outside the keys folder: AES-256-GCM, bound to the generation."""

    def __init__(self, secret: bytes, entropy: Callable[[int], bytes] = os.urandom) -> None:
        if len(secret) != SECRET_BYTES:
            raise ValueError(f"a secret has {SECRET_BYTES} bytes")
        self._aead = AESGCM(secret)
        self._entropy = entropy
        self.name = f"secret-{hashlib.blake2b(secret, digest_size=6, person=b'renzheng-seal').hexdigest()}"

    def seal(self, key: bytes, generation: int) -> bytes:
        nonce = self._entropy(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, key, b"master %d" % generation)

    def open(self, sealed: bytes, generation: int) -> bytes:
        try:
            return self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], b"master %d" % generation)
        except (InvalidTag, ValueError):
            raise MasterSealError(f"master-{generation}.key is damaged: it does not open under its secret") from None


class AwsKmsSeal:
    """A key of AWS KMS, or of a service with its protocol. Credentials, region and endpoint are botocore's own
    settings.

    `key`: id, ARN or alias. Waits about ten seconds at most, and only if a process opens or rotates the keys.
    """

    name = "aws-kms"

    def __init__(self, key: str) -> None:
        try:
            import botocore.session
            from botocore.config import Config
        except ImportError:
            raise MasterSealError("a key of AWS KMS needs its client: pip install 'renzheng[kms]'") from None
        self._key = key
        bounds = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 2, "mode": "standard"})
        try:
            region = os.environ.get("AWS_REGION")  # as the store of evidence; else as botocore finds it
            self._client: Any = botocore.session.get_session().create_client("kms", region, config=bounds)
        except botocore.exceptions.BotoCoreError as error:
            raise MasterSealError(f"AWS KMS cannot be used: {type(error).__name__}; is AWS_REGION set?") from None

    def seal(self, key: bytes, generation: int) -> bytes:
        given = {"KeyId": self._key, "Plaintext": key, "EncryptionContext": self._context(generation)}
        return bytes(self._ask("encrypt", given)["CiphertextBlob"])

    def open(self, sealed: bytes, generation: int) -> bytes:
        given = {"KeyId": self._key, "CiphertextBlob": sealed, "EncryptionContext": self._context(generation)}
        return bytes(self._ask("decrypt", given)["Plaintext"])

    @staticmethod
    def _context(generation: int) -> dict[str, str]:
        return {"renzheng": f"master {generation}"}

    def _ask(self, call: str, given: dict[str, Any]) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._client, call)(**given)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown")
            raise MasterSealError(f"AWS KMS refuses to {call} the master key with {self._key}: {code}") from None
        except BotoCoreError as error:
            raise SealAwayError(f"AWS KMS cannot be reached to {call} the master key: {type(error).__name__}") from None


def master_seals(secrets: str = "", file: Path | None = None, kms: str = "") -> tuple[MasterSeal, ...]:
    """Return the seals that open the master keys here. The first one seals new keys. Empty: files in the clear.

    `secrets`, or the content of `file`: 64 hex digits, or several such separated by commas or white space; the first
    one seals, the others are older. `kms`: a key of AWS KMS. Raises MasterSealError.
    """
    if secrets and file:
        raise MasterSealError("RENZHENG_MASTER_KEY and RENZHENG_MASTER_KEY_FILE say the same: give one of them")
    text = _read(file) if file else secrets
    found: list[MasterSeal] = [AwsKmsSeal(kms)] if kms else []
    for word in re.split(r"[\s,]+", text.strip()) if text.strip() else []:
        if not _SECRET.fullmatch(word):
            where = file or "RENZHENG_MASTER_KEY"
            raise MasterSealError(f"{where} has no valid secret: 64 hex digits, as openssl rand -hex 32 makes them")
        found.append(SecretSeal(bytes.fromhex(word)))
    if file and not text.strip():
        raise MasterSealError(f"{file} is empty: a secret is 64 hex digits")
    return tuple(found)


def _read(file: Path) -> str:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077 and not any(file.resolve().is_relative_to(folder) for folder in _HANDED_IN):
            raise MasterSealError(f"{file} has mode {mode:03o}, so others can reach the secret; run: chmod 600 {file}")
        return file.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise MasterSealError(
            f"the secret of the master key cannot be read from {file}: {type(error).__name__}"
        ) from None


def sealed_text(seals: Sequence[MasterSeal], key: bytes, generation: int) -> bytes:
    """Return the content of a master key's file."""
    if not seals:
        return key.hex().encode() + b"\n"
    return seals[0].name.encode() + b" " + base64.b64encode(seals[0].seal(key, generation)) + b"\n"


def opened_text(seals: Sequence[MasterSeal], text: str, generation: int) -> bytes:
    """Return the key in a file's content. MasterSealError if another seal is needed, ValueError if it is not a key
    file."""
    name, sep, sealed = text.strip().partition(" ")
    if not sep:
        return bytes.fromhex(name)
    for seal in seals:
        if seal.name == name:
            return seal.open(base64.b64decode(sealed, validate=True), generation)
    having = ", ".join(seal.name for seal in seals) or "none"
    raise MasterSealError(
        f"master-{generation}.key is sealed by {name}, and what is configured here is {having}: "
        "see RENZHENG_MASTER_KEY, RENZHENG_MASTER_KEY_FILE and RENZHENG_MASTER_KEY_KMS"
    )


def seal_of(text: str) -> str:
    """Return the name of the seal of a master key's file; empty for a file in the clear."""
    name, sep, _ = text.strip().partition(" ")
    return name if sep else ""
