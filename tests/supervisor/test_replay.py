"""A replay ends for one of seven reasons, and its summary says everything that happened until then."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import attrs
import trio
import trio.testing
import trio_util

from rookery.supervisor.counters import Counters
from rookery.supervisor.observers import GatewayReported, PluginNotLoaded
from rookery.supervisor.outcome import Outcome
from rookery.supervisor.replay import REPLAY_PLUGIN, Position, ReplaySummary, run_replay
from rookery.supervisor.shard_state import ShardState

SETTINGS: Any = None


class Host:
    """A supervisor that does what a test's script says."""

    def __init__(self) -> None:
        self.parts = SimpleNamespace(counters=Counters())
        self.input_end, self.idle, self.failed = trio.Event(), trio.Event(), trio.Event()
        self.ready = trio.Event()
        self.escalated = Outcome()
        self.shard = SimpleNamespace(
            plugins=(REPLAY_PLUGIN,), state=trio_util.AsyncValue(ShardState.READY), last_exit=None
        )
        self.shards = {"replay": self.shard}
        self.observers: list[Callable[[object], None]] = []
        self.open_calls = 0

    wait_ready = property(lambda self: self.ready.wait)
    wait_input_end = property(lambda self: self.input_end.wait)
    wait_idle = property(lambda self: self.idle.wait)
    wait_failed = property(lambda self: self.failed.wait)

    def status(self) -> Any:
        shards = [{"queue": self.open_calls, "in_flight": 1 if self.open_calls else 0}]
        return SimpleNamespace(as_json=lambda: {"shards": shards})

    def tell(self, record: object) -> None:
        for observer in self.observers:
            observer(record)

    def report(self, **metadata: Any) -> None:
        self.tell(
            GatewayReported(
                plugin_id=REPLAY_PLUGIN,
                gateway="replay",
                ready=True,
                platform="*",
                account_id="",
                metadata=metadata,
            )
        )


async def replay(script: Callable[[Host], Awaitable[None]], **options: Any) -> ReplaySummary:
    """Replay against a host that follows the script."""

    @asynccontextmanager
    async def open_host(_: object, *, observers: Any, terminal: object) -> AsyncIterator[Host]:
        host = Host()
        host.observers = list(observers)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(script, host)
            yield host
            nursery.cancel_scope.cancel()

    options.setdefault("interrupted", trio.Event())
    return await run_replay(SETTINGS, open_host=open_host, **options)


async def start(host: Host) -> None:
    """Two seconds of start-up."""
    await trio.sleep(1)
    host.report(read=0, position=0, size=100)
    await trio.sleep(1)
    host.ready.set()


async def test_a_clean_replay(autojump_clock: trio.testing.MockClock) -> None:
    """Counts are the host's, time is from readiness to the last answer."""

    async def script(host: Host) -> None:
        await start(host)
        await trio.sleep(4)
        host.parts.counters.accepted = host.parts.counters.replies = 20
        for _ in range(20):
            host.parts.counters.latencies.add(0.01)
        host.parts.counters.of_shard("games").invocations = 7
        host.report(read=20, position=100, size=100, finished=True)
        host.input_end.set()
        await trio.sleep(1)
        host.idle.set()

    summary = await replay(script)

    assert summary.is_clean
    assert (summary.read, summary.accepted, summary.replies) == (20, 20, 20)
    assert (summary.startup_seconds, summary.seconds, summary.messages_per_second) == (2.0, 5.0, 4.0)
    assert summary.p50_ms == summary.max_ms == 10.0
    assert summary.per_shard["games"]["invocations"] == 7


async def test_broken_lines_are_in_the_summary(autojump_clock: trio.testing.MockClock) -> None:
    """By number and reason, as the gateway said them; the replay is complete and not clean."""

    async def script(host: Host) -> None:
        await start(host)
        host.report(read=3, position=9, size=9, broken=1, mistakes=[[2, "no JSON"]], finished=True)
        host.input_end.set()
        host.idle.set()

    summary = await replay(script)

    assert summary.complete
    assert not summary.is_clean
    assert summary.as_json()["broken_lines"] == [{"line": 2, "reason": "no JSON"}]
    assert (summary.p50_ms, summary.p99_ms, summary.max_ms) == (None, None, None)


