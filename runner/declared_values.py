"""What may an author write in a decorator, and what is said of a mistake?"""

from __future__ import annotations

import inspect
import re
from typing import Any

from rookery.protocol import BadPayload, read_event_filter, shown

from .errors import DeclarationError


def check_text(decorator: str, value: object, what: str, example: str, *, optional: bool = False) -> None:
    if callable(value):
        raise DeclarationError(f"@{decorator} needs parentheses: write {example}")
    if type(value) is not str or not (value.strip() or (optional and not value)):
        raise DeclarationError(
            f"@{decorator} takes the text of {what} first, got {shown(value)}; write {example}"
        )


def check_scope(decorator: str, chat_scope: object) -> None:
    if chat_scope not in ("all", "group", "private"):
        raise DeclarationError(
            f'@{decorator}: chat_scope is "all", "group" or "private", got {shown(chat_scope)}'
        )


def event_filter_of(**wanted: Any) -> dict[str, Any]:
    """What the host is told of it: what is said at all."""
    said = {key: value for key, value in wanted.items() if value}
    try:
        read_event_filter(said, "")
    except BadPayload as error:
        raise DeclarationError(f"@event_handler: {error.path.lstrip('.')} {error.message}") from None
    return said


def texts(decorator: str, key: str, values: object) -> list[str]:
    if not isinstance(values, (list, tuple)) or not all(type(value) is str for value in values):
        raise DeclarationError(f"@{decorator}: {key} is a list of texts, got {shown(values)}")
    return list(values)


def limits(decorator: str, timeout: object, idempotent: object) -> dict[str, Any]:
    """How long one call may take, and whether it may be made again."""
    if type(idempotent) is not bool:
        raise DeclarationError(f"@{decorator}: idempotent is True or False, got {shown(idempotent)}")
    limits: dict[str, Any] = {"idempotent": True} if idempotent else {}
    if timeout is None:
        return limits
    if type(timeout) not in (int, float) or not 0.001 <= timeout <= 86_400:  # type: ignore[operator]  # a number by now
        raise DeclarationError(
            f"@{decorator}: timeout is seconds, more than 0 and at most a day, got {shown(timeout)}"
        )
    return {**limits, "timeout_ms": int(timeout * 1000)}  # type: ignore[operator]  # as above


def quickness(decorator: str, quick: object) -> dict[str, bool]:
    if type(quick) is not bool:
        raise DeclarationError(f"@{decorator}: quick is True or False, got {shown(quick)}")
    return {"quick": True} if quick else {}


def check_quick(decorator: str, function: Any, quick: bool) -> None:
    if quick and inspect.iscoroutinefunction(function):
        raise DeclarationError(
            f"@{decorator}: quick is for plain functions, which get a thread without it; an `async def` has none:"
            " leave it out"
        )


def groups_of(pattern: object) -> tuple[str, ...]:
    if type(pattern) is not str:
        raise DeclarationError(f"@command: pattern is the text of a regular expression, got {shown(pattern)}")
    try:
        return tuple(re.compile(pattern).groupindex)
    except (re.error, RecursionError, OverflowError) as error:
        raise DeclarationError(
            f"@command: pattern {pattern!r} is not a regular expression: {error}"
        ) from None


def scoped(decorator: str, chat_scope: object, allowed_session: object) -> dict[str, Any]:
    """Where a component may be used, as ``Declared`` takes it."""
    check_scope(decorator, chat_scope)
    return {
        "chat_scope": chat_scope,
        "allowed_session": tuple(texts(decorator, "allowed_session", allowed_session)),
    }
