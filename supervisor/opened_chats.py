"""Which chats has a plugin opened before anybody said a word in them, and which operations are there on them?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .messages import chat_by_id
from .platform.routes import route_key
from .platform.sessions import Session

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from .platform.sessions import Sessions
    from .store import Store

    Operation = Callable[[sqlite3.Connection], Any]

Chat = dict[str, Any]
"""In the form of protocol 1.0.0."""

MOST = 10_000
"""Opened chats that are kept; the oldest go. One in which something was said needs no keeping."""


def open_chat(chat: Chat, now: float) -> Operation:
    """Note a chat; the operation returns the chat as it is known, and whether it is new.

    Args:
        now: Unix seconds.
    """
    session_id = chat["session_id"]
    find = opened_chat_by_id(session_id)
    row = (session_id, now, json.dumps(chat))

    def operation(connection: sqlite3.Connection) -> tuple[Chat, bool]:
        known = find(connection)
        if known is not None:
            return known, False
        connection.execute("INSERT INTO opened_chat VALUES (?, ?, ?)", row)
        connection.execute(
            "DELETE FROM opened_chat WHERE session_id IN"
            " (SELECT session_id FROM opened_chat ORDER BY opened_at DESC, session_id LIMIT -1 OFFSET ?)",
            (MOST,),
        )
        return chat, True

    return operation


def opened_chat_by_id(session_id: str) -> Operation:
    """A chat in which something was said, or that was opened; ``None`` for neither."""
    find = chat_by_id(session_id)

    def operation(connection: sqlite3.Connection) -> Chat | None:
        found: dict[str, Any] | None = find(connection)
        return found or _opened(connection, session_id)

    return operation


async def restore_opened_chats(store: Store, sessions: Sessions) -> None:
    """Let what plugins have opened be found again by its id, with the account and the scope that it was opened for.

    Raises:
        StoreError: It cannot be read.
    """
    for (body,) in await store.run(
        lambda connection: connection.execute("SELECT body FROM opened_chat ORDER BY opened_at").fetchall()
    ):
        sessions.open(session_of_chat(json.loads(body)))


def session_of_chat(chat: Chat) -> Session:
    """Where what is said in a chat goes.

    Raises:
        BadPayload: It names no platform.
    """
    return Session(
        session_id=chat["session_id"],
        key=route_key(chat["platform"], chat["account_id"], chat["scope"]),
        group_id=chat["group_id"],
        user_id=chat["user_id"] or "",
        user_name=chat["user_id"] or "",
    )


def all_chats(known: Operation, wanted: Callable[[Chat], bool]) -> Operation:
    """Those of another operation and those that were opened, of each one, in the order of their ids."""

    def operation(connection: sqlite3.Connection) -> list[Chat]:
        chats = {chat["session_id"]: chat for chat in known(connection)}
        for (body,) in connection.execute("SELECT body FROM opened_chat"):
            chat = json.loads(body)
            if wanted(chat):
                chats.setdefault(chat["session_id"], chat)
        return [chats[session_id] for session_id in sorted(chats)]

    return operation


def _opened(connection: sqlite3.Connection, session_id: str) -> Chat | None:
    sql = "SELECT body FROM opened_chat WHERE session_id = ?"
    row = connection.execute(sql, (session_id,)).fetchone()
    return None if row is None else json.loads(row[0])
