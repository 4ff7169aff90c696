"""What becomes of handlers that were asked by one request, when their runner dies at any of them.

Each execution is written into a file that outlives the runner. Whoever had ended has ended, whoever had begun is lost and
told so, and the others run in the next runner, once. It is the same when each is asked alone.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from rookery.supervisor import Supervisor
from rookery.supervisor.fate import DispatchFailed, Fate
from rookery.supervisor.observers import RunnerDied
from rookery.supervisor.shard_state import ShardState
from tests.whole.host import PATIENCE, Deployment, message

pytestmark = pytest.mark.slow

MORE = """
[shard.restart]
backoff_base = 0.05
backoff_max = 0.1
backoff_reset = 0.2
burst_limit = 100
[shard.quarantine]
crash_limit = 100
"""

HEAD = """
async def act(self, name, message, conducts, path):
    import os
    conduct = conducts.get(name, "pass")
    with open(path, "a") as file:
        file.write(name + " begins\\n")
    with open(path) as file:
        again = file.read().split("\\n").count(name + " begins") > 1
    if conduct == "die":
        os.abort()
    if conduct == "die late":
        await trio.sleep(0.01)
        os.abort()
    if conduct == "wait" and not again:
        await trio.sleep(60)
    with open(path, "a") as file:
        file.write(name + " ends\\n")
    if conduct == "speak":
        return EventOutcome(result=name)
"""

HANDLER = """
@event_handler("on_{kind}", weight={weight}, intercept={takes}, name="{name}"{more})
async def {kind}_{weight}(self, message: Message, conducts, path):
    return await self.act("{name}", message, conducts, path)
"""

ORDER = ("a", "b", "c", "a", "b")
"""Whose the handlers are, in their order; each is named by its plugin and place."""
NAMES = tuple(f"{plugin}{place}" for place, plugin in enumerate(ORDER))
IN_TURN = pytest.mark.parametrize("kind", ["turn", "show"])
EXACT = pytest.mark.parametrize(("kind", "at_once"), [("turn", True), ("turn", False), ("show", True)])
"""Without those that run at the same time, of which some have ended and not yet said so when one kills them all."""
BOTH_WAYS = pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])


@attrs.define
class Stage:
    """A runner with five handlers in turn and five that only see."""

    deployment: Deployment
    supervisor: Supervisor
    path: Path
    settled: list[Any] = attrs.Factory(list)

    @property
    def ran(self) -> dict[str, tuple[int, int]]:
        """How often each handler has begun and ended."""
        lines = self.path.read_text().split("\n")
        return {name: (lines.count(f"{name} begins"), lines.count(f"{name} ends")) for name in NAMES}

    async def play(self, kind: str, **conducts: str) -> Any:
        """Dispatch an event and wait until everything about it has ended."""
        result = await self.supervisor.parts.events.dispatch(
            f"on_{kind}",
            message(number=1),
            {"conducts": conducts, "path": str(self.path)},
            on_observer_settled=self.settled.append,
        )
        dispatcher = self.supervisor.parts.dispatcher
        with trio.fail_after(PATIENCE):
            await dispatcher.wait_idle()
        assert dispatcher.open_calls == 0
        assert dispatcher.load_of("one") == (0, 0)
        return result

    async def kill_when(self, *begun: str, signal_number: int = signal.SIGKILL) -> None:
        """Kill the runner from outside when these have begun."""
        with trio.fail_after(PATIENCE):
            while not all(self.ran[name][0] for name in begun):
                await trio.sleep(0.01)  # a real process on the real clock
        pid = self.supervisor.shards["one"].pid
        assert pid is not None
        os.kill(pid, signal_number)

    def lost(self, kind: str, result: Any) -> list[Fate]:
        """The fates of those that were lost, from wherever they are told."""
        if kind == "turn":
            assert all("runner lost" in text for text in result.errors)
            return [Fate.RUNNER_LOST] * len(result.errors)
        assert len(self.settled) == len(NAMES)
        return [each.fate for each in self.settled if isinstance(each, DispatchFailed)]

    @property
    def counted(self) -> Counter[str]:
        counters = self.supervisor.parts.dispatcher.tally.counters
        return Counter({name: getattr(counters, name) for name in ("invocations", "errors", "lost")})


@pytest.fixture
def room() -> int:
    """Calls that may be out; the page has three slots for each."""
    return 64


@pytest.fixture
async def stage(tmp_path: Path, state_dir: Path, at_once: bool, room: int) -> AsyncIterator[Stage]:
    deployment = Deployment(tmp_path, state_dir)
    deployment.shard_more = MORE
    deployment.tables["one"] = f"max_inflight = {room}"
    for plugin in sorted(set(ORDER)):
        body = HEAD
        for place, owner in enumerate(ORDER):
            for kind in ("turn", "show") if owner == plugin else ():
                more = ", idempotent=True" if place == 4 else ""
                body += HANDLER.format(
                    kind=kind, weight=9 - place, takes=kind == "turn", name=NAMES[place], more=more
                ).replace(f'name="{NAMES[place]}"', f'name="{kind}_{NAMES[place]}"')
        deployment.plugin("one", plugin, body)
    deployment.plugin("other", "bystander", '@tool("greet")\nasync def greet(self):\n    return "hello"')
    path = tmp_path / "ran"
    path.touch()
    async with deployment.run() as supervisor:
        supervisor.parts.dispatcher.segments.is_on = at_once
        yield Stage(deployment, supervisor, path)
        assert await supervisor.invoke("test.bystander", "greet") == "hello"
        assert supervisor.shards["other"].incarnation == 1


@EXACT
@pytest.mark.parametrize("place", [0, 3])
async def test_one_that_kills_its_runner_is_lost_and_the_others_run_once(
    stage: Stage, kind: str, place: int
) -> None:
    """The first, or the second of its plugin: the record of the death names it, and the next runner the rest."""
    culprit = NAMES[place]

    result = await stage.play(kind, **{culprit: "die"})

    died = await stage.deployment.wait_told(RunnerDied, lambda record: not record.report.planned)
    assert stage.lost(kind, result) == [Fate.RUNNER_LOST]
    assert stage.ran == {name: (1, 0 if name == culprit else 1) for name in NAMES}
    assert died.culprit == f"test.{ORDER[place]}"
    assert [(call.plugin_id, call.component) for call in died.report.started] == [
        (died.culprit, f"{kind}_{culprit}")
    ]
    assert stage.counted == Counter({"invocations": 5, "lost": 1})
    assert stage.supervisor.shards["one"].incarnation == 2


@EXACT
async def test_one_that_kills_its_runner_later_is_the_culprit(stage: Stage, kind: str) -> None:
    """It had been suspended; whoever came after it in turn had not begun, and the others had ended."""
    result = await stage.play(kind, c2="die late")

    died = await stage.deployment.wait_told(RunnerDied, lambda record: not record.report.planned)
    assert stage.lost(kind, result) == [Fate.RUNNER_LOST]
    assert stage.ran == {name: (1, 0 if name == "c2" else 1) for name in NAMES}
    assert died.culprit == "test.c"
    assert stage.counted == Counter({"invocations": 5, "lost": 1})


@BOTH_WAYS
@IN_TURN
async def test_a_kill_while_one_waits_costs_that_one(stage: Stage, kind: str) -> None:
    """From outside: nobody is to blame; the one that waited is lost, and another of its plugin had not begun."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.kill_when, "a0")
        result = await stage.play(kind, a0="wait")

    died = await stage.deployment.wait_told(RunnerDied, lambda record: not record.report.planned)
    assert stage.lost(kind, result) == [Fate.RUNNER_LOST]
    assert stage.ran == {name: (1, 0 if name == "a0" else 1) for name in NAMES}
    assert died.culprit == ""
    assert stage.counted == Counter({"invocations": 5, "lost": 1})


