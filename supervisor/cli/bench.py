"""`rookery bench`: how fast is the whole on this machine, which goals are kept, and what moved since an older result?"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click
import trio

from ..bench import FULL, QUICK, as_json, run_bench
from ..bench_compare import Verdict, compare, parse_result
from ..errors import UsageError
from ..exit_codes import EXIT_INTERRUPTED, EXIT_MISTAKE, EXIT_OK
from ..host_checks import expect_children
from ..host_log import open_host_log
from .bench_drawing import check_plot, draw_result
from .bench_table import StepLine, comparison_lines, show_result
from .descriptors import open_missing_descriptors
from .run import count
from .signals import StopRequests

if TYPE_CHECKING:
    from ..bench import BenchResult, Extent
    from ..bench_compare import Result
    from ..supervisor import Supervisor


@click.command("bench", short_help="Measure calls, events and hook chains on this machine.")
@click.option("--quick", is_flag=True, help="Less than a minute: the cases that have goals, and no more.")
@click.option(
    "--json", "target", type=click.Path(path_type=Path), metavar="OUT", help="Write the result there as JSON."
)
@click.option(
    "--compare", "base", type=click.Path(path_type=Path), metavar="BASE.json",
    help="Say what moved since that result, and end with 1 when something got worse.",
)  # fmt: skip
@click.option("--plot", type=click.Path(path_type=Path), metavar="OUT.svg", help="Draw the result.")
@click.option("--moment", type=click.FloatRange(0.001, 60), hidden=True, help="Seconds for one case.")
@click.option("--repetitions", type=click.IntRange(1, 1000), hidden=True)
def command(
    quick: bool,
    target: Path | None,
    base: Path | None,
    plot: Path | None,
    moment: float | None,
    repetitions: int | None,
) -> None:
    """Measure calls, event fan-out and hook chains over real runners, on this machine.

    Every figure is also told as a ratio to R0, the bare round trip of 1 KB between two trio processes in the same run: that
    is what carries over to another machine. Nothing else should run beside it; a few minutes, or less than one with --quick.

    \b
    Examples:
      rookery bench --quick
      rookery bench --json new.json --compare old.json --plot new.svg

    Exit codes: 0 measured; 1 a call failed, something got worse than in BASE, or a mistake in an argument; 130 Ctrl-C, with
    what there was so far. A goal that is missed is told and changes no exit code.
    """
    open_missing_descriptors()
    expect_children()
    if plot is not None:
        check_plot(plot)
    older = None if base is None else _read(base)
    for path in (target, plot):
        if path is not None:
            _check_writable(path)  # told now, and not after minutes
    extent = (QUICK if quick else FULL).shortened(moment, repetitions)
    stop = StopRequests()
    result = _run(extent, stop)
    show_result(result, sys.stdout)
    document = as_json(result, **_where())
    if target is not None:
        _write(target, json.dumps(document, indent=1) + "\n")
    if plot is not None:
        draw_result(result, f"rookery bench, {document['machine']}, {document['python']}", plot)
    is_worse = older is not None and _compare(older, document)
    sys.exit(stop.exit_code(_exit_code(result, is_worse=is_worse)))


def _run(extent: Extent, stop: StopRequests) -> BenchResult:
    line = StepLine()
    directory = Path(tempfile.mkdtemp(prefix="rk-"))
    try:
        with open_host_log(directory, _drop):
            result = trio.run(partial(_measure, directory, extent, stop, line))
    finally:
        line.clear()
        shutil.rmtree(directory, ignore_errors=True)
    return result


async def _measure(directory: Path, extent: Extent, stop: StopRequests, line: StepLine) -> BenchResult:
    def opened(supervisor: Supervisor) -> None:
        click.echo(f"measuring {len(extent.cases)} cases, {count(extent.repetitions, 'time')} each")
        sys.stdout.flush()
        stop.attach(supervisor)

    async with trio.open_nursery() as outer:
        await outer.start(stop.watch)
        result = await run_bench(directory, extent, interrupted=stop.asked, on_step=line.show, on_open=opened)
        outer.cancel_scope.cancel()
    return result


def _exit_code(result: BenchResult, *, is_worse: bool) -> int:
    if not result.is_complete:
        return EXIT_INTERRUPTED
    return EXIT_MISTAKE if result.failures or is_worse else EXIT_OK


def _compare(older: Result, document: dict[str, object]) -> bool:
    """Whether something got worse."""
    newer = parse_result(json.dumps(document), "this run")
    comparison = compare(older, newer)
    click.echo("\n".join(comparison_lines(comparison, older.source)))
    return bool(comparison.of(Verdict.WORSE))


def _where() -> dict[str, str]:
    """What the figures depend on."""
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, {platform.system()} {platform.release()}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "python": python,
        "rookery": version("rookery"),
        "trio": version("trio"),
    }


def _drop(_text: str, _level: int = 0) -> None:
    """What happens to runners is in the log file; it would spoil the table."""


def _read(path: Path) -> Result:
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}; give a file of `rookery bench --json`"
        ) from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text; give a file of `rookery bench --json`") from None
    return parse_result(text, str(path))


def _check_writable(target: Path) -> None:
    """What stands there stays until there is something better."""
    try:
        with target.open("a"):
            pass
    except OSError as error:
        raise _unwritable(target, error) from None


def _write(target: Path, text: str) -> None:
    try:
        target.write_text(text, "utf-8")
    except OSError as error:
        raise _unwritable(target, error) from None


def _unwritable(target: Path, error: OSError) -> UsageError:
    return UsageError(
        f"the result {target} cannot be written: {error.strerror}; give a file in a directory of yours"
    )
