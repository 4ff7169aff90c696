"""A group of shards to test with: scripted runners, and a host that notes what it is told to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from rookery.supervisor.group import Groups
from rookery.supervisor.observers import Observers
from rookery.supervisor.shard_state import ShardState
from rookery.supervisor.strategy import GroupSettings
from tests.doubles.scripted_runner import Script, ScriptedRunner, ScriptedRunners
from tests.doubles.shards import Watched


class Stage:
    """Several shards of one group, and what the host was told to do."""

    def __init__(self, settings: GroupSettings) -> None:
        self.records: list[object] = []
        self.escalated: list[str] = []
        self.finished: list[str] = []
        self.is_stopping = False
        self.watched: dict[str, Watched] = {}
        self.started: list[str] = []
        self.settings = settings
        self.observers = Observers()
        """Of the host: what the groups say."""
        self.observers.add(self.records.append)
        self.groups = Groups([settings], self.observers, self)
        self.add: Callable[..., None]
        """One more shard while the others run: its name, its script, its settings."""

    def make(
        self, nursery: trio.Nursery, name: str, script: Script | list[Script], changes: Mapping[str, Any]
    ) -> Watched:
        """One shard of the group, which does not run yet."""
        runners = ScriptedRunners(nursery, _noting(self, name, script))
        watched = self.watched[name] = Watched(spawn=runners.spawn)
        shard = watched.shard
        shard.name = name
        shard.settings = attrs.evolve(
            shard.settings, **{"name": name, "group": self.settings.name, **changes}
        )
        self.groups.add(shard)
        shard.observers.add(self.groups.note)
        shard.observers.add(self.records.append)
        return watched

    def escalate(self, reason: str) -> None:
        self.escalated.append(reason)

    def finish(self, reason: str) -> None:
        self.finished.append(reason)

    def __getitem__(self, name: str) -> Any:
        return self.watched[name].shard

    async def all(self, state: ShardState) -> None:
        for watched in self.watched.values():
            await watched.shard.state.wait_value(state)

    def told(self, kind: type) -> list[Any]:
        return [each for each in self.records if isinstance(each, kind)]


@asynccontextmanager
async def group_of(
    settings: GroupSettings,
    scripts: Mapping[str, Script | list[Script]],
    *,
    of: Sequence[str] | None = None,
    **changes: Any,
) -> AsyncIterator[Stage]:
    """Run the shards of one group.

    Args:
        scripts: By shard, in the order of the file.
        of: The shards that the changes are for; None is all.
        changes: Settings of the shards.
    """
    stage = Stage(settings)
    async with trio.open_nursery() as nursery:
        for name, script in scripts.items():
            stage.make(nursery, name, script, changes if of is None or name in of else {})
        nursery.start_soon(stage.groups.run)
        async with trio.open_nursery() as shards:
            for watched in stage.watched.values():
                shards.start_soon(watched.shard.run, stage.groups)

            def add(name: str, script: Script | list[Script], **settings: Any) -> None:
                watched = stage.make(nursery, name, script, settings)
                shards.start_soon(watched.shard.run, stage.groups)

            stage.add = add
            yield stage
            stage.is_stopping = True
            for watched in stage.watched.values():
                watched.shard.request_stop(force=True)
        nursery.cancel_scope.cancel()


def _noting(stage: Stage, name: str, script: Script | list[Script]) -> list[Script]:
    scripts = script if isinstance(script, list) else [script]

    def noting(inner: Script) -> Script:
        async def noted(runner: ScriptedRunner) -> None:
            stage.started.append(name)
            await inner(runner)

        return noted

    return [noting(each) for each in scripts]
