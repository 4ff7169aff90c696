"""What is taken for the cause of an end, by all that was found."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.supervisor.autopsy import Findings, Sentence, decide_cause
from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.hang import HangClass

HANG = Sentence(ExitKind.HANG, "its loop is busy", HangClass.BUSY)


@pytest.mark.parametrize(
    ("found", "kind", "reason"),
    [
        pytest.param({"planned": True, "status": -9}, ExitKind.STOPPED, "", id="as planned, whatever the status"),
        pytest.param(
            {"sentence": HANG, "status": 0}, ExitKind.HANG, "its loop is busy", id="the host's own word first"
        ),
        pytest.param({"status": 0}, ExitKind.EXITED, "", id="a clean exit that nobody asked for"),
        pytest.param({"status": -11}, ExitKind.SIGNAL, "", id="a crash"),
        pytest.param(
            {"status": -9}, ExitKind.SIGNAL, "not sent by the host; out of memory?", id="a kill by a stranger"
        ),
        pytest.param(
            {"status": -9, "was_signalled": True},
            ExitKind.STUCK,
            "it closed its connection and did not end",
            id="a kill by the host",
        ),
        pytest.param(
            {"status": -15, "was_signalled": True},
            ExitKind.STUCK,
            "it closed its connection and did not end",
            id="asked to leave by the host",
        ),
        pytest.param(
            {"status": None, "was_signalled": True},
            ExitKind.STUCK,
            "it closed its connection and did not end",
            id="not dead at all",
        ),
        pytest.param({"status": -11, "was_signalled": True}, ExitKind.SIGNAL, "", id="a crash while it leaves"),
        pytest.param(
            {"status": -9, "oom_killed": True}, ExitKind.OUT_OF_MEMORY, "the kernel killed it", id="the kernel says so"
        ),
        pytest.param(
            {"status": -9, "rss": 950, "rss_hard": 1000},
            ExitKind.OUT_OF_MEMORY,
            "the host had not sent the signal, and rss was 95 % of rss_hard",
            id="it was nearly too large",
        ),
        pytest.param(
            {"status": -9, "rss": 899, "rss_hard": 1000},
            ExitKind.SIGNAL,
            "not sent by the host; out of memory?",
            id="it was large",
        ),
        pytest.param({"status": -11, "rss": 999, "rss_hard": 1000}, ExitKind.SIGNAL, "", id="large, and a crash"),
    ],
)  # fmt: skip
def test_the_cause(found: dict[str, Any], kind: ExitKind, reason: str) -> None:
    """The host's own word, then the kernel's, then what the status says."""
    known: dict[str, Any] = {"planned": False, "sentence": None, "was_signalled": False}

    assert decide_cause(Findings(**{**known, **found})) == (kind, reason)
