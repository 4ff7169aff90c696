"""`rookery replay`: recorded chat through a whole bot, and what came of it."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import trio

from ..config import load_settings
from ..errors import UsageError
from ..exit_codes import EXIT_BUG, EXIT_INTERRUPTED, EXIT_OK
from ..host_checks import expect_children
from ..host_log import open_host_log
from ..replay import Position, ReplaySummary, run_replay
from ..replay_settings import settings_for_replay
from .descriptors import open_missing_descriptors
from .lines import Teller
from .progress import Progress, open_progress
from .signals import StopRequests
from .summary_table import summary_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import Settings

EXIT_NOT_CLEAN = 3
"""The recording was played, and something of it was broken, refused, lost or an error."""

MAX_RATE = 1e6
"""Messages a second; more than any host takes, and still a pause that a clock can measure."""

STANDARD_OUTPUT = "-"


class Rate(click.ParamType[float]):
    """Messages a second; ``max`` is 0, which the gateway takes for no limit."""

    name = "rate"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if value == "max":
            return 0.0
        try:
            rate = float(str(value))
        except ValueError:
            rate = -1.0
        if not 0 < rate <= MAX_RATE:
            self.fail(f"{value!r} is no number of messages a second; give one above 0, or max", param, ctx)
        return rate


@click.command("replay", short_help="Play recorded chat through a bot and say what came of it.")
@click.argument("config", type=click.Path(path_type=Path))
@click.argument("recording", metavar="INPUT.jsonl", type=click.Path(path_type=Path))
@click.option(
    "--output", metavar="FILE",
    help="Write the replies there, one JSON object a line; - is standard output. Without it they are dropped.",
)  # fmt: skip
@click.option(
    "--rate", type=Rate(), default="max", show_default=True, metavar="N|max", help="Messages a second."
)
@click.option(
    "--summary", type=click.Path(path_type=Path), metavar="FILE", help="Write the summary there as JSON."
)
@click.option(
    "--state", type=click.Path(path_type=Path), metavar="DIR", help="Keep the state there; counts go on."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    config: Path,
    recording: Path,
    output: str | None,
    rate: float,
    summary: Path | None,
    state: Path | None,
    as_json: bool,
) -> None:
    """Play the chat in INPUT.jsonl through the bot that CONFIG describes.

    The gateways of CONFIG are left out and the recording takes their place. A line is an object with platform, chat,
    user, time and text. The state is a new directory, removed at the end, so that every replay begins at zero; with
    --state it is kept.

    The summary goes to standard output, or to standard error when the replies go there.

    Exit codes: 0 all went well; 3 the recording was played, but lines were broken or refused, or calls failed or were
    lost, as the summary says; 1 a mistake in the configuration or an argument; 70 the recording could not be played to
    its end; 130 Ctrl-C, with the summary so far.
    """
    open_missing_descriptors()
    expect_children()
    size = _check_input(recording)
    to_stdout = output == STANDARD_OUTPUT
    output_path = None if output in (None, STANDARD_OUTPUT) else Path(str(output)).absolute()
    settings = load_settings(config)
    for target in (output_path, summary):
        if target is not None:
            _start_file(target, recording)
    with (
        _state_dir(state) as state_dir,
        open_progress(sys.stderr, alone=not (to_stdout and sys.stdout.isatty())) as progress,
    ):
        prepared = settings_for_replay(
            settings, input=recording.absolute(), output=output_path, to_stdout=to_stdout, rate=rate,
            state_dir=state_dir,
        )  # fmt: skip
        with open_host_log(state_dir, progress.show, level=settings.log_level):
            stop = StopRequests()
            result = trio.run(partial(_replay, prepared, progress, stop, to_stdout=to_stdout))
        if result.complete:
            progress.move(size, size, result.read)
    _tell(result, recording, summary, as_json=as_json, to_stderr=to_stdout)
    sys.exit(stop.exit_code(EXIT_INTERRUPTED) if stop.asked.is_set() else exit_code_of(result))


async def _replay(
    settings: Settings, progress: Progress, stop: StopRequests, *, to_stdout: bool
) -> ReplaySummary:
    def moved(position: Position) -> None:
        progress.move(position.position, position.size, position.read)

    async with trio.open_nursery() as outer:
        await outer.start(stop.watch)
        result = await run_replay(
            settings,
            interrupted=stop.asked,
            observers=[Teller(progress.show)],
            on_position=moved,
            on_open=stop.attach,
            terminal={"stdout": 1} if to_stdout else None,
        )
        outer.cancel_scope.cancel()
    return result


def exit_code_of(summary: ReplaySummary) -> int:
    """The exit code of a replay that nobody interrupted."""
    if summary.failure:
        return EXIT_BUG
    return EXIT_OK if summary.is_clean else EXIT_NOT_CLEAN


def _check_input(recording: Path) -> int:
    """The size of the recording.

    Raises:
        UsageError: It cannot be read, or is no regular file.
    """
    try:
        with recording.open("rb"):
            pass
    except OSError as error:
        raise UsageError(f"the recording {recording} cannot be read: {error.strerror}") from None
    if not recording.is_file():
        raise UsageError(
            f"the recording {recording} is no regular file; a replay has to find its place in it again"
        )
    return recording.stat().st_size


def _start_file(target: Path, recording: Path) -> None:
    """Make an output file empty: the gateway appends, so that it can go on after a restart."""
    try:
        if target.exists() and target.samefile(recording):
            raise UsageError(f"{target} is the recording itself; choose another file")
        target.write_bytes(b"")
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}") from None


@contextmanager
def _state_dir(chosen: Path | None) -> Iterator[Path]:
    if chosen is not None:
        yield chosen.absolute()
        return
    path = Path(tempfile.mkdtemp(prefix="rk-"))
    try:
        yield path
    finally:
        # A runner that died a moment ago may still be writing; what stays is in the temporary directory.
        shutil.rmtree(path, ignore_errors=True)


def _tell(
    result: ReplaySummary, recording: Path, target: Path | None, *, as_json: bool, to_stderr: bool
) -> None:
    for mistake in result.broken_lines:
        click.echo(f"{recording}: line {mistake['line']}: {mistake['reason']}", err=True)
    hidden = result.broken - len(result.broken_lines)
    if hidden > 0:
        click.echo(f"{recording}: {hidden} more lines are broken", err=True)
    if result.failure:
        click.echo(f"the replay ended early: {result.failure}", err=True)
    text = json.dumps(result.as_json(), indent=2)
    if target is not None:
        try:
            target.write_text(text + "\n")
        except OSError as error:
            raise UsageError(f"the summary {target} cannot be written: {error.strerror}") from None
    click.echo(text if as_json else "\n".join(summary_lines(result)), err=to_stderr)
