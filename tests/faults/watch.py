"""What is gathered of each host that a fault test embeds, for ``invariants.py`` to judge when it has stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio

from rookery.supervisor import Supervisor
from rookery.supervisor.call import Call
from rookery.supervisor.dispatch import Dispatcher
from rookery.supervisor.runs import RUNS_DIRECTORY
from tests.faults.invariants import Remains, SeenCall, broken_by
from tests.leaks import take_snapshot
from tests.whole.host import Deployment


@attrs.define
class Watch:
    """Stands around ``Deployment.run`` and before the dispatcher.

    Attributes:
        broken: What was found.
        looked_at: How many hosts were judged.
    """

    broken: list[str] = attrs.field(factory=list)
    looked_at: int = 0
    _calls: list[tuple[Call, SeenCall]] = attrs.field(factory=list)
    _withdrawn: set[int] = attrs.field(factory=set)
    """Ids of the call objects that nobody waits for any more; all are kept until the next host."""

    @property
    def calls(self) -> list[SeenCall]:
        """Those of the latest host that somebody waited for to the end."""
        return [seen for call, seen in self._calls if id(call) not in self._withdrawn]

    def attach(self, patch: pytest.MonkeyPatch) -> None:
        """From now on every host is watched."""
        patch.setattr(Deployment, "run", self._around(Deployment.run))
        patch.setattr(Dispatcher, "submit", self._before(Dispatcher.submit))
        original = Dispatcher.withdraw

        def withdraw(dispatcher: Dispatcher, call: Any) -> None:
            self._withdrawn.add(id(call))
            original(dispatcher, call)

        patch.setattr(Dispatcher, "withdraw", withdraw)

    def _before(self, submit: Callable[..., Call]) -> Callable[..., Call]:
        def watched(
            dispatcher: Dispatcher, component: Any, method: str, args: Any, on_settled: Any, **options: Any
        ) -> Call:
            seen = SeenCall(
                name=component.full_name,
                deadline=options["deadline"],
                may_run_again=component.is_idempotent,
            )

            def settled(outcome: object) -> None:
                seen.ends.append(outcome)
                seen.ended_at, seen.attempts = trio.current_time(), call.attempts
                on_settled(outcome)

            call = submit(dispatcher, component, method, args, settled, **options)
            self._calls.append((call, seen))
            return call

        return watched

    def _around(self, run: Callable[..., Any]) -> Callable[..., Any]:
        @asynccontextmanager
        async def watched(deployment: Deployment, **options: Any) -> AsyncIterator[Supervisor]:
            told, tasks = len(deployment.records), _find_tasks()
            self._calls.clear()
            async with run(deployment, **options) as supervisor:
                yield supervisor
                stopped_at = trio.current_time()
            self.looked_at += 1
            took = trio.current_time() - stopped_at
            more = tuple(sorted(task.name for task in _find_tasks() - tasks))
            remains = self._gather(deployment, supervisor, deployment.records[told:])
            self.broken += broken_by(attrs.evolve(remains, tasks=more, stop_took=took))

        return watched

    def _gather(self, deployment: Deployment, supervisor: Supervisor, records: list[object]) -> Remains:
        shards, dispatcher = supervisor.shards, supervisor.parts.dispatcher
        timeouts = [shard.settings.timeouts for shard in shards.values()]
        runs = deployment.state / RUNS_DIRECTORY
        return Remains(
            records=tuple(records),
            policies={name: shard.settings.restart for name, shard in shards.items()},
            restarts={name: shard.restarts for name, shard in shards.items()},
            calls=tuple(self.calls),
            open_calls=dispatcher.open_calls,
            loads={name: dispatcher.load_of(name) for name in shards},
            children=take_snapshot().children,
            run_files=tuple(
                sorted(str(path.relative_to(runs)) for path in runs.rglob("*") if path.is_file())
            ),
            stop_budget=max(each.drain for each in timeouts)
            + max(each.term_grace + each.kill_wait for each in timeouts),
        )


def _find_tasks() -> set[trio.lowlevel.Task]:
    """Of the whole run."""
    root = trio.lowlevel.current_root_task()
    found, left = set[trio.lowlevel.Task](), [root] if root is not None else []
    while left:
        task = left.pop()
        found.add(task)
        left += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return found
