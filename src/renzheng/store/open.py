"""Opens the store: checks the folders, brings the schema up to date, puts the parts together."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path

from renzheng.store.accounts import Accounts
from renzheng.store.audit import Audit
from renzheng.store.authenticity import Authenticity
from renzheng.store.billing import Billing
from renzheng.store.bucket import BucketObjects
from renzheng.store.calls import CallRecords
from renzheng.store.console_notes import ConsoleNotes
from renzheng.store.customer_buckets import Buckets
from renzheng.store.deliveries import Deliveries
from renzheng.store.encryption_keys import EncryptionKeys
from renzheng.store.engine import Database, StoreError
from renzheng.store.engines import Lock, PostgresPlace, StoreLocation, open_postgres, open_sqlite
from renzheng.store.files import EVIDENCE_FOLDER
from renzheng.store.identities import Identities
from renzheng.store.imports import Imports
from renzheng.store.key_cache import KeyCache
from renzheng.store.ledger import Ledger
from renzheng.store.listing import Listing
from renzheng.store.master_seal import MasterSeal
from renzheng.store.nodes import JUDGE, Membership, Node, Nodes, OwnNode, Report
from renzheng.store.objects import FolderObjects, Objects
from renzheng.store.operator_keys import OperatorKeys
from renzheng.store.operators import Operators
from renzheng.store.records import Ids
from renzheng.store.room import Room
from renzheng.store.rules import Rules
from renzheng.store.search import Search
from renzheng.store.sessions import Sessions
from renzheng.store.sign_in import SignIn
from renzheng.store.statistics import Statistics
from renzheng.store.sweeper import Retention, Sweeper
from renzheng.store.vault import Vault


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
        lock: Lock,
        poll_seconds: float,
        room: Room,
        authenticity: Authenticity,
        newest: int,
        is_shared: bool,
    ) -> None:
        """`lock`: of the one server process. `newest`: id of the newest session. `is_shared`: as in
        `engines.Opened`."""
        self.vault = vault
        self.database = database
        self.objects = objects
        self.room = room
        self.authenticity = authenticity
        self._lock = lock
        self.is_shared = is_shared
        self._poll_seconds = 2 * poll_seconds if is_shared else poll_seconds  # each poll crosses the network
        self._clock = clock
        self._entropy = entropy
        self._retention = retention
        self.keys = KeyCache(database, vault, authenticity)
        self._ids, self._own = Ids(newest), OwnNode()
        self.sessions = Sessions(database, vault, objects, entropy, self._ids, room, authenticity)
        self.listing = Listing(database)
        self.search = Search(database)
        self.calls = CallRecords(database)
        self.ledger = Ledger(database)
        self.deliveries = Deliveries(database)
        self.statistics = Statistics(database)
        self.nodes = Nodes(database, entropy)
        self.console_notes = ConsoleNotes(database, vault)
        self._audit_as(actor)

    def _audit_as(self, actor: str) -> None:
        """Make the parts that write to the audit."""
        database, vault, authenticity = self.database, self.vault, self.authenticity
        self.audit = audit = Audit(database, self._clock, actor)
        self.accounts = Accounts(database, vault, audit, self._entropy, authenticity)
        self.encryption_keys = EncryptionKeys(database, vault, audit, self._clock, authenticity)
        self.rules = Rules(database, audit, authenticity)
        self.billing = Billing(database, audit, authenticity)
        self.identities = Identities(database, vault, self.objects, audit, self._clock, self._entropy, self.room)
        self.buckets = Buckets(database, vault, audit)
        self.imports = Imports(database, vault, self.objects, audit, self._clock, self.room, self._own)
        self.operators = Operators(database, audit, authenticity)
        self.operator_keys = OperatorKeys(database, vault, audit, self._entropy, authenticity)
        self.sign_in = SignIn(database, vault, audit, self._entropy)
        self.sweeper = Sweeper(self.sessions, database, vault, self.objects, self._retention, audit)

    def acting(self, actor: str) -> Store:
        """Return the same store for another actor: the audit names `actor` for what is done through it."""
        other = copy.copy(self)
        other._audit_as(actor)
        return other

    async def start(self, *, serving: bool = True) -> None:
        """Start as the one server process: take the lock, read the keys and follow their changes.

        `serving=False`: start as a command, beside a server that may be running. Raises StoreError for a second server.
        """
        if not serving:
            await self.keys.refresh()
            return
        self._lock.acquire()
        await self.objects.check()
        await self.keys.start(self._poll_seconds)
        await self.identities.prepare()

    async def start_judging(self) -> None:
        """Start as a process that judges and serves no requests, beside a server or without one."""
        await self.objects.check()

    def membership(
        self, kind: str, report: Callable[[], Report], is_outdated: Callable[[], None] = lambda: None
    ) -> Membership:
        """Return this process's membership, not joined yet. `kind`: SERVER or JUDGE.

        `is_outdated`: called once when a newer version has changed the schema so that this process has to end. The one
        server over SQLite has no row, as its lock identifies it.
        """
        has_row = self.is_shared or kind == JUDGE
        return Membership(
            *(self.nodes, kind if has_row else None, self.objects.identity, report, self._use, self._clock),
            is_outdated=is_outdated,
        )

    def _use(self, own: Node) -> None:
        """Take ids from this node's slot from now on."""
        self._own.number = own.id
        if own.slot is not None:
            self._ids.slot = own.slot

    def check_alone(self) -> None:
        """Raise StoreError if a server already works on these records."""
        self._lock.acquire()
        self._lock.release()

    async def stop(self) -> None:
        """Finish the pending writes, close the files, release the lock."""
        await self.keys.stop()
        await self.database.stop()
        await self.objects.close()
        await self.vault.stop()
        self._lock.release()


