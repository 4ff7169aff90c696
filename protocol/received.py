"""What can have happened when bytes arrived: the past-tense values a session gives out."""

from __future__ import annotations

from typing import Any

import attrs

from .errors import RemoteProtocolError, RookeryError
from .methods import Method


@attrs.define
class RequestReceived:
    """The peer asks for something; exactly one answer is owed.

    This and ``RequestSettled`` are made for each call and mutable only because freezing costs half of that (0.4 µs).
    """

    method: Method
    request_id: int
    plugin_id: str
    payload: dict[str, Any]
    timeout_ms: int


@attrs.frozen
class BroadcastReceived:
    """The peer tells something; nobody answers."""

    method: Method
    plugin_id: str
    payload: dict[str, Any]


@attrs.frozen
class RequestRefused:
    """The peer asked for something that is not its to ask, or in an unusable form; a request's refusal is on its way."""

    method_name: str
    request_id: int
    reason: str


@attrs.define
class RequestSettled:
    """One of our requests is over. ``outcome`` is the payload, or the error that stands for it."""

    pending: Pending
    outcome: dict[str, Any] | RookeryError


@attrs.frozen
class AnswerDropped:
    """An answer that nobody waits for: late (the request had ended) or unknown (it never existed)."""

    request_id: int
    late: bool


@attrs.frozen
class RuleBroken:
    """The peer broke a rule. Nothing that comes after it is read: close the connection."""

    error: RemoteProtocolError


@attrs.define(eq=False)
class Pending:
    """A request of ours that has no answer yet.

    Attributes:
        deadline: Absolute, on the clock of whoever drives the session.
        on_done: Whatever the driver wants to find again when the request settles; the session never calls it.
        tag: What the request is for, for whoever has to explain its end; the session never looks at it.
        parts: How many ids after its own belong to it.
        answered_by: The id that the answer came under: its own, or one of its parts'; 0 before.
        begun: When there will be no answer: which of its parts had begun.
    """

    request_id: int
    method: str
    plugin_id: str
    deadline: float
    on_done: Any
    tag: object = None
    parts: int = 0
    answered_by: int = 0
    begun: frozenset[int] = frozenset()


Received = RequestReceived | BroadcastReceived | RequestRefused | RequestSettled | AnswerDropped | RuleBroken
