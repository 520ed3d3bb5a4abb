"""Seals the fields of one subject under its data key: AES-256-GCM with 96-bit random nonces."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from renzheng.store.engine import StoreError
from renzheng.store.objects import Made

NONCE_BYTES = 12
TAG_BYTES = 16


class Kind(enum.IntEnum):
    """What a data key belongs to. A session has two, as its evidence has a retention of its own."""

    LOOKUP = 0  # the key of the keyed hash
    SESSION = 1
    EVIDENCE = 2
    PERSON = 3
    ACCOUNT = 4
    ENCRYPTION = 5  # one generation of the key pairs for sealed fields
    IMPORT = 7  # the parts of an import, until it ends
    OPERATOR = 6  # a person who works in the console


class Subject(NamedTuple):
    kind: Kind
    id: int


class ErasedError(StoreError):
    """The subject's data key was destroyed, or never existed: nothing of the subject can be opened."""


class DamagedError(StoreError):
    """A sealed blob was changed, or was sealed for another subject or field."""


def prefix(subject: Subject) -> bytes:
    return b"%d:%d:" % (int(subject.kind), subject.id)


class Sealer:
    """Seals and opens the fields of one subject. Safe to use from any thread."""

    __slots__ = ("_aead", "_entropy", "_key", "_prefix", "subject")

    def __init__(self, subject: Subject, key: bytes, entropy: Callable[[int], bytes]) -> None:
        self.subject = subject
        self._key = key
        self._aead = AESGCM(key)
        self._prefix = prefix(subject)
        self._entropy = entropy

    def seal(self, field: str, content: bytes) -> bytes:
        """Return nonce, ciphertext and tag: 28 bytes more than `content`. Bound to the subject and to `field`."""
        nonce = self._entropy(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, content, self._prefix + field.encode())

    def sealing(self, field: str, content: bytes) -> Made:
        """Return content that is sealed while it is written, so that a photo of megabytes is copied only for that
        time."""

        def fill(buffer: memoryview) -> None:
            buffer[:NONCE_BYTES] = nonce = self._entropy(NONCE_BYTES)
            self._aead.encrypt_into(nonce, content, self._prefix + field.encode(), buffer[NONCE_BYTES:])

        return Made(NONCE_BYTES + len(content) + TAG_BYTES, fill)

    def open(self, field: str, sealed: bytes) -> bytes:
        """Open a blob. Raises DamagedError for anything but what `seal` returned for this subject and field."""
        try:
            return self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], self._prefix + field.encode())
        except (InvalidTag, ValueError):
            raise DamagedError(
                f"a sealed {field} of {self.subject.kind.name.lower()} {self.subject.id} is damaged"
            ) from None
