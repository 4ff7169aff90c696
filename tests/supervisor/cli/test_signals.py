"""The first signal asks, the second forces, and a third changes nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from rookery.supervisor.cli import signals as signals_file
from rookery.supervisor.cli.signals import StopRequests


class Host:
    def __init__(self) -> None:
        self.forced = 0

    def request_stop(self, *, force: bool) -> None:
        self.forced += force


async def watched(stop: StopRequests, script: Callable[[], Any]) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(stop.watch)
        await script()
        nursery.cancel_scope.cancel()


async def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    await trio.testing.wait_all_tasks_blocked(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_one_signal_asks(number: signal.Signals) -> None:
    """The command ends as it would have, and nothing is killed."""
    stop, host = StopRequests(), Host()
    stop.attach(host)  # type: ignore[arg-type]  # the one method that is needed

    await watched(stop, lambda: send(number))

    assert stop.asked.is_set()
    assert (host.forced, stop.exit_code(0)) == (0, 0)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_the_second_signal_forces_once(number: signal.Signals, code: int) -> None:
    """The exit code is the one that a shell gives to a signal."""
    stop, host = StopRequests(), Host()
    stop.attach(host)  # type: ignore[arg-type]  # the one method that is needed

    async def script() -> None:
        for each in (signal.SIGTERM, number, signal.SIGINT):
            await send(each)

    await watched(stop, script)

    assert (host.forced, stop.exit_code(0)) == (1, code)


async def test_force_before_there_is_a_host_is_not_forgotten() -> None:
    """A host that comes late is stopped at once."""
    stop, host = StopRequests(), Host()

    async def script() -> None:
        await send(signal.SIGINT)
        await send(signal.SIGINT)

    await watched(stop, script)
    stop.attach(host)  # type: ignore[arg-type]  # the one method that is needed

    assert host.forced == 1


async def test_nohup_is_respected() -> None:
    """Who was told to survive the terminal's end does."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        stop = StopRequests()

        await watched(stop, lambda: send(signal.SIGHUP))
    finally:
        signal.signal(signal.SIGHUP, before)

    assert not stop.asked.is_set()


class Kills(list[tuple[int, int]]):
    """What would have been sent to whom."""

    def __call__(self, pid: int, number: int) -> None:
        self.append((pid, number))


def with_shards(stop: StopRequests) -> dict[str, Any]:
    shards = {
        name: SimpleNamespace(settings=SimpleNamespace(terminal=name != "games"), pid=pid, is_paused=False)
        for name, pid in (("gateway", 11), ("games", 12), ("away", None))
    }
    stop.attach(SimpleNamespace(shards=shards))  # type: ignore[arg-type]  # what is looked at
    return shards


@pytest.mark.parametrize("in_foreground", [True, False])
def test_ctrl_z_pauses_the_runner_that_reads_the_terminal(
    in_foreground: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no hang, and in the background it stays paused: what is typed is for the shell."""
    stop, kills = StopRequests(), Kills()
    shards = with_shards(stop)
    monkeypatch.setattr(signals_file.os, "kill", kills)
    monkeypatch.setattr(signals_file, "_is_in_foreground", lambda: in_foreground)

    stop._pause()
    paused = {name for name, shard in shards.items() if shard.is_paused}
    stop._go_on()

    assert "gateway" in paused
    assert "games" not in paused
    assert shards["gateway"].is_paused is not in_foreground
    expected = [(11, signal.SIGSTOP), (os.getpid(), signal.SIGSTOP)]
    assert kills == [*expected, *([(11, signal.SIGCONT)] if in_foreground else [])]


def test_ctrl_z_is_nothing_for_process_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container no shell could continue it, and its gateway would be paused for good."""
    stop, kills = StopRequests(), Kills()
    shards = with_shards(stop)
    monkeypatch.setattr(signals_file.os, "kill", kills)
    monkeypatch.setattr(signals_file.os, "getpid", lambda: 1)

    stop._pause()

    assert kills == []
    assert not any(shard.is_paused for shard in shards.values())
