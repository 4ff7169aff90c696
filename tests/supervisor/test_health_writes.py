"""For how long may what was sent to a runner wait for it to read?"""

from __future__ import annotations

from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.health import Doomed, Fine, Health, HealthPolicy, Look
from rookery.supervisor.process_look import ProcessLook

SLEEPING = ProcessLook(state="S")


def test_a_runner_that_reads_too_slowly_is_killed() -> None:
    """E19: some bytes a second are no stall, and what was sent half a minute ago still waits for it."""
    health = Health(HealthPolicy())

    found = [
        health.note(
            Look(awake=float(second), unwritten=10_000 - second, bytes_written=second), lambda: SLEEPING
        )
        for second in range(35)
    ]

    assert [type(each).__name__ for each in found[29:31]] == ["Fine", "Doomed"]
    assert isinstance(found[30], Doomed)
    assert found[30].kind is ExitKind.STUCK
    assert "with 9970 bytes in all" in found[30].reason


def test_a_busy_runner_is_not_slow() -> None:
    """There is always something that waits for it, and never the same."""
    health = Health(HealthPolicy())

    found = [
        health.note(
            Look(awake=float(second), unwritten=10_000, bytes_written=second * 5_000), lambda: SLEEPING
        )
        for second in range(100)
    ]

    assert {type(each) for each in found} == {Fine}
