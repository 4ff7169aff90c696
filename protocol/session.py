"""One end of one connection without any IO: ids, pending requests, owed answers, bytes in and bytes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .codec import decode_envelope, decode_usual, encode_compact, encode_envelope
from .counters import SessionCounters
from .envelope import NUMBERS, Envelope, MessageType, offers_compact
from .errors import (
    BadPayload,
    ConnectionLost,
    ErrorCode,
    LocalProtocolError,
    RemoteError,
    RemoteProtocolError,
    RequestTimedOut,
)
from .framing import FrameReader, frame
from .limits import DEFAULT_TIMEOUT_MS, MAX_ANSWERS_OWED, MAX_CONTAINERS, MAX_FRAME_BYTES, MAX_PENDING
from .methods import METHODS, RUNNER_HELLO, Kind, Method
from .names import Side
from .received import (
    AnswerDropped,
    BroadcastReceived,
    Pending,
    Received,
    RequestReceived,
    RequestRefused,
    RequestSettled,
    RuleBroken,
)
from .rules import USUAL, check_may_send, check_peer_may_send
from .shown import sendable
from .state import Move, State, next_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Session:
    """The protocol seen from one side.

    The driver feeds bytes into ``receive`` and acts on what comes out, calls ``request``, ``answer``, ``refuse`` and
    ``broadcast``, and writes whatever ``data_to_send`` returns, in that order. No clock, no socket, no callbacks.

    Every request that ``request`` accepted settles exactly once: by an answer, by ``expire``, by ``forget`` or by
    ``close``.

    Args:
        side: Which end this is.
        max_frame_bytes: The largest body accepted, and sent.
    """

    is_quick = True
    """False looks at every frame in full. Nothing else changes, which is what tests compare."""
    max_containers = MAX_CONTAINERS
    """Maps, lists and extensions in a body that is accepted, or sent."""

    def __init__(self, side: Side, *, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self.side = side
        self._asks, self._answers = USUAL[side], USUAL[side.peer]
        self.state = State.NEW
        self.max_frame_bytes = max_frame_bytes
        self.counters = SessionCounters()
        self.pending: dict[int, Pending] = {}
        self.owed: dict[int, tuple[str, str]] = {}
        self._wide: dict[int, Pending] = {}
        """Of ``pending``: those that have parts, any of which may bring the answer."""
        self._wall_clock: Callable[[], int] = lambda: 0
        self.frames = FrameReader(max_frame_bytes)
        self._out: list[bytes] = []
        self.bytes_out = 0
        self._last_id = 0
        self._not_asked = 0
        """Ids that were used up otherwise than by a request that waits for an answer of its own."""
        self._hello_id = 0
        self._may_be_compact = False
        """The hello offers it."""
        self.is_compact = False
        """Both ends agreed on compact envelopes: all that is sent is compact."""
        self.taken = 0
        """The highest id of what the peer has asked or told; 0 before the first."""
        self._broken = False

    def __repr__(self) -> str:
        return (
            f"<Session of the {self.side.value}, {self.state.value}, {len(self.pending)} pending,"
            f" {len(self.owed)} owed, {self.bytes_out} bytes to send>"
        )

    @property
    def last_id(self) -> int:
        """The id of the latest frame that asked or told the peer something; 0 before the first."""
        return self._last_id

    @property
    def is_in_frame(self) -> bool:
        """True while what has arrived ends in the middle of a frame."""
        return self.frames.is_in_frame

    # --- bytes -------------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> list[Received]:
        """Take bytes; what they mean, in order. The last is ``RuleBroken`` where a rule is: what came before it counts."""
        return list(self.receive_each(data))

    def receive_each(self, data: bytes) -> Iterator[Received]:
        """The same, each frame when it is asked for: what is done about one holds for the next. To be used up."""
        if self._broken:
            return
        try:
            for body in self.frames.receive(data):
                self.counters.frames_in += 1
                self.counters.latest_bytes = len(body)
                yield self._take_usual(body) or self._take(
                    decode_envelope(body, compact=self.is_compact, max_containers=self.max_containers)
                )
            if self.frames.error is not None:
                raise self.frames.error
        except RemoteProtocolError as error:
            self._broken = True
            yield RuleBroken(error)

    def data_to_send(self) -> bytes:
        """All bytes that wait to be written; they count as handed over."""
        data = b"".join(self._out) if len(self._out) != 1 else self._out[0]
        self._out.clear()
        self.bytes_out = 0
        return data

    def put_back(self, data: bytes) -> None:
        """Return the tail of ``data_to_send`` that could not be written yet; it goes out first."""
        self._out.insert(0, data)
        self.bytes_out += len(data)

    def set_wall_clock(self, clock: Callable[[], int]) -> None:
        """Give the session Unix milliseconds for the informational time stamp; without it that is 0."""
        self._wall_clock = clock

    # --- speaking ----------------------------------------------------------------------------------------------

    def request(
        self,
        method: str,
        payload: dict[str, Any],
        *,
        plugin_id: str = "",
        timeout_ms: int = DEFAULT_TIMEOUT_MS,
        deadline: float = float("inf"),
        on_done: Any = None,
        tag: object = None,
        parts: int = 0,
    ) -> int:
        """Ask the peer; return the request's id.

        Args:
            parts: So many ids after the request's are used up by it, and an answer under any of them is its answer.

        Raises:
            LocalProtocolError: Not this side's method, not the time for it, or too many are pending.
            CannotEncode, FrameTooLarge: The payload cannot be sent. In all three cases nothing has changed.
        """
        if self.state is not State.OPEN or method not in self._asks:
            check_may_send(self.side, self.state, method, Kind.REQUEST)
        if len(self.pending) >= MAX_PENDING:
            raise LocalProtocolError(f"{MAX_PENDING} requests already wait for an answer on this connection")
        request_id = self._last_id + 1
        self._send(request_id, MessageType.REQUEST, method, plugin_id, payload, None, timeout_ms)
        self._last_id = request_id + parts
        pending = self.pending[request_id] = Pending(
            request_id, method, plugin_id, deadline, on_done, tag, parts
        )
        if parts:
            self._wide[request_id] = pending
            self._not_asked += parts
        if method == RUNNER_HELLO:
            self._hello_id = request_id
            self._begin_greeting(payload)
        return request_id

    def broadcast(self, method: str, payload: dict[str, Any], *, plugin_id: str = "") -> None:
        """Tell the peer something that it does not answer. It uses up an id, as protocol 1.0.0 has it.

        Raises:
            LocalProtocolError, CannotEncode, FrameTooLarge: As ``request``.
        """
        check_may_send(self.side, self.state, method, Kind.BROADCAST)
        self._send(self._last_id + 1, MessageType.BROADCAST, method, plugin_id, payload)
        self._last_id += 1
        self._not_asked += 1

    def answer(self, request_id: int, payload: dict[str, Any]) -> None:
        """Answer a request of the peer.

        Raises:
            LocalProtocolError: No answer is owed for this id.
            CannotEncode, FrameTooLarge: The payload cannot be sent; the answer is still owed.
        """
        method, plugin_id = self.owed.get(request_id) or self._owed(request_id)
        self._send(request_id, MessageType.RESPONSE, method, plugin_id, payload)
        del self.owed[request_id]
        if method == RUNNER_HELLO:
            self._end_greeting(payload)

    def refuse(
        self, request_id: int, code: ErrorCode, message: str, details: dict[str, Any] | None = None
    ) -> None:
        """Answer a request of the peer with an error. Without details it always can be sent.

        Raises:
            LocalProtocolError: No answer is owed for this id.
            CannotEncode, FrameTooLarge: The details cannot be sent; the answer is still owed.
        """
        method, plugin_id = self._owed(request_id)
        error = {"code": code.value, "message": sendable(message), "details": details or {}}
        self._send(request_id, MessageType.RESPONSE, method, plugin_id, {}, error)
        del self.owed[request_id]
        if method == RUNNER_HELLO:
            self._end_greeting({})

    # --- parts -------------------------------------------------------------------------------------------------

    def expect(self, pending: Pending) -> None:
        """Wait for an answer under an id that was used up before: by a part, or by a request that has been ended."""
        self.pending[pending.request_id] = pending
        self._not_asked -= 1
        if pending.parts:
            self._wide[pending.request_id] = pending

    def whole_of(self, request_id: int) -> Pending | None:
        """The pending request that has this part; ``None`` when there is none."""
        for first, pending in self._wide.items():
            if first < request_id <= first + pending.parts:
                return pending
        return None

    def owe(self, request_id: int, method: str, plugin_id: str) -> None:
        """An answer is owed under the id of a part of a request, as if that had been asked alone."""
        self.owed[request_id] = (method, plugin_id)
        self.taken = max(self.taken, request_id)

    def disown(self, request_id: int) -> None:
        """No answer is owed for this id any more: another brings it."""
        self.owed.pop(request_id, None)

    # --- ending ------------------------------------------------------------------------------------------------

    def forget(self, request_id: int) -> Pending | None:
        """Give a request up; its answer will count as late. ``None`` if it has settled already."""
        self._wide.pop(request_id, None)
        return self.pending.pop(request_id, None)

    def expire(self, now: float) -> list[RequestSettled]:
        """End every request whose deadline has passed."""
        over = [pending for pending in self.pending.values() if pending.deadline <= now]
        for pending in over:
            del self.pending[pending.request_id]
            self._wide.pop(pending.request_id, None)
        return [
            RequestSettled(each, RequestTimedOut(f"{each.method} was not answered in time")) for each in over
        ]

    def close(self, reason: str) -> list[RequestSettled]:
        """End the session and with it every pending request. Closing twice does nothing."""
        if self.state is not State.CLOSED:
            self.state = next_state(self.state, Move.CLOSE)
        over = list(self.pending.values())
        self.pending.clear()
        self._wide.clear()
        self.owed.clear()
        return [RequestSettled(pending, ConnectionLost(reason)) for pending in over]

    # --- inside ------------------------------------------------------------------------------------------------

    def _send(
        self, request_id: int, kind: MessageType, method: str, plugin_id: str, payload: dict[str, Any],
        error: dict[str, Any] | None = None, timeout_ms: int = DEFAULT_TIMEOUT_MS,
    ) -> None:  # fmt: skip
        most = self.max_containers
        if self.is_compact:
            body = encode_compact(request_id, kind, method, plugin_id, payload, error, timeout_ms, most)
        else:
            fields = (request_id, kind, method, plugin_id, payload, error, timeout_ms, self._wall_clock())
            body = encode_envelope(Envelope(*fields), max_containers=most)
        data = frame(body, self.max_frame_bytes)
        self._out.append(data)
        self.bytes_out += len(data)
        self.counters.frames_out += 1

    def _owed(self, request_id: int) -> tuple[str, str]:
        try:
            return self.owed[request_id]
        except KeyError:
            raise LocalProtocolError(f"no answer is owed for request {request_id}") from None

    def _begin_greeting(self, hello: dict[str, Any]) -> None:
        self.state = next_state(self.state, Move.HELLO)
        self._may_be_compact = offers_compact(hello)

    def _end_greeting(self, answer: dict[str, Any]) -> None:
        accepted = answer.get("accepted") is True
        self.state = next_state(self.state, Move.ACCEPT if accepted else Move.REFUSE)
        self.is_compact = accepted and self._may_be_compact and offers_compact(answer)

    def _take_usual(self, body: bytes) -> Received | None:
        """What most frames mean. ``None`` where one has to be looked at, by way of an envelope that takes as long again."""
        fields = decode_usual(body, self.max_containers) if self.is_compact and self.is_quick else None
        if fields is None or self.state is not State.OPEN:
            return None
        request_id, number, method, plugin_id, timeout_ms, payload, _ = fields
        if number == NUMBERS[MessageType.RESPONSE]:
            pending = self.pending.pop(request_id, None)
            if self._wide:
                pending = self._take_part(request_id, pending)
            return None if pending is None else RequestSettled(pending, payload)
        row = self._answers.get(method) if number == NUMBERS[MessageType.REQUEST] else None
        if row is None or request_id in self.owed or len(self.owed) >= MAX_ANSWERS_OWED:
            return None
        self.owed[request_id] = (method, plugin_id)
        self.taken = request_id
        return RequestReceived(row, request_id, plugin_id, payload, timeout_ms)

    def _take(self, envelope: Envelope) -> Received:
        if envelope.message_type is MessageType.RESPONSE:
            return self._take_response(envelope)
        self.taken = envelope.request_id
        self._check_peer_may_send(envelope)
        row = METHODS.get(envelope.method)
        if envelope.message_type is MessageType.BROADCAST:
            if row is None or row.caller is self.side or row.kind is not Kind.BROADCAST:
                return self._refuse_unknown(envelope, answer=False)
            if envelope.defect:
                return RequestRefused(envelope.method, envelope.request_id, envelope.defect)
            return BroadcastReceived(row, envelope.plugin_id, envelope.payload)
        return self._take_request(envelope, row)

    def _take_request(self, envelope: Envelope, row: Method | None) -> Received:
        request_id = envelope.request_id
        if request_id in self.owed:
            raise RemoteProtocolError(f"request id {request_id} is used again before it was answered")
        if len(self.owed) >= MAX_ANSWERS_OWED:
            raise RemoteProtocolError(f"{MAX_ANSWERS_OWED} requests are unanswered; the peer floods")
        self.owed[request_id] = (envelope.method, envelope.plugin_id)
        if row is None or row.caller is self.side or row.kind is not Kind.REQUEST:
            return self._refuse_unknown(envelope, answer=True)
        if row.name == RUNNER_HELLO:
            self._begin_greeting(envelope.payload)
        if envelope.defect:
            self.refuse(request_id, ErrorCode.E_BAD_PAYLOAD, envelope.defect)
            return RequestRefused(envelope.method, request_id, envelope.defect)
        return RequestReceived(row, request_id, envelope.plugin_id, envelope.payload, envelope.timeout_ms)

    def _check_peer_may_send(self, envelope: Envelope) -> None:
        try:
            check_peer_may_send(self.side, self.state, envelope)
        except RemoteProtocolError:
            is_first = self.side is Side.HOST and self.state is State.NEW
            if is_first and envelope.message_type is MessageType.REQUEST:
                self.owed[envelope.request_id] = (envelope.method, envelope.plugin_id)
                text = "the first frame must be runner.hello"
                self.refuse(envelope.request_id, ErrorCode.E_PROTOCOL_MISMATCH, text)
            raise

    def _refuse_unknown(self, envelope: Envelope, *, answer: bool) -> RequestRefused:
        self.counters.refused_requests += 1
        if answer:
            text = f"the {self.side.peer.value} may not call {envelope.method!r:.80}"
            self.refuse(envelope.request_id, ErrorCode.E_METHOD_NOT_ALLOWED, text)
        text = f"{envelope.method!r:.80} is not the peer's to call"
        return RequestRefused(envelope.method, envelope.request_id, text)

    def _take_response(self, envelope: Envelope) -> Received:
        if self.state is State.NEW or (self.state is State.GREETING and self.side is Side.HOST):
            raise RemoteProtocolError("an answer arrived before anything could be asked")
        pending = self.pending.pop(envelope.request_id, None)
        if self._wide:
            pending = self._take_part(envelope.request_id, pending)
        if pending is None:
            late = 0 < envelope.request_id <= self._last_id
            self.counters.late_answers += late
            self.counters.unknown_answers += not late
            return AnswerDropped(envelope.request_id, late)
        if envelope.request_id == self._hello_id and self.state is State.GREETING:
            usable = envelope.error is None and not envelope.defect
            self._end_greeting(envelope.payload if usable else {})
        if envelope.defect:
            return RequestSettled(pending, BadPayload(envelope.defect))
        if envelope.error is not None:
            return RequestSettled(pending, RemoteError.from_wire(envelope.error))
        return RequestSettled(pending, envelope.payload)

    def _take_part(self, request_id: int, pending: Pending | None) -> Pending | None:
        """An answer came while there are requests with parts: which one is it for?"""
        pending = pending or self.whole_of(request_id)
        if pending is not None and pending.parts:
            self.pending.pop(pending.request_id, None)
            del self._wide[pending.request_id]
            pending.answered_by = request_id
        return pending
