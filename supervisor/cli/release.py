"""`rookery release`: give a plugin in quarantine another chance now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .host import LONG, ask_host, host_options
from .shard_report import report_shard

if TYPE_CHECKING:
    from pathlib import Path


@click.command("release", short_help="End the quarantine of a plugin.")
@click.argument("plugin")
@click.option("--no-wait", is_flag=True, help="Do not wait until it is ready.")
@host_options
def command(plugin: str, no_wait: bool, config: Path, state: Path | None) -> None:
    """Start PLUGIN again, which is in quarantine because it kept ending its runner. When it does so once more the next
    quarantine is twice as long.

    \b
    Example:
      rookery release author.dice --config examples/chatbot

    Exit codes: 0 its shard is ready; 1 it is not, or no bot answers.
    """
    report_shard(
        ask_host(config, state, "release", timeout=LONG, plugin=plugin, wait=not no_wait), no_wait=no_wait
    )
