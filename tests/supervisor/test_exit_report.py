"""One line says which runner ended, and how."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.supervisor.exit_report import ExitKind, ExitReport, signal_name
from rookery.supervisor.shard_state import ShardState


def report(**fields: Any) -> ExitReport:
    known: dict[str, Any] = {
        "shard": "games",
        "incarnation": 2,
        "pid": 123,
        "plugins": (),
        "state": ShardState.READY,
    }
    return ExitReport(**{**known, "started_at": 0.0, "ended_at": 10.0, **fields})


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"kind": ExitKind.SIGNAL, "signal": 9}, 'shard "games" #2 (pid 123) was killed by SIGKILL'),
        (
            {"kind": ExitKind.SIGNAL, "signal": 11, "loading": "a.b"},
            'shard "games" #2 (pid 123) was killed by SIGSEGV while it loaded a.b',
        ),
        ({"kind": ExitKind.EXITED, "code": 3}, 'shard "games" #2 (pid 123) exited by itself with code 3'),
        (
            {"kind": ExitKind.LOAD_TIMEOUT, "loading": "a.b", "reason": "no progress for 21 s"},
            'shard "games" #2 (pid 123) was killed because it did not finish loading a.b: no progress for 21 s',
        ),
        (
            {"kind": ExitKind.SPAWN_FAILED, "pid": None, "reason": "/x: No such file or directory"},
            'shard "games" #2 could not be started: /x: No such file or directory',
        ),
        (
            {"kind": ExitKind.PROTOCOL, "reason": "a second hello arrived"},
            'shard "games" #2 (pid 123) was killed: a second hello arrived',
        ),
        ({"kind": ExitKind.STUCK}, 'shard "games" #2 (pid 123) was killed: stuck'),
        ({"kind": ExitKind.STOPPED, "planned": True}, 'shard "games" #2 (pid 123) was stopped'),
    ],
)
def test_a_report_describes_itself_in_one_line(fields: dict[str, Any], text: str) -> None:
    """The shard, the runner, the cause, and the plugin if one was being loaded."""
    assert report(**fields).describe() == text


def test_signals_without_a_common_name_are_numbers() -> None:
    """Real-time signals, and those that differ between systems."""
    assert signal_name(64) == "signal 64"


def test_the_ready_time_is_the_time_after_ready() -> None:
    """A runner that never was has none."""
    assert report(kind=ExitKind.EXITED, ready_at=4.0).ready_for == 6.0
    assert report(kind=ExitKind.EXITED).ready_for == 0.0
