"""Does every call end exactly once, in time and in order, whatever shards, runners and callers do?"""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from rookery.protocol import PLUGIN_EMIT_EVENT, PLUGIN_INVOKE_API
from rookery.supervisor.component import Component
from rookery.supervisor.fate import DispatchFailed
from tests.doubles.fake_links import Answer, Late
from tests.doubles.stage import Stage, open_stage, said

SHARDS = "abc"
LATE = 0.1 + 1e-6
"""Seconds that an end may be late."""


@attrs.frozen(kw_only=True)
class Work:
    """A call that is made."""

    component: int
    key: str | None
    method: str
    seconds: float
    """Until its deadline."""
    answer: float | None
    """Seconds until its runner answers; ``None`` never does."""
    patience: float | None
    """Seconds until its caller goes; ``None`` does not wait for it at all."""


@attrs.frozen
class Disturb:
    """Something happens to a shard."""

    shard: str
    how: str


Step = Work | Disturb | float

works = st.builds(
    Work,
    component=st.integers(0, 5),
    key=st.sampled_from([None, "k", "l"]),
    method=st.sampled_from([PLUGIN_EMIT_EVENT, PLUGIN_INVOKE_API]),
    seconds=st.sampled_from([0.0, 0.2, 1.0, 5.0]),
    answer=st.sampled_from([0.0, 0.01, 0.3, 2.0, None]),
    patience=st.sampled_from([None, None, None, 0.1, 10.0]),
)
disturbances = st.builds(
    Disturb,
    st.sampled_from(SHARDS),
    st.sampled_from(["open", "open", "lose", "break unnoticed", "drain", "give up"]),
)
steps = st.one_of(works, works, works, disturbances, st.sampled_from([0.0, 0.01, 0.5]))


class Model:
    """Does the steps and keeps its own books."""

    def __init__(self, stage: Stage, nursery: trio.Nursery, *, orders: bool) -> None:
        self._stage = stage
        self._orders = orders
        self._nursery = nursery
        self._numbers = 0
        self._last: dict[Any, int] = {}
        self.problems: list[str] = []
        self.ended: dict[int, Any] = {}
        self.cancelled = 0
        self._components = [
            stage.offer("tool", f"p.{shard}{number}", "work", self._answer, shard=shard)
            for shard in SHARDS
            for number in range(2)
        ]

    async def do(self, step: Step) -> None:
        if isinstance(step, float):
            await trio.sleep(step)
        elif isinstance(step, Disturb):
            self._disturb(step)
        elif step.patience is None:
            self._submit(step)
        else:
            await self._nursery.start(self._call, step, step.patience)

    def _next(self, work: Work) -> tuple[int, Component, dict[str, Any]]:
        self._numbers += 1
        component = self._components[work.component]
        args = {
            "number": self._numbers,
            "lane": [component.plugin_id, work.key],
            "method": work.method,
            "answer": work.answer,
        }
        return self._numbers, component, args

    def _submit(self, work: Work) -> None:
        number, component, args = self._next(work)
        deadline = trio.current_time() + work.seconds

        def settled(outcome: Any) -> None:
            if number in self.ended:
                self.problems.append(f"{number} ended twice")
            if trio.current_time() > deadline + LATE:
                self.problems.append(f"{number} ended {trio.current_time() - deadline} s late")
            self.ended[number] = outcome

        self._stage.dispatcher.submit(component, work.method, args, settled, deadline=deadline, key=work.key)
        if number in self.ended:
            self.problems.append(f"{number} ended inside submit")

    async def _call(
        self, work: Work, patience: float, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        number, component, args = self._next(work)
        seconds = work.seconds or 0.1
        task_status.started()
        end = trio.current_time() + min(patience, seconds + LATE)
        with trio.move_on_after(patience) as scope:
            try:
                self.ended[number] = await self._stage.dispatcher.call(
                    component, work.method, args, timeout=seconds, key=work.key
                )
            except DispatchFailed as failure:
                self.ended[number] = failure
        self.cancelled += scope.cancelled_caught
        if trio.current_time() > end + 1e-6:
            self.problems.append(f"{number} returned {trio.current_time() - end} s late")

    def _answer(self, args: dict[str, Any]) -> Answer | Late | None:
        plugin_id, key = lane = tuple(args["lane"])
        if key is not None:
            # A runner that keeps lanes is told of calls of both kinds as soon as there is room for the kind.
            place = (lane, args["method"]) if self._orders else lane
            if args["number"] < self._last.get(place, 0):
                self.problems.append(f"{args} overtook {self._last[place]}")
            self._last[place] = args["number"]
            beside = not self._orders and [
                sent.args["number"]
                for link in self._stage.links.values()
                for sent in link.pending
                if tuple(sent.args["lane"]) == lane and sent.args != args
            ]
            if beside:
                self.problems.append(f"{args} of {plugin_id} runs beside {beside}")
        return None if args["answer"] is None else Late(args["answer"], said())

    def _disturb(self, step: Disturb) -> None:
        stage, link = self._stage, self._stage.links.get(step.shard)
        if step.how == "drain":
            stage.dispatcher.close_shard(step.shard)
            return
        if step.how == "break unnoticed":
            if link is not None:
                link.is_closed = True
            return
        if link is not None:
            link.die()
        if step.how == "open":
            stage.dispatcher.close_shard(step.shard)
            stage.open(step.shard, orders=self._orders)
        else:
            stage.dispatcher.close_shard(step.shard, given_up="too often" if step.how == "give up" else "")


@pytest.mark.slow
@settings(max_examples=150)
@given(taken=st.lists(steps, max_size=80), waits=st.booleans(), closes=st.booleans(), orders=st.booleans())
def test_every_call_ends_once_and_in_time_whatever_happens(
    taken: list[Step], waits: bool, closes: bool, orders: bool
) -> None:
    """Calls come, shards open, drain, die noticed or not and are given up, runners answer late or never, callers lose
    their patience, and the dispatcher may be closed: each call ends once, outside of ``submit``, by its deadline and
    100 ms. Calls of one plugin and key never overlap, if the host keeps them apart, and never change places. Nothing is
    left, and no counter is off.
    """
    trio.run(_play, taken, waits, closes, orders, clock=MockClock(autojump_threshold=0))


async def _play(taken: list[Step], waits: bool, closes: bool, orders: bool) -> None:
    async with open_stage(
        "a", "b", closed=("c",), waits=waits, max_inflight=16 if orders else 2, queue_limit=12, orders=orders
    ) as stage:
        async with trio.open_nursery() as callers:
            model = Model(stage, callers, orders=orders)
            for step in taken:
                await model.do(step)
            if closes:
                stage.dispatcher.close()
        await stage.settle()

    counters = stage.counters
    failed = [outcome for outcome in model.ended.values() if isinstance(outcome, DispatchFailed)]
    assert model.problems == []
    assert len(model.ended) + model.cancelled == sum(isinstance(step, Work) for step in taken)
    assert stage.dispatcher.open_calls == 0
    assert {stage.dispatcher.load_of(name)[0] for name in SHARDS} == {0}
    assert stage.dispatcher._lanes == {}
    # Calls whose caller went are counted if they had been sent.
    assert 0 <= counters.invocations - len(model.ended) <= model.cancelled
    assert 0 <= counters.lost + counters.errors - len(failed) <= model.cancelled
    assert counters.invocations == sum(shard.invocations for shard in counters.per_shard.values())
