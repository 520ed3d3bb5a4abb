"""One device at a time: which one has a session, until when, and how another may take over."""

from __future__ import annotations

from renzheng.store.engine import Transaction
from renzheng.store.records import Context
from renzheng.verification.session import Session


class Devices(Context):
    """Stores the device's secret and the hand-over codes, as keyed hashes only."""

    async def claim_device(
        self,
        session_id: int,
        device: str,
        now: float,
        grace: float,
        handover: str | None,
        node: int = 0,
        socket: int = 0,
    ) -> bool:
        """Claim the session if it is free, this device's, silent for `grace` seconds (infinity: never), or offered with
        this code.

        `socket`: the socket's own number at this node. The previous socket loses the session.
        """
        given = {
            "id": session_id,
            "device": self._vault.digest("device", device),
            "code": None if handover is None else self._vault.digest("handover", f"{session_id}:{handover}"),
            "now": now,
            "silent": now - grace,
            "node": node,
            "socket": socket,
        }

        async def claim(tx: Transaction) -> bool:
            # Taking over uses the code up. It is also lost with the device that offered it.
            return (
                await tx.run(
                    "UPDATE sessions SET device = :device, device_seen = :now, opened_at = coalesce(opened_at, :now),"
                    " node = :node, socket = :socket,"
                    " handover = CASE WHEN device = :device THEN handover END,"
                    " handover_until = CASE WHEN device = :device THEN handover_until END"
                    " WHERE id = :id AND (device IS NULL OR device = :device OR device_seen <= :silent"
                    " OR (handover = :code AND handover_until > :now))",
                    **given,
                )
                == 1
            )

        return await self._database.write(claim, savepoint=False)

    def is_device(self, session: Session, device: str) -> bool:
        """Return whether the session, as it was read, belongs to this device."""
        return session.device_hash == self._vault.digest("device", device)

    async def return_device(self, session_id: int, device: str, now: float, node: int = 0, socket: int = 0) -> bool:
        """Let the device that has the session come back on another socket. False if another device has it."""
        change = "device_seen = :now, node = :node, socket = :socket"
        return await self._touch(change, "", session_id, device, now=now, node=node, socket=socket)

    async def touch_device(self, session_id: int, device: str, now: float, socket: int = 0) -> bool:
        """Store the device's heartbeat. False once another device, or another socket of its own, has taken over."""
        return await self._touch(
            "device_seen = :now", " AND socket = :socket", session_id, device, now=now, socket=socket
        )

    async def _touch(self, change: str, condition: str, session_id: int, device: str, **given: float) -> bool:
        sql = f"UPDATE sessions SET {change} WHERE id = :session_id AND device = :device{condition}"
        digest = self._vault.digest("device", device)

        async def touch(tx: Transaction) -> bool:
            return await tx.run(sql, session_id=session_id, device=digest, **given) == 1

        return await self._database.write(touch, savepoint=False)

    async def note_device_mismatch(self, session_id: int) -> None:
        """Record, for the merchant, that another device tried than the one that the token is bound to."""

        async def note(tx: Transaction) -> None:
            sql = "UPDATE sessions SET device_mismatch = 1 WHERE id = :session_id AND device_mismatch = 0"
            await tx.run(sql, session_id=session_id)

        await self._database.write(note, savepoint=False)

    async def offer_handover(self, session_id: int, device: str, code: str, until: float) -> bool:
        """Let the device that brings `code` before `until` take over. False if this device does not have the
        session."""
        code_hash = self._vault.digest("handover", f"{session_id}:{code}")
        given = {
            "code_hash": code_hash,
            "until": until,
            "session_id": session_id,
            "device": self._vault.digest("device", device),
        }

        async def offer(tx: Transaction) -> bool:
            sql = (
                "UPDATE sessions SET handover = :code_hash, handover_until = :until WHERE id = :session_id"
                " AND device = :device"
            )
            return await tx.run(sql, **given) == 1

        return await self._database.write(offer, savepoint=False)
