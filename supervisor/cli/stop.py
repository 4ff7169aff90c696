"""`rookery stop`: stop a shard, or the whole bot, in an orderly way."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from ..control_client import HostGone, follow
from ..state_directory import RUN_LOCK
from .host import LONG, ask_host, find_host, host_options, told
from .shard_report import report_shard

if TYPE_CHECKING:
    from pathlib import Path

LOOK = 0.02
"""Seconds between two looks whether the bot has let go of its state directory."""

LAST_STEPS = 15.0
"""Seconds from the end of the control socket until that at most: the store closes in between."""


@click.command("stop", short_help="Stop a shard, or the bot.")
@click.argument("shard", required=False)
@click.option(
    "--restart", is_flag=True, help="Have whoever started the bot start it again: it ends with exit code 75."
)
@click.option("--no-wait", is_flag=True, help="Do not wait until it has stopped.")
@host_options
def command(shard: str | None, restart: bool, no_wait: bool, config: Path, state: Path | None) -> None:
    """Stop SHARD: it finishes what it has and stays away until `rookery start`; what comes for it meanwhile fails. Without
    SHARD the whole bot stops, as by Ctrl-C; a service manager may start it again, so tell that one instead.

    \b
    Examples:
      rookery stop games --config examples/chatbot
      rookery stop --config examples/chatbot

    Exit codes: 0 it has stopped; 1 no bot answers.
    """
    if shard is not None:
        if restart:
            raise click.UsageError(f"--restart is for the whole bot; use `rookery restart {shard}`")
        answer = ask_host(config, state, "stop_shard", timeout=LONG, shard=shard, wait=not no_wait)
        report_shard(answer, no_wait=no_wait, wanted="stopped")
        return
    state_dir = find_host(config, state)
    owner = _owner(state_dir)
    with told(state_dir):
        try:
            for _ in follow(state_dir, "stop", restart=restart):
                if no_wait:
                    click.echo("stopping")
                    return
        except HostGone:
            _wait_released(state_dir, owner)
            click.echo("stopped")


def _wait_released(state_dir: Path, owner: str) -> None:
    """Return when another bot may have the directory."""
    until = time.monotonic() + LAST_STEPS
    while owner and _owner(state_dir) == owner and time.monotonic() < until:
        time.sleep(LOOK)


def _owner(state_dir: Path) -> str:
    """What the host that owns the directory has written into its lock; "" when nobody does."""
    try:
        return (state_dir / RUN_LOCK).read_text("ascii", "replace")
    except OSError:
        return ""
