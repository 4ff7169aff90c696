"""`rookery bench` says what is wrong with its arguments before anything starts, and tells its result well."""

from __future__ import annotations

import importlib.util
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from click.testing import CliRunner, Result

from rookery.supervisor.bench import BenchResult, Extent, as_json
from rookery.supervisor.bench_compare import compare, parse_result
from rookery.supervisor.bench_figures import Goal, make_figure
from rookery.supervisor.cli import bench as bench_file
from rookery.supervisor.cli.bench import command
from rookery.supervisor.cli.bench_table import StepLine, comparison_lines, show_result
from rookery.supervisor.errors import UsageError

CALL = make_figure(
    "invoke", "µs", [80.0, 81.0, 82.0], value=81.0, ratios=[1.6, 1.62, 1.64], ratio=1.62, of="R0",
    goal=Goal(must=1.5, aim=1.2),
)  # fmt: skip
ABSENT = make_figure("memory", "MiB", (), goal=Goal(must=7, aim=5), reason="this system does not tell it")
RESULT = BenchResult(
    goals=(CALL, ABSENT),
    sweep=(),
    open_loop=(),
    failures=(),
    repetitions=3,
    moment=0.1,
    is_quick=True,
    is_complete=True,
)
SLOWER = attrs.evolve(RESULT, goals=(attrs.evolve(CALL, ratio=2.6, ratio_low=2.5, ratio_high=2.7), ABSENT))


class Benched:
    """Stands in for the benchmark itself."""

    def __init__(self) -> None:
        self.extents: list[Extent] = []
        self.result = RESULT

    async def run(self, directory: Path, extent: Extent, **options: Any) -> BenchResult:
        await trio.lowlevel.checkpoint()
        self.extents.append(extent)
        options["on_step"]("invoke", 0.5)
        return self.result


@pytest.fixture
def benched(monkeypatch: pytest.MonkeyPatch) -> Benched:
    """Replace the benchmark; what it was asked for, and as ``result`` what it gives."""
    stand_in = Benched()
    monkeypatch.setattr(bench_file, "run_bench", stand_in.run)
    return stand_in


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def written(path: Path, result: BenchResult = RESULT, **more: str) -> Path:
    path.write_text(json.dumps({**as_json(result, **bench_file._where()), **more}))
    return path


