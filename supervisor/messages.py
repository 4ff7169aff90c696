"""Which operations are there on stored messages: save, by time, by id, count, chats.

Each function checks its arguments, packs what it needs and returns an operation for ``Store.submit``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rookery.protocol import decode_value, encode_value, group_of, message_text, user_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from rookery.protocol import MessageMap

    Operation = Callable[[sqlite3.Connection], Any]

MAX_MESSAGES = 1_000
"""Messages that one question may bring back, whatever limit it names: they share one frame of 16 MiB."""

_INSERT = (
    "INSERT INTO message (message_id, session_id, platform, user_id, direction, timestamp, is_command, plugin_id,"
    " text, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def save_message(
    message: MessageMap, session_id: str, *, direction: str, plugin_id: str, now: float
) -> tuple[Operation, int]:
    """Keep a message; also returns how many bytes the operation holds.

    Args:
        now: Unix seconds, for a message without a time of its own.

    Raises:
        CannotEncode: Something in the message has no form in msgpack.
    """
    body = encode_value(message)
    row = (
        message["message_id"],
        session_id,
        message["platform"],
        user_of(message)[0],
        direction,
        timestamp_of(message, now),
        message.get("is_command") is True,
        plugin_id,
        message_text(message),
        body,
    )

    def operation(connection: sqlite3.Connection) -> None:
        connection.execute(_INSERT, row)

    return operation, len(body)


def timestamp_of(message: MessageMap, otherwise: float) -> float:
    """The message's own time in Unix seconds; ``otherwise`` where it is missing or no finite number."""
    try:
        seconds = float(message.get("timestamp"))  # type: ignore[arg-type]  # None is a TypeError like the rest
    except (TypeError, ValueError):
        return otherwise
    return seconds if math.isfinite(seconds) else otherwise


def messages_between(
    session_id: str | None,
    start: float,
    end: float,
    *,
    limit: int = 0,
    earliest: bool = False,
    with_own: bool = True,
    with_commands: bool = True,
    with_binary: bool = False,
) -> Operation:
    """The messages of one chat, or of all for ``None``, in the order of time.

    Args:
        start: Unix seconds, included; ``end`` is included too.
        limit: How many at most; 0 takes ``MAX_MESSAGES``, which no limit exceeds.
        earliest: Which ones, when there are more: the first instead of the last.
        with_own: False leaves out what the bot itself said.
        with_binary: False leaves out the bytes of pictures and the like.
    """
    count = min(limit, MAX_MESSAGES) if limit > 0 else MAX_MESSAGES
    order = "ASC" if earliest else "DESC"
    where, values = _between(session_id, start, end, with_own=with_own, with_commands=with_commands)
    by_time = f"ORDER BY timestamp {order}, number {order}"
    query = f"SELECT body FROM message WHERE {where} {by_time} LIMIT ?"
    if session_id is None:
        # Through the index of each chat: the messages of all chats have none by time, which each new one would have to pay.
        query = (
            f"{_SESSIONS} SELECT body FROM message WHERE number IN (SELECT number FROM session CROSS JOIN message"
            f" ON session_id = session.id WHERE {where} {by_time} LIMIT ?) {by_time}"
        )

    def operation(connection: sqlite3.Connection) -> list[MessageMap]:
        bodies = connection.execute(query, (*values, count)).fetchall()
        messages = [_message(body, with_binary=with_binary) for (body,) in bodies]
        if not earliest:
            messages.reverse()
        return messages

    return operation


def count_messages(session_id: str, start: float, end: float) -> Operation:
    """How many messages a chat has after ``start`` and up to ``end``, in Unix seconds."""

    def operation(connection: sqlite3.Connection) -> int:
        query = "SELECT count(*) FROM message WHERE session_id = ? AND timestamp > ? AND timestamp <= ?"
        return int(connection.execute(query, (session_id, start, end)).fetchone()[0])

    return operation


