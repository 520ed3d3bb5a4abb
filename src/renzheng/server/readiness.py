"""Whether the server can do its work now: a small list of named checks, for load balancers and for people."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from renzheng.base.faults import fault_name

Check = Callable[[], Awaitable[str | None]]
"""Gives a sentence where the server is not ready, None where it is."""


class Readiness:
    """The checks by name. Parts add theirs at start."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def add(self, name: str, check: Check) -> None:
        """`name`: one word, by which a monitor knows the check."""
        self._checks[name] = check

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._checks)

    async def reasons(self) -> dict[str, str]:
        """Why the server is not ready, by the check's name; empty where it is. A check that fails is a reason too."""
        found = {}
        for name, check in self._checks.items():
            try:
                sentence = await check()
            except Exception as error:
                sentence = f"the check failed: {fault_name(error)}"
            if sentence is not None:
                found[name] = sentence
        return found
