"""The addresses at which people and programs reach this server."""

from __future__ import annotations

from renzheng.settings import Settings


def console_url(settings: Settings) -> str:
    """Return where people open the console."""
    return f"{operator_url(settings)}/console"


def operator_url(settings: Settings) -> str:
    """Return scheme, host and port of the operator's listener, as people and programs reach it."""
    host = f"[{settings.operator_host}]" if ":" in settings.operator_host else settings.operator_host
    return settings.console_url or f"http://{host}:{settings.operator_port}"


def public_url(settings: Settings) -> str:
    """Return scheme, host and port at which programs reach the signed API."""
    host = settings.host if settings.host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104 - compared alone
    return settings.public_url or f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
