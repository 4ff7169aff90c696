"""Does the host keep its promises when everything around it goes wrong, in an order that a seed decides?

What is found is printed with the command that plays it again. More of it: ``python -m tests.simulator --seeds 10000``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulator.mutants import MUTANTS
from tests.simulator.simulation import simulate

BLOCKS = 10
BLOCK = 100
"""Seeds of one test; several tests can be shared out."""

MINUTES = 1.5
"""Virtual ones in which things go wrong; a minute and a half of quiet follows."""

QUICK = {
    "whatever had begun is made again": 20,
    "answers are matched without their connection": 30,
    "a death settles nothing": 10,
    "all had begun at a death": 20,
    "last words are not read": 10,
    "ends are not counted": 20,
    "one more end is allowed": 20,
    "planned ends count": 20,
    "one that leaves gets more": 20,
}
"""Mistakes, and the seeds among which one finds it."""


@pytest.mark.slow
@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_seed_breaks_a_promise(block: int) -> None:
    """A thousand deployments, each with faults of its own."""
    found = [
        result.describe(options=f" --minutes {MINUTES:g}")
        for result in (simulate(seed, minutes=MINUTES) for seed in range(block * BLOCK, (block + 1) * BLOCK))
        if result.violation
    ]

    assert not found, "\n\n".join(found[:3])


@pytest.mark.slow
def test_the_same_seed_is_the_same_run() -> None:
    """Twice in one process, and in another whose strings hash otherwise: the traces are the same to the byte."""
    here = [simulate(seed, minutes=0.5).digest for seed in range(20)]
    again = [simulate(seed, minutes=0.5).digest for seed in range(20)]
    command = [sys.executable, "-m", "tests.simulator", "--seeds", "20", "--minutes", "0.5", "--digests"]
    other = subprocess.run(
        command,
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )

    elsewhere = [line.split()[-1] for line in other.stdout.splitlines() if line.startswith("seed ")]
    assert again == here
    assert elsewhere == here


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_a_mistake_in_the_host_is_found(name: str) -> None:
    """And what is printed of it says how to see it again."""
    with MUTANTS[name]():
        results = (simulate(seed, minutes=MINUTES) for seed in range(QUICK[name]))
        found = next((result for result in results if result.violation), None)

    assert found is not None
    assert f"python -m tests.simulator --seed {found.seed} " in found.describe(options=" ")
    assert len(found.describe().splitlines()) >= 10