def open_store(
    data_dir: Path,
    keys_dir: Path,
    clock: Callable[[], float],
    entropy: Callable[[int], bytes],
    evidence_url: str | None = None,
    *,
    evidence_options: Mapping[str, str] | None = None,
    evidence_seconds: float = 10.0,
    retention: Retention | None = None,
    actor: str = "server",
    busy_timeout: float = 5.0,
    poll_seconds: float = 0.25,
    min_free_bytes: int | None = None,
    adopt: bool = False,
    postgres: PostgresPlace | None = None,
    seals: tuple[MasterSeal, ...] = (),
) -> Store:
    """Open the store, or create it. Call `start` before use.

    `clock`: unix seconds. `entropy(n)`: returns n unpredictable bytes. `evidence_url`: such as `s3://bucket/prefix`;
    None or empty keeps evidence in the data folder. `evidence_seconds`: time limit for one request to it.
    `poll_seconds`: how often changes of accounts and keys are looked for; half as often over PostgreSQL.
    `min_free_bytes`: what is kept free on the disks; None: the smaller of 1 GiB and 5 % of each. `adopt`: sign the
    records as they are. `postgres`: where records and keys are; None: in SQLite, in the two folders. `seals`: what
    opens the master key.

    Raises StoreError with a sentence: keys that others can read, folders inside each other, keys of other records, or a
    database that cannot be reached.
    """
    _check_apart(data_dir, keys_dir)
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = StoreLocation(data_dir, keys_dir, clock, entropy, busy_timeout, adopt, seals)
    opened = open_sqlite(place) if postgres is None else open_postgres(place, postgres)
    objects: Objects = (
        BucketObjects(evidence_url, evidence_options, evidence_seconds)
        if evidence_url
        else FolderObjects(data_dir / EVIDENCE_FOLDER)
    )
    return Store(
        *(opened.vault, opened.database, objects, clock, entropy, retention or Retention(), actor),
        *(opened.lock, poll_seconds),
        *(Room({"data": data_dir, "keys": keys_dir}, min_free_bytes), opened.authenticity),
        newest=opened.newest,
        is_shared=opened.is_shared,
    )


def _check_apart(data_dir: Path, keys_dir: Path) -> None:
    data, keys = data_dir.resolve(), keys_dir.resolve()
    if keys.is_relative_to(data) or data.is_relative_to(keys):
        raise StoreError(
            f"the keys folder {keys} and the data folder {data} must not lie inside each other: "
            "a copy of the data must not bring its keys along"
        )
