"""How are several handlers run for one request of the host, as if each had been asked alone?

The first step of a handler needs no task of its own: the task of the segment drives it, and goes on with the next one
when it has ended. A handler that suspends keeps this task, with everything that trio knows of it, and another one goes on
with the rest: most handlers look at a message and let it pass, and cost a few microseconds; one that waits for something
costs what it costs alone. Each sees context variables of its own, arguments of its own, and its plugin's name.

Whatever is not as usual (a handler that has to wait for its turn in a conversation, or for its plugin, or for a thread)
becomes a request of its own and goes the way of all others.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from rookery.protocol import (
    SILENCE,
    BadPayload,
    ComponentType,
    ErrorCode,
    RemoteProtocolError,
    Request,
    SegmentAnswer,
    decode_value,
    unstructure,
)
from rookery.protocol import page as layout

from .answers import SILENT
from .calls import NOT_STARTED, refuse_unwanted
from .crumbs import CRUMBS
from .first_step import Suspended, begin, first_step, resume
from .message import Message
from .segment_run import Run, read_segment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from .calls import Calls, Unwanted
    from .components import Component
    from .invoke import Invoker
    from .loaded import LoadedPlugin
    from .roster import Roster
    from .scope import PluginScope

BURST = 0.05
"""Seconds after which the loop gets the processor back, and after which handlers in turn go back to the host."""

SHARE = 0.25
"""Of the shortest time of handlers in turn, after which no other begins: it has the rest of that time, and its host may have
stopped waiting for the one before when all of it is over, and asked those after it elsewhere."""

_SHARED = frozenset({str, int, float, bool, bytes, type(None), Message})
"""What handlers may share: nothing in it can be changed, or it copies itself before."""


class Segments:
    """Runs the host's segments.

    Args:
        take_call: What to do with a handler that becomes a request of its own.
        is_busy: Whether calls of this plugin and conversation ("" of none) run or wait here.
        hold: Keep the turn of a plugin in a conversation for a handler that goes on; the other gives it back.
    """

    def __init__(
        self,
        roster: Roster,
        invoker: Invoker,
        calls: Calls,
        nursery: trio.Nursery,
        *,
        take: Callable[[Request], None],
        take_call: Callable[[Request], None],
        is_busy: Callable[[str, str], bool],
        hold: Callable[[str, str], Callable[[], None]],
    ) -> None:
        self._roster = roster
        self._invoker = invoker
        self._calls = calls
        self._nursery = nursery
        self._take = take
        self._take_call = take_call
        self._is_busy = is_busy
        self._hold = hold
        self._waiting: dict[int, Run] = {}
        """Those of which no handler has begun, by the request's id."""
        self._by_key: dict[str, Run] = {}
        """The last in each conversation whose handlers have not all begun."""
        self._running: dict[int, Run] = {}
        """Those not in turn of which not all have begun, by the request's id."""
        self._current: dict[int, int] = {}
        """Of segments in turn: the id of the part that goes on."""

    # --- of the desk -------------------------------------------------------------------------------------------

    def take(self, request: Request) -> None:
        """Run a segment, after what came before it in its conversation."""
        try:
            told = read_segment(request.payload)
            args = decode_value(told.args)
            if type(args) is not dict:
                raise BadPayload(f"must be a packed map, got {type(args).__name__}", "args")
        except BadPayload as error:
            request.refuse_bad_payload(error)
            return
        except RemoteProtocolError as error:
            request.refuse_bad_payload(BadPayload(str(error), "args"))
            return
        run = Run(request, told, args)
        if told.ordering_key:
            self._by_key[told.ordering_key] = run
        self._waiting[request.request_id] = run
        self._nursery.start_soon(self._work_off, run, name="segment")

    def is_behind(self, request: Request, key: str) -> bool:
        """Keep a request back whose conversation has a segment that is not through; False when there is none."""
        run = self._by_key.get(key)
        if run is not None:
            run.waits.append(request)
        return run is not None

    def expand(self, request_ids: Iterable[int]) -> list[int]:
        """The same ids, and those of the parts that go on for them."""
        ids = list(request_ids)
        return ids + [self._current[each] for each in ids if each in self._current]

    def drop(self, request_ids: Iterable[int], unwanted: Unwanted) -> None:
        """Refuse those of these that have not begun."""
        for request_id in request_ids:
            run = self._waiting.get(request_id)
            if run is not None and not run.request.answered:
                refuse_unwanted(run.request, unwanted)
            if request_id in self._running:
                self._running[request_id].unwanted = unwanted
        wanted = set(request_ids)
        for run in self._by_key.values():
            for request in [each for each in run.waits if each.request_id in wanted]:
                run.waits.remove(request)
                refuse_unwanted(request, unwanted)

    def end(self) -> None:
        """This process is about to end."""
        waiting = [run.request for run in self._waiting.values()]
        for request in (*waiting, *(each for run in self._by_key.values() for each in run.waits)):
            if not request.answered:
                request.refuse(ErrorCode.E_SHUTTING_DOWN, "this runner ends", NOT_STARTED)

    # --- running -----------------------------------------------------------------------------------------------

    async def _work_off(self, run: Run) -> None:
        self._waiting.pop(run.request.request_id, None)
        if run.request.answered:
            self._let_on(run)
            return
        with trio.CancelScope() as scope:
            if run.told.in_turn:
                await self._burst_in_turn(run, scope)
            else:
                self._running[run.request.request_id] = run
                await self._burst(run, scope)

    async def _burst_in_turn(self, run: Run, scope: trio.CancelScope) -> None:
        told, calls = run.told, self._calls
        end = trio.current_time() + min(BURST, _time_left(run))
        silence = SILENCE[told.method]
        last = len(told.plugins) - 1
        for place in range(last + 1):
            found = self._find(run, place)
            if found is None:
                if place:
                    self._tell(run, place - 1, silence)
                else:
                    self._take_alone(run, place)
                return
            # Noted first and looked at the clock then: what is noted last is what the host takes as begun.
            run.slot = calls.note(run.slot, run.part_id(place))
            if place and trio.current_time() > end:
                self._tell(run, place - 1, silence)
                return
            answer = await self._step(run, place, found, scope)
            if answer is _GOES_ON:
                return
            if place == last or not _is_silent(answer, silence):
                self._tell(run, place, answer, found)
                return

    async def _burst(self, run: Run, scope: trio.CancelScope) -> None:
        told, calls = run.told, self._calls
        end = trio.current_time() + BURST
        silence = SILENCE[told.method]
        count = len(told.plugins)
        while run.place < count:
            if trio.current_time() > end:
                await trio.lowlevel.checkpoint()
                end = trio.current_time() + BURST
            place, run.place = run.place, run.place + 1
            if run.unwanted is not None:
                refuse_unwanted(run.part(place), run.unwanted)
                continue
            found = self._find(run, place)
            if found is None:
                self._take_alone(run, place)
                continue
            run.slot = calls.note(run.slot, run.part_id(place))
            answer = await self._step(run, place, found, scope)
            if answer is _GOES_ON:
                return
            if not _is_silent(answer, silence):
                self._tell(run, place, answer, found)
        del self._running[run.request.request_id]
        run.request.answer(unstructure(SegmentAnswer(speaking=run.speaking)))
        run.is_answered = True
        calls.free(run.slot)
        for say in run.answers:
            say()
        self._let_on(run)

    def _find(self, run: Run, place: int) -> _Found | None:
        """What is needed to run a handler here and now; ``None`` when it has to become a request of its own."""
        told = run.told
        plugin_id = told.plugins[place]
        plugin = self._roster.loaded.get(plugin_id)
        scope = self._roster.scopes.get(plugin_id)
        if plugin is None or scope is None or not scope.is_open:
            return None
        component = plugin.components.get(told.components[place])
        if component is None or not component.is_inline or not self._invoker.runs(told.method, component):
            return None
        if self._is_busy(plugin_id, told.ordering_key):
            return None
        try:
            arguments = component.binding.bind(run.args, run.own_args)
            if not all(type(value) in _SHARED for value in arguments.values()):
                arguments = component.binding.bind(run.own_args())
        except BadPayload:
            return None
        return plugin, scope, component, arguments

    async def _step(self, run: Run, place: int, found: _Found, scope: trio.CancelScope) -> Any:
        """The handler's answer, or that it goes on by itself."""
        plugin, _, component, arguments = found
        invoker, task = self._invoker, trio.lowlevel.current_task()
        context = task.context.copy()
        try:
            step = context.run(begin, component, arguments, plugin.plugin_id, run.part_id(place))
        except BaseException as error:  # whatever it is: it is the handler's
            CRUMBS.note_none()
            return invoker.fail(component, plugin, error)
        if type(step) is not Suspended:
            CRUMBS.note_none()
            invoker.end_step(plugin.plugin_id)
            if step is None:
                return SILENT[component.type]
            # What it has returned may be something to say, or a text to be sent first.
            step = first_step(invoker.answer_with(component, plugin, run.args, step))
            if type(step) is not Suspended:
                return step
            work: Awaitable[dict[str, Any]] = resume(step)
        else:
            work = invoker.work(component, plugin, run.args, {}, handler=partial(resume, step))
        # From here on this task is the handler's.
        task.context = context
        await self._go_on(run, place, found, scope, work)
        return _GOES_ON

    async def _go_on(
        self,
        run: Run,
        place: int,
        found: _Found,
        scope: trio.CancelScope,
        work: Awaitable[dict[str, Any]],
    ) -> None:
        plugin, plugin_scope, component, _ = found
        key = run.told.ordering_key
        part = run.part(place)
        release = self._hold(plugin.plugin_id, key) if key else None
        plugin_scope.admit(scope)
        if run.told.in_turn:
            self._current[run.request.request_id] = part.request_id
            self._calls.free(run.slot)
            self._let_on(run)
        else:
            self._nursery.start_soon(self._go_through, run, name="segment")
        try:
            await self._invoker.conclude(
                part, plugin, component, scope, work, lambda: not plugin_scope.is_open
            )
        finally:
            plugin_scope.let_go(scope)
            self._current.pop(run.request.request_id, None)
            if release is not None:
                release()

    async def _go_through(self, run: Run) -> None:
        with trio.CancelScope() as scope:
            await self._burst(run, scope)

    def _take_alone(self, run: Run, place: int) -> None:
        """The handler becomes a request of its own."""
        part = run.part(place)
        if run.told.in_turn:
            self._current[run.request.request_id] = part.request_id
            part.on_answered = partial(self._current.pop, run.request.request_id, None)
            self._take_call(part)  # before whatever came after it
            self._let_on(run)
        else:
            slot = self._calls.note(None, part.request_id | layout.HANDED)
            part.on_answered = partial(self._calls.free, slot)
            self._take_call(part)

    def _tell(self, run: Run, place: int, answer: Any, found: _Found | None = None) -> None:
        """Answer for one handler."""
        part = run.part(place)
        if found is None:
            part.answer(dict(answer))
        else:
            self._invoker.deliver(part, found[0], found[2], answer)
        if run.told.in_turn:
            self._calls.free(run.slot)
            self._let_on(run)

    def _let_on(self, run: Run) -> None:
        """What has waited for the segment may go on."""
        key = run.told.ordering_key
        if key and self._by_key.get(key) is run:
            del self._by_key[key]
        waits, run.waits = run.waits, []
        for request in waits:
            self._take(request)


_Found = tuple["LoadedPlugin", "PluginScope", "Component", dict[str, Any]]

_GOES_ON = object()

_EVENT, _HOOK = SILENT[ComponentType.EVENT_HANDLER], SILENT[ComponentType.HOOK_HANDLER]


def _time_left(run: Run) -> float:
    """Seconds until it may be that the host has stopped waiting for one of these."""
    if not run.told.sent_at:
        return BURST
    return run.told.sent_at + SHARE * min(run.told.timeouts_ms) / 1000 - time.monotonic()


def _is_silent(answer: Mapping[str, Any], silence: Mapping[str, Any]) -> bool:
    """Whether a handler had nothing to say. What it returned is not compared: that might run code of its plugin."""
    if answer is _EVENT or answer is _HOOK:
        return True
    return all(
        answer[key] is value or (type(answer[key]) in (bool, str) and answer[key] == value)
        for key, value in silence.items()
    )
