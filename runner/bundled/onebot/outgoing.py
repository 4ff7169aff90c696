"""Which action of the platform says a message of rookery?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import MessageMap, group_of, message_text, user_of

from . import cqcode
from .errors import CannotSend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Segment = dict[str, Any]

_NO_MESSAGE = frozenset({"command", "notice", "request"})
"""Kinds of ``dict`` segments that are no part of a message on this platform."""


@attrs.frozen(kw_only=True)
class Action:
    """What the platform is asked to do."""

    name: str
    params: dict[str, Any]


def action_of(message: MessageMap, *, as_text: bool = False, quote: bool = False) -> Action:
    """The action that sends a message where it belongs.

    Args:
        as_text: Write it as a text with codes in it, for implementations that read no list.
        quote: Show the message that it answers above it.

    Raises:
        CannotSend: It is for nobody, or has nothing that the platform could show.
    """
    where, target = target_of(message)
    parts = message.get("raw_message") or []
    if len(parts) == 1 and parts[0].get("type") == "forward":
        nodes = [_node(node) for node in parts[0]["data"] if type(node) is dict]
        return Action(name=f"send_{where}_forward_msg", params={**target, "messages": nodes})
    segments = [made for part in parts if (made := translate(part)) is not None]
    if not segments and (text := message_text(message)):
        segments = [_text(text)]
    if not segments:
        raise CannotSend(f"message {message.get('message_id')!r} has nothing that can be sent")
    reply_to = message.get("reply_to")
    if quote and reply_to and not any(each["type"] == "reply" for each in segments):
        segments.insert(0, {"type": "reply", "data": {"id": str(reply_to)}})
    content = cqcode.write(segments) if as_text else segments
    return Action(name=f"send_{where}_msg", params={**target, "message": content})


def target_of(message: MessageMap) -> tuple[str, dict[str, Any]]:
    """Where a message goes: the kind of chat, and the parameter that names it.

    A target that the host names beside the message goes before the chat that the message belongs to.

    Raises:
        CannotSend: The message names neither a group nor a person.
    """
    additional: dict[str, Any] = message["message_info"].get("additional_config") or {}
    group = str(additional.get("platform_io_target_group_id") or "").strip()
    user = str(additional.get("platform_io_target_user_id") or "").strip()
    if not group and not user:
        group, user = group_of(message) or "", user_of(message)[0]
    if group:
        return "group", {"group_id": _number(group)}
    if user:
        return "private", {"user_id": _number(user)}
    raise CannotSend(f"message {message.get('message_id')!r} names neither a group nor a person")


def translate(part: Segment) -> Segment | None:
    """One segment in the platform's form; ``None`` for one that has nothing to show.

    Raises:
        CannotSend: The platform has nothing like it.
    """
    build = _KNOWN.get(part.get("type", ""))
    if build is None:
        raise CannotSend(f"the platform has no segment of type {part.get('type')!r}")
    return build(part)


def _text(text: str) -> Segment:
    return {"type": "text", "data": {"text": text}}


def _text_part(part: Segment) -> Segment | None:
    return _text(str(part["data"])) if part.get("data") else None


def _at(part: Segment) -> Segment:
    return {"type": "at", "data": {"qq": str(part["data"].get("target_user_id") or "")}}


def _reply(part: Segment) -> Segment:
    data = part["data"]
    target = data.get("target_message_id") if type(data) is dict else data
    return {"type": "reply", "data": {"id": str(target or "")}}


def _image(part: Segment) -> Segment | None:
    return _binary("image", part)


def _emoji(part: Segment) -> Segment | None:
    made = _binary("image", part)
    if made is not None and made["type"] == "image":
        made["data"]["sub_type"] = 1
    return made


def _voice(part: Segment) -> Segment | None:
    return _binary("record", part)


def _binary(kind: str, part: Segment) -> Segment | None:
    """Its bytes, or the place that it came from; words when there is neither."""
    encoded = part.get("binary_data_base64")
    file = f"base64://{encoded}" if encoded else part.get("url") or part.get("file")
    if file:
        return {"type": kind, "data": {"file": str(file)}}
    return _text_part(part)


def _file(part: Segment) -> Segment:
    data = part["data"]
    file = f"base64://{data['base64']}" if data.get("base64") else data.get("url") or data.get("file_id")
    if not file:
        raise CannotSend(f"file {data.get('name')!r} has neither bytes nor a place")
    made = {"file": str(file), "name": data.get("name")}
    return {"type": "file", "data": {name: value for name, value in made.items() if value}}


def _dict(part: Segment) -> Segment:
    data = part["data"]
    kind = data.get("type") if type(data) is dict else None
    if type(kind) is not str or not kind or kind in _NO_MESSAGE:
        raise CannotSend(f"a segment of type {kind!r} cannot be part of a message on this platform")
    inner = data.get("data")
    return {"type": kind, "data": inner if type(inner) is dict else {}}


def _forward(part: Segment) -> Segment:
    raise CannotSend("forwarded messages are sent alone, not as a part of another")


def _node(node: Mapping[str, Any]) -> Segment:
    content = node.get("content")
    parts = [made for each in content if (made := translate(each))] if type(content) is list else []
    return {
        "type": "node",
        "data": {
            "user_id": str(node.get("user_id") or "0"),
            "nickname": str(node.get("user_nickname") or ""),
            "content": parts,
        },
    }


def _number(written: str) -> int | str:
    """Ids are numbers in OneBot v11; implementations for other platforms have texts."""
    is_number = written.isascii() and written.isdigit() and len(written) < 20 and written[0] != "0"
    return int(written) if is_number else written


_KNOWN: Mapping[str, Callable[[Segment], Segment | None]] = {
    "text": _text_part,
    "at": _at,
    "reply": _reply,
    "image": _image,
    "emoji": _emoji,
    "voice": _voice,
    "file": _file,
    "dict": _dict,
    "forward": _forward,
}
