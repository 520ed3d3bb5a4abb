"""How long a person waits for the verdict: seconds from the end of the last step to the outcome, on an idle server.

    python -m bench.verdict

One rehearsed person after another, with the challenge as shipped and a photo to compare with. Verifications in which
this machine took a frame too late are left out and counted; what other programs did meanwhile is in the load.
"""

from __future__ import annotations

import os
import statistics

from bench.load import renzheng
from renzheng.evaluation.puppet import Puppet
from renzheng.evaluation.rehearsal import rehearse
from tests.support.crowd import run_level
from tests.support.images import sample_picture

SECONDS = 90.0
TAKES = 2


def main() -> None:
    person = rehearse(Puppet(sample_picture()), 0, takes=TAKES)
    with renzheng(attempts_a_day=0, captures_per_address=1000) as server:
        run_level(server, [person], 1, 1.0)  # what is loaded on first use is loaded
        before = os.getloadavg()[0]
        level = run_level(server, [person], 1, SECONDS)
    found = [seconds for course in level.in_time for seconds in course.verdicts]
    if not found:
        raise SystemExit(f"no verdict in time: {level.row()}")
    p50, most = statistics.median(found), max(found)
    print(f"load before {before:.1f}, after {os.getloadavg()[0]:.1f}; results {dict(level.results)}")
    print(
        f"{len(found)} verdicts, {level.discarded} left out as late: p50 {p50:.2f} s, longest {most:.2f} s (goal 0.5)"
    )


if __name__ == "__main__":
    main()