def message_by_id(message_id: str, session_id: str = "", *, with_binary: bool = False) -> Operation:
    """The last message with this id, in one chat or, for "", in any; ``None`` if there is none."""

    def operation(connection: sqlite3.Connection) -> MessageMap | None:
        row = connection.execute(
            "SELECT body FROM message WHERE message_id = ? AND ? IN ('', session_id)"
            " ORDER BY number DESC LIMIT 1",
            (message_id, session_id),
        ).fetchone()
        return None if row is None else _message(row[0], with_binary=with_binary)

    return operation


def chats(platform: str | None = None, *, groups: bool = True, private: bool = True) -> Operation:
    """The chats that messages came from, as the protocol's stream maps, in the order of their ids.

    Args:
        platform: ``None`` for all.
    """

    def operation(connection: sqlite3.Connection) -> list[dict[str, Any]]:
        found = []
        for session_id, body in connection.execute(_LAST_OF_EACH_CHAT):
            chat = _chat(session_id, decode_value(body))
            wanted = groups if chat["is_group_session"] else private
            if wanted and platform in (None, chat["platform"]):
                found.append(chat)
        return found

    return operation


def chat_by_id(session_id: str) -> Operation:
    """One of them; ``None`` when nothing was said in it."""

    def operation(connection: sqlite3.Connection) -> dict[str, Any] | None:
        row = connection.execute(
            "SELECT body FROM message WHERE session_id = ? ORDER BY direction = 'in' DESC, timestamp DESC LIMIT 1",
            (session_id,),
        ).fetchone()
        return None if row is None else _chat(session_id, decode_value(row[0]))

    return operation


# Steps from one session id to the next in the index instead of reading every message. What the bot said itself names
# the bot as its user, so a message from outside is preferred.
_SESSIONS = """
WITH RECURSIVE session(id) AS (
    SELECT min(session_id) FROM message
    UNION ALL
    SELECT (SELECT min(session_id) FROM message WHERE session_id > session.id) FROM session WHERE id IS NOT NULL
)"""

_LAST_OF_EACH_CHAT = f"""{_SESSIONS}
SELECT session.id, coalesce(
    (SELECT body FROM message WHERE session_id = session.id AND direction = 'in' ORDER BY timestamp DESC LIMIT 1),
    (SELECT body FROM message WHERE session_id = session.id ORDER BY timestamp DESC LIMIT 1)
) FROM session WHERE session.id IS NOT NULL"""


def _between(
    session_id: str | None, start: float, end: float, *, with_own: bool, with_commands: bool
) -> tuple[str, tuple[Any, ...]]:
    conditions, values = ["timestamp >= ?", "timestamp <= ?"], [start, end]
    if not with_own:
        conditions.append("direction = 'in'")
    if not with_commands:
        conditions.append("is_command = 0")
    if session_id is None:
        return " AND ".join(conditions), tuple(values)
    return " AND ".join(["session_id = ?", *conditions]), (session_id, *values)


def _message(body: bytes, *, with_binary: bool) -> MessageMap:
    message: MessageMap = decode_value(body)
    if not with_binary:
        _drop_binary(message.get("raw_message"))
    return message


def _drop_binary(segments: Any) -> None:
    """Take the bytes out of segments, and out of those inside a forwarded message."""
    if not isinstance(segments, list):
        return
    for segment in segments:
        if isinstance(segment, dict):
            segment.pop("binary_data_base64", None)
            _drop_binary(segment.get("data"))
            _drop_binary(segment.get("content"))


def _chat(session_id: str, message: MessageMap) -> dict[str, Any]:
    info = message["message_info"]
    group = info.get("group_info") or {}
    user = info["user_info"]
    additional = info.get("additional_config") or {}
    is_group = group_of(message) is not None
    return {
        "session_id": session_id,
        "stream_id": session_id,
        "platform": message["platform"],
        "user_id": user["user_id"],
        "user_nickname": user["user_nickname"],
        "user_cardname": user.get("user_cardname"),
        "group_id": group.get("group_id"),
        "group_name": group.get("group_name"),
        "account_id": additional.get("platform_io_account_id"),
        "scope": additional.get("platform_io_scope"),
        "is_group_session": is_group,
        "chat_type": "group" if is_group else "private",
    }
