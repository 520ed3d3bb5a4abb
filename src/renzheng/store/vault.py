"""Envelope encryption at rest. Each subject has a data key of its own, wrapped by the master key.

The master key is a file in the keys folder, in the clear or sealed. The wrapped data keys lie apart from the records.
So a copy of the records alone opens nothing, and destroying one key erases one subject wherever its records were copied
to. Nothing is cached: after another process destroys a key, it opens nothing.

AES-256-GCM with 96-bit random nonces. One data key seals a few thousand blobs at most; one master key may wrap 2^32
data keys (NIST SP 800-38D, 8.3), after which it has to be rotated.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from renzheng.store.engine import ConflictError
from renzheng.store.keyring import (
    KEY_BYTES,
    KeysRefusedError,
    generations,
    make_master,
    master_path,
    read_master,
    sync_folder,
)
from renzheng.store.locks import file_lock
from renzheng.store.master_seal import MasterSeal
from renzheng.store.sealer import NONCE_BYTES, ErasedError, Kind, Sealer, Subject, prefix

DIGEST_BYTES = 16
LOOKUP = Subject(Kind.LOOKUP, 0)


class Erasures(Protocol):
    """Destroys data keys, and lists those that somebody asked to destroy."""

    async def destroy(self, subjects: Sequence[Subject], *, listed: bool = True) -> bool:
        """Erase. Nothing of the subjects opens when it returns. False if wrapped keys still wait to be overwritten.

        `listed=False` is for retention and orphans, which happen again by themselves after a restore.
        """
        ...

    async def is_clean(self) -> bool:
        """Return whether no wrapped key that was erased waits to be overwritten."""
        ...

    async def clean(self, seconds: float = 0) -> bool:
        """Overwrite what waits, for at most `seconds`. False if something still waits."""
        ...

    async def replay(self, erasures: Path) -> int:
        """Erase again what a newer list contains. Returns how many entries were new. Raises StoreError."""
        ...

    async def forget(self, before: float) -> int:
        """Delete entries that no backup is old enough to need. Returns how many."""
        ...


class Vault(ABC):
    """The open keys. `clock`: unix seconds. `entropy(n)`: returns n unpredictable bytes.

    `seals`: open the master keys' files; the first seals new ones.
    """

    erasures: Erasures

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], float],
        entropy: Callable[[int], bytes],
        seals: Sequence[MasterSeal] = (),
    ) -> None:
        self.folder = folder
        self._clock = clock
        self._entropy = entropy
        self._seals = tuple(seals)
        self._masters: dict[int, AESGCM] = {}
        self._current = 0
        self._lookup = b""
        self._digests: dict[str, hashlib.blake2b] = {}

    @property
    @abstractmethod
    def id(self) -> str:
        """The name of this set of keys. Records store the name of the set that sealed them."""

    @property
    @abstractmethod
    def place(self) -> str:
        """A description of where the wrapped keys are, for sentences."""

    @abstractmethod
    async def stop(self) -> None:
        """Close what is open."""

    # -- wrapping

    def _open_masters(self, *, has_keys: bool) -> None:
        """Read the master keys. The first is made if there are no wrapped keys yet. Raises KeysRefusedError."""
        known = generations(self.folder)
        if not known and has_keys:
            raise KeysRefusedError(
                f"{self.place} has data keys, but the keys folder {self.folder} has no master key; "
                "put master-N.key back from the backup of the keys folder"
            )
        if not known:
            self._masters = {1: AESGCM(make_master(self.folder, 1, self._entropy, self._seals))}
        else:
            self._masters = {number: AESGCM(read_master(self.folder, number, self._seals)) for number in known}

    def _wrap(self, subject: Subject, key: bytes, generation: int) -> bytes:
        nonce = self._entropy(NONCE_BYTES)
        return nonce + self._masters[generation].encrypt(nonce, key, prefix(subject) + b"key")

    def _unwrap(self, subject: Subject, wrapped: bytes, generation: int) -> bytes:
        self._have_master(generation)
        try:
            return self._masters[generation].decrypt(
                wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], prefix(subject) + b"key"
            )
        except InvalidTag:
            raise KeysRefusedError(
                f"a data key of {self.place} does not open under master-{generation}.key; they are not a pair"
            ) from None

    def check(self, subject: Subject, wrapped: bytes, generation: int) -> None:
        """Raise KeysRefusedError if a wrapped key does not open under its master key."""
        self._unwrap(subject, wrapped, generation)

    def _have_master(self, generation: int) -> int:
        """Read a master key that another process has made since. Raises KeysRefusedError."""
        if generation not in self._masters:
            self._masters[generation] = AESGCM(read_master(self.folder, generation, self._seals))
        return generation

    def _make_lookup(self, generation: int) -> bytes:
        """Return the wrapped key of the keyed hash, for a new set of keys."""
        return self._wrap(LOOKUP, self._entropy(KEY_BYTES), generation)

    def prepare(self, current: int) -> int:
        """Make the master key for the rotation after `current`, so that every machine can have it by then.

        Returns its generation. One that exists already is kept.
        """
        with file_lock(self.folder / "lock"):
            return self._next_master(current)

    def _next_master(self, current: int) -> int:
        """Return the generation after `current`: a prepared one, or a new one. Called under the folder's lock."""
        newest = max(generations(self.folder))
        if newest > current:
            return self._have_master(newest)
        made = make_master(self.folder, newest + 1, self._entropy, self._seals)
        self._masters[newest + 1] = AESGCM(made)
        return newest + 1

    def _drop_masters(self, below: int) -> None:
        for generation in generations(self.folder):
            if generation < below:
                master_path(self.folder, generation).unlink()
        sync_folder(self.folder)
        self._masters = {number: key for number, key in self._masters.items() if number >= below}

    # -- keys of subjects

    def draw(self, subject: Subject) -> Sealer:
        """Make a new data key, in memory only. Call `keep` in the write that stores what was sealed with it."""
        return Sealer(subject, self._entropy(KEY_BYTES), self._entropy)

    async def keep(self, sealer: Sealer) -> None:
        """Store a drawn key; only inside a job that was handed in with `keys=True`.

        Raises ConflictError if the subject has another key: what was sealed with the drawn one could never be opened.
        """
        subject = sealer.subject
        there = await self._put(subject, self._wrap(subject, sealer._key, self._current))
        if there is not None and self._unwrap(subject, *there) != sealer._key:
            raise ConflictError(f"{subject.kind.name.lower()} {subject.id} has another data key")

    async def ensure(self, subject: Subject) -> None:
        """Make and store a key for a subject that has none. An existing key stays."""
        await self._put(subject, self._wrap(subject, self._entropy(KEY_BYTES), self._current))

    async def of(self, subject: Subject) -> Sealer:
        """Return the sealer of a stored key. Raises ErasedError."""
        found = await self._find(subject)
        if found is not None and found[1] not in self._masters and not master_path(self.folder, found[1]).exists():
            found = await self._find(subject)  # a rotation ended meanwhile
        if found is None:
            raise ErasedError(f"the data of {subject.kind.name.lower()} {subject.id} was erased")
        return Sealer(subject, self._unwrap(subject, *found), self._entropy)

    async def of_or_draw(self, subject: Subject) -> tuple[Sealer, bool]:
        """Return the stored key's sealer, or a newly drawn one if there is none; and whether it was drawn."""
        is_new = not await self.has(subject)
        return (self.draw(subject) if is_new else await self.of(subject)), is_new

    async def has(self, subject: Subject) -> bool:
        return await self._find(subject) is not None

    @abstractmethod
    async def _find(self, subject: Subject) -> tuple[bytes, int] | None:
        """Return a wrapped key, and the generation of the master key that wraps it."""

    @abstractmethod
    async def _put(self, subject: Subject, wrapped: bytes) -> tuple[bytes, int] | None:
        """Store a wrapped key. If there is one already, that one stays and is returned, as by `_find`."""

    @abstractmethod
    async def generation(self) -> int:
        """Return the generation of the master key that wraps data keys now."""

    @abstractmethod
    async def recoverable(self) -> int:
        """Return how many keys, erased on request since the master key was made, may still be in logs and copies.

        Somebody who has those and the master key could open them until the rotation.
        """

    @abstractmethod
    async def count(self) -> int:
        """Return how many data keys there are."""

    @abstractmethod
    async def subjects(self, kind: Kind, after: int, before: float, limit: int) -> list[Subject]:
        """Return subjects of a kind by rising id whose keys were made before a time: for the sweeper's search for
        orphans."""

    @abstractmethod
    def mark(self, name: str) -> bool:
        """Return whether a mark of this name was set in these keys."""

    @abstractmethod
    def set_mark(self, name: str) -> None:
        """Set a mark permanently, while the store is opened."""

    @abstractmethod
    def rotate(self, chunk: int = 1000) -> int:
        """Make a new master key, wrap every data key under it, and delete the old ones. Returns how many were wrapped.

        It works beside a running server and can be repeated after a crash. Sealed content does not change.
        """

    def digest(self, purpose: str, value: str) -> bytes:
        """Return a keyed hash for look-ups, 16 bytes: BLAKE2b under a key of its own. `purpose`: up to 16
        characters."""
        keyed = self._digests.get(purpose)
        if keyed is None:
            keyed = hashlib.blake2b(digest_size=DIGEST_BYTES, key=self._lookup, person=purpose.encode())
            self._digests[purpose] = keyed
        state = keyed.copy()  # keying is half of the work, so it is done once
        state.update(value.encode())
        return state.digest()
