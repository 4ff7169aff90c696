"""`rookery replay` says what is wrong with its arguments before anything starts, and tells its summary well."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner, Result

from rookery.supervisor.cli import replay as replay_file
from rookery.supervisor.cli.replay import command, exit_code_of
from rookery.supervisor.cli.summary_table import summary_lines
from rookery.supervisor.errors import UsageError
from rookery.supervisor.replay import ReplaySummary

CLEAN = ReplaySummary(
    read=1203, accepted=1203, deduplicated=0, refused=0, aborted=0, broken=0, broken_lines=(), events=1203,
    invocations=5000, replies=300, errors=0, lost=0, restarts=0, p50_ms=1.23, p99_ms=4.56, max_ms=7.89,
    per_shard={"games": {"invocations": 4000, "errors": 0, "lost": 0, "restarts": 0}, "memory": {"invocations": 1000}},
    seconds=2.5, startup_seconds=0.81, messages_per_second=481.2, complete=True, failure="", still_open=0,
)  # fmt: skip


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "rookery.toml"
    path.write_text(f'[rookery]\nname = "bot"\nstate_dir = "{tmp_path}"\n')
    return path


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "chat.jsonl"
    path.write_text("{}\n")
    return path


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Replace the replay itself; what it was called with."""
    calls: list[Any] = []

    async def run(settings: Any, *args: Any, **options: Any) -> ReplaySummary:
        calls.append(settings)
        return CLEAN

    monkeypatch.setattr(replay_file, "run_replay", run)
    return calls


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_a_summary_is_printed_and_written(
    config: Path, recording: Path, played: list[Any], tmp_path: Path
) -> None:
    """The table for people, the file for programs."""
    result = invoke(config, recording, "--summary", tmp_path / "summary.json")

    assert result.exit_code == 0, result.output
    assert "1203 accepted" in result.stdout
    assert json.loads((tmp_path / "summary.json").read_text())["accepted"] == 1203


def test_json_alone_is_on_standard_output(config: Path, recording: Path, played: list[Any]) -> None:
    """A pipe gets nothing else."""
    result = invoke(config, recording, "--json")

    assert json.loads(result.stdout)["p50_ms"] == 1.23


def test_the_summary_makes_way_for_replies(config: Path, recording: Path, played: list[Any]) -> None:
    """With --output - standard output is the replies' alone."""
    result = invoke(config, recording, "--output", "-", "--json")

    assert result.stdout == ""
    assert json.loads(result.stderr)["read"] == 1203


def test_the_state_is_new_and_removed(config: Path, recording: Path, played: list[Any]) -> None:
    """Counts begin at zero, and nothing stays in the temporary directory."""
    invoke(config, recording)
    invoke(config, recording)

    first, second = (settings.state_dir for settings in played)
    assert first != second
    assert not first.exists()
    assert len(os.fsencode(first / "control.sock")) < 100


def test_a_chosen_state_stays(config: Path, recording: Path, played: list[Any], tmp_path: Path) -> None:
    """Whoever names a directory wants to look into it."""
    invoke(config, recording, "--state", tmp_path / "kept")

    assert played[0].state_dir == tmp_path / "kept"
    assert (tmp_path / "kept").is_dir()


def test_an_output_of_an_earlier_replay_is_replaced(config: Path, recording: Path, played: list[Any], tmp_path: Path) -> None:  # fmt: skip
    """Replies of two replays are not mixed."""
    (tmp_path / "replies.jsonl").write_text("old\n")

    invoke(config, recording, "--output", tmp_path / "replies.jsonl")

    assert (tmp_path / "replies.jsonl").read_text() == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["nothing.jsonl"], "nothing.jsonl cannot be read: No such file", id="no recording"),
        pytest.param(["."], "cannot be read: Is a directory", id="a directory"),
        pytest.param(["/dev/null"], "is no regular file", id="a device"),
        pytest.param(
            ["chat.jsonl", "--output", "chat.jsonl"], "is the recording itself", id="output over input"
        ),
        pytest.param(
            ["chat.jsonl", "--summary", "./chat.jsonl"], "is the recording itself", id="summary over input"
        ),
        pytest.param(
            ["chat.jsonl", "--output", "no/where"], "cannot be written: No such file", id="no directory"
        ),
    ],
)
def test_a_mistake_is_found_before_anything_starts(
    arguments: list[str],
    words: str,
    config: Path,
    recording: Path,
    played: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One sentence with the file in it; the recording is unharmed."""
    monkeypatch.chdir(recording.parent)

    result = invoke(config, *arguments)

    assert isinstance(result.exception, UsageError)
    assert words in str(result.exception)
    assert played == []
    assert recording.read_text() == "{}\n"


@pytest.mark.parametrize("rate", ["0", "-1", "fast", "nan", "inf"])
def test_a_rate_is_a_number_or_max(rate: str, config: Path, recording: Path, played: list[Any]) -> None:
    """Anything else is refused with what was given."""
    result = invoke(config, recording, "--rate", rate)

    assert result.exit_code == 2
    assert f"'{rate}' is no number of messages a second" in result.output


def test_broken_lines_are_told_by_number(
    config: Path, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a compiler does it, with the rest counted."""
    broken = attrs.evolve(CLEAN, broken=3, broken_lines=({"line": 2, "reason": "no JSON"},))

    async def run(*args: Any, **options: Any) -> ReplaySummary:
        return broken

    monkeypatch.setattr(replay_file, "run_replay", run)

    result = invoke(config, recording)

    assert result.exit_code == 3
    assert result.stderr.splitlines() == [
        f"{recording}: line 2: no JSON",
        f"{recording}: 2 more lines are broken",
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({}, 0, id="clean"),
        pytest.param({"lost": 1}, 3, id="lost"),
        pytest.param({"errors": 1}, 3, id="errors"),
        pytest.param({"complete": False}, 3, id="calls that did not end"),
        pytest.param({"complete": False, "failure": "x"}, 70, id="not played"),
    ],
)
def test_the_exit_code_says_how_it_went(change: dict[str, Any], code: int) -> None:
    """A script need not read the summary."""
    assert exit_code_of(attrs.evolve(CLEAN, **change)) == code


def test_the_table() -> None:
    """What is zero and should be is not mentioned."""
    assert summary_lines(CLEAN) == [
        "messages          1203  1203 accepted",
        "events            1203",
        "calls             5000",
        "replies            300  half within 1.2 ms, 99 % within 4.6 ms, all within 7.9 ms",
        "restarts             0",
        "seconds           2.50  after 0.81 s of start-up",
        "messages/s         481",
        "",
        "shard      calls    errors      lost  restarts",
        "games       4000         0         0         0",
        "memory      1000         0         0         0",
    ]


def test_the_table_tells_what_went_wrong() -> None:
    """Losses stand beside what they are part of."""
    spoilt = attrs.evolve(
        CLEAN, broken=2, refused=1, lost=3, errors=4, complete=False, still_open=5, p50_ms=None
    )

    lines = summary_lines(spoilt)

    assert "messages          1203  1203 accepted, 1 refused, 2 broken" in lines
    assert "calls             5000  4 errors, 3 lost" in lines
    assert "replies            300" in lines
    assert "not played to its end; 5 calls were still open" in lines
