"""Databases: ours are migrated, everybody else's are left alone, and every refusal names the file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from rookery.supervisor import store_schema
from rookery.supervisor.store import open_store
from rookery.supervisor.store_errors import StoreError
from rookery.supervisor.store_schema import MIGRATIONS, open_database


def test_a_new_database_has_the_current_version(tmp_path: Path) -> None:
    """Opening it again changes nothing."""
    open_database(tmp_path / "s.db").close()
    connection = open_database(tmp_path / "s.db")

    version = connection.execute("PRAGMA user_version").fetchone()
    mode = connection.execute("PRAGMA journal_mode").fetchone()
    connection.close()

    assert version == (len(MIGRATIONS),)
    assert mode == ("wal",)


def test_an_older_database_keeps_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration more runs on what is there."""
    connection = open_database(tmp_path / "s.db")
    connection.execute("INSERT INTO plugin_row VALUES ('p', 't', 'k', '{}')")
    connection.close()
    more = (*MIGRATIONS, ("ALTER TABLE plugin_row ADD COLUMN changed REAL",))
    monkeypatch.setattr(store_schema, "MIGRATIONS", more)

    connection = open_database(tmp_path / "s.db")
    rows = connection.execute("SELECT key, changed FROM plugin_row").fetchall()
    connection.close()

    assert rows == [("k", None)]


def test_switches_of_an_older_database_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By plugin and name now: what stands behind the last dot is the name."""
    with monkeypatch.context() as patch:
        patch.setattr(store_schema, "MIGRATIONS", MIGRATIONS[:4])
        connection = open_database(tmp_path / "s.db")
        connection.execute("INSERT INTO component_switch VALUES ('p.a.roll', 0, '[]')")
        connection.execute("""INSERT INTO component_switch VALUES ('p.b.c.see', NULL, '["s"]')""")
        connection.close()

    connection = open_database(tmp_path / "s.db")
    rows = connection.execute("SELECT * FROM component_switch").fetchall()
    connection.close()

    assert rows == [("p.a", "roll", 0, "[]"), ("p.b.c", "see", None, '["s"]')]


def test_a_failing_migration_leaves_the_version_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole or not at all."""
    open_database(tmp_path / "s.db").close()
    monkeypatch.setattr(
        store_schema, "MIGRATIONS", (*MIGRATIONS, ("CREATE TABLE a (b)", "CREATE TABLE a (b)"))
    )

    with pytest.raises(StoreError, match=r"s\.db"):
        open_database(tmp_path / "s.db")

    monkeypatch.undo()
    connection = open_database(tmp_path / "s.db")
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE name = 'a'").fetchall()
    connection.close()
    assert tables == []


def _newer(path: Path) -> None:
    connection = open_database(path)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()


def _foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()


def _garbage(path: Path) -> None:
    path.write_bytes(b"this is no database at all" * 100)


def _cut(path: Path) -> None:
    open_database(path).close()
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 8192)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(_newer, "newer rookery", id="of a newer program"),
        pytest.param(_foreign, "another program", id="of another program"),
        pytest.param(_garbage, "not an SQLite database", id="no database"),
        pytest.param(Path.mkdir, "cannot be opened", id="a directory"),
    ],
)
async def test_a_database_that_cannot_be_used_is_refused(tmp_path: Path, spoil: object, message: str) -> None:
    """With its path and what to do; nothing of it is touched."""
    path = tmp_path / "s.db"
    spoil(path)  # type: ignore[operator]

    with pytest.raises(StoreError, match=message) as raised:
        async with open_store(path):
            pytest.fail("it must not open")

    assert str(path) in str(raised.value)


async def test_a_corrupt_database_is_named(tmp_path: Path) -> None:
    """Whether on opening or on the first use of the broken page."""
    path = tmp_path / "s.db"
    _cut(path)

    with pytest.raises(StoreError, match=r"s\.db: it is corrupt"):
        async with open_store(path) as store:
            await store.run(lambda connection: connection.execute("SELECT * FROM plugin_row").fetchall())


async def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    """The error says that the directory has to exist."""
    with pytest.raises(StoreError, match="its directory must exist"):
        async with open_store(tmp_path / "none" / "s.db"):
            pytest.fail("it must not open")
