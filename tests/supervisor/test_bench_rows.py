"""What the repetitions gave becomes rows: each ratio is taken inside one repetition, to R0, to R, or to R0 of 64 KB."""

from __future__ import annotations

import attrs
import pytest

from rookery.supervisor.bench_cases import (
    ASYNC,
    BUSY,
    BUSY_PLAIN,
    CHAIN_FAR,
    CHAIN_MIXED,
    EVENT_FAR,
    JUDGED,
    KIB,
    LARGE,
    PLAIN,
)
from rookery.supervisor.bench_figures import Figure
from rookery.supervisor.bench_rows import (
    ABSENT,
    Reading,
    Readings,
    case_figures,
    goal_figures,
    read,
    unit_figures,
)
from rookery.supervisor.bench_work import Sample

FAST = Reading(p50=60.0, p99=90.0, rate=20_000.0, host_cpu=20.0, runners_cpu=15.0)
UNITS = {KIB: [50.0, 40.0], 64 * KIB: [100.0, 100.0]}


def readings(**changes: float) -> Readings:
    """Every case is as fast as the others in both repetitions."""
    row = attrs.evolve(FAST, **changes)
    return Readings(cases={case: [row, row] for case in JUDGED}, units=UNITS)


def row_of(name: str, found: list[Figure]) -> Figure:
    [row] = [figure for figure in found if figure.name == name]
    return row


def test_a_sample_is_read_as_what_one_call_took() -> None:
    """In microseconds, with the processor time of both sides."""
    sample = Sample(took=(1e-4, 3e-4, 2e-4), seconds=0.01, host_cpu=0.0003, runners_cpu=0.0006)

    reading = read(sample)

    assert (reading.p50, reading.rate) == (pytest.approx(200.0), pytest.approx(300.0))
    assert (reading.host_cpu, reading.cpu) == (pytest.approx(100.0), pytest.approx(300.0))


def test_a_clock_that_is_not_there_leaves_the_rest() -> None:
    """Only the row of that clock is missing, with the reason."""
    sample = Sample(took=(1e-4,), seconds=0.01, host_cpu=0.0003, runners_cpu=None)
    without = Readings(cases={case: [read(sample)] * 2 for case in JUDGED}, units=UNITS)

    found = goal_figures(without)

    cpu = row_of("CPU a call, 64 in flight, both sides", found)
    assert (cpu.verdict, cpu.reason) == ("not measured", "this system tells no clock of another process")
    assert row_of("invoke 1 KB, async handler", found).value == pytest.approx(100.0)


def test_a_ratio_is_that_of_the_good_ones_and_its_band_that_of_each_repetition() -> None:
    """60 to 50 and 60 to 40 are the band; the good one of 50 and 40 is 40."""
    row = row_of("invoke 1 KB, quick plain handler", goal_figures(readings()))

    assert (row.ratio_low, row.ratio, row.ratio_high) == (1.2, pytest.approx(1.5), 1.5)
    assert row.of == "R0"
    assert row.verdict == "holds"


def test_a_throughput_is_told_as_calls_in_the_time_of_a_round_trip() -> None:
    """20,000 calls a second are one in 50 microseconds."""
    row = row_of("throughput 1 KB, 64 in flight, one CPU", goal_figures(readings()))

    assert row.ratio_high == pytest.approx(1.0)
    assert (row.unit, row.of, row.is_larger_better) == ("calls/s", "a R0", True)


def test_each_goal_has_its_own_unit() -> None:
    """Large calls that of large round trips, fan-out that of a call."""
    found = readings()
    cases = {
        **found.cases,
        LARGE: [attrs.evolve(FAST, p50=700.0)] * 2,
        EVENT_FAR: [attrs.evolve(FAST, p50=240.0)] * 2,
    }

    rows = goal_figures(attrs.evolve(found, cases=cases))

    large, event = row_of("invoke 64 KB", rows), row_of("event, 64 quick plain handlers, 4 shards", rows)
    assert (large.ratio, large.of) == (pytest.approx(7.0), "R0 of 64 KB")
    assert (event.ratio, event.of) == (pytest.approx(4.0), "R")


def test_a_switch_is_what_the_mixed_chain_takes_more_than_the_grouped_one() -> None:
    """Divided by the switches that it has more."""
    found = readings()
    cases = {
        **found.cases,
        CHAIN_FAR: [attrs.evolve(FAST, p50=300.0)] * 2,
        CHAIN_MIXED: [attrs.evolve(FAST, p50=540.0)] * 2,
    }

    row = row_of("hook chain, each further switch of shard", goal_figures(attrs.evolve(found, cases=cases)))

    assert (row.value, row.ratio) == (pytest.approx(60.0), pytest.approx(1.0))


def test_what_a_plain_handler_adds_is_a_difference() -> None:
    """Alone of times, at once of times a call."""
    found = readings()
    cases = {
        **found.cases,
        PLAIN: [attrs.evolve(FAST, p50=100.0)] * 2,
        ASYNC: [attrs.evolve(FAST, p50=70.0)] * 2,
        BUSY_PLAIN: [attrs.evolve(FAST, rate=10_000.0)] * 2,
        BUSY: [attrs.evolve(FAST, rate=20_000.0)] * 2,
    }

    rows = goal_figures(attrs.evolve(found, cases=cases))

    assert row_of("plain handler, added to an async one, alone", rows).value == pytest.approx(30.0)
    assert row_of("plain handler, added to an async one, 64 at once", rows).value == pytest.approx(50.0)


def test_a_run_that_was_ended_at_once_still_has_all_its_rows() -> None:
    """Each with a reason, and none with a value."""
    found = [*goal_figures(Readings(cases={}, units={})), *ABSENT]

    assert all(figure.verdict == "not measured" and figure.reason for figure in found)


def test_every_case_is_a_row_of_its_own() -> None:
    """With what it was and what else is known of it, for programs."""
    found = case_figures(readings())

    assert [figure.case["in_flight"] for figure in found] == [case.in_flight for case in JUDGED]
    assert (found[0].case["p99_us"], found[0].case["host_cpu_us"]) == (90.0, 20.0)
    assert {figure.unit for figure in found if figure.case["in_flight"] == 1} == {"µs"}


def test_the_unit_is_nobodys_merit() -> None:
    """It is shown, and never compared."""
    small, large = unit_figures(readings())

    assert (small.value, large.value) == (40.0, 100.0)
    assert small.is_of_machine
    assert large.is_of_machine
