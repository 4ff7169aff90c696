"""What does one frame of the platform mean?"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import attrs

from . import cqcode
from .errors import BadFrame


@attrs.frozen(kw_only=True)
class MessageHeard:
    """Somebody has said something."""

    self_id: str
    """Our account."""
    message_id: str
    user_id: str
    group_id: str | None
    """``None`` in a private chat."""
    time: float | None
    """Unix seconds; ``None`` when it does not say."""
    segments: list[dict[str, Any]]
    """In the platform's form."""
    event: dict[str, Any]
    """Everything."""


@attrs.frozen(kw_only=True)
class NoticeHeard:
    """Something has happened that is no message, or somebody asks for something."""

    kind: str
    """``notice`` or ``request``."""
    self_id: str
    time: float | None
    event: dict[str, Any]


@attrs.frozen(kw_only=True)
class AccountSeen:
    """A heartbeat, or word of a connection: our account is there, or is not."""

    self_id: str
    online: bool
    interval: float | None = None
    """Seconds between two heartbeats; ``None`` when this is none."""


@attrs.frozen(kw_only=True)
class ActionAnswered:
    """What became of an action."""

    echo: str
    """"" when the platform does not say which."""
    ok: bool
    retcode: int
    data: Any
    wording: str


Received: TypeAlias = MessageHeard | NoticeHeard | AccountSeen | ActionAnswered


def read_frame(frame: str | bytes) -> Received | None:
    """Read a frame; ``None`` for one that is none of our business, such as an echo of what we said.

    Raises:
        BadFrame: It is no JSON, or nothing that a OneBot implementation would say.
    """
    try:
        told = json.loads(frame)
    except (
        ValueError,
        RecursionError,
    ):  # broken UTF-8 is a ValueError too; deep nesting ends in a RecursionError
        raise BadFrame(f"a frame is no JSON: {frame[:60]!r}") from None
    if type(told) is not dict:
        raise BadFrame(f"a frame is no object: {frame[:60]!r}")
    kind = told.get("post_type")
    if kind is None:
        return _answer(told)
    if kind == "message":
        return _message(told)
    if kind in ("notice", "request"):
        return NoticeHeard(kind=kind, self_id=_id(told, "self_id"), time=_time(told), event=told)
    if kind == "meta_event":
        return _meta(told)
    if kind == "message_sent":
        return None
    raise BadFrame(f"an event of type {kind!r:.60}, which OneBot v11 has not")


def _answer(told: dict[str, Any]) -> ActionAnswered:
    if "retcode" not in told and "status" not in told:
        raise BadFrame(f"neither an event nor an answer: it has {sorted(told)!r:.120}")
    retcode = told.get("retcode")
    retcode = retcode if type(retcode) is int else -1
    status = told.get("status")
    words = (told.get(name) for name in ("wording", "message", "msg"))
    echo = told.get("echo")
    return ActionAnswered(
        echo=echo if type(echo) is str else "",
        # retcode 1 is "async": it was accepted and is done later, so there is no id.
        ok=retcode in (0, 1) and status in ("ok", "async", None),
        retcode=retcode,
        data=told.get("data"),
        wording=next((word for word in words if type(word) is str and word), ""),
    )


def _message(told: dict[str, Any]) -> MessageHeard | None:
    self_id, user_id = _id(told, "self_id"), _id(told, "user_id")
    if self_id == user_id:
        return None
    kind = told.get("message_type")
    if kind not in ("private", "group"):
        raise BadFrame(f"a message of type {kind!r:.60}, expected 'private' or 'group'")
    return MessageHeard(
        self_id=self_id,
        message_id=_id(told, "message_id"),
        user_id=user_id,
        group_id=_id(told, "group_id") if kind == "group" else None,
        time=_time(told),
        segments=_segments(told),
        event=told,
    )


def _segments(told: dict[str, Any]) -> list[dict[str, Any]]:
    written = told.get("message")
    if type(written) is str:
        return cqcode.parse(written)
    if type(written) is not list:
        raise BadFrame(f"a message is {type(written).__name__}, expected a list of segments or a text")
    for segment in written:
        if type(segment) is not dict or type(segment.get("type")) is not str:
            raise BadFrame("a segment is no object with a type")
        if type(segment.get("data")) is not dict:
            segment["data"] = {}
    return written


def _meta(told: dict[str, Any]) -> AccountSeen | None:
    kind = told.get("meta_event_type")
    if kind == "lifecycle":
        is_there = told.get("sub_type") in ("connect", "enable")
        return AccountSeen(self_id=_id(told, "self_id"), online=is_there)
    if kind == "heartbeat":
        status = told.get("status")
        online = status.get("online") if type(status) is dict else None
        interval = told.get("interval")
        seconds = interval / 1000 if isinstance(interval, (int, float)) and interval > 0 else None
        # Implementations that do not know say null; only a plain no is one.
        return AccountSeen(self_id=_id(told, "self_id"), online=online is not False, interval=seconds)
    return None


def _id(told: dict[str, Any], name: str) -> str:
    """An id as a text: numbers on most platforms, texts on some."""
    value = told.get(name)
    if type(value) is int:
        return str(value)
    if type(value) is str and value.strip():
        return value.strip()
    raise BadFrame(f"{name} is {value!r:.60}, expected a number or a text")


def _time(told: dict[str, Any]) -> float | None:
    value = told.get("time")
    if type(value) not in (int, float) or not 0 < value < 1e12:  # type: ignore[operator]  # one of the two
        return None
    return float(value)  # type: ignore[arg-type]  # one of the two
