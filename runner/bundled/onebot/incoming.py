"""What is a message of the platform in the words of rookery?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rookery.protocol import MessageMap, build_message

from . import cqcode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .frame import MessageHeard

Segment = dict[str, Any]

EVERYBODY = "all"
STICKER = "1"
"""The ``sub_type`` of a picture that is one."""


def message_of(heard: MessageHeard, *, platform: str, now: float) -> MessageMap:
    """The message map of something that was said.

    Args:
        now: Unix seconds; used when the platform does not tell the time.
    """
    event = heard.event
    sender = event.get("sender")
    sender = sender if type(sender) is dict else {}
    segments = [translate(segment) for segment in heard.segments]
    message = build_message(
        message_id=heard.message_id,
        platform=platform,
        user_id=heard.user_id,
        user_name=_text(sender.get("nickname")) or heard.user_id,
        text="".join(plain_text(segment) for segment in segments),
        timestamp=now if heard.time is None else heard.time,
        group_id=heard.group_id,
        group_name=_text(event.get("group_name")) or heard.group_id,
        reply_to=_reply_to(segments),
        additional=_additional(heard, sender),
        segments=segments,
    )
    message["message_info"]["user_info"]["user_cardname"] = _text(sender.get("card")) or None
    named = {each["data"]["target_user_id"] for each in segments if each["type"] == "at"}
    message["is_at"] = message["is_mentioned"] = heard.self_id in named
    kinds = {each["type"] for each in segments}
    message["is_picture"] = kinds == {"image"}
    message["is_emoji"] = kinds == {"emoji"}
    return message


def _additional(heard: MessageHeard, sender: Mapping[str, Any]) -> dict[str, Any]:
    """What a plugin that knows the platform may want, and the account that the answer leaves by."""
    known = {
        "self_id": heard.self_id,
        "onebot_message_type": "private" if heard.group_id is None else "group",
        "onebot_sub_type": _text(heard.event.get("sub_type")),
        "onebot_role": _text(sender.get("role")),
    }
    return {name: value for name, value in known.items() if value}


def _reply_to(segments: list[Segment]) -> str | None:
    ids = (each["data"]["target_message_id"] for each in segments if each["type"] == "reply")
    return next(ids, None)


def translate(segment: Segment) -> Segment:
    """One segment of the platform; one that rookery has no word for is kept whole."""
    build = _KNOWN.get(segment["type"])
    return _kept(segment) if build is None else build(segment)


def plain_text(segment: Segment) -> str:
    """What a person would read of it."""
    kind, data = segment["type"], segment["data"]
    if kind == "text":
        return str(data)
    if kind == "at":
        return f"@{data['target_user_nickname'] or data['target_user_id']}"
    if kind == "reply":
        return ""  # a person sees the quoted message above, not in the text
    if kind == "file":
        return f"[file {data.get('name', '')}]"
    if kind == "forward":
        return "[forward]"
    if kind == "dict":
        return f"[{data.get('type', 'dict')}]"
    return str(data)


def _text_segment(segment: Segment) -> Segment:
    return {"type": "text", "data": _text(segment["data"].get("text"))}


def _at(segment: Segment) -> Segment:
    data = segment["data"]
    return {
        "type": "at",
        "data": {
            "target_user_id": _text(data.get("qq")),
            "target_user_nickname": _text(data.get("name")) or None,
            "target_user_cardname": None,
        },
    }


def _reply(segment: Segment) -> Segment:
    data = segment["data"]
    sender = _text(data.get("user_id") or data.get("qq"))
    return {
        "type": "reply",
        "data": {
            "target_message_id": _text(data.get("id")),
            "target_message_content": _text(data.get("text")) or None,
            "target_message_sender_id": sender or None,
            "target_message_sender_nickname": None,
            "target_message_sender_cardname": None,
        },
    }


def _picture(segment: Segment) -> Segment:
    data = segment["data"]
    is_sticker = _text(data.get("sub_type") or data.get("subType")) == STICKER
    kind = "emoji" if is_sticker else "image"
    return _binary(kind, data, _text(data.get("summary")) or f"[{kind}]")


def _record(segment: Segment) -> Segment:
    return _binary("voice", segment["data"], "[voice]")


def _binary(kind: str, data: Mapping[str, Any], words: str) -> Segment:
    """A picture or a voice; the host makes its hash where the bytes are in it, else its place is told."""
    made: Segment = {"type": kind, "data": words, "hash": ""}
    file = _text(data.get("file"))
    if file.startswith("base64://"):
        made["binary_data_base64"] = file.removeprefix("base64://")
    elif file:
        made["file"] = file
    if url := _text(data.get("url")):
        made["url"] = url
    return made


def _file(segment: Segment) -> Segment:
    data = segment["data"]
    known = {
        "name": data.get("name") or data.get("file"),
        "size": data.get("file_size") or data.get("size"),
        "url": data.get("url"),
        "file_id": data.get("file_id") or data.get("id"),
    }
    return {"type": "file", "data": {name: _text(value) for name, value in known.items() if _text(value)}}


def _forward(segment: Segment) -> Segment:
    content = segment["data"].get("content")
    nodes = [_node(each) for each in content if type(each) is dict] if type(content) is list else []
    return {"type": "forward", "data": nodes} if nodes else _kept(segment)


def _node(event: Mapping[str, Any]) -> dict[str, Any]:
    """One message of a forwarded conversation: an event, or a ``node`` segment."""
    inner = event.get("data") if event.get("type") == "node" else event
    inner = inner if type(inner) is dict else {}
    sender = inner.get("sender")
    sender = sender if type(sender) is dict else inner
    written = inner.get("message", inner.get("content"))
    parts = cqcode.parse(written) if type(written) is str else written
    parts = parts if type(parts) is list else []
    return {
        "user_id": _text(sender.get("user_id") or sender.get("uin")),
        "user_nickname": _text(sender.get("nickname") or sender.get("name")) or "unknown user",
        "user_cardname": _text(sender.get("card")) or None,
        "message_id": _text(inner.get("message_id") or inner.get("id")),
        "content": [
            translate({**part, "data": part["data"] if type(part.get("data")) is dict else {}})
            for part in parts
            if type(part) is dict and type(part.get("type")) is str
        ],
    }


def _kept(segment: Segment) -> Segment:
    return {"type": "dict", "data": {"type": segment["type"], "data": segment["data"]}}


def _text(value: Any) -> str:
    """A text of whatever the platform wrote; nothing is the empty text."""
    if type(value) is str:
        return value
    return "" if value is None or isinstance(value, (dict, list)) else str(value)


_KNOWN: Mapping[str, Callable[[Segment], Segment]] = {
    "text": _text_segment,
    "at": _at,
    "reply": _reply,
    "image": _picture,
    "record": _record,
    "file": _file,
    "forward": _forward,
}
