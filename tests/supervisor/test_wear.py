"""When is a runner too large or too old?"""

from __future__ import annotations

import pytest

from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.health import Doomed, Fine, Recycle
from rookery.supervisor.limits import ShardLimits
from rookery.supervisor.wear import MIB, Wear, decide_wear


def limits(**given: float) -> ShardLimits:
    none = {"rss_soft": 0, "rss_hard": 0, "max_dispatches": 0, "max_age": 0.0}
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


@pytest.mark.parametrize(("chance", "age"), [(0.0, 90.0), (0.5, 100.0), (1.0, 110.0)])
def test_age_and_work_are_spread_by_a_tenth(chance: float, age: float) -> None:
    """Runners that were started together are not replaced together."""
    old = limits(max_age=100.0, max_dispatches=100)

    assert decide_wear(old, Wear(age=age - 0.5, answered=int(age) - 1), chance) == Fine()
    assert isinstance(decide_wear(old, Wear(age=age + 0.5), chance), Recycle)
    assert isinstance(decide_wear(old, Wear(answered=int(age) + 1), chance), Recycle)
