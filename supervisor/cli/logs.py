"""`rookery logs`: what shards and plugins have written, and go on writing."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from ..control_client import follow
from .host import find_host, host_options, told
from .terminal import coloured, printable, wants_colour

if TYPE_CHECKING:
    from pathlib import Path


@click.command("logs", short_help="Show what shards and plugins write.")
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on with every new line, until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(0, 100_000),
    default=100,
    show_default=True,
    help="How many old lines.",
)
@click.option("--plugin", default="", metavar="ID", help="Only of this plugin.")
@click.option("--shard", default="", metavar="NAME", help="Only of this shard.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@host_options
def command(
    follows: bool, lines: int, plugin: str, shard: str, as_json: bool, config: Path, state: Path | None
) -> None:
    """Show the newest lines of the running bot's shards. They are kept in memory, a megabyte for each shard; the file `log/` in
    the state directory has more.

    \b
    Example:
      rookery logs -f --plugin author.dice --config examples/chatbot

    Exit codes: 0; 1 no bot answers, or it ended while its log was followed.
    """
    state_dir = find_host(config, state)
    colour = wants_colour(sys.stdout)
    with told(state_dir):
        try:
            for line in follow(state_dir, "logs", lines=lines, follow=follows, plugin=plugin, shard=shard):
                click.echo(json.dumps(line) if as_json else _shown(line, colour=colour))
        except KeyboardInterrupt:
            if not follows:
                raise


def _shown(line: dict[str, Any], *, colour: bool) -> str:
    moment = time.strftime("%H:%M:%S", time.localtime(line["time"]))
    who = line["plugin"] or f"[{line['shard']}]"
    level = logging.getLevelName(line["level"])
    first, *rest = line["text"].split("\n")
    text = "\n".join(
        [printable(f"{moment} {level:<7} {who}: {first}"), *(f"    {printable(each)}" for each in rest)]
    )
    return coloured(text, line["level"]) if colour else text
