"""`rookery soak` says what is wrong with its arguments before anything starts, and tells its summary well."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner, Result

from rookery.supervisor.cli import soak as soak_file
from rookery.supervisor.cli.soak import command
from rookery.supervisor.cli.soak_table import fault_line, soak_lines
from rookery.supervisor.errors import ConfigError, UsageError
from rookery.supervisor.soak import SoakSummary
from rookery.supervisor.soak_faults import FaultTold
from rookery.supervisor.soak_plan import FaultKind
from rookery.supervisor.soak_rules import Broken, Slope

KILL = FaultTold(
    number=1, kind=FaultKind.KILL, shard="a", at=10.0, outcome="a new runner, #2 (SIGKILL)", recovery=0.31,
    is_as_expected=True,
)  # fmt: skip
FLAT = Slope(samples=200, per_minute=0.0, growth=0.0, scatter=0.1)
CLEAN = SoakSummary(
    seed=7, seconds=300.0, faults=(KILL,), calls={"call": {"ok": 900, "runner lost": 2}, "event": {"ok": 450}},
    p99_quiet_ms=4.5, p99_hurt_ms=None, largest_lag_ms=3.0, largest_status_ms=0.4, suspicions=0,
    slopes={"descriptors": FLAT, "memory": FLAT}, growing=(), broken=(), is_complete=True,
)  # fmt: skip
LOST = Broken(rule="a call ends once", subject="call 7 of a", text="it ended 2 times", at=61.25, times=3)


@pytest.fixture
def soaked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Replace the soak itself; what it was called with, and as ``summary`` what it gives."""
    calls: list[dict[str, Any]] = []

    async def run(deployment: Any, **options: Any) -> SoakSummary:
        calls.append(options)
        return SUMMARIES[-1]

    monkeypatch.setattr(soak_file, "run_soak", run)
    return calls


SUMMARIES = [CLEAN]


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param((), "Missing option '--minutes'", id="no time"),
        pytest.param(("--minutes", 0), "0.0 is not in the range 0<x<=10080", id="no minutes"),
        pytest.param(("--minutes", "soon"), "'soon' is not a valid float", id="a word"),
        pytest.param(("--minutes", "nan"), "nan is no number", id="no number"),
        pytest.param(("--minutes", 1, "--every", 0), "0.0 is not in the range 0.1<=x<=3600", id="all at once"),
        pytest.param(("--minutes", 1, "--rate", -1), "-1.0 is not in the range 0<x<=10000", id="no load"),
        pytest.param(("--minutes", 1, "--seed", "x"), "'x' is not a valid integer", id="a seed"),
    ],
)  # fmt: skip
def test_a_bad_argument_is_named_with_its_range(
    soaked: list[dict[str, Any]], arguments: tuple[object, ...], told: str
) -> None:
    """Nothing is started."""
    done = invoke(*arguments)

    assert done.exit_code != 0
    assert told in done.output
    assert soaked == []


def test_a_summary_that_cannot_be_written_is_told_before_the_run(
    soaked: list[dict[str, Any]], tmp_path: Path
) -> None:
    """And not after an hour."""
    done = invoke("--minutes", 60, "--json", tmp_path / "nowhere" / "out.json")

    assert isinstance(done.exception, UsageError)
    assert "out.json cannot be written: No such file or directory" in str(done.exception)
    assert soaked == []


def test_a_configuration_that_is_not_there_is_told(soaked: list[dict[str, Any]], tmp_path: Path) -> None:
    """With its path."""
    done = invoke("--minutes", 1, tmp_path / "none.toml")

    assert isinstance(done.exception, ConfigError)
    assert "none.toml" in str(done.exception)
    assert soaked == []


def test_what_was_asked_for_is_run_and_the_summary_written(
    soaked: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Minutes become seconds, and the seed that was chosen is told."""
    out = tmp_path / "out.json"

    done = invoke("--minutes", 0.5, "--every", 3, "--rate", 20, "--seed", 7, "--json", out)

    assert done.exit_code == 0, done.output
    [options] = soaked
    assert {name: options[name] for name in ("seconds", "every", "rate", "seed")} == {
        "seconds": 30.0, "every": 3.0, "rate": 20.0, "seed": 7,
    }  # fmt: skip
    assert done.output.splitlines()[0] == "soaking a, b, c, d for 0.5 minutes, a fault every 3 s, seed 7"
    written = json.loads(out.read_text())
    assert written["faults"][0]["kind"] == "is sent SIGKILL"
    assert written["is_clean"] is True


def test_a_clean_summary_ends_with_the_verdict() -> None:
    """Faults by kind, calls by how they ended, the series."""
    lines = soak_lines(CLEAN)

    assert lines[-1] == "clean after 5 m 00 s and 1 fault, seed 7"
    assert any(line.split() == ["is", "sent", "SIGKILL", "1", "0.3", "s", "0.3", "s"] for line in lines)
    assert any(line.split() == ["call", "900", "2", "runner", "lost"] for line in lines)
    assert any(line.split() == ["event", "450", "none"] for line in lines)


def test_what_is_wrong_is_told_with_when_and_values() -> None:
    """A broken rule and a series that grows are both in the verdict."""
    growing = attrs.evolve(FLAT, per_minute=6.0, growth=22.0)
    summary = attrs.evolve(
        CLEAN, broken=(LOST,), growing=("descriptors",), slopes={"descriptors": growing}, is_complete=False
    )

    lines = soak_lines(summary)

    assert not summary.is_clean
    assert "broken: 61.2 s: a call ends once: call 7 of a: it ended 2 times (3 times)" in lines
    assert any(line.startswith("descriptors") and "+6.00 a minute, +22.0 in all" in line for line in lines)
    assert lines[-1] == (
        "NOT CLEAN after 5 m 00 s and 1 fault, ended early, seed 7: 1 rule broken, descriptors grow"
    )


def test_a_fault_is_a_line() -> None:
    """When, what, to whom, how long, what came of it."""
    wrong = attrs.evolve(KILL, is_as_expected=False, outcome="not well again after 60 s")

    assert fault_line(KILL).split() == (
        ["10.0", "s", "is", "sent", "SIGKILL", "a", "0.3", "s", "a", "new", "runner,", "#2", "(SIGKILL)"]
    )
    assert fault_line(wrong).endswith("WRONG: not well again after 60 s")


@pytest.mark.parametrize(
    ("summary", "code"),
    [
        pytest.param(CLEAN, 0, id="clean"),
        pytest.param(attrs.evolve(CLEAN, is_complete=False), 130, id="ended early"),
        pytest.param(attrs.evolve(CLEAN, growing=("memory",)), 1, id="memory grows"),
        pytest.param(attrs.evolve(CLEAN, broken=(LOST,), is_complete=False), 1, id="a rule is broken"),
    ],
)
def test_the_exit_code_says_whether_all_of_it_held(
    soaked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, summary: SoakSummary, code: int
) -> None:
    """A rule that is broken weighs more than a run that was ended early."""
    monkeypatch.setattr(f"{__name__}.SUMMARIES", [summary])

    done = invoke("--minutes", 1)

    assert done.exit_code == code
    assert ("are kept in" in done.output) is (not summary.is_clean)
