"""Makes the engine that the settings name: processes of this machine, or a Ray cluster for the judging."""

from __future__ import annotations

from collections.abc import Sequence

from renzheng.engine.interface import Engine
from renzheng.engine.workers import ALWAYS, EngineWorkers
from renzheng.engine_ray.engine import RayEngine
from renzheng.server.room_settings import engine_limits
from renzheng.settings import Settings


def make_engine(settings: Settings, kinds: Sequence[str] = ALWAYS) -> Engine:
    """Make the engine. `kinds`: of local processes. Raises EngineUnusableError with a sentence."""
    if settings.engine:
        return RayEngine(settings.engine, engine_limits(settings), settings.engine_seconds, kinds)
    return EngineWorkers(engine_limits(settings), kinds=kinds)
