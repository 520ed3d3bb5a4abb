"""Opens the store: checks the folders, brings the schema up to date, puts the parts together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from renzheng.store.accounts import Accounts
from renzheng.store.audit import Audit
from renzheng.store.billing import Billing
from renzheng.store.database import Database, ServerLock, StoreError
from renzheng.store.encryption_keys import EncryptionKeys
from renzheng.store.identities import Identities
from renzheng.store.key_cache import KeyCache
from renzheng.store.keyring import KeysRefused
from renzheng.store.ledger import Ledger
from renzheng.store.objects import BucketObjects, FolderObjects, Objects
from renzheng.store.records import Ids
from renzheng.store.rules import Rules
from renzheng.store.schema import migrate
from renzheng.store.sessions import Sessions
from renzheng.store.sweeper import Retention, Sweeper
from renzheng.store.vault import Vault

DATABASE_NAME = "renzheng.db"


class Store:
    """All parts over one database, one vault and one place for evidence. Use `open_store`."""

    def __init__(
        self,
        vault: Vault,
        database: Database,
        objects: Objects,
        clock: Callable[[], float],
        entropy: Callable[[int], bytes],
        retention: Retention,
        actor: str,
        lock: ServerLock,
        poll_seconds: float,
    ) -> None:
        self.vault = vault
        self.database = database
        self.objects = objects
        self._lock = lock
        self._poll_seconds = poll_seconds
        newest = database.fetch_one("SELECT coalesce(max(id), 0) FROM sessions")
        self.audit = Audit(database, clock, actor)
        self.accounts = Accounts(database, vault, self.audit, entropy)
        self.encryption_keys = EncryptionKeys(database, vault, self.audit)
        self.rules = Rules(database, self.audit)
        self.billing = Billing(database, self.audit)
        self.keys = KeyCache(database, vault)
        self.identities = Identities(database, vault, objects, self.audit, clock, entropy)
        self.sessions = Sessions(database, vault, objects, entropy, Ids(newest[0] if newest else 0))
        self.ledger = Ledger(database)
        self.sweeper = Sweeper(self.sessions, database, vault, objects, retention)

    async def start(self, *, serving: bool = True) -> None:
        """As the one server process: take the lock, read the keys and follow their changes.

        `serving=False`: as a command, beside a server that may be running. Raises StoreError for a second server.
        """
        if not serving:
            self.keys.refresh()
            return
        self._lock.acquire()
        await self.keys.start(self._poll_seconds)
        await self.identities.prepare()

    def check_alone(self) -> None:
        """Raises StoreError where a server already works on these records."""
        self._lock.acquire()
        self._lock.release()

    async def stop(self) -> None:
        """Finish what was handed in, close the files, release the lock."""
        await self.keys.stop()
        await self.database.stop()
        await self.objects.close()
        self.vault.close()
        self._lock.release()


def open_store(
    data_dir: Path,
    keys_dir: Path,
    clock: Callable[[], float],
    entropy: Callable[[int], bytes],
    evidence_url: str | None = None,
    *,
    evidence_options: Mapping[str, str] | None = None,
    retention: Retention | None = None,
    actor: str = "server",
    busy_timeout: float = 5.0,
    poll_seconds: float = 0.25,
) -> Store:
    """Open, or make, the store; `start` it before use.

    `clock`: unix seconds. `entropy`: gives that many unpredictable bytes. `evidence_url`: such as
    `s3://bucket/prefix`; None or empty keeps evidence in the data folder. Raises StoreError with a sentence:
    keys that others can read, folders inside each other, keys that are not these records'.
    """
    _check_apart(data_dir, keys_dir)
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data_dir / DATABASE_NAME
    if path.exists() and not (keys_dir / "keys.db").exists():
        raise KeysRefused(
            f"{path} has records, but the keys folder {keys_dir} has no keys for them; "
            "restore the keys folder from its backup, or point RENZHENG_KEYS_DIR at it"
        )
    vault = Vault(keys_dir, clock, entropy, busy_timeout)
    migrate(path)
    database = Database(path, vault, busy_timeout)
    _check_pair(database, vault, path)
    objects: Objects = (
        BucketObjects(evidence_url, evidence_options) if evidence_url else FolderObjects(data_dir / "evidence")
    )
    return Store(
        *(vault, database, objects, clock, entropy, retention or Retention(), actor),
        *(ServerLock(data_dir / "server.lock"), poll_seconds),
    )


def _check_apart(data_dir: Path, keys_dir: Path) -> None:
    data, keys = data_dir.resolve(), keys_dir.resolve()
    if keys.is_relative_to(data) or data.is_relative_to(keys):
        raise StoreError(
            f"the keys folder {keys} and the data folder {data} must not lie inside each other: "
            "a copy of the data must not bring its keys along"
        )


def _check_pair(database: Database, vault: Vault, path: Path) -> None:
    """A data folder remembers the keys that it was sealed with, and works with no others."""
    row = database.fetch_one("SELECT value FROM meta WHERE name = 'vault'")
    if row is None:
        database.set_meta("vault", vault.id)
    elif row[0] != vault.id:
        raise KeysRefused(f"the keys folder {vault.folder} is not the one that {path} was sealed with")
