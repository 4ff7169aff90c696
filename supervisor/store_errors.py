"""What can go wrong with the store, and how is it said so that an operator can act."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from rookery.protocol import RookeryError

if TYPE_CHECKING:
    from pathlib import Path


class StoreError(RookeryError):
    """The store could not do what was asked; nothing of the operation was written.

    The database is to blame (full, locked, corrupt, closed), or an operation's own code. Not an ``OperationRefused``,
    for which whoever gave the arguments is to blame.
    """


class StoreOverloaded(StoreError):
    """Too much waits for the writer already. A later try may succeed, which is why it is not a plain ``StoreError``."""


class OperationRefused(StoreError):
    """An operation looked at the rows and will not change them that way: the caller's mistake, not the database's.

    An operation raises it before it writes anything; then the operations beside it need not be run again.

    Attributes:
        argument: Which argument is at fault, e.g. ``fields.points``.
    """

    def __init__(self, message: str, argument: str) -> None:
        super().__init__(f"{argument}: {message}")
        self.argument = argument


_ADVICE = {
    sqlite3.SQLITE_BUSY: "another process holds it locked; end that process",
    sqlite3.SQLITE_LOCKED: "another process holds it locked; end that process",
    sqlite3.SQLITE_FULL: "the disk is full; make room",
    sqlite3.SQLITE_READONLY: "it cannot be written; give this user the right to write the file and its directory",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; the directory must exist and this user must be able to write it",
    sqlite3.SQLITE_PERM: "the file's permissions forbid it",
    sqlite3.SQLITE_IOERR: "the disk failed to read or write",
    sqlite3.SQLITE_CORRUPT: "it is corrupt; move the file away or put a backup in its place",
    sqlite3.SQLITE_NOTADB: "it is not an SQLite database; move the file away or put a backup in its place",
    sqlite3.SQLITE_INTERRUPT: "the store was closing and could wait no longer",
    sqlite3.SQLITE_TOOBIG: "a value is larger than SQLite can hold",
}


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code; -1 for an error that the Python module made itself, which has none."""
    code: int = getattr(error, "sqlite_errorcode", -1)
    return code if code < 0 else code & 0xFF  # extended codes carry the primary one in their low byte


def explain(path: Path, error: sqlite3.Error) -> StoreError:
    """The error of SQLite as one line that names the file, the cause and what to do."""
    advice = _ADVICE.get(primary_code(error))
    cause = f"{advice} ({error})" if advice else f"{type(error).__name__}: {error}"
    return StoreError(f"database {path}: {cause}")
