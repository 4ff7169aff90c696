"""`rookery offline`: take gateways off their platforms while the bot goes on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from ..exit_codes import EXIT_MISTAKE
from .host import LONG, ask_host, host_options
from .terminal import printable

if TYPE_CHECKING:
    from pathlib import Path


@click.command("offline", short_help="Take gateways off their platforms.")
@click.argument("plugins", nargs=-1, metavar="[PLUGIN]...")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@host_options
def command(plugins: tuple[str, ...], everything: bool, config: Path, state: Path | None) -> None:
    """Unload each gateway PLUGIN, so that its accounts leave their platforms, and keep it out until `rookery online`. The
    rest of the bot goes on; what it sends there fails as offline.

    \b
    Example:
      rookery offline rookery.irc --config examples/irc

    Exit codes: 0 they are offline, or will be when their shard starts; 1 one is not, or no bot answers.
    """
    report_absence(
        ask_host(config, state, "offline", timeout=LONG, plugins=named(plugins, everything)), "offline"
    )


def named(plugins: tuple[str, ...], everything: bool) -> list[str] | None:
    """The plugins that are meant; ``None`` for all."""
    if everything == bool(plugins):
        raise click.UsageError("name the gateways' plugins, or give --all")
    return None if everything else list(plugins)


def report_absence(result: dict[str, Any], wanted: str) -> None:
    """Print a line for each plugin; end with 1 when one is not where it was wanted."""
    for plugin_id in result["changed"]:
        click.echo(printable(f"{plugin_id} is {wanted}"))
    for plugin_id, text in result["pending"].items():
        click.echo(printable(f"{plugin_id} will be {wanted}: {text}"))
    for plugin_id, text in result["failed"].items():
        click.echo(printable(f"{plugin_id} is not {wanted}: {text}"))
    if not any(result[name] for name in ("changed", "pending", "failed")):
        click.echo(f"nothing to do: what you named is {wanted} already")
    if not result["success"]:
        sys.exit(EXIT_MISTAKE)
