"""What does a running host do for an operator, by name?

Each command is a function of its request. A command about a shard answers when the shard has come to rest, so that a script
can go on from there; ``"wait": false`` answers at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import trio

from rookery.protocol import shown

from .control import Command, Request, RequestRefused
from .control_absence import absence_commands
from .control_chats import chat_commands
from .control_config import config_commands
from .control_grants import grant_commands
from .errors import UsageError
from .shard_state import WORKING, ShardState
from .suggestion import one_of, suggest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .shard import Shard
    from .supervisor import Supervisor

AT_THE_END = frozenset({ShardState.FAILED, ShardState.STOPPED, ShardState.DISABLED})

MOST_LINES = 100_000

WATCH_PERIODS = (0.1, 60.0)
"""Seconds between two states that a client may ask for."""


def command_table(supervisor: Supervisor) -> dict[str, Command]:
    """Everything that can be asked, by name."""
    orders = _Orders(supervisor)
    return {
        "status": orders.status,
        "watch": orders.watch,
        "restart": orders.restart,
        "stop_shard": orders.stop_shard,
        "start": orders.start,
        "release": orders.release,
        "reload": orders.reload,
        **absence_commands(supervisor),
        **chat_commands(supervisor),
        **config_commands(supervisor),
        **grant_commands(supervisor),
        "stop": orders.stop,
        "logs": orders.logs,
        "dead": orders.dead,
        "retry": orders.retry,
        "drop": orders.drop,
    }


class _Orders:
    """The commands, a method each."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    async def status(self, _: Request) -> Any:
        return self._supervisor.status().as_json()

    async def watch(self, request: Request) -> Any:
        period = request.get("period", 1.0)
        low, high = WATCH_PERIODS
        if type(period) not in (int, float) or not low <= period <= high:
            raise RequestRefused(f"period is {period!r:.60}, expected seconds from {low:g} to {high:g}")
        return self._states(period)

    async def _states(self, period: float) -> AsyncIterator[dict[str, Any]]:
        while True:
            yield self._supervisor.status().as_json()
            await trio.sleep(period)

    # --- shards ------------------------------------------------------------------------------------------------

    async def restart(self, request: Request) -> Any:
        before = self._supervisor.shard(_text(request, "shard")).incarnation
        shard = self._supervisor.restart_shard(_text(request, "shard"))
        return await self._when_settled(shard, request, before)

    async def start(self, request: Request) -> Any:
        before = self._supervisor.shard(_text(request, "shard")).incarnation
        shard = self._supervisor.start_shard(_text(request, "shard"))
        is_up = shard.state.value in WORKING
        return await self._when_settled(shard, request, before - is_up)

    async def stop_shard(self, request: Request) -> Any:
        shard = self._supervisor.stop_shard(_text(request, "shard"))
        if request.get("wait") is not False:
            await shard.state.wait_value(lambda state: state in AT_THE_END)
        return _told(shard)

    async def release(self, request: Request) -> Any:
        shard = self._supervisor.release(_text(request, "plugin"))
        return await self._when_settled(shard, request, shard.incarnation)

    async def _when_settled(self, shard: Shard, request: Request, before: int) -> Any:
        """Answer when a runner behind ``before`` is ready, or none will be soon."""
        while request.get("wait") is not False:
            state = shard.state.value
            if state in AT_THE_END or (state is ShardState.READY and shard.incarnation > before):
                break
            await shard.state.wait_transition()
        return _told(shard)

    # --- plugins -----------------------------------------------------------------------------------------------

    async def reload(self, request: Request) -> Any:
        """A client that hangs up gives up the answer, not the reload."""
        plugins = request.get("plugins")
        if plugins is not None and not (
            type(plugins) is list and plugins and all(type(each) is str for each in plugins)
        ):
            raise RequestRefused(f'"plugins" is a list of ids, or left out for all; got {plugins!r:.60}')
        return (await self._supervisor.reload_plugins(plugins)).as_json()

    # --- the host ----------------------------------------------------------------------------------------------

    async def stop(self, request: Request) -> Any:
        restart = request.get("restart") is True
        self._supervisor.finish(
            "an operator " + ("restarts it" if restart else "stopped it"), restart=restart
        )
        return _until_the_end({"stopping": True})

    async def logs(self, request: Request) -> Any:
        count = request.get("lines", 100)
        if type(count) is not int or not 0 <= count <= MOST_LINES:
            raise RequestRefused(f"lines is {count!r}, expected a number from 0 to {MOST_LINES}")
        of = {name: _text(request, name, default="") for name in ("shard", "plugin")}
        if of["shard"]:
            self._supervisor.shard(of["shard"])
        if of["plugin"]:
            self._check_plugin(of["plugin"])
        if request.get("follow") is True:
            return self._supervisor.log_ring.follow(count, **of)
        return _items(self._supervisor.log_ring.latest(count, **of))

    def _check_plugin(self, plugin_id: str) -> None:
        known = [each for shard in self._supervisor.shards.values() for each in shard.plugins]
        if plugin_id not in known:
            advice = suggest(plugin_id, known) or f"there is {one_of(known)}"
            raise UsageError(f"there is no plugin {plugin_id!r} in a shard of this bot; {advice}")

    # --- dead letters ------------------------------------------------------------------------------------------

    async def dead(self, _: Request) -> Any:
        return [attrs.asdict(letter) for letter in await self._supervisor.dead_letters.read()]

    async def retry(self, request: Request) -> Any:
        result = await self._supervisor.dead_letters.retry(_number(request))
        return {"result": result if result is None or type(result) is str else shown(result)}

    async def drop(self, request: Request) -> Any:
        return attrs.asdict(await self._supervisor.dead_letters.drop(_number(request)))


def _told(shard: Shard) -> dict[str, Any]:
    return {
        "shard": shard.name,
        "state": shard.state.value.value,
        "incarnation": shard.incarnation,
        "pid": shard.pid,
        "reason": shard.reason,
        "failed_plugins": dict(shard.failed),
    }


async def _until_the_end(first: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """The end of this answer is the end of the host."""
    yield first
    await trio.sleep_forever()


async def _items(lines: list[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    for line in lines:
        yield line


def _text(request: Request, name: str, *, default: str | None = None) -> str:
    value = request.get(name, default)
    if type(value) is not str:
        raise RequestRefused(f'the command needs "{name}", a text; got {value!r:.60}')
    return value


def _number(request: Request) -> int:
    value = request.get("number")
    if type(value) is not int:
        raise RequestRefused(f'the command needs "number", a whole number; got {value!r:.60}')
    return value
