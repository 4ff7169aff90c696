"""`rookery reload`: have plugins run the code that is on the disk now, and keep what works when that does not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from ..exit_codes import EXIT_MISTAKE
from .host import LONG, ask_host, host_options
from .terminal import printable

if TYPE_CHECKING:
    from pathlib import Path


@click.command("reload", short_help="Have plugins run the code that is on the disk now.")
@click.argument("plugins", nargs=-1, metavar="[PLUGIN]...")
@click.option("--all", "everything", is_flag=True, help="Reload every plugin.")
@host_options
def command(plugins: tuple[str, ...], everything: bool, config: Path, state: Path | None) -> None:
    """Load the newer code of each PLUGIN into its running shard, and with it every plugin that needs it. Calls go on
    meanwhile. Code that cannot be imported, or does not come up, is told with its file and line, and the running version
    goes on.

    \b
    Example:
      rookery reload author.dice --config examples/chatbot

    Exit codes: 0 all of them run their newer code, or will when their shard starts; 1 one does not, or no bot answers.
    """
    if everything == bool(plugins):
        raise click.UsageError("name the plugins to reload, or give --all")
    wanted = None if everything else list(plugins)
    report_reload(ask_host(config, state, "reload", timeout=LONG, plugins=wanted))


def report_reload(result: dict[str, Any]) -> None:
    """Print a line for each plugin; end with 1 when one was not reloaded."""
    for plugin_id in result["reloaded"]:
        click.echo(printable(f"{plugin_id} reloaded"))
    for plugin_id in result["inactive"]:
        click.echo(printable(f"{plugin_id} unloaded: it, or what it needs, is switched off"))
    for plugin_id, text in result["pending"].items():
        click.echo(printable(f"{plugin_id} not loaded now: {text}"))
    for plugin_id, text in result["failed"].items():
        click.echo(printable(f"{plugin_id} not reloaded: {text}"))
    if not result["success"]:
        sys.exit(EXIT_MISTAKE)
