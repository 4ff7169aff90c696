"""How fast can two Python processes answer each other at all? Microseconds a round trip: the unit R0.

A 1 KB message goes to a child process over an AF_UNIX socketpair and comes back, both ends trio `SocketStream`s that
do nothing else. Every rookery figure is divided by this number from the same run, because the machine's speed is in it.
`rookery bench` measures it beside its own work with the same code.
"""

from __future__ import annotations

import argparse
import json
import sys

from rookery.supervisor.bench_unit import round_trip_us

__all__ = ["round_trip_us"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3000)
    arguments = parser.parse_args()
    json.dump({"r0_us": round(round_trip_us(arguments.rounds), 2)}, sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
