"""Which tables does the store have, and how does a database of an older program become one of this program?

``PRAGMA user_version`` counts the migrations that a database has seen; each runs in a transaction of its own. The
application id tells our databases from everybody else's.
"""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

from .store_errors import StoreError, explain

if TYPE_CHECKING:
    from pathlib import Path

APPLICATION_ID = 0x524F4F4B
"""``ROOK`` in the header of every database of ours."""

BUSY_TIMEOUT = 2.0
"""Seconds to wait for another process's lock. Nobody but an operator's tool should ever hold one, and while it does,
everything else waits."""

# The body of a row is JSON text, or msgpack bytes where JSON has no form for it; see plugin_rows.py.
_PLUGIN_ROW = """
CREATE TABLE plugin_row (
    plugin_id TEXT NOT NULL,
    table_name TEXT NOT NULL,
    key TEXT NOT NULL,
    body NOT NULL,
    PRIMARY KEY (plugin_id, table_name, key)
) WITHOUT ROWID"""

_MESSAGE = """
CREATE TABLE message (
    number INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    platform TEXT NOT NULL,
    user_id TEXT NOT NULL,
    direction TEXT NOT NULL CHECK (direction IN ('in', 'out')),
    timestamp REAL NOT NULL,
    is_command INTEGER NOT NULL,
    plugin_id TEXT NOT NULL,
    text TEXT NOT NULL,
    body BLOB NOT NULL
)"""

_DEAD_LETTER = """
CREATE TABLE dead_letter (
    number INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    event_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    plugin_id TEXT NOT NULL,
    component TEXT NOT NULL,
    method TEXT NOT NULL,
    reason TEXT NOT NULL,
    args BLOB NOT NULL
)"""

# What plugins save with ``database.save``: rows that have a number each and are found by their fields.
_PLUGIN_TABLE = """
CREATE TABLE plugin_table (
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    last_id INTEGER NOT NULL,
    records INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (owner, name)
) WITHOUT ROWID"""

_PLUGIN_RECORD = """
CREATE TABLE plugin_record (
    owner TEXT NOT NULL,
    table_name TEXT NOT NULL,
    id INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (owner, table_name, id)
) WITHOUT ROWID"""

_LLM_USE = """
CREATE TABLE llm_use (
    hour INTEGER NOT NULL,
    model TEXT NOT NULL,
    provider TEXT NOT NULL,
    module TEXT NOT NULL,
    kind TEXT NOT NULL,
    requests INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost REAL NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (hour, model, provider, module, kind)
) WITHOUT ROWID"""

_ACTIVITY = """
CREATE TABLE activity (
    kind TEXT NOT NULL,
    hour INTEGER NOT NULL,
    key TEXT NOT NULL,
    amount REAL NOT NULL,
    PRIMARY KEY (kind, hour, key)
) WITHOUT ROWID"""

_PERSON = """
CREATE TABLE person (
    platform TEXT NOT NULL,
    user_id TEXT NOT NULL,
    nickname TEXT NOT NULL,
    cardname TEXT NOT NULL,
    first_seen REAL NOT NULL,
    last_seen REAL NOT NULL,
    messages INTEGER NOT NULL,
    PRIMARY KEY (platform, user_id)
) WITHOUT ROWID"""

_DIGESTED = """
CREATE TABLE digested (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    number INTEGER NOT NULL
)"""

_OPENED_CHAT = """
CREATE TABLE opened_chat (
    session_id TEXT PRIMARY KEY,
    opened_at REAL NOT NULL,
    body TEXT NOT NULL
) WITHOUT ROWID"""

_COMPONENT_SWITCH = """
CREATE TABLE component_switch (
    full_name TEXT PRIMARY KEY,
    enabled INTEGER,
    sessions TEXT NOT NULL
) WITHOUT ROWID"""

_COMPONENT_SWITCH_OF_PLUGIN = """
CREATE TABLE component_switch (
    plugin_id TEXT NOT NULL,
    name TEXT NOT NULL,
    enabled INTEGER,
    sessions TEXT NOT NULL,
    PRIMARY KEY (plugin_id, name)
) WITHOUT ROWID"""

