"""One request to an ASGI application itself: no server, no engine, no store is started."""

from __future__ import annotations

from typing import Any


async def get(
    app: Any, path: str, method: str = "GET", query: str = "", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body. `headers` by their names with underscores; Host is a loopback name unless given."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    given = {name.replace("_", "-").encode(): value.encode("latin-1") for name, value in headers.items()}
    given.setdefault(b"host", b"127.0.0.1")
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1),
        "headers": [(name.lower(), value) for name, value in given.items()],
    }  # fmt: skip
    await app(scope, receive, send)
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], answered, b"".join(part.get("body", b"") for part in sent[1:])
