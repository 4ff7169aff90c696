"""The store: in order, in batches, each operation by itself, opened and closed without a trace."""

from __future__ import annotations

import sqlite3
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from rookery.supervisor import store as store_module
from rookery.supervisor import store_schema
from rookery.supervisor.plugin_rows import count_rows, get_row, increment_row, put_row
from rookery.supervisor.store import Store, open_store
from rookery.supervisor.store_errors import OperationRefused, StoreError, StoreOverloaded


def put(key: str, **row: Any) -> Any:
    operation, _ = put_row("p", "t", key, row)
    return operation


def half_done(connection: sqlite3.Connection) -> None:
    """Writes a row and then fails."""
    put("half", n=1)(connection)
    raise KeyError("boom")


async def test_what_was_written_is_read(tmp_path: Path) -> None:
    """A read after a write of the same caller sees it, without waiting in between."""
    outcomes: list[Any] = []
    async with open_store(tmp_path / "s.db") as store:
        for number in range(50):
            store.submit(put("k", n=number))
            store.submit(get_row("p", "t", "k"), outcomes.append)

    assert outcomes == [{"n": number} for number in range(50)]


async def test_everything_submitted_before_the_end_is_written(tmp_path: Path) -> None:
    """Closing waits for what waits, also when it is cancelled, and every callback is called."""
    outcomes: list[Any] = []
    with trio.CancelScope() as scope:
        async with open_store(tmp_path / "s.db") as store:
            for number in range(2_000):
                store.submit(put(f"k{number}", n=number), outcomes.append)
            scope.cancel()
            await trio.lowlevel.checkpoint()

    async with open_store(tmp_path / "s.db") as store:
        count = await store.run(count_rows("p", "t"))

    assert scope.cancelled_caught
    assert outcomes == [None] * 2_000
    assert count == 2_000


async def test_callbacks_come_in_order_and_in_the_loop(tmp_path: Path) -> None:
    """One order for all, and never from another thread."""
    order: list[int] = []
    threads = set()

    def note(number: int) -> None:
        order.append(number)
        threads.add(threading.current_thread())

    async with open_store(tmp_path / "s.db") as store:
        for number in range(1_200):
            store.submit(put("k", n=number), lambda _, number=number: note(number))

    assert order == list(range(1_200))
    assert threads == {threading.current_thread()}


async def test_a_batch_wakes_the_loop_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waited together comes back together."""
    batches: list[int] = []
    deliver = Store._deliver

    def counted(self: Store, batch: list[Any]) -> None:
        batches.append(len(batch))
        deliver(self, batch)

    monkeypatch.setattr(Store, "_deliver", counted)
    began, may_go = threading.Event(), threading.Event()

    def hold(_: sqlite3.Connection) -> None:
        began.set()
        may_go.wait(5)

    async with open_store(tmp_path / "s.db") as store:
        store.submit(hold)
        await trio.to_thread.run_sync(began.wait, 5)  # alone in its batch: the rest meets behind it
        for number in range(300):
            store.submit(put(f"k{number}"))
        may_go.set()

    assert [size for size in batches if size] == [1, 300]


@pytest.mark.parametrize(
    "failing",
    [
        pytest.param(half_done, id="an error of its code after a write"),
        pytest.param(lambda c: c.execute("SELECT * FROM nothing"), id="an error of SQL"),
        pytest.param(lambda c: c.execute("SELECT ?"), id="an error of the Python module"),
        pytest.param(lambda c: c.execute("INSERT INTO message (number) VALUES (1)"), id="a constraint"),
    ],
)
async def test_a_failing_operation_harms_no_other(tmp_path: Path, failing: Any) -> None:
    """Its neighbours in the transaction are kept, its own half is not."""
    outcomes: list[Any] = []
    may_go = threading.Event()
    async with open_store(tmp_path / "s.db") as store:
        store.submit(lambda _: may_go.wait(5))
        store.submit(increment_row("p", "t", "before", {"n": 1}), outcomes.append)
        store.submit(failing, outcomes.append)
        store.submit(increment_row("p", "t", "after", {"n": 1}), outcomes.append)
        may_go.set()
        count = await store.run(count_rows("p", "t"))
        failures = store.failures

    assert outcomes[0] == outcomes[2] == {"n": 1}
    assert isinstance(outcomes[1], StoreError)
    assert count == 2
    assert failures == 1


async def test_an_operation_that_commits_costs_its_batch_and_no_more(tmp_path: Path) -> None:
    """Whoever shared the transaction is told; the store goes on."""
    async with open_store(tmp_path / "s.db") as store:
        with pytest.raises(StoreError, match="ended the transaction"):
            await store.run(lambda connection: connection.execute("COMMIT"))

        await store.run(put("k", n=1))

        assert await store.run(get_row("p", "t", "k")) == {"n": 1}


async def test_a_refused_argument_is_no_failure_of_the_store(tmp_path: Path) -> None:
    """The one who asked is told; the store's counter stays."""
    async with open_store(tmp_path / "s.db") as store:
        await store.run(put("k", n="text"))

        with pytest.raises(OperationRefused, match=r"fields\.n: the row has a str there"):
            await store.run(increment_row("p", "t", "k", {"n": 1}))

        assert store.failures == 0


