"""What does the answer of a tool mean, whatever form its author gave it?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

CONTENT_TYPES = frozenset({"text", "image", "audio", "resource_link", "resource", "binary"})


@attrs.frozen(kw_only=True)
class ToolContent:
    """One part of a result."""

    content_type: str
    """One of ``CONTENT_TYPES``, or ``unknown``."""
    text: str = ""
    data: str = ""
    """Base64."""
    mime_type: str = ""
    uri: str = ""
    name: str = ""
    description: str = ""
    metadata: Mapping[str, Any] = attrs.Factory(dict)


@attrs.frozen(kw_only=True)
class ToolResult:
    """How a tool went."""

    success: bool
    content: str = ""
    """What a language model is told."""
    content_items: tuple[ToolContent, ...] = ()
    error: str = ""
    """Why it did not go well; "" when it did."""
    result: Any = None
    """As the tool returned it."""


def read_tool_result(answer: Mapping[str, Any]) -> ToolResult:
    """Read the payload of a tool's answer.

    A map has ``success``, ``content`` (or ``message``), ``content_items`` and ``error``; a list that begins with a flag has
    a text behind it; anything else is the content.
    """
    result = answer.get("result")
    if answer.get("success") is False:
        return ToolResult(success=False, error=_text(result) or "it failed", result=result)
    if isinstance(result, Mapping):
        success = result.get("success") is not False
        error = _text(result.get("error"))
        items = result.get("content_items")
        return ToolResult(
            success=success,
            content=_text(result.get("content") or result.get("message")),
            content_items=tuple(map(_content, items)) if isinstance(items, list) else (),
            error=error if success else error or "it failed",
            result=result,
        )
    if isinstance(result, list) and result and type(result[0]) is bool:
        content = _text(result[1]) if len(result) > 1 else ""
        error = "" if result[0] else content or "it failed"
        return ToolResult(success=result[0], content=content, error=error, result=result)
    return ToolResult(success=True, content=_text(result), result=result)


def _content(item: Any) -> ToolContent:
    if not isinstance(item, Mapping):
        return ToolContent(content_type="unknown", text=_text(item))
    kind = _text(item.get("content_type") or item.get("type") or "text").strip().lower()
    metadata = item.get("metadata")
    return ToolContent(
        content_type=kind if kind in CONTENT_TYPES else "unknown",
        text=_text(item.get("text")),
        data=_text(item.get("data") or item.get("base64")),
        mime_type=_text(item.get("mime_type")),
        uri=_text(item.get("uri")),
        name=_text(item.get("name")),
        description=_text(item.get("description")),
        metadata=dict(metadata) if isinstance(metadata, Mapping) else {},
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)
