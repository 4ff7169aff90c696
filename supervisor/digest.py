"""What is known of persons and of how much was said, told from the messages that the store has kept?

Nothing is counted while a message passes. Messages have rising numbers, so whoever asks first counts those that came since the
last time, a bounded piece at a time; once a minute that is done anyway, so that there is never much to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rookery.protocol import decode_value

if TYPE_CHECKING:
    import sqlite3

PIECE = 5_000
"""Messages that are counted in one go, less than a tenth of a second."""

MOST_PIECES = 4
"""In one question: a store of an older program has all its messages to be counted, which may take some questions."""

MAX_NAME_CHARS = 200

MESSAGE = "message"
"""The kind of activity."""

HOUR = 3600
LARGEST_HOUR = 2**31
"""Messages bring their own time; one that is no time of ours counts for persons only."""


def digest(connection: sqlite3.Connection) -> None:
    """Count the messages that are not counted yet, as far as it goes in bounded time."""
    for _ in range(MOST_PIECES):
        if not _digest_piece(connection):
            return


def _digest_piece(connection: sqlite3.Connection) -> bool:
    """False when there is nothing left."""
    row = connection.execute("SELECT number FROM digested").fetchone()
    done = 0 if row is None else row[0]
    last = connection.execute("SELECT max(number) FROM message").fetchone()[0] or 0
    if last <= done:
        return False
    piece = (done, min(last, done + PIECE))
    connection.execute(_COUNT_HOURS, (HOUR, *piece, LARGEST_HOUR * HOUR))
    for row in connection.execute(_SPEAKERS, piece).fetchall():
        *counted, number = row
        connection.execute(_ADD_PERSON, (*counted, *_names(connection, number)))
    connection.execute("INSERT OR REPLACE INTO digested VALUES (1, ?)", piece[1:])
    return True


_COUNT_HOURS = """
INSERT INTO activity (kind, hour, key, amount)
SELECT 'message', CAST(timestamp / ? AS INTEGER), session_id, count(*) FROM message
WHERE number > ? AND number <= ? AND timestamp BETWEEN 0 AND ? GROUP BY 2, 3
ON CONFLICT (kind, hour, key) DO UPDATE SET amount = amount + excluded.amount"""

_SPEAKERS = """
SELECT platform, user_id, min(timestamp), max(timestamp), count(*), max(number) FROM message
WHERE number > ? AND number <= ? AND direction = 'in' GROUP BY platform, user_id"""

_ADD_PERSON = """
INSERT INTO person (platform, user_id, first_seen, last_seen, messages, nickname, cardname) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (platform, user_id) DO UPDATE SET
    first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen),
    messages = messages + excluded.messages, nickname = excluded.nickname, cardname = excluded.cardname"""


def _names(connection: sqlite3.Connection, number: int) -> tuple[str, str]:
    """What the writer of a message was called when it was written."""
    (body,) = connection.execute("SELECT body FROM message WHERE number = ?", (number,)).fetchone()
    info = decode_value(body).get("message_info") or {}
    user: dict[str, Any] = info.get("user_info") or {}
    return _name(user.get("user_nickname")), _name(user.get("user_cardname"))


def _name(said: Any) -> str:
    return said[:MAX_NAME_CHARS] if type(said) is str else ""