@BOTH_WAYS
async def test_those_that_wait_are_lost_with_one_that_kills(stage: Stage) -> None:
    """Of those that only see: two had begun, one of them kills; one had answered, one waited for its turn behind the first."""
    result = await stage.play("show", a0="wait", b1="speak", c2="die late", a3="speak")

    died = await stage.deployment.wait_told(RunnerDied, lambda record: not record.report.planned)
    assert stage.lost("show", result) == [Fate.RUNNER_LOST] * 2
    assert stage.ran == {"a0": (1, 0), "b1": (1, 1), "c2": (1, 0), "a3": (1, 1), "b4": (1, 1)}
    assert died.culprit == "test.c"
    assert {call.component for call in died.report.started} == {"show_a0", "show_c2"}
    assert stage.counted == Counter({"invocations": 5, "lost": 2})


@BOTH_WAYS
@IN_TURN
async def test_one_that_may_run_again_does(stage: Stage, kind: str) -> None:
    """The last is idempotent: it is made again in the next runner and nothing is lost."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.kill_when, "b4")
        result = await stage.play(kind, b4="wait")

    assert stage.lost(kind, result) == []
    assert stage.ran == {name: (2 if name == "b4" else 1, 1) for name in NAMES}
    assert stage.counted == Counter({"invocations": 5})


@BOTH_WAYS
async def test_nothing_that_had_not_begun_is_lost_with_a_stopped_runner(stage: Stage) -> None:
    """The loop does not run when the event comes; the runner is killed, and everything runs in the next one."""
    pid = stage.supervisor.shards["one"].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    results = []

    async def play() -> None:
        results.append(await stage.play("turn"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(play)
        await trio.testing.wait_all_tasks_blocked()
        os.kill(pid, signal.SIGKILL)
        await stage.supervisor.shards["one"].state.wait_value(lambda state: state is not ShardState.READY)

    assert results[0].errors == ()
    assert stage.ran == dict.fromkeys(NAMES, (1, 1))
    assert stage.counted == Counter({"invocations": 5})


@pytest.mark.parametrize("at_once", [True])
@pytest.mark.parametrize("room", [1])
async def test_more_that_wait_than_the_page_has_room_for_are_all_known(stage: Stage) -> None:
    """What finds no slot on the page is told over the wire, and counts as begun after the connection has ended."""
    names = ("a0", "b1", "c2")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.kill_when, *names)
        await stage.play("show", **dict.fromkeys(names, "wait"))

    assert {name: stage.ran[name] for name in names} == dict.fromkeys(names, (1, 0))
    assert stage.counted["lost"] == 3
