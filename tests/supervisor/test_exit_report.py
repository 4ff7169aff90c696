"""One line says which runner ended, and how."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import page
from rookery.supervisor.exit_report import ExitKind, ExitReport, Place, StartedCall, signal_name
from rookery.supervisor.hang import HangClass
from rookery.supervisor.shard_state import ShardState

ROLL = StartedCall(plugin_id="author.dice", component="roll", event_id="m42", request_id=7)
OTHER = StartedCall(plugin_id="author.words", component="count", request_id=9)
PLACE = Place(plugin_id="author.dice", file="plugin.py", line=12, function="roll")
CALL = page.Crumb(phase=page.Phase.CALL, plugin=1, request_id=7)


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


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        pytest.param(
            {"kind": ExitKind.SIGNAL, "signal": 11, "crumb": CALL, "started": (OTHER, ROLL), "place": PLACE},
            "was killed by SIGSEGV in author.dice.roll for event m42 (plugin.py line 12, in roll)",
            id="the call on the CPU",
        ),
        pytest.param(
            {"kind": ExitKind.EXITED, "code": 0, "started": (OTHER,), "knows_started": True},
            "exited by itself with code 0 in author.words.count",
            id="the only call",
        ),
        pytest.param(
            {"kind": ExitKind.EXITED, "code": 0, "started": (OTHER,)},
            "exited by itself with code 0",
            id="a call that may never have begun",
        ),
        pytest.param(
            {
                "kind": ExitKind.HANG,
                "hang": HangClass.BUSY,
                "crumb": CALL,
                "started": (ROLL,),
                "reason": "for 15 s",
            },
            "was killed because it hung (busy) in author.dice.roll for event m42: for 15 s",
            id="a hang",
        ),
        pytest.param(
            {"kind": ExitKind.OUT_OF_MEMORY, "place": PLACE, "reason": "out of memory: it uses 2000 MiB"},
            "was killed, out of memory in author.dice (plugin.py line 12, in roll): it uses 2000 MiB",
            id="out of memory",
        ),
        pytest.param(
            {"kind": ExitKind.SIGNAL, "signal": 6, "crumb": CALL, "started": (ROLL,), "is_loop_thread": False}
            | {"place": PLACE},
            "was killed by SIGABRT in a thread of author.dice (plugin.py line 12, in roll)",
            id="another thread",
        ),
        pytest.param(
            {
                "kind": ExitKind.SIGNAL,
                "signal": 11,
                "crumb": page.Crumb(phase=page.Phase.UNLOAD, plugin=1),
                "crumb_plugin": "author.dice",
            },
            "was killed by SIGSEGV while it unloaded author.dice",
            id="at unloading",
        ),
        pytest.param(
            {
                "kind": ExitKind.EXITED,
                "code": 5,
                "crumb": page.Crumb(phase=page.Phase.TASK, plugin=1),
                "crumb_plugin": "author.dice",
            },
            "exited by itself with code 5 in a task of author.dice",
            id="in a task",
        ),
    ],
)
def test_what_ran_is_named(fields: dict[str, Any], text: str) -> None:
    """As exactly as the evidence goes, and no further."""
    assert report(**fields).describe() == f'shard "games" #2 (pid 123) {text}'


@pytest.mark.parametrize("text", ["a\nb\x1b[31m\x85\u2028c", "x" * 10_000])
def test_the_line_stays_a_line(text: str) -> None:
    """Whatever a plugin calls its files and functions, a terminal is not impressed."""
    place = Place(plugin_id="author.dice", file=text, line=1, function=text)

    line = report(kind=ExitKind.SIGNAL, signal=11, place=place, reason=text).describe()

    assert line.isprintable()
    assert len(line) <= 500


def test_signals_without_a_common_name_are_numbers() -> None:
    """Real-time signals, and those that differ between systems."""
    assert signal_name(64) == "signal 64"


def test_the_ready_time_is_the_time_after_ready() -> None:
    """A runner that never was has none."""
    assert report(kind=ExitKind.EXITED, ready_at=4.0).ready_for == 6.0
    assert report(kind=ExitKind.EXITED).ready_for == 0.0
