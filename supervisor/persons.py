"""Which operations are there on the persons that the bot has met: by id, by name?

A person is known by platform and user id, which make the person's id: no table of secret numbers is needed to find one again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .digest import digest

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    Operation = Callable[[sqlite3.Connection], Any]

_COLUMNS = "platform, user_id, nickname, cardname, first_seen, last_seen, messages"


def person_id_of(platform: str, user_id: str) -> str:
    """The id of a person, who need not have been met."""
    return f"{platform.strip().lower()}:{user_id}"


def person_by_id(person_id: str) -> Operation:
    """What is known of a person, by the names that plugins ask for; ``None`` of somebody who never said anything."""
    platform, _, user_id = person_id.partition(":")

    def operation(connection: sqlite3.Connection) -> dict[str, Any] | None:
        digest(connection)
        sql = f"SELECT {_COLUMNS} FROM person WHERE platform = ? AND user_id = ?"
        row = connection.execute(sql, (platform, user_id)).fetchone()
        return None if row is None else _described(person_id, *row)

    return operation


def person_id_by_name(name: str) -> Operation:
    """The id of whoever is called so and spoke last; "" when nobody is."""

    def operation(connection: sqlite3.Connection) -> str:
        digest(connection)
        sql = (
            "SELECT platform, user_id FROM person WHERE nickname = ? OR cardname = ?"
            " ORDER BY last_seen DESC LIMIT 1"
        )
        row = connection.execute(sql, (name, name)).fetchone()
        return "" if row is None else person_id_of(*row)

    return operation


def _described(
    person_id: str,
    platform: str,
    user_id: str,
    nickname: str,
    cardname: str,
    first_seen: float,
    last_seen: float,
    messages: int,
) -> dict[str, Any]:
    return {
        "person_id": person_id,
        "platform": platform,
        "user_id": user_id,
        "person_name": cardname or nickname,
        "nickname": nickname,
        "user_nickname": nickname,
        "cardname": cardname,
        "user_cardname": cardname,
        "know_since": first_seen,
        "first_seen": first_seen,
        "last_know": last_seen,
        "last_seen": last_seen,
        "know_times": messages,
        "messages": messages,
        "is_known": True,
    }