@pytest.mark.parametrize(
    ("make", "told"),
    [
        pytest.param(lambda path: ["--compare", path / "none.json"], "No such file or directory", id="no base"),
        pytest.param(lambda path: ["--compare", path], "cannot be read: Is a directory", id="a directory"),
        pytest.param(lambda path: ["--json", path / "no" / "out.json"], "cannot be written", id="no place"),
        pytest.param(lambda path: ["--plot", path / "out.jpg"], "got '.jpg', expected .svg or .png", id="a photo"),
        pytest.param(lambda path: ["--plot", path / "out"], "got no ending, expected .svg or .png", id="no ending"),
        pytest.param(lambda path: ["--plot", path / "no" / "out.svg"], "cannot be written", id="no place for it"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_before_the_run(
    benched: Benched, tmp_path: Path, make: Callable[[Path], list[object]], told: str
) -> None:
    """And not after minutes of it."""
    done = invoke("--quick", *make(tmp_path))

    assert isinstance(done.exception, UsageError)
    assert told in str(done.exception)
    assert benched.extents == []


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe", b'{"figures": {}}'])
def test_a_base_that_is_no_result_is_told_before_the_run(
    benched: Benched, tmp_path: Path, content: bytes
) -> None:
    """With the file, and with what to give."""
    base = tmp_path / "base.json"
    base.write_bytes(content)

    done = invoke("--compare", base)

    assert isinstance(done.exception, UsageError)
    assert str(done.exception).startswith(str(base))
    assert "rookery bench --json" in str(done.exception)
    assert benched.extents == []


def test_a_png_without_matplotlib_is_refused_with_what_to_give(
    benched: Benched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SVG needs nothing."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    done = invoke("--plot", tmp_path / "out.png")

    assert "needs matplotlib, which is not installed" in str(done.exception)
    assert f"give {tmp_path / 'out.svg'}" in str(done.exception)
    assert benched.extents == []


def test_what_was_asked_for_is_measured_written_and_drawn(benched: Benched, tmp_path: Path) -> None:
    """With the machine and the interpreter that the figures depend on."""
    out, plot = tmp_path / "out.json", tmp_path / "out.svg"

    done = invoke("--quick", "--json", out, "--plot", plot)

    assert done.exit_code == 0, done.output
    [extent] = benched.extents
    assert extent.is_quick
    found = json.loads(out.read_text())
    assert found["goals"][0]["ratio"] == 1.62
    assert {"machine", "python", "trio", "rookery"} <= found.keys()
    assert plot.read_text().startswith("<svg ")


def test_the_extent_is_whole_unless_it_is_to_be_quick(benched: Benched) -> None:
    """What tests shorten stays possible in both."""
    done = invoke("--moment", 0.01, "--repetitions", 2)

    assert done.exit_code == 0, done.output
    [extent] = benched.extents
    assert (extent.is_quick, extent.moment, extent.repetitions) == (False, 0.01, 2)


@pytest.mark.parametrize(
    ("result", "code"),
    [
        pytest.param(RESULT, 0, id="a missed goal is told and no more"),
        pytest.param(attrs.evolve(RESULT, failures=("invoke: 1 of 3 calls failed",)), 1, id="a call failed"),
        pytest.param(attrs.evolve(RESULT, is_complete=False), 130, id="ended early"),
    ],
)
def test_the_exit_code_says_whether_it_was_measured(benched: Benched, result: BenchResult, code: int) -> None:
    """Figures of calls that failed are none."""
    benched.result = result

    assert invoke("--quick").exit_code == code


@pytest.mark.parametrize(
    ("before", "after", "code", "told"),
    [
        pytest.param(RESULT, RESULT, 0, "0 worse, 0 better, 1 as before", id="the same"),
        pytest.param(RESULT, SLOWER, 1, "WORSE   invoke: 1.62 R0 (1.6 to 1.64) → 2.6 R0 (2.5 to 2.7)  x1.60", id="worse"),
        pytest.param(SLOWER, RESULT, 0, "better  invoke", id="better"),
    ],
)  # fmt: skip
def test_a_comparison_ends_with_one_when_something_got_worse(
    benched: Benched, tmp_path: Path, before: BenchResult, after: BenchResult, code: int, told: str
) -> None:
    """What moved is told with both bands."""
    benched.result = after

    done = invoke("--compare", written(tmp_path / "base.json", before))

    assert done.exit_code == code, done.output
    assert told in done.output


def test_another_machine_is_said(benched: Benched, tmp_path: Path) -> None:
    """The ratios are compared all the same."""
    base = written(tmp_path / "base.json", machine="a larger one")

    done = invoke("--compare", base)

    assert done.exit_code == 0
    assert "note: another machine: a larger one then, " in done.output


def test_a_row_says_its_goal_and_what_came_of_it() -> None:
    """Or why nothing did."""
    out = io.StringIO()

    show_result(attrs.evolve(RESULT, is_complete=False, failures=("invoke: 1 of 3",)), out)

    lines = out.getvalue().splitlines()
    assert lines[1].split() == ["goals", "value", "ratio", "to", "must", "aim"]
    assert lines[2].split() == ["invoke", "81.0", "µs", "1.62", "R0", "≤", "1.5", "1.2", "missed"]
    assert lines[3] == "not measured: memory: this system does not tell it"
    assert lines[4:] == ["FAILED: invoke: 1 of 3", "0 goals of 1 hold; 3 repetitions; ended early"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.slow
def test_a_terminal_gets_the_same_rows_from_rich() -> None:
    """In colour where there is some; no cell is lost."""
    pytest.importorskip("rich")
    out = Terminal()

    show_result(RESULT, out)

    text = out.getvalue()
    for part in ("goals", "invoke", "1.62", "R0", "missed", "not measured"):
        assert part in text


def test_progress_is_for_terminals() -> None:
    """One line that is drawn over; a file or a pipe gets none of it."""
    terminal, pipe = Terminal(), io.StringIO()

    for stream in (terminal, pipe):
        line = StepLine(stream)
        line.show("invoke 1 KB " + "x" * 200, 0.5)
        line.clear()

    assert " 50%  invoke 1 KB" in terminal.getvalue()
    assert len(terminal.getvalue()) < 100
    assert pipe.getvalue() == ""


@pytest.mark.parametrize(
    ("others", "told"),
    [
        (0.01, "; others used 1% of the CPUs"),
        (0.3, "; DISTURBED: others used 30% of the CPUs"),
        (None, "repetitions"),
    ],
)
def test_whoever_else_was_there_is_told(others: float | None, told: str) -> None:
    """So that nobody believes figures of somebody else's load."""
    out = io.StringIO()

    show_result(attrs.evolve(RESULT, others=others), out)

    assert out.getvalue().rstrip().endswith(told)


def test_a_comparison_of_a_result_with_itself_is_quiet() -> None:
    """Nothing but its verdict."""
    result = parse_result(json.dumps(as_json(RESULT)), "base.json")

    lines = comparison_lines(compare(result, result), "base.json")

    assert lines == ["", "against base.json: 0 worse, 0 better, 1 as before"]
