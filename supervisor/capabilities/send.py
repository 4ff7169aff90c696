"""``send.*``: a plugin says something in a chat.

Text can be sent by every host. Pictures, forwarded messages and the rest exist where the host sends segments.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Any

from rookery.protocol import BadPayload

from ..platform.departure import Sending
from . import arguments
from .powers import HostPowers, SegmentSender

if TYPE_CHECKING:
    from collections.abc import Callable

    from .request import CapabilityRequest
    from .table import CapabilityTable

    Args = dict[str, Any]
    Segments = list[dict[str, Any]]

NATIVE_SEGMENTS = frozenset({"text", "image", "emoji", "voice", "at", "reply", "file", "dict", "forward"})
"""The segment types of protocol 1.0.0; a message of any other type travels inside a ``dict`` segment."""

BINARY_SEGMENTS = frozenset({"image", "emoji", "voice"})
"""Their bytes travel as base64 beside a text that says what is to be seen or heard."""


MAX_KIND_CHARS = 64
"""Of a type of nobody's, in the text for those who see texts only."""


def register_send(table: CapabilityTable, powers: HostPowers) -> None:
    """Add ``send.text``, and ``send.image``, ``emoji``, ``custom``, ``command``, ``forward`` and ``hybrid`` where the host
    is a ``SegmentSender``."""

    async def send_text(request: CapabilityRequest) -> Args:
        session_id = arguments.text(request.args, "stream_id")
        text = arguments.text(request.args, "text")
        sent = await powers.send_text(
            session_id, text, plugin_id=request.plugin_id, sending=_sending(request.args)
        )
        return _answer(sent, request.args)

    table.register("send.text", send_text, says_mistakes=True)
    if not isinstance(powers, SegmentSender):
        return
    for name, make in _KINDS.items():
        table.register(f"send.{name}", _sender(powers, make), says_mistakes=True)


def _sender(
    powers: SegmentSender, make: Callable[[Args], tuple[Segments, str]]
) -> Callable[[CapabilityRequest], Any]:
    async def send(request: CapabilityRequest) -> Args:
        session_id = arguments.text(request.args, "stream_id")
        segments, text = make(request.args)
        sent = await powers.send_segments(
            session_id,
            segments,
            text=arguments.optional_text(request.args, "processed_plain_text", "display_message") or text,
            plugin_id=request.plugin_id,
            sending=_sending(request.args),
        )
        return _answer(sent, request.args)

    return send


def _sending(args: Args) -> Sending:
    """What is said of the message beside what it says. A plugin of the original cannot name the message that it answers, so
    ``set_reply`` alone answers none."""
    reply_to = arguments.optional_text(args, "reply_to")
    return Sending(
        typing=arguments.flag(args, "typing"),
        set_reply=arguments.flag(args, "set_reply") or bool(reply_to),
        reply_message_id=reply_to,
        storage_message=arguments.flag(args, "storage_message", default=True),
        show_log=arguments.flag(args, "show_log", default=True),
    )


def _answer(sent: Args, args: Args) -> Args:
    if arguments.flag(args, "return_details"):
        return {"message_id": None, **sent, "sent": sent.get("success") is True}
    return sent


# --- what is sent: segments, and the text that a person would read -------------------------------------------------


def _image(args: Args) -> tuple[Segments, str]:
    return [_binary("image", arguments.text(args, "image_base64"), "image_base64")], "[image]"


def _emoji(args: Args) -> tuple[Segments, str]:
    return [_binary("emoji", arguments.text(args, "emoji_base64"), "emoji_base64")], "[emoji]"


def _command(args: Args) -> tuple[Segments, str]:
    command = args.get("command")
    if command is None or command == "":
        raise BadPayload("is required and missing", "command")
    return [{"type": "dict", "data": {"type": "command", "data": command}}], "[command]"


def _custom(args: Args) -> tuple[Segments, str]:
    kind = arguments.text(args, "message_type", "custom_type")
    content = args["content"] if args.get("content") is not None else args.get("data")
    if content is None:
        raise BadPayload("is required and missing", "content or data")
    segment = _segment({"type": kind, "data": content}, "content")
    return [segment], _text_of([segment])


def _hybrid(args: Args) -> tuple[Segments, str]:
    parts = arguments.maps(args, "segments", "parts")
    segments = [_segment(part, f"segments[{index}]") for index, part in enumerate(parts)]
    return segments, _text_of(segments)


def _forward(args: Args) -> tuple[Segments, str]:
    nodes = []
    for index, node in enumerate(arguments.maps(args, "messages")):
        path = f"messages[{index}]"
        parts = node.get("segments") or node.get("content")
        if not isinstance(parts, list):
            continue  # a node that says nothing
        content = [_segment(part, f"{path}.segments[{place}]") for place, part in enumerate(parts)]
        if content:
            nodes.append(
                {
                    "user_id": str(node.get("user_id") or ""),
                    "user_nickname": str(node.get("user_nickname") or node.get("nickname") or "unknown user"),
                    "user_cardname": node.get("user_cardname"),
                    "message_id": str(node.get("message_id") or ""),
                    "content": content,
                }
            )
    if not nodes:
        raise BadPayload("has no message with segments", "messages")
    return [{"type": "forward", "data": nodes}], f"[{len(nodes)} forwarded messages]"


_KINDS: dict[str, Callable[[Args], tuple[Segments, str]]] = {
    "image": _image,
    "emoji": _emoji,
    "command": _command,
    "custom": _custom,
    "hybrid": _hybrid,
    "forward": _forward,
}


def _segment(part: Any, path: str) -> dict[str, Any]:
    """A segment of the message schema from what a plugin sent for one."""
    if type(part) is not dict or type(part.get("type")) is not str or not part["type"]:
        raise BadPayload("must be a map with a text 'type'", path)
    kind = part["type"]
    data = part["data"] if part.get("data") is not None else part.get("content")
    if kind in BINARY_SEGMENTS and not part.get("binary_data_base64") and not part.get("hash"):
        if type(data) is not str or not data:
            raise BadPayload(f"must be the bytes of the {kind} as base64", path)
        return _binary(kind, data, path)
    if kind in NATIVE_SEGMENTS:
        if data is None and kind not in BINARY_SEGMENTS:
            raise BadPayload("has neither 'data' nor 'content'", path)
        rest = {key: value for key, value in part.items() if key != "content"}
        return {**rest, "data": f"[{kind}]" if data is None else data}
    return {"type": "dict", "data": {"type": kind, "data": data}}


def _binary(kind: str, encoded: str, path: str) -> dict[str, Any]:
    if encoded.startswith("data:"):
        encoded = encoded.partition(",")[2]
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise BadPayload("must be base64", path) from None
    if not content:
        raise BadPayload("has no bytes", path)
    return {
        "type": kind,
        "data": f"[{kind}]",
        "hash": hashlib.sha256(content).hexdigest(),
        "binary_data_base64": encoded,
    }


def _text_of(segments: Segments) -> str:
    return "".join(map(_seen, segments))


def _seen(segment: dict[str, Any]) -> str:
    """What a person who sees texts only is shown of it."""
    kind, data = segment["type"], segment["data"]
    if kind == "text" and isinstance(data, str):
        return data
    if kind == "dict" and isinstance(data, dict) and isinstance(data.get("type"), str):
        kind = data["type"][:MAX_KIND_CHARS]
    return f"[{kind}]"
