"""The overview: how many verifications there are, how they end, and whether something is wrong now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from renzheng.accounts.operators import Role
from renzheng.console.door import Visitor
from renzheng.console.figures import Count, Counts, Health
from renzheng.console.frame import PageFrame
from renzheng.console.plots import Bar, bars
from renzheng.console.rendering import Words, language

HOUR, DAY = 3600.0, 86400.0
HOURS, DAYS = 24, 14
FUNNEL = ("opened", "started", "captured", "passed")
PASSED = "0"
MAX_REASONS, MAX_TROUBLES = 6, 8


@dataclass(frozen=True, slots=True)
class Reason:
    code: str
    description: str
    count: int
    share: float


class OverviewPages:
    """`clock`: unix seconds. `utc_offset`: hours, at which a day begins."""

    def __init__(
        self,
        counts: Counts,
        health: Callable[[], Awaitable[Health]],
        clock: Callable[[], float],
        utc_offset: float,
        frame: PageFrame,
    ) -> None:
        self._counts = counts
        self._health = health
        self._clock = clock
        self._offset = utc_offset
        self._frame = frame

    async def show(self, request: Request, visitor: Visitor) -> Response:
        words = Words(language(request), self._offset)
        account = visitor.operator.account_id
        now = self._clock()
        midnight = self._start_of(now, DAY)
        by_hour = await self._counts.verdicts(
            self._start_of(now, HOUR) - (HOURS - 1) * HOUR, HOUR, self._offset, account
        )
        by_day = await self._counts.verdicts(midnight - (DAYS - 1) * DAY, DAY, self._offset, account)
        today = [one for one in by_day if one.start >= midnight]
        shown: dict[str, Any] = {
            "states": await self._counts.states(midnight, account),
            "today": _parts(today),
            "yesterday": _parts([one for one in by_day if midnight - DAY <= one.start < midnight]),
            "hours": self._bars(words, by_hour, now, HOUR, HOURS),
            "days": self._bars(words, by_day, now, DAY, DAYS),
            "reasons": self._reasons(by_hour, words),
            "health": None,
            "funnel": (),
            "now": now,
        }
        if visitor.operator.role is not Role.MERCHANT:
            health = await self._health()
            shown |= {"health": health, "funnel": funnel(health.steps), "troubles": health.troubles[:MAX_TROUBLES]}
        return self._frame.page("overview.html", request, visitor, shown)

    def _start_of(self, at: float, width: float) -> float:
        shift = self._offset * HOUR
        return (at + shift) // width * width - shift

    def _bars(self, words: Words, counts: Sequence[Count], now: float, width: float, many: int) -> dict[str, Any]:
        last = self._start_of(now, width)
        rows = []
        for at in range(many):
            start = last - (many - 1 - at) * width
            found = _parts([one for one in counts if abs(one.start - start) < 1])
            rows.append((start, found))
        form = "%H:%M" if width == HOUR else "%m-%d"
        every = 3 if width == HOUR else 2
        drawn = []
        for at, (start, found) in enumerate(rows):
            when = words.local(start).strftime(form)
            said = words.t(
                "{when}: {passed} passed, {failed} failed", "{when}：通过 {passed}，未通过 {failed}", when=when, **found
            )
            drawn.append(Bar(when if (many - 1 - at) % every == 0 else "", str(said), found["passed"], found["failed"]))
        label = (
            words.t("Verdicts of the last 24 hours", "最近 24 小时的结论")
            if width == HOUR
            else words.t("Verdicts of the last 14 days", "最近 14 天的结论")
        )
        table = [(words.local(start).strftime(form), found) for start, found in reversed(rows) if sum(found.values())]
        return {"plot": bars(drawn, str(label)), "rows": table}

    def _reasons(self, counts: Sequence[Count], words: Words) -> list[Reason]:
        """Return why verifications failed, the most frequent reason first."""
        failed = Counter[str]()
        for one in counts:
            if one.result != PASSED:
                failed[one.result] += one.count
        total = failed.total()
        return [
            Reason(code, words.result(code), count, count / total) for code, count in failed.most_common(MAX_REASONS)
        ]


def _parts(counts: Sequence[Count]) -> dict[str, int]:
    passed = sum(one.count for one in counts if one.result == PASSED)
    return {"passed": passed, "failed": sum(one.count for one in counts) - passed}


def funnel(steps: Mapping[tuple[str, str], int]) -> list[tuple[str, dict[str, int]]]:
    """Return how many reached each step since the server's start, by browser family, the most used first."""
    browsers: dict[str, dict[str, int]] = {}
    for (step, browser), count in steps.items():
        if step in FUNNEL and browser:
            row = browsers.setdefault(browser, dict.fromkeys(FUNNEL, 0))
            row[step] += count
    return sorted(browsers.items(), key=lambda item: (-item[1]["opened"], item[0]))
