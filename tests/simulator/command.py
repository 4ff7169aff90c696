"""What does the command line of the simulator do?"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext

from tests.simulator.mutants import MUTANTS
from tests.simulator.simulation import MINUTES, Result, simulate

PROGRESS = 500
"""Seeds after which a long run says how far it is."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run seeds; 1 when one of them found something."""
    options = _parser().parse_args(arguments)
    told = f" --minutes {options.minutes:g}" + (f" --mutant {options.mutant!r}" if options.mutant else "")
    begun, failed, minutes, outcomes, fired = time.process_time(), 0, 0.0, Counter[str](), Counter[str]()
    for seed in range(options.seed, options.seed + options.seeds):
        with MUTANTS[options.mutant]() if options.mutant else nullcontext():
            result = simulate(seed, minutes=options.minutes, keeps_trace=options.trace)
        outcomes.update(result.outcomes)
        fired.update(result.fired)
        minutes += result.minutes
        _show(result, told, is_alone=options.seeds == 1 or options.digests, is_traced=options.trace)
        failed += bool(result.violation)
        if (seed + 1 - options.seed) % PROGRESS == 0:
            _print(f"{seed + 1 - options.seed} seeds, {failed} with a violation")
        if failed and options.mutant:
            break
    took = time.process_time() - begun
    _print(
        f"{options.seeds} seeds, {failed} with a violation, {minutes:.0f} virtual minutes in {took:.1f} processor"
        f" seconds; {dict(outcomes.most_common())}"
    )
    if options.faults:
        _print("\n".join(f"{count:8} {kind}" for kind, count in fired.most_common()))
    return 1 if failed else 0


def _show(result: Result, told: str, *, is_alone: bool, is_traced: bool) -> None:
    if is_traced:
        _print("\n".join(result.lines))
    if is_alone:
        _print(f"seed {result.seed}: {result.digest}")
    if result.violation:
        _print(result.describe(options=told))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="virtual ones before the end begins")
    parser.add_argument("--trace", action="store_true", help="print everything that happens")
    parser.add_argument("--digests", action="store_true", help="print the digest of each seed")
    parser.add_argument("--faults", action="store_true", help="say how often each kind of fault happened")
    parser.add_argument(
        "--mutant", choices=sorted(MUTANTS), help="with this mistake in the host; stops when it is found"
    )
    return parser


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
