"""What does one chat message look like on the wire: the message map, its segments, and how to read it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .errors import BadPayload
from .segment import read_segments
from .shown import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

MessageMap = dict[str, Any]

_FLAGS = ("is_mentioned", "is_at", "is_emoji", "is_picture", "is_command", "is_notify")
_OPTIONAL_TEXTS = ("session_id", "reply_to", "processed_plain_text")


def build_message(
    *,
    message_id: str,
    platform: str,
    user_id: str,
    user_name: str,
    text: str,
    timestamp: float,
    group_id: str | None = None,
    group_name: str | None = None,
    reply_to: str | None = None,
    additional: dict[str, Any] | None = None,
    segments: Sequence[dict[str, Any]] | None = None,
) -> MessageMap:
    """Make a message map with every field of the schema.

    Args:
        timestamp: Unix seconds.
        group_id: The channel or group; ``None`` makes a private message of the user.
        segments: The parts of the message; ``None`` makes one text segment of ``text``.
        additional: Free-form data that travels with the message.
    """
    group = None if group_id is None else {"group_id": group_id, "group_name": group_name or group_id}
    message: MessageMap = {
        "message_id": message_id,
        "timestamp": repr(float(timestamp)),
        "platform": platform,
        "message_info": {
            "user_info": {"user_id": user_id, "user_nickname": user_name, "user_cardname": None},
            "group_info": group,
            "additional_config": dict(additional or {}),
        },
        "raw_message": [{"type": "text", "data": text}] if segments is None else list(segments),
        **dict.fromkeys(_FLAGS, False),
        "processed_plain_text": text,
    }
    message["session_id"] = session_id_of(message)
    if reply_to is not None:
        message["reply_to"] = reply_to
    return message


def validate_message(message: Any) -> None:
    """Check the fields that everything else relies on.

    Raises:
        BadPayload: The first field that is missing or wrong, by name.
    """
    _need(message, dict, "message", "a map")
    _text(message, "message_id")
    _text(message, "platform")
    info = message.get("message_info")
    _need(info, dict, "message_info", "a map")
    user = info.get("user_info")
    _need(user, dict, "message_info.user_info", "a map")
    _text(user, "user_id", "message_info.user_info.")
    _text(user, "user_nickname", "message_info.user_info.")
    group = info.get("group_info")
    if group:
        _need(group, dict, "message_info.group_info", "a map or null")
        _text(group, "group_id", "message_info.group_info.")
        _text(group, "group_name", "message_info.group_info.")
    additional = info.get("additional_config")
    if additional is not None:
        _need(additional, dict, "message_info.additional_config", "a map")
    raw = message.get("raw_message")
    _need(raw, list, "raw_message", "a list of segments")
    for index, segment in enumerate(raw):
        if type(segment) is not dict or type(segment.get("type")) is not str:
            raise BadPayload("must be a map with a text 'type'", f"raw_message[{index}]")


def read_message(message: Any, now: float) -> MessageMap:
    """Check a message from outside and give every field its form, in place; see ``segment.py`` for its parts.

    What a message cannot do without is never guessed. The rest is: a flag that is none is false, a time that is none is
    now, a text that is none is not there.

    Args:
        now: Unix seconds.

    Raises:
        BadPayload: The first field that is missing or wrong, by its path.
    """
    if not _has_what_it_needs(message):
        validate_message(message)  # says which field it is
    for name in _FLAGS:
        # Most are there and false: one look-up for each, and no other work.
        if (flag := message.get(name)) is not False and flag is not True:
            message[name] = False
    for name in _OPTIONAL_TEXTS:
        if name in message and type(message[name]) is not str:
            del message[name]
    _read_time(message, now)
    info = message["message_info"]
    user = info["user_info"]
    if (card := user.get("user_cardname")) is not None or "user_cardname" not in user:
        user["user_cardname"] = card if type(card) is str else None
    if type(info.get("additional_config")) is not dict:
        info["additional_config"] = {}
    read_segments(message["raw_message"])
    return message  # type: ignore[no-any-return]  # it is one now


def _has_what_it_needs(message: Any) -> bool:
    """Whether it has the fields that everything else relies on; segments are not looked at."""
    try:
        info = message["message_info"]
        user = info["user_info"]
        group = info.get("group_info")
        additional = info.get("additional_config")
        return (
            type(message) is dict
            and type(info) is dict
            and type(user) is dict
            and type(message["raw_message"]) is list
            and (type(additional) is dict or not additional)
            and (type(text := message["message_id"]) is str and text != "")
            and (type(text := message["platform"]) is str and text != "")
            and (type(text := user["user_id"]) is str and text != "")
            and (type(text := user["user_nickname"]) is str and text != "")
            and (
                not group
                or (
                    type(group) is dict
                    and (type(text := group["group_id"]) is str and text != "")
                    and (type(text := group["group_name"]) is str and text != "")
                )
            )
        )
    except (KeyError, TypeError, AttributeError):
        return False


def _read_time(message: MessageMap, now: float) -> None:
    """A time is a text that reads as a finite number: others sort by it."""
    written = message.get("timestamp")
    try:
        if math.isfinite(seconds := float(written)):  # type: ignore[arg-type]  # None is a TypeError like the rest
            if type(written) is not str:
                message["timestamp"] = repr(seconds)
            return
    except (TypeError, ValueError, OverflowError):
        pass  # no time at all
    message["timestamp"] = repr(now)


def message_text(message: MessageMap) -> str:
    """What a person would read: the plain text if there is one, else the text segments joined."""
    text = message.get("processed_plain_text")
    if type(text) is str:
        return text
    parts = (part.get("data") for part in message.get("raw_message", ()) if part.get("type") == "text")
    return "".join(part for part in parts if isinstance(part, str))


def user_of(message: MessageMap) -> tuple[str, str]:
    """The sender: id and shown name."""
    user = message["message_info"]["user_info"]
    card = user.get("user_cardname")
    return user["user_id"], card if type(card) is str and card else user["user_nickname"]


def group_of(message: MessageMap) -> str | None:
    """The id of the group or channel; ``None`` in a private chat."""
    group = message["message_info"].get("group_info")
    return group["group_id"] if group else None


def session_id_of(message: MessageMap) -> str:
    """The conversation a message belongs to: the same for every message of one group, or of one private chat."""
    group = group_of(message)
    if group is not None:
        return f"{message['platform']}:group:{group}"
    return f"{message['platform']}:private:{user_of(message)[0]}"


def with_text(message: MessageMap, text: str) -> MessageMap:
    """A copy that says something else: its text segments become one, other segments stay behind it."""
    others = [part for part in message.get("raw_message", ()) if part.get("type") != "text"]
    return {**message, "raw_message": [{"type": "text", "data": text}, *others], "processed_plain_text": text}


def _need(value: Any, kind: type, path: str, expected: str) -> None:
    if type(value) is not kind:
        raise BadPayload(f"must be {expected}, got {type(value).__name__}", path)


def _text(owner: dict[str, Any], name: str, prefix: str = "") -> None:
    value = owner.get(name)
    if type(value) is not str or not value:
        raise BadPayload(f"must be a text that is not empty, got {shown(value)}", prefix + name)
