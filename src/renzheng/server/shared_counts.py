"""Counts that several servers share in one Redis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from renzheng.server.metrics import Metrics
from renzheng.settings import Settings, SettingsError

if TYPE_CHECKING:  # its client is an extra
    from renzheng.base.shared_redis import SharedRedis
    from renzheng.gateway.shared_quota import RedisQuota
    from renzheng.server.shared_sockets import SharedSocketCounts


@dataclass(frozen=True, slots=True)
class SharedCounts:
    """Requests per second by account, and capture sockets by address."""

    redis: SharedRedis
    quota: RedisQuota
    sockets: SharedSocketCounts


def shared_counts(settings: Settings, metrics: Metrics, entropy: Callable[[int], bytes]) -> SharedCounts | None:
    """Return the shared counts; None if this server counts for itself. SettingsError without the client library."""
    url = settings.redis_url.get_secret_value()
    if not url:
        return None
    try:
        from renzheng.base.shared_redis import SharedRedis
        from renzheng.gateway.shared_quota import RedisQuota
        from renzheng.server.shared_sockets import SharedSocketCounts
    except ImportError:
        raise SettingsError("RENZHENG_REDIS_URL needs its client: pip install 'renzheng[cluster]'") from None
    redis = SharedRedis(url, metrics.shared_rates)
    name, most = entropy(8).hex(), settings.captures_per_address
    return SharedCounts(
        redis,
        RedisQuota(redis, lambda: metrics.failed_open("shared_quota")),
        SharedSocketCounts(redis, most, name, lambda: metrics.failed_open("shared_sockets")),
    )
