"""The service manager hears that the host is ready when it is, and that it lives only when it does."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing
from trio_util import AsyncValue

from rookery.supervisor.sd_notify import LARGEST_LAG, ServiceSocket, summary, wait_serving
from rookery.supervisor.shard_state import ShardState
from rookery.supervisor.store_errors import StoreError
from rookery.supervisor.strategy import Significance


class Manager:
    """The other end, as systemd has it."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)

    def close(self) -> None:
        self._socket.close()

    def heard(self) -> list[str]:
        """The datagrams that came since the last time."""
        found = []
        while True:
            try:
                found.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return found


class FakeStore:
    def __init__(self) -> None:
        self.hangs = self.fails = False

    async def run(self, _: Any) -> None:
        await trio.lowlevel.checkpoint()
        if self.fails:
            raise StoreError("the disk is full")
        if self.hangs:
            await trio.sleep_forever()


class Host:
    """As much of a supervisor as is looked at."""

    def __init__(self, **significances: Significance) -> None:
        self.shards: dict[str, Any] = {
            name: SimpleNamespace(
                name=name,
                settings=SimpleNamespace(significance=significance),
                state=AsyncValue(ShardState.IDLE),
            )
            for name, significance in significances.items()
        }
        self.parts = SimpleNamespace(store=FakeStore())
        self.lag = 0.0

    def take_largest_lag(self) -> float:
        lag, self.lag = self.lag, 0.0
        return lag

    def move(self, name: str, state: ShardState) -> None:
        self.shards[name].state.value = state


@pytest.fixture
def manager(state_dir: Path) -> Iterator[Manager]:
    manager = Manager(str(state_dir / "notify"))
    yield manager
    manager.close()


def told(state_dir: Path, **more: str) -> ServiceSocket:
    return ServiceSocket({"NOTIFY_SOCKET": str(state_dir / "notify"), **more})


def test_words_are_lines_of_one_datagram(manager: Manager, state_dir: Path) -> None:
    """Whatever is in a value, it stays one line."""
    told(state_dir).tell(READY=1, STATUS="two\nlines")

    assert manager.heard() == ["READY=1\nSTATUS=two lines"]


def test_an_address_may_be_abstract() -> None:
    """As systemd's is in some containers: @ stands for the zero byte."""
    name = f"rookery-test-{os.getpid()}"
    manager = Manager(f"\0{name}")

    ServiceSocket({"NOTIFY_SOCKET": f"@{name}"}).tell(STOPPING=1)

    heard = manager.heard()
    manager.close()
    assert heard == ["STOPPING=1"]


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
async def test_without_a_manager_nothing_happens(environ: dict[str, str]) -> None:
    """As for anybody who starts it by hand: no socket, no task that looks."""
    service = ServiceSocket(environ)

    service.tell(READY=1)
    await service.accompany(Host())  # type: ignore[arg-type]  # nothing of it is touched

    assert not service.is_there


def test_a_manager_that_has_gone_is_no_error(state_dir: Path) -> None:
    """The host goes on."""
    told(state_dir).tell(READY=1)


@pytest.mark.parametrize(
    ("environ", "period"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_at_half_its_time(environ: dict[str, str], period: float | None) -> None:
    """When it waits for this process."""
    assert ServiceSocket(environ).watchdog_period == period


async def test_ready_is_when_the_required_shards_are(
    manager: Manager, state_dir: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """An optional one that fails does not keep the bot from being up; the status names it."""
    host: Any = Host(core=Significance.REQUIRED, games=Significance.OPTIONAL)
    heard: list[list[str]] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(told(state_dir).accompany, host)
        for name, state in (
            ("games", ShardState.BACKOFF),
            ("core", ShardState.READY),
            ("games", ShardState.READY),
        ):
            await trio.sleep(15)
            heard.append(manager.heard())
            host.move(name, state)
        await trio.sleep(15)
        heard.append(manager.heard())
        nursery.cancel_scope.cancel()

    assert heard == [
        ["STATUS=starting"],
        [],
        ["READY=1\nSTATUS=1 of 2 shards are ready; not games (backoff)"],
        ["STATUS=2 of 2 shards are ready"],
    ]  # fmt: skip


async def test_ready_is_the_end_of_the_first_round_when_nothing_is_required(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A shard that cannot start has had its attempt."""
    host: Any = Host(a=Significance.OPTIONAL, b=Significance.OPTIONAL)
    host.move("a", ShardState.READY)
    served = trio.Event()

    async def wait() -> None:
        await wait_serving(host)
        served.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.sleep(1)
        before = served.is_set()
        host.move("b", ShardState.BACKOFF)
        await served.wait()

    assert not before


async def test_the_watchdog_hears_only_of_a_host_that_was_looked_at(
    manager: Manager, state_dir: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """Not while the loop was late, not while the store is silent; soon again when it is well; full disks are no hang."""
    host: Any = Host(a=Significance.OPTIONAL)
    host.move("a", ShardState.READY)
    store = host.parts.store
    counts = []

    async def count(seconds: float) -> None:
        manager.heard()
        await trio.sleep(seconds)
        counts.append(manager.heard().count("WATCHDOG=1"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(told(state_dir, WATCHDOG_USEC="30000000").accompany, host)
        await trio.sleep(1)
        await count(60)
        host.lag = LARGEST_LAG + 1  # until 75
        await count(14.5)
        await count(2)  # looked again a second later
        store.hangs = True
        await count(60)
        store.hangs = False
        store.fails = True
        await count(60)
        nursery.cancel_scope.cancel()

    assert counts[0] == 4
    assert counts[1] == 0
    assert counts[2] == 1
    assert counts[3] == 0
    assert counts[4] >= 3


def test_the_summary_names_what_is_away() -> None:
    """The first ten of them."""
    host: Any = Host(**{f"s{number}": Significance.OPTIONAL for number in range(12)})

    text = summary(host)

    assert text.startswith("0 of 12 shards are ready; not s0 (idle), s1 (idle)")
    assert text.endswith("s9 (idle), …")
