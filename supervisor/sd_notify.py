"""How does a service manager learn that the host is up, stopping, and alive?

The protocol of ``sd_notify(3)``: datagrams to the socket that ``NOTIFY_SOCKET`` names. Written here because it is forty lines,
and because what keeps a watchdog quiet must be a look at the host and not a timer of a library. How the shards are is
shown and is no reason to be silent: a bad plugin must not have the whole host killed.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import trio

from .shard_state import ShardState
from .store_errors import StoreError
from .strategy import Significance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .store import Store
    from .supervisor import Supervisor

LARGEST_LAG = 5.0
"""Seconds that the host's loop may have been late since the latest look; above it nothing is said."""

STORE_PATIENCE = 5.0
"""Seconds within which the store answers a host that lives."""

STATUS_PERIOD = 10.0
"""Seconds between two looks at what is to be told, when no watchdog asks for them more often."""

RETRY_PERIOD = 1.0
"""Seconds until the next look after one that found something: a host that stood still for once is not killed for it."""

FIRST_ROUND_OVER = frozenset(
    {ShardState.READY, ShardState.BACKOFF, ShardState.FAILED, ShardState.STOPPED, ShardState.DISABLED}
)


class ServiceSocket:
    """The way to whoever started this process and wants to hear of it; nobody, as a rule.

    Args:
        environ: Where ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` are.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self.watchdog_period = _watchdog_period(environ)
        """Seconds between two signs of life; None when nobody waits for them."""

    @property
    def is_there(self) -> bool:
        return self._address.startswith(("/", "@"))

    def tell(self, **words: object) -> None:
        """Say something: ``tell(READY=1, STATUS="…")``. Nothing that goes wrong here matters to the host."""
        if not self.is_there:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        text = "\n".join(f"{name}={' '.join(str(value).split())}" for name, value in words.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.connect(address)
                sock.send(text.encode())
        except OSError:
            pass  # it has gone, or does not read; it will draw its own conclusions

    async def accompany(self, supervisor: Supervisor) -> None:
        """Tell that the host is ready, how it is, and that it lives, until cancelled."""
        if not self.is_there:
            return
        self.tell(STATUS="starting")
        await wait_serving(supervisor)
        told = summary(supervisor)
        self.tell(READY=1, STATUS=told)
        pause = period = self.watchdog_period or STATUS_PERIOD
        while True:
            await trio.sleep(pause)
            is_alive = await looks_alive(supervisor)
            if is_alive and self.watchdog_period is not None:
                self.tell(WATCHDOG=1)
            pause = period if is_alive else min(period, RETRY_PERIOD)
            if (now := summary(supervisor)) != told:
                told = now
                self.tell(STATUS=told)


async def wait_serving(supervisor: Supervisor) -> None:
    """Return when every required shard is ready; when none is required, when each has had its first attempt."""
    shards = tuple(supervisor.shards.values())
    required = [each for each in shards if each.settings.significance is Significance.REQUIRED]
    for shard in required:
        await shard.state.wait_value(ShardState.READY)
    for shard in () if required else shards:
        await shard.state.wait_value(lambda state: state in FIRST_ROUND_OVER)


def summary(supervisor: Supervisor) -> str:
    """``4 of 5 shards are ready; not games (backoff)``."""
    shards = supervisor.shards.values()
    away = [each for each in shards if each.state.value is not ShardState.READY]
    text = f"{len(shards) - len(away)} of {len(shards)} shards are ready"
    names = ", ".join(f"{each.name} ({each.state.value.value})" for each in away[:10])
    return f"{text}; not {names}{', …' if len(away) > 10 else ''}" if away else text


async def looks_alive(supervisor: Supervisor) -> bool:
    """Whether the loop has kept time since the last look, and the writer of the store answers."""
    lag = supervisor.take_largest_lag()
    return await _answers(supervisor.parts.store) and lag <= LARGEST_LAG


async def _answers(store: Store) -> bool:
    # A store that says no is alive; only one that says nothing is not. A full disk is no reason to be killed.
    with trio.move_on_after(STORE_PATIENCE) as patience:
        try:
            await store.run(lambda connection: connection.execute("SELECT 1").fetchone())
        except StoreError:
            pass
    return not patience.cancelled_caught


def _watchdog_period(environ: Mapping[str, str]) -> float | None:
    """Half of what the service manager waits for, as it asks for; None when it waits for another process, or for none."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        usec = int(environ.get("WATCHDOG_USEC", "0"))
    except ValueError:
        return None
    return usec / 2_000_000 if usec > 0 else None
