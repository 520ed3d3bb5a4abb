"""The state of a running server, read on demand: the gauges of `/metrics`, and the console's overview."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from renzheng.console.figures import Health, LoggedProblem
from renzheng.server.parts import ServerParts


async def metrics_page(parts: ServerParts) -> bytes:
    """Return the text that Prometheus reads."""
    metrics, store, places = parts.metrics, parts.store, parts.channel.places
    reasons = await parts.readiness.reasons()
    metrics.ready({name: name not in reasons for name in parts.readiness.names})
    metrics.kept_free_bytes(store.room.reserves())
    metrics.worker_restarts(parts.engine.restarts)
    metrics.attempts(places.taken, places.waiting, places.capacity())
    metrics.free_bytes(store.room.free())
    metrics.changed_rows({table: len(rows) for table, rows in store.authenticity.found.items()})
    metrics.followed_changes(store.keys.followed)
    metrics.nodes(parts.membership.counts(), parts.judged_per_second())
    return metrics.page()


def health_of(parts: ServerParts, troubles: Callable[[], Sequence[LoggedProblem]]) -> Callable[[], Awaitable[Health]]:
    """Return a function that gives the server's health for the console. `troubles`: the log's last warnings."""

    async def health() -> Health:
        return Health(
            reasons=await parts.readiness.reasons(),
            free=parts.store.room.free(),
            waiting={
                "judging": await parts.store.sessions.waiting(parts.clock()),
                "deliveries": await parts.store.deliveries.waiting(),
            },
            restarts=sum(parts.engine.restarts.values()),
            steps=parts.metrics.steps(),
            latencies=parts.metrics.latencies(),
            troubles=troubles(),
        )

    return health
