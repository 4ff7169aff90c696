"""``message.*``: what was said, as far as the host has kept it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rookery.protocol import BadPayload, message_text, user_of, validate_message

from ..messages import (
    MAX_MESSAGES,
    count_messages,
    message_by_id,
    messages_between,
    timestamp_of,
)
from . import arguments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rookery.protocol import MessageMap

    from ..store import Store
    from .request import CapabilityRequest
    from .table import CapabilityTable

DEFAULT_HOURS = 24.0
DEFAULT_RECENT = 100
TRUNCATED_CHARS = 200
"""What is left of one message's text in a readable transcript that is to be short."""


def register_message(table: CapabilityTable, store: Store) -> None:
    """Add ``message.get_recent``, ``get_by_time``, ``get_by_time_in_chat``, ``get_by_id``, ``count_new`` and
    ``build_readable``."""

    def get_recent(request: CapabilityRequest) -> None:
        args = request.args
        chat = arguments.text(args, "chat_id", "stream_id")
        hours = arguments.number(args, "hours", default=DEFAULT_HOURS)
        if hours < 0:
            raise BadPayload(f"must be at least 0, got {hours:g}", "hours")
        now = time.time()
        choice = _choice(args, default_limit=DEFAULT_RECENT)
        store.submit(
            messages_between(chat, now - hours * 3600, float("inf"), **choice),
            request.settle_with("messages"),
        )

    def get_by_time(request: CapabilityRequest) -> None:
        operation = messages_between(None, *_span(request.args), **_choice(request.args))
        store.submit(operation, request.settle_with("messages"))

    def get_by_time_in_chat(request: CapabilityRequest) -> None:
        chat = arguments.text(request.args, "chat_id", "stream_id")
        operation = messages_between(chat, *_span(request.args), **_choice(request.args))
        store.submit(operation, request.settle_with("messages"))

    def get_by_id(request: CapabilityRequest) -> None:
        args = request.args
        operation = message_by_id(
            arguments.text(args, "message_id", "msg_id"),
            arguments.optional_text(args, "chat_id", "stream_id"),
            with_binary=arguments.flag(args, "include_binary_data"),
        )
        store.submit(operation, request.settle_with("message"))

    def count_new(request: CapabilityRequest) -> None:
        args = request.args
        chat = arguments.text(args, "chat_id", "stream_id")
        since = arguments.number(args, "since", "start_time", default=0.0)
        end = arguments.number(args, "end_time", default=0.0) or float("inf")
        store.submit(count_messages(chat, since, end), request.settle_with("count"))

    for implementation in (get_recent, get_by_time, get_by_time_in_chat, get_by_id, count_new):
        table.register(f"message.{implementation.__name__}", implementation, says_mistakes=True)
    _register_readable(table, store)


def _register_readable(table: CapabilityTable, store: Store) -> None:
    async def build_readable(request: CapabilityRequest) -> dict[str, Any]:
        args = request.args
        mode = arguments.optional_text(args, "timestamp_mode", default="relative")
        if mode not in ("relative", "absolute"):
            raise BadPayload(f"must be 'relative' or 'absolute', got {mode!r:.80}", "timestamp_mode")
        truncate = arguments.flag(args, "truncate")
        if args.get("messages") == []:
            return {"success": True, "text": ""}
        if args.get("messages") is not None:
            messages = _given_messages(args)
        else:
            chat = arguments.text(args, "chat_id", "stream_id")
            messages = await store.run(messages_between(chat, *_span(args), **_choice(args)))
        now = time.time()
        return {
            "success": True,
            "text": readable(messages, now, absolute=mode == "absolute", truncate=truncate),
        }

    table.register("message.build_readable", build_readable, says_mistakes=True)


def readable(messages: Sequence[MessageMap], now: float, *, absolute: bool, truncate: bool) -> str:
    """A transcript, one line a message: ``5 minutes ago, ann: hello``.

    Args:
        now: Unix seconds, for times that are told relative to it.
        absolute: True tells the time itself, in UTC.
        truncate: True cuts long texts.
    """
    lines = []
    for message in messages:
        seconds = timestamp_of(message, now)
        text = message_text(message)
        if truncate and len(text) > TRUNCATED_CHARS:
            text = text[: TRUNCATED_CHARS - 1] + "…"
        when = _absolute(seconds) if absolute else _relative(now - seconds)
        lines.append(f"{when}, {user_of(message)[1]}: {text}")
    return "\n".join(lines)


def _absolute(seconds: float) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return "at an unknown time"  # a number, but no date


def _relative(age: float) -> str:
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if age >= size:
            count = int(age // size)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def _given_messages(args: dict[str, Any]) -> list[MessageMap]:
    messages = arguments.maps(args, "messages")
    for index, message in enumerate(messages):
        try:
            validate_message(message)
        except BadPayload as error:
            raise BadPayload(error.message, f"messages[{index}].{error.path}") from None
    return messages


def _span(args: dict[str, Any]) -> tuple[float, float]:
    """Start and end in Unix seconds; an end of 0, as plugins send it for "no end", is the end of time."""
    start = arguments.number(args, "start_time", default=0.0)
    return start, arguments.number(args, "end_time", default=0.0) or float("inf")


def _choice(args: dict[str, Any], *, default_limit: int = 0) -> dict[str, Any]:
    """Which of the messages in the span: how many, which end, whose."""
    mode = arguments.optional_text(args, "limit_mode", default="latest")
    if mode not in ("latest", "earliest"):
        raise BadPayload(f"must be 'latest' or 'earliest', got {mode!r:.80}", "limit_mode")
    limit = arguments.integer(args, "limit", default_limit)
    return {
        "limit": min(limit, MAX_MESSAGES),
        "earliest": mode == "earliest",
        "with_own": not arguments.flag(args, "filter_mai"),
        "with_commands": not arguments.flag(args, "filter_command"),
        "with_binary": arguments.flag(args, "include_binary_data"),
    }
