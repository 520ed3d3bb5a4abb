"""Capacity: verifications a minute, and what becomes of people when twice as many come as the server carries.

The people are rendered beforehand, so that the load costs under a tenth of a core; verifications in which this machine
took a frame too late are left out and counted. Each level is the number of people at once. `OVERLOAD_SECONDS` is how
long each is held.
"""

from __future__ import annotations

import os

from bench.load import renzheng
from tests.support.crowd import carried, people, run_level

SECONDS = float(os.environ.get("OVERLOAD_SECONDS", "90"))


def main() -> None:
    cores, load = os.cpu_count(), os.getloadavg()[0]
    crowd = people()
    print(f"{cores} cores, load before {load:.1f}, {SECONDS:.0f} s a level")
    with renzheng(attempts_a_day=0, captures_per_address=1000) as server:
        run_level(server, crowd, 4, 20)  # what is loaded on first use is loaded, and the server has measured itself
        for level in (4, 8):
            print(run_level(server, crowd, level, SECONDS).row(), flush=True)
        carries = carried(server)
        crowded = run_level(server, crowd, 2 * carries, SECONDS)
        print(crowded.row())
        print(
            f"capacity : {carries} attempts at once, {crowded.a_minute():.0f} verifications a minute on {cores} cores"
        )


if __name__ == "__main__":
    main()
