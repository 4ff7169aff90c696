"""`rookery soak`: a deployment under load whose runners are hurt, one after the other, and what must hold meanwhile."""

from __future__ import annotations

import json
import math
import random
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

import click
import trio

from ..config import load_settings
from ..errors import UsageError
from ..exit_codes import EXIT_INTERRUPTED, EXIT_MISTAKE, EXIT_OK
from ..host_checks import expect_children
from ..host_log import open_host_log
from ..soak import SoakSummary, run_soak
from ..soak_settings import own_settings, prepare_soak
from .descriptors import open_missing_descriptors
from .lines import Teller
from .signals import StopRequests
from .soak_table import fault_line, soak_lines

if TYPE_CHECKING:
    from ..observers import Observer
    from ..soak_settings import SoakDeployment

MAX_MINUTES = 7 * 24 * 60
MAX_RATE = 10_000
MAX_EVERY = 3600


@click.command("soak", short_help="Hurt runners for minutes under load, and check what must hold.")
@click.argument("config", type=click.Path(path_type=Path), required=False)
@click.option(
    "--minutes", type=click.FloatRange(0, MAX_MINUTES, min_open=True), required=True, metavar="N",
    help="How long; five are a good beginning.",
)  # fmt: skip
@click.option(
    "--every", type=click.FloatRange(0.1, MAX_EVERY), default=10.0, show_default=True, metavar="SECONDS",
    help="Seconds between two faults.",
)  # fmt: skip
@click.option(
    "--rate", type=click.FloatRange(0, MAX_RATE, min_open=True), default=50.0, show_default=True, metavar="N",
    help="Calls a second, over all shards.",
)  # fmt: skip
@click.option("--seed", type=int, metavar="N", help="Choose the faults as a run with this seed did.")
@click.option(
    "--json",
    "target",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="Write the summary there as JSON.",
)
def command(
    config: Path | None, minutes: float, every: float, rate: float, seed: int | None, target: Path | None
) -> None:
    """Hurt the runners of a deployment under load, and check once a second what must hold.

    Without CONFIG the deployment is one of four shards, made for the test. With it, every shard of CONFIG gets one more
    plugin, which works and hurts its runner; gateways are left out. The state is a new directory, removed at the end
    unless something is wrong.

    It must hold: each call ends once, by its deadline; calls to shards that nobody has hurt succeed; a shard is back within
    the time of its policy; no process is left; descriptors, threads and memory of the host stay bounded and have no slope.

    \b
    Example:
      rookery soak --minutes 5

    Exit codes: 0 all of it held; 1 something did not, as the summary says, or a mistake in an argument; 130 Ctrl-C, with the
    summary so far.
    """
    if any(map(math.isnan, (minutes, every, rate))):
        raise click.UsageError("nan is no number of minutes, of seconds or of calls")
    open_missing_descriptors()
    expect_children()
    if seed is None:
        seed = random.SystemRandom().randrange(1_000_000)
    if target is not None:
        _write(target, "")  # told now, and not after an hour
    with _StateDirectory() as directory:
        settings = own_settings(directory.path) if config is None else load_settings(config)
        deployment = prepare_soak(settings, directory.path)
        stop = StopRequests()
        with open_host_log(directory.path, _drop):
            shards = ", ".join(deployment.plugins)
            click.echo(f"soaking {shards} for {minutes:g} minutes, a fault every {every:g} s, seed {seed}")
            soak = partial(
                _soak, deployment, stop, Teller(_drop), minutes=minutes, every=every, rate=rate, seed=seed
            )
            summary = trio.run(soak)
        click.echo("\n".join(soak_lines(summary)))
        if target is not None:
            _write(target, json.dumps(summary.as_json(), indent=2) + "\n")
        if not summary.is_clean:
            directory.keep()
            click.echo(f"the log and the crash reports are kept in {directory.path}")
    sys.exit(stop.exit_code(_exit_code(summary)))


async def _soak(
    deployment: SoakDeployment,
    stop: StopRequests,
    tell: Observer,
    *,
    minutes: float,
    every: float,
    rate: float,
    seed: int,
) -> SoakSummary:
    async with trio.open_nursery() as outer:
        await outer.start(stop.watch)
        summary = await run_soak(
            deployment,
            seconds=minutes * 60,
            every=every,
            rate=rate,
            seed=seed,
            interrupted=stop.asked,
            on_fault=lambda told: click.echo(fault_line(told)),
            on_broken=lambda broken: click.echo(f"broken: {broken.describe()}"),
            on_open=stop.attach,
            observers=[tell],
            owns_process=True,
        )
        outer.cancel_scope.cancel()
    return summary


def _exit_code(summary: SoakSummary) -> int:
    if not summary.is_clean:
        return EXIT_MISTAKE
    return EXIT_OK if summary.is_complete else EXIT_INTERRUPTED


def _drop(_text: str, _level: int = 0) -> None:
    """What happens to runners is what was done to them: it is in the log file, and not on the terminal."""


class _StateDirectory:
    """A new directory, which is removed at the end unless somebody has to look into it."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="rk-"))
        self._is_kept = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._is_kept:
            # A runner that died a moment ago may still be writing; what stays is in the temporary directory.
            shutil.rmtree(self.path, ignore_errors=True)

    def keep(self) -> None:
        """Do not remove it."""
        self._is_kept = True


def _write(target: Path, text: str) -> None:
    try:
        target.write_text(text)
    except OSError as error:
        raise UsageError(f"the summary {target} cannot be written: {error.strerror}") from None
