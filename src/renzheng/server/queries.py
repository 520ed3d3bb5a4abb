"""Limits queries of pages like those of calls, as Starlette's parser accepts any number of pairs."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp


class BoundedQueries:
    """Passes requests on to pages. Answers 414 to a query with too many bytes or pairs."""

    def __init__(self, pages: ASGIApp, most_bytes: int, most_pairs: int) -> None:
        self._pages = pages
        self._most_bytes = most_bytes
        self._most_pairs = most_pairs

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        query: bytes = scope.get("query_string", b"")
        if scope["type"] == "http" and (len(query) > self._most_bytes or query.count(b"&") >= self._most_pairs):
            await PlainTextResponse("The query is too long.\n", 414)(scope, receive, send)
        else:
            await self._pages(scope, receive, send)