_BOT_ACCOUNT = """
CREATE TABLE bot_account (
    platform TEXT NOT NULL,
    account_id TEXT NOT NULL,
    source TEXT NOT NULL,
    driver_id TEXT NOT NULL,
    first_seen REAL NOT NULL,
    last_seen REAL NOT NULL,
    PRIMARY KEY (platform, account_id)
) WITHOUT ROWID"""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        f"PRAGMA application_id = {APPLICATION_ID}",
        _PLUGIN_ROW,
        _MESSAGE,
        "CREATE INDEX message_by_time ON message (session_id, timestamp)",
        "CREATE INDEX message_by_id ON message (message_id)",
    ),
    (_DEAD_LETTER,),
    (
        _PLUGIN_TABLE,
        _PLUGIN_RECORD,
        _LLM_USE,
        _ACTIVITY,
        _PERSON,
        "CREATE INDEX person_by_nickname ON person (nickname)",
        "CREATE INDEX person_by_cardname ON person (cardname)",
        _DIGESTED,
        _OPENED_CHAT,
        _COMPONENT_SWITCH,
    ),
    (_BOT_ACCOUNT,),
    (
        # A full name may be read in more than one way; most components have no dot in their names.
        "ALTER TABLE component_switch RENAME TO old_switch",
        _COMPONENT_SWITCH_OF_PLUGIN,
        """INSERT INTO component_switch SELECT substr(plugin, 1, length(plugin) - 1), substr(full_name, length(plugin) + 1),
        enabled, sessions FROM (SELECT *, rtrim(full_name, replace(full_name, '.', '')) AS plugin FROM old_switch)""",
        "DROP TABLE old_switch",
    ),
)
"""Append only: a database counts how many of them it has seen."""


def open_database(path: Path) -> sqlite3.Connection:
    """Open the database, make it if it is not there, and bring it to this program's version.

    The caller owns the connection, which is for the calling thread alone.

    Raises:
        StoreError: It cannot be opened, is not ours, or belongs to a newer program. Nothing is left open.
    """
    _create_private(path)
    connection = None
    try:
        connection = sqlite3.connect(
            path,
            timeout=BUSY_TIMEOUT,
            isolation_level=None,  # transactions are ours to begin and end
            cached_statements=256,
        )
        _prepare(connection, path)
    except BaseException as error:
        if connection is not None:
            connection.close()
        if isinstance(error, sqlite3.Error):
            raise explain(path, error) from error
        raise
    return connection


def _create_private(path: Path) -> None:
    """Make the file for this user only: it holds what people wrote. SQLite gives the two files beside it its mode."""
    try:
        # Never an existing file: closing it would drop the locks that this process may hold on it through SQLite.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise StoreError(
            f"database {path} cannot be made ({error.strerror}): its directory must exist and this user must be able"
            " to write there"
        ) from error


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    _check_ours(connection, path)
    connection.execute("PRAGMA journal_mode = WAL")
    # With WAL a power cut may cost the last moments but never the database; FULL would sync for every batch.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {16 * 1024 * 1024}")
    while _version(connection) < len(MIGRATIONS):
        _migrate(connection)
    _check_ours(connection, path)


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    version = _version(connection)
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    is_empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if owner != APPLICATION_ID and not (is_empty and version == 0):
        raise StoreError(
            f"database {path} belongs to another program; name another file or move this one away"
        )
    if version > len(MIGRATIONS):
        raise StoreError(
            f"database {path} has version {version} and this program knows versions up to {len(MIGRATIONS)}:"
            " it was written by a newer rookery; upgrade, or put the backup of the older version in its place"
        )


def _migrate(connection: sqlite3.Connection) -> None:
    """Run the next migration, whole or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)  # another process may have been faster
        if version < len(MIGRATIONS):
            for statement in MIGRATIONS[version]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
