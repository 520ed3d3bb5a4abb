"""Recent requests: the refused ones with the reason, all of them, and the whole log of one RequestId."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response

from renzheng.accounts.operators import Role
from renzheng.console.calls import Calls
from renzheng.console.door import Visitor
from renzheng.console.frame import PageFrame
from renzheng.console.parts import Refusal, RequestLine
from renzheng.console.rendering import ROOT, language

REQUESTS = f"{ROOT}/requests"
SECONDS = 3600
MAX_GIVEN = 100
MAX_SHOWN = 100
"""Most requests in the list of all."""
SPOKEN = {"en": "en-US", "zh": "zh-CN"}
REQUEST = "request"
"""The event name of the one line that the log has for each request."""


class RequestPages:
    """`refusals`, `lines`: the newest first. `clock`: unix seconds."""

    def __init__(
        self,
        refusals: Callable[[], Sequence[Refusal]],
        lines: Callable[[], Sequence[RequestLine]],
        clock: Callable[[], float],
        calls: Calls,
        frame: PageFrame,
    ) -> None:
        self._refusals = refusals
        self._lines = lines
        self._clock = clock
        self._calls = calls
        self._frame = frame

    async def show(self, request: Request, visitor: Visitor) -> Response:
        """Show the refused requests of the last hour, all with `All`, or one RequestId's.

        A merchant's person sees those of one account.
        """
        wanted = request.query_params.get("RequestId", "").strip()[:MAX_GIVEN]
        shows_all = bool(request.query_params.get("All")) and not wanted
        since, spoken = self._clock() - SECONDS, SPOKEN[language(request)]
        found = [
            (one, one.sentence(spoken))
            for one in self._refusals()
            if one.at >= since and wanted in ("", one.request_id) and _may_see(visitor, one.account_id)
        ]
        lines = self._visible_lines(visitor, wanted) if wanted or shows_all else []
        if shows_all:
            lines = [line for line in lines if line.event == REQUEST and not _is_persons(line)][:MAX_SHOWN]
        shown = {"found": [] if shows_all else found, "wanted": wanted, "shows_all": shows_all, "lines": lines}
        return self._frame.page("requests.html", request, visitor, shown, calls=await self._calls.recent(visitor))

    def _visible_lines(self, visitor: Visitor, wanted: str) -> list[RequestLine]:
        """Return lines of the last hour, of one RequestId if it is given. A line without an account belongs to its
        request's."""
        since = self._clock() - SECONDS
        lines = [line for line in self._lines() if line.at >= since and wanted in ("", line.request_id)]
        owners = {line.request_id: line.account_id for line in lines if line.account_id is not None}
        return [line for line in lines if _may_see(visitor, owners.get(line.request_id, 0))]


def _is_persons(line: RequestLine) -> bool:
    """Return whether a person's own key signed the request, as for every page of the console."""
    return line.account_id is not None and line.account_id < 0


def _may_see(visitor: Visitor, account_id: int | None) -> bool:
    operator = visitor.operator
    return operator.role is not Role.MERCHANT or account_id == operator.account_id
