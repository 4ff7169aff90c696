"""`rookery online`: bring gateways back to their platforms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .host import LONG, ask_host, host_options
from .offline import named, report_absence

if TYPE_CHECKING:
    from pathlib import Path


@click.command("online", short_help="Bring gateways back to their platforms.")
@click.argument("plugins", nargs=-1, metavar="[PLUGIN]...")
@click.option("--all", "everything", is_flag=True, help="All that are offline.")
@host_options
def command(plugins: tuple[str, ...], everything: bool, config: Path, state: Path | None) -> None:
    """Load each gateway PLUGIN again that `rookery offline` has taken away.

    \b
    Example:
      rookery online --all --config examples/irc

    Exit codes: 0 they are loaded, or will be when their shard starts; 1 one is not, or no bot answers.
    """
    report_absence(
        ask_host(config, state, "online", timeout=LONG, plugins=named(plugins, everything)), "online"
    )
