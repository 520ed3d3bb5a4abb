"""Requests that were refused of late: found by their RequestId, each with why and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response

from renzheng.accounts.operators import Role
from renzheng.console.calls import Calls
from renzheng.console.door import Visitor
from renzheng.console.frame import Frame
from renzheng.console.parts import Refusal
from renzheng.console.rendering import ROOT, language

REQUESTS = f"{ROOT}/requests"
SECONDS = 3600
MAX_GIVEN = 100
SPOKEN = {"en": "en-US", "zh": "zh-CN"}


class RequestPages:
    """`refusals`: the newest first. `clock`: unix seconds."""

    def __init__(
        self, refusals: Callable[[], Sequence[Refusal]], clock: Callable[[], float], calls: Calls, frame: Frame
    ) -> None:
        self._refusals = refusals
        self._clock = clock
        self._calls = calls
        self._frame = frame

    async def show(self, request: Request, visitor: Visitor) -> Response:
        """Those of the last hour, or of one RequestId. A merchant's person sees those of one account."""
        wanted = request.query_params.get("RequestId", "").strip()[:MAX_GIVEN]
        since, spoken = self._clock() - SECONDS, SPOKEN[language(request)]
        found = [
            (one, one.sentence(spoken))
            for one in self._refusals()
            if one.at >= since and wanted in ("", one.request_id) and _may_see(visitor, one)
        ]
        shown = {"found": found, "wanted": wanted}
        return self._frame.page("requests.html", request, visitor, shown, calls=self._calls.made(visitor))


def _may_see(visitor: Visitor, refusal: Refusal) -> bool:
    operator = visitor.operator
    return operator.role is not Role.MERCHANT or refusal.account_id == operator.account_id
