"""The processes that work on these records. Each has a row, and updates it every few seconds.

Times are the database's, so that nodes with different clocks agree on which node is gone. If a process is silent for
too long, the first node that notices deletes its row; the process finds out at its next heartbeat.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from renzheng.store.attempts import mark_cut_off
from renzheng.store.engine import ConflictError, Database, StoreError, Transaction
from renzheng.store.migrations import HEAD, NEEDS
from renzheng.store.records import SLOTS

log = structlog.get_logger("renzheng.store")

BEAT_SECONDS = 2.0
DEAD_SECONDS = 10.0
"""Seconds of silence after which a process is taken for dead: five heartbeats."""
MAX_SKEW_SECONDS = 3.0
"""Largest accepted difference between clocks: a fifth of a judge's lease."""
LOOK_SECONDS = 0.1
SERVER, JUDGE = "server", "judge"

_COLUMNS = "id, kind, name, slot, evidence, draining, judged_per_second, attempts"


@dataclass(slots=True)
class OwnNode:
    """The number of this process's row; 0 while it has none."""

    number: int = 0


class Report(NamedTuple):
    """What a process can do and does: verifications that it judges per second, and attempts under way."""

    judged_per_second: float = 0.0
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Node:
    """`age`: seconds since its last heartbeat. `slot`: of a server. `evidence`: the identity of its place for
    evidence."""

    id: int
    kind: str
    name: str
    slot: int | None
    evidence: str
    is_draining: bool
    judged_per_second: float
    attempts: int
    age: float

    @property
    def is_there(self) -> bool:
        return self.age <= DEAD_SECONDS


class Nodes:
    """The table of nodes."""

    def __init__(self, database: Database, entropy: Callable[[int], bytes]) -> None:
        self._database = database
        self._entropy = entropy

    async def all(self) -> list[Node]:
        """Return all nodes, oldest first, with those that are gone but not yet deleted."""
        rows = await self._database.all(
            f"SELECT {_COLUMNS}, {self._database.clock_sql} - seen_at FROM nodes ORDER BY started_at, id"
        )
        return [
            Node(number, kind, name, slot, evidence, bool(draining), rate, attempts, age)
            for number, kind, name, slot, evidence, draining, rate, attempts, age in rows
        ]

    async def clock_and_needs(self) -> tuple[float, str]:
        """Return the database's time in unix seconds, and the oldest schema whose programs can use the records."""
        sql = f"SELECT {self._database.clock_sql}, (SELECT value FROM meta WHERE name = :name)"
        row = await self._database.one(sql, name=NEEDS)
        return (float(row[0]), str(row[1] or "")) if row else (0.0, "")

    async def add(self, kind: str, evidence: str) -> Node:
        """Register this process. Raises StoreError if there are too many servers."""
        for _ in range(SLOTS):
            number = int.from_bytes(self._entropy(8), "big") >> 2
            with contextlib.suppress(ConflictError):  # another process took that slot at the same moment
                return await self._add(number, kind, evidence)
        raise StoreError("the row of this process cannot be made")

    async def _add(self, number: int, kind: str, evidence: str) -> Node:
        name = f"{socket.gethostname()}:{os.getpid()}"
        clock = self._database.clock_sql

        async def insert(tx: Transaction) -> int | None:
            slot = None
            if kind == SERVER:
                taken = {row[0] for row in await tx.all("SELECT slot FROM nodes WHERE slot IS NOT NULL")}
                slot = next((free for free in range(SLOTS) if free not in taken), None)
                if slot is None:
                    raise StoreError(f"{SLOTS} servers work on these records already, which is the most there may be")
            await tx.run(
                "INSERT INTO nodes (id, kind, name, slot, evidence, started_at, seen_at)"
                f" VALUES (:id, :kind, :name, :slot, :evidence, {clock}, {clock})",
                id=number,
                kind=kind,
                name=name,
                slot=slot,
                evidence=evidence,
            )
            return slot

        slot = await self._database.write(insert)
        return Node(number, kind, name, slot, evidence, False, 0.0, 0, 0.0)

    async def beat(self, number: int, report: Report, draining: bool = False) -> bool:
        """Record a heartbeat. False if this process was taken for dead and deleted."""

        async def touch(tx: Transaction) -> bool:
            sql = (
                f"UPDATE nodes SET seen_at = {self._database.clock_sql}, draining = :draining,"
                " judged_per_second = :judged_per_second, attempts = :attempts WHERE id = :id"
            )
            return await tx.run(sql, id=number, draining=int(draining), **report._asdict()) == 1

        return await self._database.write(touch, savepoint=False)

    async def bury(self, number: int) -> bool:
        """Delete the row of a silent process, and mark the attempts that were cut off. False if it is not silent, or
        another node was faster."""
        return await self._delete(number, f" AND seen_at < {self._database.clock_sql} - :dead", dead=DEAD_SECONDS)

    async def drain(self, number: int) -> int:
        """Announce that a process ends soon, and hand over its work. Returns how many attempts it had."""

        async def hand_over(tx: Transaction) -> int:
            await tx.run("UPDATE nodes SET draining = 1 WHERE id = :id", id=number)
            return await mark_cut_off(tx)

        return await self._database.write(hand_over)

    async def remove(self, number: int) -> None:
        """Delete the row of a process that ends regularly."""
        await self._delete(number)

    async def _delete(self, number: int, condition: str = "", **given: float) -> bool:
        async def delete(tx: Transaction) -> bool:
            row = await tx.one(f"DELETE FROM nodes WHERE id = :id{condition} RETURNING kind", id=number, **given)
            if row is not None and row[0] == SERVER:
                await mark_cut_off(tx)
            return row is not None

        return await self._database.write(delete)

    async def is_gone(self, number: int) -> bool:
        """Return whether a node has ended, is about to, or stands still. Waits for a heartbeat, for seconds at most."""
        sql = "SELECT seen_at, draining FROM nodes WHERE id = :id"
        first = await self._database.one(sql, id=number)
        row, left = first, int((BEAT_SECONDS + 1) / LOOK_SECONDS)
        while row is not None and not row[1] and row == first and left:
            left -= 1
            await asyncio.sleep(LOOK_SECONDS)
            row = await self._database.one(sql, id=number)
        return row is None or bool(row[1]) or row == first


