"""What breaks an invariant of a soak test is named with its values, and what grows is told apart from noise."""

from __future__ import annotations

from random import Random

import attrs
import pytest

from rookery.supervisor.soak_rules import (
    MIB,
    TOLERATED,
    Sight,
    Snapshot,
    find_broken,
    fit_slope,
    is_growing,
    note_strays,
    settled,
)

WELL = Sight(shard="a", is_ready=True, state="ready", incarnation=2, pid=100, descriptors=12)
FIRST = Snapshot(
    at=0.0, shards=(WELL,), children=frozenset({100}), descriptors=40, threads=3, rss=50 * MIB, status_seconds=0.001
)  # fmt: skip


def later(**changes: object) -> Snapshot:
    return attrs.evolve(FIRST, at=1.0, **changes)  # type: ignore[arg-type]  # whatever a test wants to change


def rules(now: Snapshot, before: Snapshot = FIRST) -> list[str]:
    return [broken.rule for broken in find_broken(FIRST, before, now)]


def test_a_host_that_is_well_breaks_no_rule() -> None:
    """Also while a shard is away within its time, and with the usual ups and downs."""
    away = attrs.evolve(WELL, is_ready=False, state="backoff", pid=None, out_for=3.0, out_allowed=20.0)

    assert rules(later()) == []
    assert rules(later(shards=(away,), children=frozenset(), descriptors=47, threads=9, rss=60 * MIB)) == []


@pytest.mark.parametrize(
    ("now", "rule", "value"),
    [
        pytest.param(
            later(shards=(attrs.evolve(WELL, is_ready=False, state="killing", out_for=21.0, out_allowed=20.0),)),
            "a shard is back in time", "killing for 21.0 s, its policy allows 20.0 s", id="a shard stays away",
        ),
        pytest.param(
            later(shards=(attrs.evolve(WELL, incarnation=1),)), "generations grow", "#1 after #2", id="an older runner"
        ),
        pytest.param(
            later(shards=(attrs.evolve(WELL, pid=101),), children=frozenset({101})),
            "a generation is one process", "#2 was process 100 and is 101", id="two runners of one number",
        ),
        pytest.param(
            later(strays={7: -3.0}), "every child is a runner", "nobody's child for 4.0 s", id="a process is left"
        ),
        pytest.param(later(descriptors=90), "descriptors are bounded", "90, at most 72", id="descriptors"),
        pytest.param(later(threads=40), "threads are bounded", "40, at most 27", id="threads"),
        pytest.param(later(rss=200 * MIB), "bytes of memory are bounded", f"{200 * MIB}, at most", id="memory"),
        pytest.param(
            later(shards=(attrs.evolve(WELL, descriptors=500),)), "descriptors are bounded", "500, at most 128",
            id="descriptors of a runner",
        ),
        pytest.param(later(status_seconds=0.08), "a status is quick", "it took 80 ms, at most 50 ms", id="a status"),
        pytest.param(
            later(overdue=("call 17 of a",)), "a call ends by its deadline", "it has not ended", id="a call hangs"
        ),
    ],
)  # fmt: skip
def test_a_broken_rule_is_named_with_its_values(now: Snapshot, rule: str, value: str) -> None:
    """One rule, and the numbers that show it."""
    [broken] = find_broken(FIRST, FIRST, now)

    assert broken.rule == rule
    assert value in broken.describe()
    assert broken.at == 1.0


def test_a_ready_shard_without_a_process_is_found_at_the_second_look() -> None:
    """The kernel's list of children may miss one while others end."""
    missing = later(children=frozenset())

    assert rules(missing) == []
    assert rules(attrs.evolve(missing, at=2.0), before=missing) == ["a ready shard has a process"]


def test_without_a_list_of_children_none_is_missed() -> None:
    """Where there is no /proc nothing is said about processes."""
    assert rules(later(children=None)) == []


def test_a_stray_is_counted_from_when_it_was_seen_first() -> None:
    """It goes from the list when it ends, or when it is known."""
    first = note_strays({}, {1, 2, 3}, {1}, 5.0)
    second = note_strays(first, {1, 2, 4}, {1}, 6.0)

    assert first == {2: 5.0, 3: 5.0}
    assert second == {2: 5.0, 4: 6.0}


# --- slopes ----------------------------------------------------------------------------------------------------


def noise(seed: int, *, seconds: int = 300, amount: float = 3.0) -> list[tuple[float, float]]:
    random = Random(seed)
    return [(float(second), 40 + random.uniform(-amount, amount)) for second in range(seconds)]


def test_a_line_is_found_exactly() -> None:
    """Least squares through points of a line give it back, with no scatter."""
    slope = fit_slope([(float(second), 10 + 0.5 * second) for second in range(100)])

    assert slope.per_minute == pytest.approx(30)
    assert slope.growth == pytest.approx(49.5)
    assert slope.scatter == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    "series", [[], [(1.0, 5.0)], [(1.0, 5.0), (1.0, 9.0)]], ids=["none", "one", "one moment"]
)
def test_too_few_points_are_flat(series: list[tuple[float, float]]) -> None:
    """No division by nothing."""
    assert fit_slope(series).growth == 0.0


@pytest.mark.parametrize("seed", range(20))
def test_one_descriptor_for_each_fault_is_growth_and_noise_is_not(seed: int) -> None:
    """Thirty faults in five minutes that lose one each, in noise of three; and the noise alone."""
    leaking = [(at, value + at // 10) for at, value in noise(seed)]

    assert is_growing(fit_slope(settled(leaking)), TOLERATED["descriptors"])
    assert not is_growing(fit_slope(settled(noise(seed))), TOLERATED["descriptors"])


def test_a_step_at_the_beginning_is_warming_up() -> None:
    """What is imported and cached once is no leak."""
    stepping = [(at, value + (20 if at > 30 else 0)) for at, value in noise(1)]

    assert not is_growing(fit_slope(settled(stepping)), TOLERATED["descriptors"])


def test_a_series_that_goes_down_does_not_grow() -> None:
    """A slope is wrong in one direction only."""
    falling = [(at, value - at) for at, value in noise(2)]

    assert not is_growing(fit_slope(settled(falling)), TOLERATED["descriptors"])


def test_a_few_samples_say_nothing() -> None:
    """A run of seconds is not judged by its slope."""
    leaking = [(at, value + at) for at, value in noise(3, seconds=20)]

    assert not is_growing(fit_slope(settled(leaking)), TOLERATED["descriptors"])
