"""The unit R0 in the same run: two processes that hand 1 KB back and forth and do nothing else (see `pingpong.py`)."""

from __future__ import annotations

import sys
import time
from importlib.metadata import version
from pathlib import Path

from course import Asked

sys.path.append(str(Path(__file__).parents[1]))

from pingpong import round_trip_us

ROUNDS = 2000


def main() -> None:
    asked = Asked()
    asked.ready(f"trio {version('trio')}")
    while (order := asked.order()) is not None:
        _, seconds = order
        start = time.perf_counter()
        found: list[float] = []
        while not found or time.perf_counter() - start < seconds:
            found.append(round_trip_us(ROUNDS))
        asked.tell({"calls": ROUNDS * len(found), "p50_us": sorted(found)[len(found) // 2]})


if __name__ == "__main__":
    main()
