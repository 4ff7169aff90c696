"""`rookery stop`: stop a shard, or the whole bot, in an orderly way."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from ..control_client import AskFailed, NotRunning, ask
from .host import LONG, ask_host, find_host, host_options, told
from .shard_report import report_shard

if TYPE_CHECKING:
    from pathlib import Path

LOOK = 0.1
"""Seconds between two looks whether the bot has gone."""


@click.command("stop", short_help="Stop a shard, or the bot.")
@click.argument("shard", required=False)
@click.option("--no-wait", is_flag=True, help="Do not wait until it has stopped.")
@host_options
def command(shard: str | None, no_wait: bool, config: Path, state: Path | None) -> None:
    """Stop SHARD: it finishes what it has and stays away until `rookery start`; what comes for it meanwhile fails. Without
    SHARD the whole bot stops, as by Ctrl-C.

    \b
    Examples:
      rookery stop games --config examples/chatbot
      rookery stop --config examples/chatbot

    Exit codes: 0 it has stopped; 1 no bot answers.
    """
    if shard is not None:
        answer = ask_host(config, state, "stop_shard", timeout=LONG, shard=shard, wait=not no_wait)
        report_shard(answer, no_wait=no_wait, wanted="stopped")
        return
    state_dir = find_host(config, state)
    with told(state_dir):
        ask(state_dir, "stop")
    if not no_wait:
        _wait_gone(state_dir)
        click.echo("stopped")


def _wait_gone(state_dir: Path) -> None:
    """The host removes its socket when it has stopped everything."""
    while True:
        try:
            ask(state_dir, "status")
        except NotRunning:
            return
        except AskFailed:
            pass  # it hangs up on its way out
        time.sleep(LOOK)
