"""What does a segment ask for, and what is each of its handlers as a request of its own?"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from rookery.protocol import (
    METHODS,
    SILENCE,
    BadPayload,
    ErrorCode,
    FrameTooLarge,
    Request,
    RequestReceived,
    Segment,
    decode_value,
    encode_value,
    structure,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from .calls import Unwanted
    from .roll import Roll

ENVELOPE_BYTES = 4096
"""Room in a frame for what stands around an answer."""


class Run:
    """One segment on its way."""

    __slots__ = (
        "answers",
        "args",
        "is_answered",
        "own_args",
        "own_message",
        "place",
        "request",
        "roll",
        "slot",
        "speaking",
        "told",
        "unwanted",
        "waits",
    )

    def __init__(
        self, request: Request, told: Segment, args: dict[str, Any], roll: Roll | None = None
    ) -> None:
        self.request = request
        self.told = told
        self.roll = roll
        self.args = args
        self.own_args: Callable[[], dict[str, Any]] = partial(decode_value, told.args)
        """The arguments once more, for somebody who may change them. Whoever keeps this keeps no more than them."""
        own_args = self.own_args
        self.own_message: Callable[[], dict[str, Any]] = lambda: own_args()["message"]
        self.place = 0
        """Of the handler that is next."""
        self.slot: int | None = None
        self.speaking: list[int] = []
        self.answers: list[Callable[[], None]] = []
        """What is said as soon as the segment is answered."""
        self.is_answered = False
        self.unwanted: Unwanted | None = None
        """Why those that have not begun are not to, when they are not."""
        self.waits: list[Request] = []
        """Requests of the same conversation that came after it."""

    def part_id(self, place: int) -> int:
        return self.request.request_id + 1 + place

    def part(self, place: int) -> Part:
        """One handler as a request of its own, from now on."""
        told = self.told
        payload: dict[str, Any] = {"component_name": told.components[place], "args": self.own_args()}
        if told.ordering_key:
            payload["ordering_key"] = told.ordering_key
        received = RequestReceived(
            METHODS[told.method],
            self.part_id(place),
            told.plugins[place],
            payload,
            told.timeouts_ms[place],
        )
        return Part(self, place, received)


class Part(Request):
    """The request that one handler of a segment would have been."""

    __slots__ = ("_place", "_run", "on_answered")

    def __init__(self, run: Run, place: int, received: RequestReceived) -> None:
        super().__init__(run.request.link, received, trio.current_time())
        self._run = run
        self._place = place
        self.on_answered: Callable[[], object] | None = None
        self.link.session.owe(self.request_id, received.method.name, received.plugin_id)
        if not run.told.in_turn:
            run.speaking.append(place)

    def answer(self, payload: dict[str, Any]) -> None:
        if self._is_early():
            # Packed now: the plugin may go on to change what it has returned.
            packed, most = encode_value(payload), self.link.session.max_frame_bytes - ENVELOPE_BYTES
            if len(packed) > most:
                raise FrameTooLarge(len(packed), most)
            self._keep(lambda: self.answer(decode_value(packed)))
        else:
            super().answer(payload)
            self._free()

    def refuse(self, code: ErrorCode, message: str, details: dict[str, Any] | None = None) -> None:
        if self._is_early():
            self._keep(lambda: self.refuse(code, message, details))
        else:
            super().refuse(code, message, details)
            self._free()

    def _keep(self, say: Callable[[], None]) -> None:
        """It is said when the segment is answered."""

        def say_now() -> None:
            self.answered = False
            say()

        self._run.answers.append(say_now)
        self.answered = True

    def _free(self) -> None:
        if self.on_answered is not None:
            self.on_answered()

    def _is_early(self) -> bool:
        run = self._run
        if run.told.in_turn:
            # Whoever answers for the segment first is the one who does.
            self.link.session.disown(run.request.request_id)
            run.is_answered = True
        return not run.is_answered


def note_taken(request: Request) -> None:
    """The ids of its parts were taken from the socket with it, whatever becomes of it."""
    plugins, session = request.payload.get("plugins"), request.link.session
    if type(plugins) is list:
        session.taken = max(session.taken, request.request_id + len(plugins))


def read_segment(payload: dict[str, Any], *, is_known: bool = False) -> Segment:
    """Check a segment.

    Args:
        is_known: Its lists are those of a group, which were checked before.

    Raises:
        BadPayload: It is none.
    """
    told = _read_quickly(payload, is_known=is_known) or structure(payload, Segment)
    if not len(told.plugins) == len(told.components) == len(told.timeouts_ms) > 0:
        raise BadPayload(
            "the three lists name as many plugins, components and times, one at least", "plugins"
        )
    if told.method not in SILENCE:
        raise BadPayload(f"must be one of {', '.join(SILENCE)}", "method")
    return told


def _read_quickly(payload: dict[str, Any], *, is_known: bool) -> Segment | None:
    """A segment as it usually is; ``None`` when something about it is not, and the slow way has to name it."""
    method, args, key = payload.get("method"), payload.get("args"), payload.get("ordering_key", "")
    plugins, components, times = payload.get("plugins"), payload.get("components"), payload.get("timeouts_ms")
    sent_at = payload.get("sent_at", 0.0)
    if (
        type(method) is not str
        or type(args) is not bytes
        or type(key) is not str
        or type(sent_at) is not float
    ):
        return None
    if type(plugins) is not list or type(components) is not list or type(times) is not list:
        return None
    if not is_known and (
        set(map(type, plugins)) != {str}
        or set(map(type, components)) != {str}
        or set(map(type, times)) != {int}
    ):
        return None
    return Segment(
        method=method,
        args=args,
        plugins=plugins,
        components=components,
        timeouts_ms=times,
        in_turn=payload.get("in_turn") is True,
        ordering_key=key,
        sent_at=sent_at,
    )