class Membership:
    """This process among those of the records: sends its heartbeats, and knows the others as of a moment ago.

    `kind` None: it is known in another way, as the one server over SQLite is by its lock, and only reads the others.
    `report()`: what it announces about itself.
    """

    def __init__(
        self,
        nodes: Nodes,
        kind: str | None,
        identity: Callable[[], Awaitable[str]],
        report: Callable[[], Report] = Report,
        is_known: Callable[[Node], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
        is_outdated: Callable[[], None] = lambda: None,
    ) -> None:
        """`identity()`: the identity of this process's place for evidence. `is_known` is called with the node's number.
        `is_outdated` is called once, when this process can no longer work on the records and has to end."""
        self._is_outdated = is_outdated
        self.outdated: str | None = None
        self._clock = clock
        self._skew = 0.0
        self._nodes = nodes
        self._kind = kind
        self._identity = identity
        self._evidence = ""
        self._report = report
        self._is_known = is_known
        self._is_draining = False
        self._is_failing = False
        self._leads = kind is None
        self.own: Node | None = None
        self.others: tuple[Node, ...] = ()

    async def join(self) -> None:
        """Register this process. Raises StoreError if it cannot work beside the others."""
        await self._look()
        if self._kind is not None:
            self._evidence = await self._identity()
            self._check_evidence()
            if (trouble := self.outdated or self.trouble) is not None:
                raise StoreError(trouble)
            await self._add(self._kind)

    async def run(self) -> None:
        """Send heartbeats until cancelled. While the database does not answer, the last known state of the others
        stays."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                await self.beat()
                self._is_failing = False
            except StoreError as error:
                if not self._is_failing:
                    log.warning("heartbeat_failed", why=str(error))
                self._is_failing = True

    async def beat(self) -> None:
        """Send one heartbeat, and read the others."""
        if self.own is not None and not await self._nodes.beat(self.own.id, self._report(), self._is_draining):
            log.warning("node_was_buried", node=self.own.name, why="it was silent for too long; it goes on as another")
            await self._add(self.own.kind)
        await self._look()

    async def _add(self, kind: str) -> None:
        self.own = await self._nodes.add(kind, self._evidence)
        self._is_known(self.own)

    @property
    def trouble(self) -> str | None:
        """A sentence while this process's clock differs from the database's, as leases and deadlines depend on
        clocks."""
        if abs(self._skew) <= MAX_SKEW_SECONDS:
            return None
        return f"this machine's clock differs from the database's by {self._skew:.1f} seconds: let NTP set both"

    @property
    def number(self) -> int:
        """The number of this process's row; 0 if it needs none."""
        return self.own.id if self.own else 0

    @property
    def leads(self) -> bool:
        """Whether this server does the work that one server does for all: it is the oldest.

        For a moment two servers may think so, and the work must tolerate that.
        """
        return self._leads

    async def is_gone(self, number: int) -> bool:
        """Return whether another node is gone; see `Nodes.is_gone`."""
        return number != self.number and await self._nodes.is_gone(number)

    async def drain(self) -> None:
        """Announce that this process ends soon, and hand over its work."""
        self._is_draining = True
        if self.own is not None and (count := await self._nodes.drain(self.own.id)):
            log.warning("attempts_handed_over", count=count)

    async def leave(self) -> None:
        if self.own is not None:
            with contextlib.suppress(StoreError):
                await self._nodes.remove(self.own.id)

    def counts(self) -> dict[str, int]:
        """Return how many processes there are by kind, this one included."""
        known = Counter(node.kind for node in self.others)
        known[SERVER if self._kind is None else self._kind] += 1
        return {SERVER: known[SERVER], JUDGE: known[JUDGE]}

    async def _look(self) -> None:
        before = self._clock()
        at, needs = await self._nodes.clock_and_needs()
        self._skew = min(before - at, self._clock() - at, key=abs) if self._kind is not None else 0.0
        if needs > HEAD and self.outdated is None:
            self.outdated = (
                f"a newer version has changed the records, and this one cannot work on them (its schema is {HEAD}, and "
                f"they ask for {needs}): start the newer version here too"
            )
            log.error("schema_is_newer", why=self.outdated)
            self._is_outdated()
        known = await self._nodes.all()
        servers = [node.id for node in known if node.kind == SERVER and node.is_there and not node.is_draining]
        self._leads = self._kind is None or servers[:1] == [self.number]
        found = [node for node in known if node.id != self.number]
        for node in found:
            if not node.is_there and await self._nodes.bury(node.id):
                log.warning("node_gone", node=node.name, kind=node.kind, silent=round(node.age))
        self.others = tuple(node for node in found if node.is_there)

    def _check_evidence(self) -> None:
        for node in self.others:
            if node.evidence != self._evidence:
                raise StoreError(
                    f"{node.name} works on the same records and keeps evidence elsewhere: give all processes the same "
                    "RENZHENG_EVIDENCE_URL, or one data folder that they share"
                )
