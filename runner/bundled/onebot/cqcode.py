"""How does a text with codes in it become segments and back?

``hello [CQ:at,qq=42]`` is a text and a mention. Within the text ``&``, ``[`` and ``]`` are written as entities, within the
values of a code a comma too. Values are texts, and a code that is broken is text: nothing that comes in is lost.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Segment = dict[str, Any]

_CODE = re.compile(r"\[CQ:([A-Za-z0-9_.-]+)((?:,[^,=\[\]]+=[^,\[\]]*)*)\]")
_ENTITIES = (("&#44;", ","), ("&#91;", "["), ("&#93;", "]"), ("&amp;", "&"))


def escape(text: str, *, in_code: bool = False) -> str:
    """Write a text so that it is read as text.

    Args:
        in_code: It is a value of a code, where a comma ends it.
    """
    text = text.replace("&", "&amp;").replace("[", "&#91;").replace("]", "&#93;")
    return text.replace(",", "&#44;") if in_code else text


def unescape(text: str) -> str:
    """The text that was written; what is no entity stays."""
    if "&" not in text:
        return text
    for entity, sign in _ENTITIES:  # & comes last: it may be the beginning of another
        text = text.replace(entity, sign)
    return text


def parse(text: str) -> list[Segment]:
    """The segments of a text."""
    segments: list[Segment] = []
    end = 0
    for code in _CODE.finditer(text):
        _add_text(segments, text[end : code.start()])
        pairs = (pair.partition("=") for pair in code[2].split(",")[1:])
        data = {name.strip(): unescape(value) for name, _, value in pairs}
        segments.append({"type": code[1], "data": data})
        end = code.end()
    _add_text(segments, text[end:])
    return segments


def write(segments: Iterable[Segment]) -> str:
    """The text of segments. Values that are no texts are written as such; those that are null are left out."""
    return "".join(map(_write_one, segments))


def _write_one(segment: Segment) -> str:
    data = segment.get("data") or {}
    if segment["type"] == "text":
        return escape(str(data.get("text", "")))
    values = "".join(
        f",{escape(str(name), in_code=True)}={escape(_plain(value), in_code=True)}"
        for name, value in data.items()
        if value is not None
    )
    return f"[CQ:{escape(segment['type'], in_code=True)}{values}]"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


def _add_text(segments: list[Segment], written: str) -> None:
    if written:
        segments.append({"type": "text", "data": {"text": unescape(written)}})