async def test_progress_is_passed_on(autojump_clock: trio.testing.MockClock) -> None:
    """Whoever draws a bar hears each report."""
    seen: list[Position] = []

    async def script(host: Host) -> None:
        await start(host)
        host.report(read=3, position=50, size=100)
        host.input_end.set()
        host.idle.set()

    await replay(script, on_position=seen.append)

    assert [(each.read, each.position, each.size) for each in seen] == [(0, 0, 100), (3, 50, 100)]


async def test_the_user_ends_it_early(autojump_clock: trio.testing.MockClock) -> None:
    """The summary tells what had happened until then, and that it is not all."""
    interrupted = trio.Event()

    async def script(host: Host) -> None:
        await start(host)
        host.report(read=5, position=50, size=100)
        host.open_calls = 3
        interrupted.set()

    summary = await replay(script, interrupted=interrupted)

    assert (summary.read, summary.complete, summary.failure, summary.still_open) == (5, False, "", 4)


async def test_calls_that_never_end_are_not_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    """After the last line there is a bound, and what was open is counted."""

    async def script(host: Host) -> None:
        await start(host)
        host.open_calls = 1
        host.input_end.set()

    summary = await replay(script, idle_timeout=60)

    assert trio.current_time() == 62
    assert (summary.complete, summary.still_open) == (False, 2)


async def test_a_gateway_that_does_not_load_ends_it(autojump_clock: trio.testing.MockClock) -> None:
    """Nothing would ever be played: the reason comes out at once."""

    async def script(host: Host) -> None:
        host.tell(PluginNotLoaded(shard="replay", plugin_id=REPLAY_PLUGIN, reason="OSError", blocked=False))

    summary = await replay(script)

    assert summary.failure == "the replay gateway did not load: OSError"
    assert not summary.complete


async def test_a_gateway_that_is_given_up_ends_it(autojump_clock: trio.testing.MockClock) -> None:
    """Other shards may live on, but nobody plays the recording any more."""

    async def script(host: Host) -> None:
        await start(host)
        host.shard.last_exit = SimpleNamespace(describe=lambda: "it was killed")
        host.shard.state.value = ShardState.FAILED

    summary = await replay(script)

    assert summary.failure == "the shard of the replay gateway was given up: it was killed"


async def test_a_group_that_is_given_up_ends_it(autojump_clock: trio.testing.MockClock) -> None:
    """What must not be missing is missing: the rest of the recording would be answered by half a bot."""

    async def script(host: Host) -> None:
        await start(host)
        host.escalated.decide("the shard core is required, and was given up")

    summary = await replay(script)

    assert not summary.complete
    assert summary.failure == "the shard core is required, and was given up"


async def test_a_gateway_that_cannot_go_on_ends_it(autojump_clock: trio.testing.MockClock) -> None:
    """Its runner is well, so that nothing else would end the wait."""

    async def script(host: Host) -> None:
        await start(host)
        host.report(read=5, failure="the replies cannot be written: No space left on device")

    summary = await replay(script)

    assert summary.failure == "the replies cannot be written: No space left on device"
    assert (summary.read, summary.complete) == (5, False)


async def test_other_plugins_may_fail(autojump_clock: trio.testing.MockClock) -> None:
    """What is not the gateway's is in the counts, not the end."""

    async def script(host: Host) -> None:
        host.tell(PluginNotLoaded(shard="games", plugin_id="chatbot.dice", reason="x", blocked=False))
        await start(host)
        host.input_end.set()
        host.idle.set()

    summary = await replay(script)

    assert summary.failure == ""
    assert summary.complete


def test_a_summary_is_clean_only_without_any_loss() -> None:
    """Each kind of loss spoils it."""
    clean = ReplaySummary(
        read=0, accepted=0, deduplicated=0, refused=0, aborted=0, broken=0, broken_lines=(), events=0, invocations=0,
        replies=0, errors=0, lost=0, restarts=0, p50_ms=None, p99_ms=None, max_ms=None, per_shard={}, seconds=0.0,
        startup_seconds=0.0, messages_per_second=0.0, complete=True, failure="", still_open=0,
    )  # fmt: skip

    spoilt = [attrs.evolve(clean, **{name: 1}) for name in ("broken", "refused", "lost", "errors")]

    assert clean.is_clean
    assert not any(each.is_clean for each in spoilt)
    assert attrs.evolve(clean, aborted=1, deduplicated=1, restarts=1).is_clean
