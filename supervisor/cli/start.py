"""`rookery start`: have a runner in a shard again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .host import LONG, ask_host, host_options
from .shard_report import report_shard

if TYPE_CHECKING:
    from pathlib import Path


@click.command("start", short_help="Start a shard that was stopped or given up.")
@click.argument("shard")
@click.option("--no-wait", is_flag=True, help="Do not wait until it is ready.")
@host_options
def command(shard: str, no_wait: bool, config: Path, state: Path | None) -> None:
    """Start SHARD, which was stopped or given up, or is started by hand. What it failed of before is forgotten. One that
    runs goes on.

    \b
    Example:
      rookery start games --config examples/chatbot

    Exit codes: 0 it is ready; 1 it is not, or no bot answers.
    """
    report_shard(
        ask_host(config, state, "start", timeout=LONG, shard=shard, wait=not no_wait), no_wait=no_wait
    )
