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
    from collections.abc import Callable, Sequence

    from rookery.protocol import MessageMap

    from ..store import Store
    from .request import CapabilityRequest
    from .table import CapabilityTable

DEFAULT_HOURS = 24.0
DEFAULT_RECENT = 100
_FORMS = {"absolute": "%Y-%m-%d %H:%M:%S", "normal": "%Y-%m-%d %H:%M:%S", "normal_no_YMD": "%H:%M:%S"}
"""How a time is told that is not told relative to now; the last two are what plugins of the original say."""

TRUNCATED_CHARS = 200
"""What is left of one message's text in a readable transcript that is to be short."""


def register_message(table: CapabilityTable, store: Store, bot_name: Callable[[], str]) -> None:
    """Add ``message.get_recent``, ``get_by_time``, ``get_by_time_in_chat``, ``get_by_id``, ``count_new`` and
    ``build_readable``.

    Args:
        bot_name: What the bot is called in a transcript; "" as the platform calls it.
    """

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
    _register_readable(table, store, bot_name)


def _register_readable(table: CapabilityTable, store: Store, bot_name: Callable[[], str]) -> None:
    async def build_readable(request: CapabilityRequest) -> dict[str, Any]:
        args = request.args
        mode = arguments.optional_text(args, "timestamp_mode", default="relative")
        if mode != "relative" and mode not in _FORMS:
            known = ", ".join(("relative", *_FORMS))
            raise BadPayload(f"must be one of {known}, got {mode!r:.80}", "timestamp_mode")
        truncate = arguments.flag(args, "truncate")
        replace = arguments.flag(args, "replace_bot_name", default=True)
        if args.get("messages") == []:
            return {"success": True, "text": ""}
        if args.get("messages") is not None:
            messages = _given_messages(args)
        else:
            chat = arguments.text(args, "chat_id", "stream_id")
            messages = await store.run(messages_between(chat, *_span(args), **_choice(args)))
        text = readable(
            messages,
            time.time(),
            form=_FORMS.get(mode, ""),
            truncate=truncate,
            bot=bot_name() if replace else "",
        )
        return {"success": True, "text": text}

    table.register("message.build_readable", build_readable, says_mistakes=True)


def readable(
    messages: Sequence[MessageMap], now: float, *, form: str = "", truncate: bool = False, bot: str = ""
) -> str:
    """A transcript, one line a message: ``5 minutes ago, ann: hello``.

    Args:
        now: Unix seconds, for times that are told relative to it.
        form: How the time itself is told, in UTC; "" tells it relative to ``now``.
        truncate: True cuts long texts.
        bot: What the bot is called where it speaks itself; "" as the platform calls it.
    """
    lines = []
    for message in messages:
        seconds = timestamp_of(message, now)
        text = message_text(message)
        if truncate and len(text) > TRUNCATED_CHARS:
            text = text[: TRUNCATED_CHARS - 1] + "…"
        when = _absolute(seconds, form) if form else _relative(now - seconds)
        user_id, name = user_of(message)
        if bot and user_id == _account_of(message):
            name = bot
        lines.append(f"{when}, {name}: {text}")
    return "\n".join(lines)


def _account_of(message: MessageMap) -> str:
    """Who the bot is in the conversation of a message."""
    additional = message["message_info"].get("additional_config") or {}
    account = additional.get("platform_io_account_id")
    return account if type(account) is str and account else "bot"


def _absolute(seconds: float, form: str) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime(form)
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
