"""What is owed to the peer: a request that came in and is to be answered exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from .errors import ErrorCode, LocalProtocolError

if TYPE_CHECKING:
    from .errors import BadPayload
    from .link import Link
    from .methods import Method
    from .received import RequestReceived

Payload = dict[str, Any]


class Request:
    """A request of the peer, to be answered exactly once, now or later, from any task of this loop.

    Attributes:
        timeout_ms: The caller's remaining budget when it sent the request.
        received_at: On the link's clock, seconds.
        answered: True once an answer or a refusal was sent, or dropped because the connection had gone.
    """

    __slots__ = (
        "answered",
        "link",
        "method",
        "payload",
        "plugin_id",
        "received_at",
        "request_id",
        "timeout_ms",
    )

    def __init__(self, link: Link, received: RequestReceived, received_at: float) -> None:
        self.link = link
        self.method: Method = received.method
        self.request_id = received.request_id
        self.plugin_id = received.plugin_id
        self.payload = received.payload
        self.timeout_ms = received.timeout_ms
        self.received_at = received_at
        self.answered = False

    def __repr__(self) -> str:
        state = "answered" if self.answered else "owed"
        return f"<Request {self.request_id} {self.method.name} {self.plugin_id} ({state})>"

    def answer(self, payload: Payload) -> None:
        """Send the answer. Does nothing when the connection has gone meanwhile.

        Raises:
            CannotEncode, FrameTooLarge: Nothing was sent and an answer is still owed: refuse, or answer otherwise.
            LocalProtocolError: It was answered before.
        """
        link = self.link
        if not link.is_closed:
            if self.answered:
                self._refuse_again()
            link.session.answer(self.request_id, payload)
            link.wake_writer()
        self.answered = True

    def refuse(self, code: ErrorCode, message: str, details: Payload | None = None) -> None:
        """Send an error. Does nothing when the connection has gone meanwhile.

        Raises:
            LocalProtocolError: It was answered before.
        """
        if not self.link.is_closed:
            if self.answered:
                self._refuse_again()
            self.link.session.refuse(self.request_id, code, message, details)
            self.link.wake_writer()
        self.answered = True

    def refuse_bad_payload(self, error: BadPayload) -> None:
        self.refuse(ErrorCode.E_BAD_PAYLOAD, str(error), error.details)

    def _refuse_again(self) -> NoReturn:
        # The session knows ids only, and the peer may have used this one again for another request.
        raise LocalProtocolError(f"request {self.request_id} ({self.method.name}) was answered before")
