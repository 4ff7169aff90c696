"""Everybody is told once, and nobody's failure is another's."""

from __future__ import annotations

import pytest

from rookery.supervisor.observers import Observers, RunnerBack

RECORD = RunnerBack(shard="games", incarnation=1, pid=7, after=None)


def test_each_observer_hears_everything_in_order() -> None:
    """Until it is removed; removing twice is fine."""
    heard: list[tuple[str, object]] = []
    observers = Observers()
    remove = observers.add(lambda record: heard.append(("first", record)))
    observers.add(lambda record: heard.append(("second", record)))

    observers.notify(RECORD)
    remove()
    remove()
    observers.notify(RECORD)

    assert heard == [("first", RECORD), ("second", RECORD), ("second", RECORD)]


def test_a_failing_observer_is_logged_once_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """The next one hears the record all the same; the log is not drowned."""
    heard: list[object] = []
    observers = Observers()

    def fail(record: object) -> None:
        raise ZeroDivisionError("of the embedding host")

    observers.add(fail)
    observers.add(heard.append)

    observers.notify(RECORD)
    observers.notify(RECORD)

    assert heard == [RECORD, RECORD]
    (logged,) = caplog.records
    assert "fail" in logged.getMessage()
    assert "RunnerBack" in logged.getMessage()
    assert logged.exc_info


def test_an_observer_may_add_another_while_it_is_told() -> None:
    """The new one hears the next record."""
    heard: list[object] = []
    observers = Observers()
    remove = observers.add(lambda record: observers.add(heard.append))

    observers.notify(RECORD)
    remove()
    observers.notify(RECORD)

    assert heard == [RECORD]
