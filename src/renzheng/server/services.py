"""The signed API of a server: its two services, and the gateway in front of them on each listener."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from renzheng.actions.ports import Parts
from renzheng.actions.product import make_product
from renzheng.gateway.contract import Log
from renzheng.gateway.failures import FILE_NAME, RecentRefusals
from renzheng.gateway.manifest import Service
from renzheng.gateway.pipeline import Gateway
from renzheng.management.product import make_product as make_management
from renzheng.server.engine_adapters import EngineExaminer, EnginePhotos
from renzheng.server.key_pairs import CurrentKeyPairs
from renzheng.server.management_parts import Management
from renzheng.server.metrics import Metrics
from renzheng.server.parts import ServerParts
from renzheng.server.room_settings import gateway_settings
from renzheng.server.second_looks import SecondLooks
from renzheng.settings import Settings
from renzheng.store.calls import CallRecords
from renzheng.store.open import Store


class Services:
    """`public` answers the customers' calls, `operator` those of the operator's listener. `wall`: unix seconds."""

    def __init__(self, parts: ServerParts, wall: Callable[[], float], log: Log) -> None:
        self._parts = parts
        self._wall = wall
        self._log = log
        self.product, self.managed = make_product(), make_management()
        self.failures = _recent_failures(parts.settings, parts.store)
        names = tuple(action.name for action in self.product.actions)
        faceid = _faceid(parts)
        self.quota = parts.shared.quota if parts.shared else None
        self.management = Management(
            parts.settings,
            parts.store,
            parts.engine,
            parts.readiness,
            clock=parts.clock,
            entropy=parts.entropy,
            actions=names,
            looks=SecondLooks(
                parts.store.sessions,
                faceid,
                parts.shelf,
                EngineExaminer(parts.engine),
                seen_frames=parts.settings.max_seen_frames,
            ),
        )
        management = self.management.service(self.managed)
        is_public = parts.settings.management_public
        self.public = self._gateway([Service.of(self.product, faceid), *([management] if is_public else [])])
        self.operator = self._gateway([management])

    def _gateway(self, services: Sequence[Service]) -> Gateway:
        parts, keys = self._parts, self._parts.store.keys
        return Gateway(
            keys=keys,
            services=services,
            clock=parts.clock,
            entropy=parts.entropy,
            log=self._log,
            settings=replace(gateway_settings(parts.settings), per_second=keys.limits),
            meter=RequestCounters(parts.metrics, parts.store.calls),
            key_pairs=CurrentKeyPairs(keys, parts.clock),
            executor=parts.sealing_threads,
            processes=parts.sm2,
            failures=self.failures,
            wall=self._wall,
            quota=self.quota,
        )


class RequestCounters:
    """Counts each request in the metrics, and those of verified callers by account in the store."""

    def __init__(self, metrics: Metrics, calls: CallRecords) -> None:
        self._metrics = metrics
        self._calls = calls

    def request(self, service: str, action: str, code: str, seconds: float, account_id: int) -> None:
        self._metrics.request(service, action, code, seconds)
        if account_id > 0:  # an operator's own key has a negative number
            self._calls.count(account_id, action, code)

    def failed_open(self, part: str) -> None:
        self._metrics.failed_open(part)


def _faceid(server: ServerParts) -> Parts:
    settings, store = server.settings, server.store
    return Parts(
        sessions=store.sessions,
        accounts=store.keys,
        photos=EnginePhotos(server.engine),
        shelf=server.shelf,
        deliveries=server.deliverer,
        calls=store.calls,
        entropy=server.entropy,
        policy=settings.policy,
        token_seconds=settings.token_seconds,
        delivery_seconds=settings.delivery_wait_seconds,
    )


def _recent_failures(settings: Settings, store: Store) -> RecentRefusals | None:
    """Return the list that `renzheng explain --recent` reads."""
    if not settings.recent_failures:
        return None
    return RecentRefusals(
        store.keys.secret_keys,
        structlog.get_logger("renzheng.gateway"),
        path=settings.data_dir / FILE_NAME,
        size=settings.recent_failures,
    )