async def test_too_many_waiting_operations_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By number and by size, at once, and counted; later the store takes more."""
    monkeypatch.setattr(store_module, "MAX_WAITING", 3)
    may_go = threading.Event()
    async with open_store(tmp_path / "s.db") as store:
        store.submit(lambda _: may_go.wait(5), size=store_module.MAX_WAITING_BYTES)
        with pytest.raises(StoreOverloaded, match="overloaded"):
            store.submit(put("k"), size=1)
        store.submit(put("k"))
        store.submit(put("k"))
        with pytest.raises(StoreOverloaded, match="3 operations"):
            store.submit(put("k"))
        may_go.set()
        await trio.testing.wait_all_tasks_blocked()
        while store.waiting:
            await trio.lowlevel.checkpoint()

        await store.run(put("k"))

        assert store.failures == 2
        assert "overloaded" in store.last_failure


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    """Nothing is lost silently after the end."""
    async with open_store(tmp_path / "s.db") as store:
        pass

    with pytest.raises(StoreError, match="closed"):
        store.submit(put("k"))


async def test_an_error_of_the_block_comes_out_as_it_is(tmp_path: Path) -> None:
    """No exception group around it, and the store is closed."""
    outcomes: list[Any] = []

    async def fail() -> None:
        async with open_store(tmp_path / "s.db") as store:
            store.submit(put("k"), outcomes.append)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert outcomes == [None]


async def test_a_cancel_while_opening_leaves_nothing(tmp_path: Path) -> None:
    """The leak check of the suite looks for the thread and the descriptors."""
    with trio.CancelScope() as scope:
        scope.cancel()
        async with open_store(tmp_path / "s.db"):
            pytest.fail("it must not be entered")

    assert scope.cancelled_caught


async def test_a_writer_that_hangs_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing is bounded: what runs is broken off, what waits is given up, and both are told."""
    monkeypatch.setattr(store_module, "CLOSE_TIMEOUT", 0.05)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    outcomes: list[Any] = []
    began = threading.Event()

    def operation(connection: sqlite3.Connection) -> None:
        began.set()
        connection.execute(endless).fetchone()

    async with open_store(tmp_path / "s.db") as store:
        store.submit(operation, outcomes.append)
        await trio.to_thread.run_sync(began.wait, 5)
        store.submit(put("k"), outcomes.append)

    assert [type(outcome) for outcome in outcomes] == [StoreError, StoreError]
    assert store.waiting == 0


async def test_a_locked_database_fails_one_batch_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process's lock is one clear error, counted; when it is gone the store goes on."""
    monkeypatch.setattr(store_schema, "BUSY_TIMEOUT", 0.01)
    async with open_store(tmp_path / "s.db") as store:
        await store.run(put("k", n=1))
        other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"s\.db: another process holds it locked"):
            await store.run(put("k", n=2))
        other.execute("ROLLBACK")
        other.close()

        await store.run(put("k", n=3))

        assert await store.run(get_row("p", "t", "k")) == {"n": 3}
        assert store.failures == 1


async def test_a_full_disk_fails_clearly_and_is_tried_again(tmp_path: Path) -> None:
    """SQLite gives a whole transaction up when it is full; the operations of it all fail, later ones do not."""
    async with open_store(tmp_path / "s.db") as store:
        pages = await store.run(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
        await store.run(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchone())
        with pytest.raises(StoreError, match="the disk is full"):
            await store.run(put("k", text="x" * 100_000))
        await store.run(lambda c: c.execute(f"PRAGMA max_page_count = {pages + 1000}").fetchone())

        await store.run(put("k", text="x" * 100_000))

        assert store.failures == 1
        assert await store.run(count_rows("p", "t")) == 1


def test_the_file_is_for_its_user_only(tmp_path: Path) -> None:
    """It holds what people wrote."""
    store_schema.open_database(tmp_path / "s.db").close()

    assert stat.S_IMODE((tmp_path / "s.db").stat().st_mode) == 0o600


async def test_a_message_is_kept_as_it_was(tmp_path: Path) -> None:
    """Even when its map is changed right afterwards; one that cannot be kept is counted, not raised."""
    from rookery.protocol import build_message, session_id_of
    from rookery.supervisor.messages import message_by_id

    message = build_message(
        message_id="m", platform="irc", user_id="u", user_name="Ann", text="hi", timestamp=5.0, group_id="#g"
    )
    expected = {**message}
    async with open_store(tmp_path / "s.db") as store:
        store.save_message_nowait(message, session_id_of(message), direction="in")
        message["processed_plain_text"] = "changed"
        kept = await store.run(message_by_id("m"))
        store.save_message_nowait({**message, "more": object()}, "s", direction="in")

        assert kept == expected
        assert store.failures == 1
        assert "cannot be kept" in store.last_failure
