"""How is one case measured: for a moment, by so many callers at once, each waiting for its answer?"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from itertools import cycle
from typing import TYPE_CHECKING, Any

import attrs
import trio

from rookery.protocol import PLUGIN_INVOKE_TOOL, MessageMap, RookeryError, build_message

from .bench_cases import SHARDS, Work
from .bench_machine import allowed_cpus, cpu_seconds, pin
from .bench_settings import ASYNCIO_SHARD, BARE_SHARD, SPAWNED_SHARD, plugin_of
from .fate import DispatchFailed

if TYPE_CHECKING:
    from .bench_cases import Case
    from .call import Outcome
    from .supervisor import Supervisor

Call = Callable[[], Awaitable[None]]

ZYGOTE_WAIT = 5.0
"""Seconds for a zygote to become warm; without one, runners are spawned."""

LEAST_CALLS = 5
"""That each caller makes, however long they take."""

BARE_MESSAGE = 415
"""Bytes of a message with nothing to say."""

TEXT = "今天天气不错, shall we go? "
"""People write with all kinds of letters."""


class CallFailed(RookeryError):
    """Work that a benchmark waits for was not done."""


@attrs.frozen(kw_only=True)
class Sample:
    """What one moment of one case gave."""

    took: tuple[float, ...]
    """Seconds that each call took."""
    seconds: float
    """Of the whole moment."""
    host_cpu: float | None
    """Seconds of processor time; None where it is not known, as below."""
    runners_cpu: float | None
    failed: int = 0
    why: str = ""
    """The first failure."""


class Bench:
    """A deployment that is measured.

    Args:
        others: Processes that are held on the same processors.
    """

    def __init__(self, supervisor: Supervisor, *, others: tuple[int, ...] = ()) -> None:
        self.supervisor = supervisor
        self._others = others
        self._messages: dict[int, MessageMap] = {}
        self.cpus = allowed_cpus()

    def runners(self) -> tuple[int, ...]:
        """The processes of all runners."""
        pids = (shard.pid for shard in self.supervisor.shards.values())
        return tuple(pid for pid in pids if pid is not None)

    @property
    def is_forking(self) -> bool:
        """Runners are forked from a zygote that is warm."""
        keeper = self.supervisor.custody.keeper
        return keeper is not None and keeper.pid is not None

    async def wait_zygote(self) -> None:
        """Return when runners can be forked, or will not be."""
        if self.supervisor.custody.keeper is not None:
            with trio.move_on_after(ZYGOTE_WAIT):
                while not self.is_forking:  # noqa: ASYNC110
                    await trio.sleep(0.01)  # there is nothing to be woken by

    def hold_on(self, count: int) -> None:
        """Hold host, runners and the ping-pong on so many processors: the last ones, as the first serve interrupts."""
        if self.cpus:
            pin((os.getpid(), *self.runners(), *self._others), self.cpus[-count:])

    def release(self) -> None:
        """Let this process run everywhere again."""
        if self.cpus:
            pin((os.getpid(), *self.runners()), self.cpus)

    def message(self, size: int) -> MessageMap:
        """A chat message of about so many bytes."""
        found = self._messages.get(size)
        if found is None:
            found = self._messages[size] = make_message(size)
        return found

    # --- one case ----------------------------------------------------------------------------------------------

    async def measure(self, case: Case, seconds: float) -> Sample:
        """Let ``in_flight`` callers call for so many seconds."""
        self.hold_on(case.cpus)
        runners = self.runners()
        calls = self._calls(case)
        took: list[float] = []
        failures: list[DispatchFailed | CallFailed] = []
        host, theirs, started = time.process_time(), cpu_seconds(runners), time.perf_counter()
        end = started + seconds

        async def keep_calling(call: Call) -> None:
            left = LEAST_CALLS
            before = time.perf_counter()
            while left > 0 or before < end:
                left -= 1
                try:
                    await call()
                except (DispatchFailed, CallFailed) as error:
                    failures.append(error)
                    await trio.lowlevel.checkpoint()
                after = time.perf_counter()
                took.append(after - before)
                before = after

        async with trio.open_nursery() as nursery:
            for _, call in zip(range(case.in_flight), calls, strict=False):
                nursery.start_soon(keep_calling, call)
        lasted = time.perf_counter() - started
        host, now = time.process_time() - host, cpu_seconds(runners)
        return Sample(
            took=tuple(took),
            seconds=lasted,
            host_cpu=host,
            runners_cpu=None if now is None or theirs is None else now - theirs,
            failed=len(failures),
            why=str(failures[0]) if failures else "",
        )

    def _calls(self, case: Case) -> Any:
        """What the callers of a case do, one after the other, for ever."""
        message = self.message(case.payload)
        match case.work:
            case Work.INVOKE:
                tool = case.runs.value
                shards = _shards_of(case)
                if case.is_ordered or case.is_bare:
                    keys = [f"chat {number}" if case.is_ordered else None for number in range(case.in_flight)]
                    return cycle([self.dispatching(shards[0], tool, message, key) for key in keys])
                return cycle([self.invoking(shard, tool, message) for shard in shards])
            case Work.EVENT:
                return cycle([self.showing(case.topic, message, case.handlers)])
        return cycle([self.asking(case.topic, message, case.handlers)])

    # --- the kinds of work ---------------------------------------------------------------------------------------

    def invoking(self, shard: str, tool: str, message: MessageMap) -> Call:
        """Call a tool, which gives the message back."""
        plugin_id, args = plugin_of(shard), {"payload": message}

        async def invoke() -> None:
            await self.supervisor.invoke(plugin_id, tool, args)

        return invoke

    def dispatching(self, shard: str, tool: str, message: MessageMap, key: str | None) -> Call:
        """Call a tool in the order of a conversation, or in none."""
        parts, args = self.supervisor.parts, {"payload": message}

        async def dispatch() -> None:
            component = parts.registry.component(plugin_of(shard), tool)
            assert component is not None
            await parts.dispatcher.call(component, PLUGIN_INVOKE_TOOL, args, key=key)

        return dispatch

    def showing(self, topic: str, message: MessageMap, handlers: int) -> Call:
        """Show an event to its handlers, and wait for the last of them."""
        events = self.supervisor.parts.events

        async def show() -> None:
            left, over = handlers, trio.Event()
            failures: list[DispatchFailed] = []

            def settled(outcome: Outcome) -> None:
                nonlocal left
                left -= 1
                if isinstance(outcome, DispatchFailed):
                    failures.append(outcome)
                if not left:
                    over.set()

            result = await events.dispatch(topic, message, on_observer_settled=settled)
            if result.observers != handlers:
                raise CallFailed(f"{topic} was shown to {result.observers} handlers and not to {handlers}")
            await over.wait()
            if failures:
                raise failures[0]

        return show

    def asking(self, topic: str, message: MessageMap, handlers: int) -> Call:
        """Fire a hook."""
        hooks = self.supervisor.parts.hooks
        found = len(self.supervisor.parts.registry.hook_handlers(topic))

        async def ask() -> None:
            if found != handlers:
                raise CallFailed(f"{topic} has {found} handlers and not {handlers}")
            result = await hooks.invoke(topic, message=message)
            if result.errors:
                raise CallFailed(result.errors[0])

        return ask


def _shards_of(case: Case) -> tuple[str, ...]:
    """Where the handlers of a case for calls are."""
    if case.is_spawned:
        return (SPAWNED_SHARD,)
    if case.is_bare:
        return (BARE_SHARD,)
    return (ASYNCIO_SHARD,) if case.is_asyncio else SHARDS[: case.shards]


def make_message(size: int) -> MessageMap:
    """A chat message of ids, a user, segments and a text with CJK letters; below the size of one a map with a text."""
    if size <= BARE_MESSAGE:
        return {"text": "x" * size}
    rest = size - BARE_MESSAGE
    text = (TEXT * (rest // len(TEXT) + 1))[: rest * len(TEXT) // len(TEXT.encode())]
    return build_message(
        message_id="7f3a-0001",
        platform="bench",
        user_id="10001",
        user_name="Alice",
        text="hello",
        timestamp=1_700_000_000.0,
        group_id="20002",
        group_name="测试群",
        segments=[
            {"type": "at", "data": {"target_user_id": "10002", "target_user_nickname": "Bob"}},
            {"type": "text", "data": text},
        ],
    )
