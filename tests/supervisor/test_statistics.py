"""What is counted while the bot runs is in the store afterwards, hour by hour, and costs the store one write a minute."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from rookery.supervisor.statistics import HOUR, MAX_LINES, Statistics
from rookery.supervisor.store import Store, open_store
from rookery.supervisor.store_schema import open_database


class Watch:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now = 100 * HOUR + 5.0

    def __call__(self) -> float:
        return self.now


class AtOnce:
    """A store without a thread: an operation is done when it is handed over."""

    def __init__(self, path: Path) -> None:
        self.connection = open_database(path)

    def submit(self, operation: Any) -> None:
        operation(self.connection)


async def rows(store: Store, sql: str) -> list[Any]:
    def operation(connection: sqlite3.Connection) -> list[Any]:
        return connection.execute(sql).fetchall()

    found: list[Any] = await store.run(operation)
    return found


async def test_calls_of_a_model_are_added_up_by_the_hour(tmp_path: Path) -> None:
    """One row for what is alike, another one for another model or hour."""
    watch = Watch()
    async with open_store(tmp_path / "s.db") as store:
        statistics = Statistics(store, watch)

        for _ in range(2):
            statistics.note_llm_use(model="m", prompt_tokens=10, completion_tokens=2, cost=0.5, seconds=1.5)
        statistics.note_llm_use(model="n", failed=True)
        watch.now += HOUR
        statistics.note_llm_use(model="m", prompt_tokens=1)
        statistics.write()

        assert await rows(
            store,
            "SELECT hour, model, requests, failures, prompt_tokens, completion_tokens, cost, seconds FROM llm_use",
        ) == [
            (100, "m", 2, 0, 20, 4, 1.0, 3.0),
            (100, "n", 1, 1, 0, 0, 0.0, 0.0),
            (101, "m", 1, 0, 1, 0, 0.0, 0.0),
        ]


async def test_writing_twice_adds_to_what_is_there(tmp_path: Path) -> None:
    """Nothing is counted twice and nothing replaced."""
    async with open_store(tmp_path / "s.db") as store:
        statistics = Statistics(store, Watch())

        for _ in range(3):
            statistics.note_llm_use(model="m", module="plugin.a.b")
            statistics.write()
            statistics.write()

        assert await rows(store, "SELECT module, requests FROM llm_use") == [("plugin.a.b", 3)]


@pytest.mark.parametrize("nonsense", [-1, 2**80, float("nan"), float("inf"), "7", None, True])
async def test_a_providers_nonsense_counts_nothing(tmp_path: Path, nonsense: Any) -> None:
    """The numbers are an answer from outside; the call itself is counted all the same."""
    async with open_store(tmp_path / "s.db") as store:
        statistics = Statistics(store, Watch())

        statistics.note_llm_use(
            model="m\ud800" * 999,
            prompt_tokens=nonsense,
            cost=min(nonsense, -1) if nonsense == 2**80 else nonsense,
        )
        statistics.write()

        assert await rows(store, "SELECT requests, prompt_tokens, cost FROM llm_use") == [(1, 0, 0.0)]
        assert store.failures == 0


async def test_many_different_lines_do_not_pile_up_in_memory(tmp_path: Path) -> None:
    """They are written before their minute is over."""
    async with open_store(tmp_path / "s.db") as store:
        statistics = Statistics(store, Watch())

        for number in range(MAX_LINES + 10):
            statistics.note_llm_use(model=f"m{number}")

        assert await rows(store, "SELECT count(*) FROM llm_use") == [(MAX_LINES + 1,)]


async def test_what_nobody_can_ask_for_any_more_is_dropped(tmp_path: Path) -> None:
    """A year and a day is kept."""
    watch = Watch()
    async with open_store(tmp_path / "s.db") as store:
        statistics = Statistics(store, watch)
        statistics.note_llm_use(model="old")
        statistics.write()

        watch.now += 400 * 24 * HOUR
        statistics.note_llm_use(model="new")
        statistics.write()

        assert await rows(store, "SELECT model FROM llm_use") == [("new",)]


async def test_the_time_that_the_host_is_there_is_counted(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Also the part of a minute at the end."""
    store = AtOnce(tmp_path / "s.db")
    statistics = Statistics(store, Watch())  # type: ignore[arg-type]  # as much of a store as it needs

    with trio.move_on_after(150):
        await statistics.run()

    [(seconds,)] = store.connection.execute("SELECT amount FROM activity WHERE kind = 'online'").fetchall()
    assert seconds == pytest.approx(150)
    store.connection.close()


async def test_a_store_that_is_closed_ends_nothing(tmp_path: Path) -> None:
    """The numbers are lost and the host goes on."""
    async with open_store(tmp_path / "s.db") as store:
        statistics = Statistics(store, Watch())
    await wait_all_tasks_blocked()

    statistics.note_llm_use(model="m")
    statistics.write()

    assert store.failures == 1
