"""`rookery run`: a bot, until its input ends or somebody stops it."""

from __future__ import annotations

import logging
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click
import trio

from ..config import load_settings
from ..errors import UsageError
from ..exit_codes import EXIT_BUG, EXIT_OK, EXIT_RESTART
from ..host_checks import expect_children
from ..host_log import SHOWN, open_host_log
from ..plugin_watch import PluginWatch
from ..sd_notify import ServiceSocket
from ..tree import open_supervisor
from .collector import settle_objects
from .descriptors import open_missing_descriptors
from .durations import seconds
from .lines import Teller
from .screen import open_screen
from .signals import StopRequests

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..config import Settings
    from ..log_file import LogFile
    from ..observers import Observer
    from ..supervisor import Supervisor

logger = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds of starting after which the user is told what is still waited for."""

IDLE_TIMEOUT = 30.0
"""Seconds that calls may take after the end of the input."""

TERMINAL = {"stdin": 0, "stdout": 1}


@click.command("run", short_help="Run a bot.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--state", type=click.Path(path_type=Path), metavar="DIR", help="Keep the state there instead.")
@click.option("--log-json", is_flag=True, help="Write the log file as one JSON object a line.")
@click.option("--watch", is_flag=True, help="Reload a plugin when one of its files is saved.")
def command(config: Path, state: Path | None, log_json: bool, watch: bool) -> None:
    """Run the bot that CONFIG describes.

    It ends when the input of all its gateways has ended (Ctrl-D at a console) and every answer is out, or at Ctrl-C or
    SIGTERM, after the calls in flight. A second signal kills what is left. What happens is told on standard error and,
    in full, in log/rookery.log in the state directory.

    Exit codes: 0 the end was asked for, or the job is done; 1 a mistake in the configuration, or the bot runs already;
    70 every shard, or a required one, was given up; 75 it is to be started again (`rookery stop --restart`); 130 or 143
    the end was forced by a second signal.
    """
    open_missing_descriptors()
    expect_children()
    settings = load_settings(config)
    if state is not None:
        settings = attrs.evolve(settings, state_dir=state.absolute())
    # Whoever has the terminal for a chat is typing on the line that we would write to.
    over_prompt = os.isatty(2) and any(shard.terminal for shard in settings.shards)
    with (
        open_screen(over_prompt=over_prompt) as screen,
        open_host_log(settings.state_dir, screen.show, level=settings.log_level, as_json=log_json) as log,
    ):
        code = trio.run(partial(run_bot, settings, Teller(screen.show), log_file=log, watch=watch))
    sys.exit(code)


async def run_bot(
    settings: Settings, tell: Observer, *, log_file: LogFile | None = None, watch: bool = False
) -> int:
    """Run until an end; the exit code.

    Args:
        tell: Told everything that happens.
        log_file: Where this process logs, for the status.
        watch: Whether plugins are reloaded when their files are saved.

    Raises:
        RookeryError: It could not start.
    """
    begun = trio.current_time()
    stop = StopRequests()
    async with trio.open_nursery() as outer:
        # Outside of the host, so that the second signal is heard while it stops.
        await outer.start(stop.watch)
        async with open_supervisor(
            settings, observers=[tell], terminal=TERMINAL, owns_process=True
        ) as supervisor:
            supervisor.log_file = log_file
            stop.attach(supervisor)
            _refuse_emptiness(supervisor)
            service = ServiceSocket()
            code = await _wait_end(supervisor, stop, service, begun, watch=watch)
            service.tell(STOPPING=1, STATUS="stopping")
        outer.cancel_scope.cancel()
    return stop.exit_code(code)


def _refuse_emptiness(supervisor: Supervisor) -> None:
    """A bot without plugins would wait for ever, and silently."""
    if not supervisor.shards:
        path = supervisor.settings.path
        raise UsageError(
            f"{path}: there is no plugin to run; name directories of them in rookery.plugin_dirs, or some of "
            "rookery's own in rookery.bundled"
        )


async def _wait_end(
    supervisor: Supervisor, stop: StopRequests, service: ServiceSocket, begun: float, *, watch: bool
) -> int:
    """Wait for whatever ends the run first."""
    codes: list[int] = []
    async with trio.open_nursery() as nursery:

        async def end_after(wait: Callable[[], Awaitable[int]]) -> None:
            codes.append(await wait())
            nursery.cancel_scope.cancel()

        nursery.start_soon(_say_ready, supervisor, begun)
        nursery.start_soon(service.accompany, supervisor)
        if watch:
            nursery.start_soon(PluginWatch(supervisor).run)
        nursery.start_soon(end_after, partial(_input_end, supervisor))
        nursery.start_soon(end_after, partial(_failure, supervisor))
        nursery.start_soon(end_after, partial(_asked, stop))
        nursery.start_soon(end_after, partial(_escalation, supervisor))
        nursery.start_soon(end_after, partial(_job_done, supervisor))
    return max(codes)


async def _say_ready(supervisor: Supervisor, begun: float) -> None:
    with trio.move_on_after(PATIENCE) as waiting:
        await supervisor.wait_ready()
    if waiting.cancelled_caught:
        states = ((shard.name, shard.state.value.value) for shard in supervisor.shards.values())
        late = ", ".join(f'shard "{name}" ({state})' for name, state in states if state != "ready")
        logger.warning("still waiting for %s; messages wait too", late)
        await supervisor.wait_ready()
    settle_objects()
    shards = supervisor.shards.values()
    loaded = sum(len(shard.loaded) for shard in shards)
    planned = sum(len(shard.plugins) for shard in shards)
    plugins = count(planned, "plugin") if loaded == planned else f"{loaded} of {count(planned, 'plugin')}"
    took = seconds(trio.current_time() - begun)
    text = f"{supervisor.settings.name}: {plugins} in {count(len(shards), 'shard')}, ready in {took}"
    logger.info("%s", text, extra=SHOWN)


async def _input_end(supervisor: Supervisor) -> int:
    await supervisor.wait_input_end()
    with trio.move_on_after(IDLE_TIMEOUT) as waiting:
        await supervisor.wait_idle()
    if waiting.cancelled_caught:
        shards = supervisor.status().as_json()["shards"]
        left = sum(shard["queue"] + shard["in_flight"] for shard in shards)
        after = seconds(IDLE_TIMEOUT)
        logger.warning("still open %s after the end of the input: %s", after, count(left, "call"))
    return EXIT_OK


async def _failure(supervisor: Supervisor) -> int:
    await supervisor.wait_failed()
    logger.error("every shard was given up; the log file says why")
    return EXIT_BUG


async def _escalation(supervisor: Supervisor) -> int:
    await supervisor.escalated.wait()  # the line is told by who decided it
    return EXIT_BUG


async def _job_done(supervisor: Supervisor) -> int:
    reason = await supervisor.finished.wait()
    logger.info("stopping: %s", reason, extra=SHOWN)
    return EXIT_RESTART if supervisor.is_restart_wanted else EXIT_OK


async def _asked(stop: StopRequests) -> int:
    await stop.asked.wait()
    return EXIT_OK


def count(number: int, noun: str) -> str:
    """``1 plugin``, ``2 plugins``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
