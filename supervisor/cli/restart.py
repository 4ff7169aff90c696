"""`rookery restart`: put another runner in a shard, and lose nothing by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .host import LONG, ask_host, host_options
from .shard_report import report_shard

if TYPE_CHECKING:
    from pathlib import Path


@click.command("restart", short_help="Put another runner in a shard.")
@click.argument("shard")
@click.option("--no-wait", is_flag=True, help="Do not wait until it is ready.")
@host_options
def command(shard: str, no_wait: bool, config: Path, state: Path | None) -> None:
    """Replace the runner of SHARD in an orderly way: it finishes what it has, and what comes meanwhile waits for the next
    one. It counts as no failure. A shard that was stopped or given up starts.

    \b
    Example:
      rookery restart games --config examples/chatbot

    Exit codes: 0 it is ready; 1 it is not, or no bot answers.
    """
    report_shard(
        ask_host(config, state, "restart", timeout=LONG, shard=shard, wait=not no_wait), no_wait=no_wait
    )
