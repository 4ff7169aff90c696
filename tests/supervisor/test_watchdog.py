"""Does the watchdog look once a second, and never count the host's own lag?"""

from __future__ import annotations

import time

import pytest
import trio
import trio.testing

from rookery.supervisor.watchdog import Watchdog


class Patient:
    """Notes when it was looked at."""

    def __init__(self) -> None:
        self.looks: list[float] = []

    def look(self, awake: float) -> None:
        self.looks.append(awake)


async def test_everybody_is_looked_at_once_a_second(autojump_clock: trio.testing.MockClock) -> None:
    """Also one that came later."""
    patients = [Patient()]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Watchdog(lambda: patients).run)
        await trio.sleep(3.5)
        patients.append(Patient())
        await trio.sleep(2.0)
        nursery.cancel_scope.cancel()

    assert [round(look) for look in patients[0].looks] == [1, 2, 3, 4, 5]
    assert len(patients[1].looks) == 2


@pytest.mark.slow
async def test_a_blocked_host_ages_nobody() -> None:
    """C13: the loop stands still for two and a half seconds; one period passes."""
    patient = Patient()
    lags: list[float] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Watchdog(lambda: [patient], on_look=lags.append).run)
        await trio.testing.wait_all_tasks_blocked()
        time.sleep(2.5)  # noqa: ASYNC251  # the fault
        while len(patient.looks) < 2:
            await trio.sleep(0.05)
        nursery.cancel_scope.cancel()

    assert patient.looks[0] == 1.0
    assert patient.looks[1] < 2.6
    assert lags[0] > 1.0
