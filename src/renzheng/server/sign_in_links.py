"""Links with which people choose a password: shared by the commands, the console and the management service."""

from __future__ import annotations

from collections.abc import Callable

from renzheng.server.urls import console_url
from renzheng.settings import Settings
from renzheng.store.open import Store


async def offer_link(settings: Settings, store: Store, operator_id: int | None, clock: Callable[[], float]) -> str:
    """Make a link that works once, for this person; None: to create the first owner. `clock`: unix seconds."""
    until = clock() + 60 * settings.console_link_minutes
    return f"{console_url(settings)}/welcome/{await store.sign_in.offer_link(operator_id, until)}"
