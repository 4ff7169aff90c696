"""How are many handlers run one behind the other, when they end at once and have nothing to say?

What a handler costs here is what it costs to ask many of them. So the loop is written out, and whatever is the same for all
handlers of a plugin is done once for those of them that stand side by side: looking whether they may run, and looking what was
written straight to the descriptors of this process.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rookery.protocol import BadPayload

from .crumbs import CRUMBS, MAX_REQUEST
from .first_step import after_step, begin_marked
from .forks import FORKS
from .message import Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from .calls import Calls
    from .invoke import Invoker
    from .roll import Member
    from .segment_run import Run

THROUGH, ALONE, LATE = object(), object(), object()
"""Why a burst has come to its end: there is no other handler · the next has to become a request of its own · its time is over."""

_SHARED = frozenset({str, int, float, bool, bytes, type(None), Message})
"""What handlers may share: nothing in it can be changed, or it copies itself before."""


class Bursts:
    """Runs handlers of segments.

    Args:
        is_busy: Whether calls of this plugin and conversation ("" of none) run or wait here.
    """

    def __init__(self, invoker: Invoker, calls: Calls, *, is_busy: Callable[[str, str], bool]) -> None:
        self._invoker = invoker
        self._calls = calls
        self._is_busy = is_busy

    def run(self, run: Run, end: float) -> tuple[Member | None, Any]:
        """Run handlers from ``run.place`` on, until one does not end silently; ``run.place`` is then its place.

        Args:
            end: By ``time.monotonic()``; no handler but the first begins later.

        Returns:
            The handler, and what it answers or is still to do (``Begun``); without one, why it came to an end.
        """
        told, roll = run.told, run.roll
        assert roll is not None
        method, key, in_turn = told.method, told.ordering_key, told.in_turn
        first_id, count, start = run.request.request_id + 1, len(roll.members), run.place
        message: Any = run.args.get("message")
        is_message = type(message) is dict
        invoker, members, clock = self._invoker, roll.members, time.monotonic
        note, move = self._calls.note, self._calls.move
        open_lines, errors_open = invoker.open_lines
        last: Any = None
        """The plugin whose handlers are being run."""
        place = start
        arguments: dict[str, Any]
        try:
            while place < count:
                member = members[place]
                if last is None or member is None or member.plugin is not last:
                    if last is not None:
                        invoker.end_step(last.plugin_id)
                        last = None
                    member = roll.find(place, method)
                    if member is None or self._is_busy(member.plugin.plugin_id, key):
                        return None, ALONE
                    last = member.plugin
                if is_message and member.message_as:
                    shown = Message.__new__(
                        Message
                    )  # as Message.shared() makes it, which takes twice as long
                    shown._map, shown._copy = message, run.own_message
                    arguments = {member.message_as: shown}
                elif (bound := _bind(run, member)) is not None:
                    arguments = bound
                else:
                    return None, ALONE
                if not in_turn and place > start and clock() > end:
                    return None, LATE
                request_id = first_id + place
                if run.slot is None:
                    run.slot = note(None, request_id)
                else:
                    move(run.slot, request_id)
                # In turn noted first and looked at the clock then: what is noted last is what the host takes as begun.
                if in_turn and place and clock() > end:
                    return None, LATE
                context = member.context.copy()
                try:
                    made = context.run(
                        begin_marked, member.handler, arguments, member.crumb | request_id & MAX_REQUEST
                    )
                except BaseException as error:  # whatever it is: it is the handler's
                    CRUMBS.note_none()
                    last = None
                    return member, invoker.fail(member.component, member.plugin, error)
                if made is not None:
                    CRUMBS.note_none()
                    last = None
                    return member, after_step(
                        invoker, member.plugin, member.component, run.args, made, context
                    )
                if FORKS.is_child:
                    FORKS.end_child()
                if open_lines or errors_open:
                    invoker.end_step(last.plugin_id)
                place += 1
            return None, THROUGH
        finally:
            run.place = place
            if last is not None:
                CRUMBS.note_none()
                invoker.end_step(last.plugin_id)


def _bind(run: Run, member: Member) -> dict[str, Any] | None:
    """The arguments of a handler; ``None`` when the call lacks something."""
    binding = member.component.binding
    try:
        arguments = binding.bind(run.args, run.own_args)
        if not all(type(value) in _SHARED for value in arguments.values()):
            arguments = binding.bind(run.own_args())
    except BadPayload:
        return None
    return arguments
