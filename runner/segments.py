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
    Groups,
    RemoteProtocolError,
    Request,
    decode_value,
)
from rookery.protocol import page as layout

from .answers import SILENT
from .burst import ALONE, LATE, THROUGH, Bursts
from .calls import NOT_STARTED, refuse_unwanted
from .first_step import Begun, Suspended, first_step, resume
from .roll import Roll
from .segment_run import Run, note_taken, read_segment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from .calls import Calls, Unwanted
    from .invoke import Invoker
    from .roll import Member
    from .roster import Roster

BURST = 0.05
"""Seconds after which the loop gets the processor back, and after which handlers in turn go back to the host."""

SHARE = 0.25
"""Of the shortest time of handlers in turn, after which no other begins: it has the rest of that time, and its host may have
stopped waiting for the one before when all of it is over, and asked those after it elsewhere."""


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
        self._bursts = Bursts(invoker, calls, is_busy=is_busy)
        self._groups: Groups[_Lists] = Groups()
        self._waiting: dict[int, Run] = {}
        """Those of which no handler has begun, by the request's id."""
        self._by_key: dict[str, Run] = {}
        """The last in each conversation whose handlers have not all begun."""
        self._running: dict[int, Run] = {}
        """Those not in turn of which not all have begun, by the request's id."""
        self._current: dict[int, int] = {}
        """Of segments in turn: the id of the part that goes on."""

    # --- of the desk -------------------------------------------------------------------------------------------

    def note_taken(self, request: Request) -> None:
        """A segment was taken from the socket, whatever becomes of it: so were the ids of its parts, and its lists are known."""
        payload = request.payload
        group = payload.get("group")
        if type(group) is int and group > 0:
            if payload.get("plugins"):
                lists: tuple[Any, ...] = tuple(payload.get(name) for name in _LISTS)
                if all(type(each) is list for each in lists):
                    self._groups.add(group, len(lists[0]), _Lists(*lists))
            elif (known := self._groups.get(group)) is not None:
                payload.update(zip(_LISTS, known.lists, strict=True))
        note_taken(request)
        self._calls.note_taken(request.link.session.taken)

    def take(self, request: Request) -> None:
        """Run a segment, after what came before it in its conversation."""
        run = self._read(request)
        if run is not None:
            self._waiting[request.request_id] = run
            self._nursery.start_soon(self._work_off, run, name="segment")

    def take_here(self, request: Request, scope: trio.CancelScope) -> Awaitable[None] | None:
        """The same in this task: what is left to do in it, if it has to wait for something.

        Args:
            scope: Around the task.
        """
        run = self._read(request)
        begun = None if run is None else first_step(self._begin(run, scope))
        return resume(begun) if type(begun) is Suspended else None

    def _read(self, request: Request) -> Run | None:
        """A segment as it is to be run; ``None`` when it was refused."""
        known = self._groups.get(request.payload.get("group") or 0)
        is_known = known is not None and known.roll is not None
        try:
            told = read_segment(request.payload, is_known=is_known)
            args = decode_value(told.args)
            if type(args) is not dict:
                raise BadPayload(f"must be a packed map, got {type(args).__name__}", "args")
        except BadPayload as error:
            request.refuse_bad_payload(error)
            return None
        except RemoteProtocolError as error:
            request.refuse_bad_payload(BadPayload(str(error), "args"))
            return None
        roll = known.roll if known is not None else None
        if roll is None:
            roll = Roll(self._roster.loaded, self._roster.scopes, told.plugins, told.components)
            if known is not None:
                known.roll = roll
        run = Run(request, told, args, roll)
        if told.ordering_key:
            self._by_key[told.ordering_key] = run
        return run

    def is_behind(self, request: Request, key: str) -> bool:
        """Keep a request back whose conversation has a segment that is not through; False when there is none."""
        run = self._by_key.get(key)
        if run is not None:
            run.waits.append(request)
        return run is not None

    def holds(self, key: str) -> bool:
        """Whether a conversation has a segment that is not through."""
        return key in self._by_key

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
            await self._begin(run, scope)

    async def _begin(self, run: Run, scope: trio.CancelScope) -> None:
        if run.told.in_turn:
            await self._burst_in_turn(run, scope)
        else:
            self._running[run.request.request_id] = run
            await self._burst(run, scope)

    async def _burst_in_turn(self, run: Run, scope: trio.CancelScope) -> None:
        silence, last = SILENCE[run.told.method], len(run.told.plugins) - 1
        end = time.monotonic() + min(BURST, _time_left(run))
        while True:
            member, made = self._bursts.run(run, end)
            place = run.place
            if made is THROUGH:
                self._tell(run, last, silence)
            elif made is ALONE and not place:
                self._take_alone(run, place)
            elif made is ALONE or made is LATE:
                self._tell(run, place - 1, silence)
            elif type(made) is Begun:
                await self._go_on(run, place, member, scope, made)
            elif place < last and _is_silent(made, silence):
                run.place += 1
                continue
            else:
                self._tell(run, place, made, member)
            return

    async def _burst(self, run: Run, scope: trio.CancelScope) -> None:
        silence, count = SILENCE[run.told.method], len(run.told.plugins)
        made: Any = None
        while made is not THROUGH and run.unwanted is None:
            member, made = self._bursts.run(run, time.monotonic() + BURST)
            place = run.place
            if made is LATE:
                await trio.lowlevel.checkpoint()
                continue
            run.place += 1
            if made is ALONE:
                self._take_alone(run, place)
            elif type(made) is Begun:
                await self._go_on(run, place, member, scope, made)
                return
            elif made is not THROUGH and not _is_silent(made, silence):
                self._tell(run, place, made, member)
        for place in range(run.place, count):
            assert run.unwanted is not None
            refuse_unwanted(run.part(place), run.unwanted)
        del self._running[run.request.request_id]
        run.request.answer({"speaking": run.speaking})
        run.is_answered = True
        self._calls.free(run.slot)
        for say in run.answers:
            say()
        self._let_on(run)

    async def _go_on(
        self,
        run: Run,
        place: int,
        member: Member | None,
        scope: trio.CancelScope,
        begun: Begun,
    ) -> None:
        """From here on this task is the handler's."""
        assert member is not None
        trio.lowlevel.current_task().context = begun.context
        plugin, plugin_scope, component = member.plugin, member.scope, member.component
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
                part, plugin, component, scope, begun.work, lambda: not plugin_scope.is_open
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

    def _tell(self, run: Run, place: int, answer: Any, member: Member | None = None) -> None:
        """Answer for one handler."""
        part = run.part(place)
        if member is None:
            part.answer(dict(answer))
        else:
            self._invoker.deliver(part, member.plugin, member.component, answer)
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


_LISTS = ("plugins", "components", "timeouts_ms")


class _Lists:
    """What a group stands for."""

    __slots__ = ("lists", "roll")

    def __init__(self, *lists: Any) -> None:
        self.lists = lists
        self.roll: Roll | None = None
        """Once they have been checked."""


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
