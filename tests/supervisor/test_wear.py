"""When is a runner too large or too old?"""

from __future__ import annotations

from typing import Any

import pytest

from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.health import Doomed, Fine, Recycle
from rookery.supervisor.limits import ShardLimits
from rookery.supervisor.wear import MIB, DiskUse, FamilyLook, Wear, decide_disk, decide_excess, decide_wear


def limits(**given: float) -> ShardLimits:
    none = {"rss_soft": 0, "rss_hard": 0, "max_dispatches": 0, "max_age": 0.0}
    if "memory" in given:
        del none["rss_hard"]
    return ShardLimits(**{**none, **given})


def test_no_limit_is_no_limit() -> None:
    """0 switches each of them off."""
    worn = Wear(rss=10**12, age=10**9, answered=10**9)

    assert decide_wear(limits(), worn, 0.5) == Fine()


def test_the_soft_limit_asks_for_another_runner_and_the_hard_one_kills() -> None:
    """D2, D3: both say the sizes."""
    both = limits(rss_soft=100 * MIB, rss_hard=200 * MIB)

    assert decide_wear(both, Wear(rss=100 * MIB), 0.5) == Fine()
    assert decide_wear(both, Wear(rss=150 * MIB), 0.5) == Recycle("it uses 150 MiB, rss_soft is 100 MiB")
    hard = decide_wear(both, Wear(rss=201 * MIB), 0.5)
    assert isinstance(hard, Doomed)
    assert hard.kind is ExitKind.OUT_OF_MEMORY
    assert "201 MiB, rss_hard is 200 MiB" in hard.reason


@pytest.mark.parametrize(
    ("given", "family", "found"),
    [
        ({"memory": 512 * MIB}, {"memory": 512 * MIB}, Fine()),
        (
            {"memory": 512 * MIB},
            {"memory": 530 * MIB},
            Doomed(ExitKind.OUT_OF_MEMORY, "out of memory: used 530 MB of 512 MB"),
        ),
        (
            {"memory": 3 * MIB // 2},
            {"memory": 2 * MIB},
            Doomed(ExitKind.OUT_OF_MEMORY, "out of memory: used 2 MB of 1.5 MB"),
        ),
        ({"memory": 0}, {"memory": 530 * MIB}, Fine()),
        ({"pids": 64}, {"tasks": 64}, Fine()),
        ({"pids": 64}, {"tasks": 70}, Doomed(ExitKind.TOO_MANY_PROCESSES, "too many processes: 70 of 64")),
        ({"pids": 0}, {"tasks": 70}, Fine()),
    ],
)
def test_a_family_may_use_so_much(given: dict[str, int], family: dict[str, int], found: object) -> None:
    """At the limit it lives, above it is killed, and the reason says how much there was."""
    look = FamilyLook(**family)

    assert decide_excess(limits(**given), look) == found
    assert decide_wear(limits(**given), Wear(family=look), 0.5) == found


def test_memory_of_the_family_counts_and_not_what_is_resident() -> None:
    """For the soft limit, too. What is resident counts where the family's cannot be read."""
    both = limits(memory=100 * MIB, rss_soft=80 * MIB)
    large_files = Wear(rss=300 * MIB, family=FamilyLook(memory=50 * MIB))
    worn = Wear(rss=10 * MIB, family=FamilyLook(memory=90 * MIB))

    assert decide_wear(both, large_files, 0.5) == Fine()
    assert decide_wear(both, worn, 0.5) == Recycle("it uses 90 MiB, rss_soft is 80 MiB")
    assert isinstance(decide_wear(both, Wear(rss=101 * MIB), 0.5), Doomed)


@pytest.mark.parametrize(
    ("given", "use", "told"),
    [
        ({"disk": 200 * MIB}, {"bytes": 200 * MIB, "files": 9}, ""),
        ({"disk": 200 * MIB}, {"bytes": 230 * MIB}, "out of disk: 230 MB of 200 MB in /d"),
        ({"files": 10}, {"files": 10, "bytes": 2**60}, ""),
        ({"files": 10}, {"files": 11}, "out of disk: 11 files of 10 in /d"),
        ({"files": 10}, {"obstacle": "/d/x: no"}, "out of disk: cannot be measured: /d/x: no"),
    ],
)
def test_a_shard_may_keep_so_much(given: dict[str, int], use: dict[str, Any], told: str) -> None:
    """In bytes and in files. What cannot be measured may be without end."""
    expected = Doomed(ExitKind.OUT_OF_DISK, told) if told else Fine()

    assert decide_disk(limits(**given), DiskUse(largest="/d", **use)) == expected


@pytest.mark.parametrize(("chance", "age"), [(0.0, 90.0), (0.5, 100.0), (1.0, 110.0)])
def test_age_and_work_are_spread_by_a_tenth(chance: float, age: float) -> None:
    """Runners that were started together are not replaced together."""
    old = limits(max_age=100.0, max_dispatches=100)

    assert decide_wear(old, Wear(age=age - 0.5, answered=int(age) - 1), chance) == Fine()
    assert isinstance(decide_wear(old, Wear(age=age + 0.5), chance), Recycle)
    assert isinstance(decide_wear(old, Wear(answered=int(age) + 1), chance), Recycle)
