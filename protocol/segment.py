"""What may a part of a message be, and what becomes of one that a gateway wrote in another way?

A gateway speaks for a platform that nobody here has seen: what can be understood is given its form, what cannot is kept in
a ``dict`` segment, and only what is no segment at all is refused. A segment that has its form already stays as it is.
"""

from __future__ import annotations

import binascii
import hashlib
from typing import TYPE_CHECKING, Any

from .errors import BadPayload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Segment = dict[str, Any]

UNKNOWN_USER = "unknown user"
"""Who said a forwarded message that names nobody."""

_FILE_KEYS: Mapping[str, tuple[str, ...]] = {
    "name": ("name", "file", "file_name", "filename"),
    "size": ("size", "file_size"),
    "url": ("url", "file_url"),
    "file_id": ("file_id", "id"),
    "mime_type": ("mime_type", "mimeType"),
    "base64": ("base64",),
}
"""The keys of a file, each with the names under which it comes in."""

_AT_KEYS = ("target_user_id", "target_user_nickname", "target_user_cardname")
_REPLY_KEYS = (
    "target_message_id",
    "target_message_content",
    "target_message_sender_id",
    "target_message_sender_nickname",
    "target_message_sender_cardname",
)


def read_segments(parts: list[Any], path: str = "raw_message") -> None:
    """Give every segment of a list its form, in place.

    Args:
        path: Where the list stands, for errors.

    Raises:
        BadPayload: The first item that is no segment, by its place.
    """
    for index, part in enumerate(parts):
        if type(part) is not dict or type(kind := part.get("type")) is not str:
            raise BadPayload("must be a map with a text 'type'", f"{path}[{index}]")
        if kind == "text":
            if type(part.get("data")) is not str:
                parts[index] = {**part, "data": _as_text(part.get("data"))}
        else:
            parts[index] = _READERS.get(kind, _other)(part, f"{path}[{index}]")


def _binary(part: Segment, _: str) -> Segment:
    """A picture, an emoji or a voice: words for it, its hash, and its bytes where they came along."""
    data, known, encoded = part.get("data"), part.get("hash"), part.get("binary_data_base64")
    if encoded is None and type(data) is str and type(known) is str:
        return part
    read = {**part, "data": _as_text(data), "hash": known if type(known) is str else ""}
    content = _decoded(encoded)
    if content:
        read["hash"] = hashlib.sha256(content).hexdigest()  # ours: others look media up by it
    else:
        read.pop("binary_data_base64", None)
    return read


def _file(part: Segment, _: str) -> Segment:
    data = part.get("data")
    if type(data) is not dict:
        name = _as_text(data)
        return {**part, "data": {"name": name} if name else {}}
    found = {}
    for key, names in _FILE_KEYS.items():
        text = next((text for name in names if (text := _as_text(data.get(name)))), "")
        if text:
            found[key] = text
    return part if found == data else {**part, "data": found}


def _at(part: Segment, _: str) -> Segment:
    return _with_texts(part, _AT_KEYS)


def _reply(part: Segment, _: str) -> Segment:
    return _with_texts(part, _REPLY_KEYS)


def _with_texts(part: Segment, keys: tuple[str, ...]) -> Segment:
    """A segment whose data has these keys, the first a text, the others a text or null; a bare value is the first."""
    data = part.get("data")
    if type(data) is not dict:
        return {**part, "data": {**dict.fromkeys(keys), keys[0]: _as_text(data)}}
    first, *others = map(data.get, keys)
    if type(first) is str and all(other is None or type(other) is str for other in others):
        if all(key in data for key in keys):
            return part
        return {**part, "data": {**dict.fromkeys(keys), **data}}
    texts = {key: None if data.get(key) is None else _as_text(data[key]) for key in keys}
    texts[keys[0]] = texts[keys[0]] or ""
    return {**part, "data": {**data, **texts}}


def _forward(part: Segment, path: str) -> Segment:
    nodes = part.get("data")
    read = [
        _node(node, f"{path}.data[{index}]")
        for index, node in enumerate(nodes if type(nodes) is list else ())
        if type(node) is dict
    ]
    return {**part, "data": read} if read else _wrapped(part)


def _node(node: dict[str, Any], path: str) -> dict[str, Any]:
    content = node.get("content")
    if type(content) is list and content:
        read_segments(content, f"{path}.content")
    else:
        content = [{"type": "text", "data": "" if type(content) is list else _as_text(content)}]
    card = node.get("user_cardname")
    return {
        **node,
        "user_id": _as_text(node.get("user_id")),
        "user_nickname": _as_text(node.get("user_nickname")) or UNKNOWN_USER,
        "user_cardname": card if type(card) is str else None,
        "message_id": _as_text(node.get("message_id")),
        "content": content,
    }


def _dict(part: Segment, path: str) -> Segment:
    data = part.get("data")
    if type(data) is not dict:
        return {"type": "dict", "data": dict(part)}
    if data.get("type") == "file":
        inner = data.get("data")
        return _file({"type": "file", "data": data if inner is None else inner}, path)
    return part


def _other(part: Segment, _: str) -> Segment:
    return _wrapped(part)


def _wrapped(part: Segment) -> Segment:
    """What nobody here understands, kept for whoever does."""
    data = part.get("data")
    return {"type": "dict", "data": data if type(data) is dict else dict(part)}


def _decoded(encoded: Any) -> bytes:
    """The bytes; none where they cannot be read."""
    if type(encoded) is not str or not encoded:
        return b""
    try:
        return binascii.a2b_base64(encoded)
    except (binascii.Error, ValueError):
        return b""


def _as_text(value: Any) -> str:
    """A text of anything; nothing is the empty text."""
    if type(value) is str:
        return value
    return "" if value is None else str(value)


_READERS: Mapping[str, Callable[[Segment, str], Segment]] = {
    "image": _binary,
    "emoji": _binary,
    "voice": _binary,
    "file": _file,
    "at": _at,
    "reply": _reply,
    "forward": _forward,
    "dict": _dict,
}
