"""`rookery audit`: what plugins were allowed and denied, and which runners were stopped for what they did."""

from __future__ import annotations

import json
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import click

from ..audit_lines import audit_files, follow_audit, read_audit
from .host import find_host, host_options
from .terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNLIMITED = 0


@click.command("audit", short_help="Show what plugins were allowed and denied.")
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on with every new line, until Ctrl-C.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=100, show_default=True,
    help="How many old lines; 0 shows all.",
)  # fmt: skip
@click.option("--plugin", default="", metavar="ID", help="Only of this plugin.")
@click.option("--shard", default="", metavar="NAME", help="Only of this shard.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@host_options
def command(
    follows: bool, lines: int, plugin: str, shard: str, as_json: bool, config: Path, state: Path | None
) -> None:
    """Show the audit record: grants, denials, violations of the protocol, kills, quarantines, and what plugins did to plugins.

    It is read from the state directory, whether the bot runs or not. A line that repeats within a minute is written once and
    then counted.

    \b
    Example:
      rookery audit -f --plugin author.dice --config examples/chatbot

    Exit codes: 0; 1 there is no record.
    """
    state_dir = find_host(config, state)
    if not follows and not audit_files(state_dir):
        raise click.ClickException(f"there is no audit record in {state_dir}; no bot has run there")
    entries: Iterator[dict[str, Any] | None] = follow_audit(state_dir) if follows else read_audit(state_dir)
    # None stands between the old lines and the new ones.
    old = (each for each in _old_ones(entries) if _fits(each, plugin, shard))
    try:
        for entry in old if lines == UNLIMITED else deque(old, maxlen=lines):
            click.echo(json.dumps(entry) if as_json else _line(entry))
        for new in entries:
            if new is not None and _fits(new, plugin, shard):
                click.echo(json.dumps(new) if as_json else _line(new))
    except KeyboardInterrupt:
        if not follows:
            raise


def _old_ones(entries: Iterator[dict[str, Any] | None]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        if entry is None:
            return
        yield entry


def _fits(entry: dict[str, Any], plugin: str, shard: str) -> bool:
    is_plugins = not plugin or plugin in (entry.get("plugin"), entry.get("target"))
    return is_plugins and (not shard or entry.get("shard") == shard)


def _line(entry: dict[str, Any]) -> str:
    moment = entry.get("time")
    when = (
        time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
        if isinstance(moment, int | float)
        else " " * 19
    )
    incarnation = f" #{entry['incarnation']}" if entry.get("incarnation") else ""
    where = f"[{entry['shard']}{incarnation}]" if entry.get("shard") else ""
    who = " ".join(filter(None, (where, str(entry.get("plugin") or ""))))
    times = f" ({entry['repeated']} times more)" if entry.get("repeated") else ""
    return printable(f"{when} {entry['what']:<11} {who}: {entry.get('reason', '')}{times}")
