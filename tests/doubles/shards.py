"""A shard to test with: settings, a traffic that notes what it is told, and everything that observers hear."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, TypeVar

import trio

from rookery.protocol import AssignedPlugin, Assignment, ErrorCode, Exchange, Link, Request, RunnerReady
from rookery.supervisor.exit_report import ExitReport
from rookery.supervisor.logs import LogSink
from rookery.supervisor.observers import Observers, RunnerDied, ShardMoved
from rookery.supervisor.restart import RestartPolicy
from rookery.supervisor.settings import ShardSettings, ShardTimeouts
from rookery.supervisor.shard import Shard
from rookery.supervisor.turns import StartTurns
from tests.doubles.scripted_runner import Script, ScriptedRunner, ScriptedRunners

T = TypeVar("T")

PLUGINS = ("test.one", "test.two")


class NotedTraffic:
    """Notes what it is told, in words, and refuses what is asked."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.requests: list[Request] = []
        self.links: list[Link] = []
        self.reports: list[ExitReport] = []
        self.on_lost: Callable[[], None] = lambda: None
        self.on_request: Callable[[Shard, Request], None] = lambda shard, request: request.refuse(
            ErrorCode.E_UNKNOWN, "nobody is here"
        )

    def runner_connected(self, shard: Shard, link: Link) -> None:
        self.told.append(f"connected {shard.incarnation}")
        self.links.append(link)

    def handle_request(self, shard: Shard, request: Request) -> None:
        self.told.append(f"request {request.method.name}")
        self.requests.append(request)
        self.on_request(shard, request)

    def runner_ready(self, shard: Shard, ready: RunnerReady) -> None:
        self.told.append(f"ready {shard.incarnation} {shard.state.value.value}")

    def runner_suspect(self, shard: Shard) -> None:
        self.told.append(f"suspect {shard.incarnation}")

    def runner_recovered(self, shard: Shard) -> None:
        self.told.append(f"recovered {shard.incarnation}")

    def runner_works(self, shard: Shard) -> None:
        """Nothing was given back."""

    def plugin_exchanged(self, shard: Shard, exchange: Exchange) -> None:
        self.told.append(f"exchange {exchange.step}")

    def runner_draining(self, shard: Shard) -> None:
        self.told.append(f"draining {shard.incarnation}")

    def runner_lost(self, shard: Shard, report: ExitReport) -> None:
        assert self.links[-1].is_closed
        assert self.links[-1].pending_count == 0
        self.told.append(f"lost {report.incarnation}")
        self.on_lost()
        self.reports.append(report)


class Watched:
    """One shard with all that it says.

    Args:
        paths: The directories of plugins; the others have none.
        keywords: For the shard, beside what every one needs.
    """

    def __init__(
        self,
        *,
        plugins: tuple[str, ...] = PLUGINS,
        paths: Mapping[str, str] = MappingProxyType({}),
        restart: RestartPolicy | None = None,
        timeouts: ShardTimeouts | None = None,
        **keywords: Any,
    ) -> None:
        self._paths = paths
        self.records: list[object] = []
        self.assigned: list[Assignment] = []
        self.traffic = NotedTraffic()
        observers = Observers()
        observers.add(self.records.append)
        self.shard = Shard(
            ShardSettings(
                name="games",
                terminal=bool(keywords.get("terminal")),
                autostart=keywords.pop("autostart", True),
                restart=restart or RestartPolicy(),
                timeouts=timeouts or ShardTimeouts(),
            ),
            plugins=plugins,
            traffic=self.traffic,
            observers=observers,
            log_sink=LogSink(observers),
            host_version="0.1.0",
            **{"assign": self._assign, "terminal": {}, "chance": lambda: 0.0, **keywords},
        )

    def _assign(self, shard: Shard, incarnation: int, blocked: dict[str, str]) -> Assignment:
        assigned = Assignment(
            shard=shard.name,
            incarnation=incarnation,
            plugins=[
                AssignedPlugin(plugin_id=name, path=self._paths.get(name, "")) for name in shard.plugins
            ],
            blocked=blocked,
        )
        self.assigned.append(assigned)
        return assigned

    def heard(self, kind: type[T]) -> list[T]:
        """The records of one kind, in order."""
        return [record for record in self.records if isinstance(record, kind)]

    @property
    def states(self) -> str:
        """The path of the shard through its states."""
        moves = self.heard(ShardMoved)
        return " ".join([moves[0].old.value, *(move.new.value for move in moves)]) if moves else ""

    @property
    def deaths(self) -> list[ExitReport]:
        return [record.report for record in self.heard(RunnerDied)]

    async def wait_deaths(self, count: int, timeout: float = 20.0) -> None:
        """Until so many runners have died and what follows was said."""
        with trio.fail_after(timeout):
            while len(self.deaths) < count:
                await self.shard.state.wait_transition()


@asynccontextmanager
async def running(
    script: Script | list[Script], *, turns: StartTurns | None = None, **keywords: Any
) -> AsyncIterator[tuple[Watched, ScriptedRunners]]:
    """A shard that runs with scripted runners; stopped by force in the end."""
    async with trio.open_nursery() as scripts:
        runners = ScriptedRunners(scripts, script)
        watched = Watched(spawn=runners.spawn, **keywords)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watched.shard.run, turns)
            yield watched, runners
            watched.shard.request_stop(force=True)


def die_with(status: int) -> Script:
    """A runner that becomes ready and dies a second later."""

    async def script(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        await runner.say_ready(PLUGINS)
        await trio.sleep(1)
        runner.die(status)

    return script
