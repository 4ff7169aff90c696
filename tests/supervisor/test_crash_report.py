"""What is written about a death, where, and what a disk that is full does: nothing."""

from __future__ import annotations

import logging
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from rookery.protocol import page
from rookery.supervisor import crash_report
from rookery.supervisor.crash_report import QUEUE, CrashReports, render
from rookery.supervisor.exit_report import ExitKind, ExitReport, Place, StartedCall
from rookery.supervisor.observers import RunnerDied, ShardMoved
from rookery.supervisor.shard_state import ShardState


def report(**fields: Any) -> ExitReport:
    known: dict[str, Any] = {
        "shard": "games",
        "incarnation": 3,
        "pid": 4711,
        "plugins": ("author.dice", "author.words"),
        "state": ShardState.READY,
        "kind": ExitKind.SIGNAL,
        "signal": 11,
        "started_at": 100.0,
        "ready_at": 101.0,
        "ended_at": 112.5,
    }
    return ExitReport(**{**known, **fields})


def moved(old: ShardState, new: ShardState, at: float, **fields: Any) -> ShardMoved:
    known: dict[str, Any] = {"shard": "games", "incarnation": 3, "reason": "why not"}
    return ShardMoved(old=old, new=new, at=at, **{**known, **fields})


def died(**fields: Any) -> RunnerDied:
    return RunnerDied(report=report(**fields), next="back at once", delay=0.0)


MOVES = [
    moved(ShardState.IDLE, ShardState.SPAWNING, 100.0),
    moved(ShardState.SPAWNING, ShardState.HELLO, 100.25),
]


def test_a_report_has_all_the_evidence() -> None:
    """Line, status, resources, crumb, calls, place, path, stacks, last words."""
    text = render(
        report(
            crumb=page.Crumb(phase=page.Phase.CALL, plugin=1, request_id=7),
            crumb_plugin="author.dice",
            started=(
                StartedCall(
                    plugin_id="author.dice", component="roll", event_id="m42", session_id="s1", request_id=7
                ),
            ),
            knows_started=True,
            put_back=2,
            place=Place(plugin_id="author.dice", file="plugin.py", line=12, function="roll"),
            dump="Current thread 0x1 (most recent call first):\n",
            cpu=1.5,
            max_rss=100 * 1024 * 1024,
            stderr_tail="goodbye\n",
        ),
        MOVES,
        following="back at once",
    )

    for expected in (
        'shard "games" #3 (pid 4711) was killed by SIGSEGV in author.dice.roll for event m42',
        "what followed: back at once",
        "SIGSEGV, not by the host",
        "12.500 s, 11.500 s of it ready",
        "1.500 s",
        "100 MiB at most",
        "call of author.dice, request 7",
        "author.dice, plugin.py line 12, in roll",
        "calls that had begun: 1",
        "author.dice.roll for event m42 (session s1, request 7)",
        "calls that wait for the next runner: 2",
        "+0.250 s  spawning -> hello: why not",
        "Current thread 0x1",
        "goodbye",
    ):
        assert expected in text


def test_a_report_obeys_nobody() -> None:
    """Control characters of a plugin are shown and not sent to the terminal that shows the file."""
    text = render(report(stderr_tail="\x1b[2J\x07a\tb\x85"), [])

    assert "\\x1b[2J\\x07a\tb\\x85" in text


async def write(reports: CrashReports, *records: object) -> None:
    """Observe, write, end."""
    for record in records:
        reports.observe(record)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reports.run)
        await trio.testing.wait_all_tasks_blocked(0.01)
        nursery.cancel_scope.cancel()


async def test_each_unplanned_death_has_a_file(tmp_path: Path) -> None:
    """For its owner alone; a planned end and a process that never was have none."""
    directory = tmp_path / "state" / "crashes"
    reports = CrashReports(directory)

    await write(
        reports, *MOVES, died(), died(planned=True, kind=ExitKind.STOPPED), died(pid=None, incarnation=4)
    )

    (path,) = directory.iterdir()
    assert path.name.endswith("Z-games-3.txt")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert "spawning -> hello" in path.read_text()


async def test_moves_of_another_runner_are_left_out(tmp_path: Path) -> None:
    """A report tells one life."""
    reports = CrashReports(tmp_path)

    await write(
        reports,
        *MOVES,
        moved(ShardState.IDLE, ShardState.SPAWNING, 120.0, incarnation=4),
        died(incarnation=4),
    )

    (path,) = tmp_path.iterdir()
    assert "spawning -> hello" not in path.read_text()


async def test_only_the_newest_stay(tmp_path: Path) -> None:
    """By their names, which begin with the time."""
    for number in range(5):
        (tmp_path / f"2001010{number}T000000.000Z-old-1.txt").write_text("old")

    await write(CrashReports(tmp_path, kept=2), died())

    assert [path.name.split("-")[1] for path in sorted(tmp_path.iterdir())] == ["old", "games"]


async def test_a_shards_name_leads_nowhere_else(tmp_path: Path) -> None:
    """A file has it in its name."""
    await write(CrashReports(tmp_path / "crashes"), died(shard="../../x/y"))

    assert [path.name.split("Z-")[1] for path in (tmp_path / "crashes").iterdir()] == [".._.._x_y-3.txt"]


async def test_a_directory_that_cannot_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """D7: and it stops nothing."""
    (tmp_path / "crashes").write_text("a file is in the way")
    reports = CrashReports(tmp_path / "crashes")

    with caplog.at_level(logging.WARNING):
        await write(reports, died(), died(incarnation=4))

    assert len(caplog.records) == 1
    assert "cannot be written" in caplog.text
    assert reports.problem
    assert reports.dropped == 2


async def test_deaths_that_come_faster_than_the_disk_are_counted(tmp_path: Path) -> None:
    """The queue is short and nobody waits for it."""
    reports = CrashReports(tmp_path)

    await write(reports, *(died(incarnation=number) for number in range(QUEUE + 3)))

    assert reports.dropped == 3
    assert len(list(tmp_path.iterdir())) == QUEUE


async def test_a_report_that_is_being_written_at_the_end_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow disk has the last of them too, though its thread cannot be cancelled."""
    began, may_go_on = threading.Event(), threading.Event()
    write_private = crash_report._write_private

    def write_slowly(path: Path, data: bytes) -> None:
        began.set()
        may_go_on.wait(5.0)
        write_private(path, data)

    monkeypatch.setattr(crash_report, "_write_private", write_slowly)
    reports = CrashReports(tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reports.run)
        reports.observe(died())
        await trio.to_thread.run_sync(began.wait)
        nursery.cancel_scope.cancel()
        threading.Timer(0.1, may_go_on.set).start()

    assert [path.name.split("Z-")[1] for path in tmp_path.iterdir()] == ["games-3.txt"]
