"""`rookery status`: what a running bot is doing. Loads no event loop, so that it answers at once."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from ..control_client import AskFailed, NotRunning, ask
from ..state_directory import find_state_dir
from .durations import seconds
from .terminal import RESET, printable, wants_colour

COLUMNS = ("SHARD", "INC", "PID", "STATE", "SINCE", "RESTARTS", "QUEUE", "INFLIGHT", "PLUGINS")
NUMBERS = {"INC", "PID", "RESTARTS", "QUEUE", "INFLIGHT"}

STATE_COLOURS = {"READY": "\x1b[32m", "FAILED": "\x1b[31m", "LOST": "\x1b[31m", "STOPPED": "", "DISABLED": ""}
ON_THE_WAY = "\x1b[33m"
"""Any other state: it will not last."""


@click.command("status", short_help="Show what a running bot is doing.")
@click.argument("config", type=click.Path(path_type=Path), default="rookery.toml")
@click.option("--json", "as_json", is_flag=True, help="Print everything the host tells, as JSON.")
@click.option(
    "--state", type=click.Path(path_type=Path), metavar="DIR", help="Look there, whatever CONFIG says."
)
def command(config: Path, as_json: bool, state: Path | None) -> None:
    """Show the shards of the bot that runs with CONFIG (rookery.toml in this directory).

    SINCE is how long a shard has been in its state, QUEUE how many calls wait for it, INFLIGHT how many it is working
    on. Exit codes: 0 it runs; 1 it does not, or does not answer.
    """
    state_dir = state if state is not None else _find(config)
    try:
        status = ask(state_dir, "status")
    except NotRunning as error:
        raise click.ClickException(f"no bot is running with its state in {state_dir} ({error})") from None
    except AskFailed as error:
        raise click.ClickException(f"the bot with its state in {state_dir}: {error}") from None
    click.echo(json.dumps(status, indent=2) if as_json else "\n".join(status_lines(status, colour=_colour())))


def _find(config: Path) -> Path:
    try:
        return find_state_dir(config, os.environ)
    except OSError as error:
        advice = "give the configuration it runs with, or --state DIR"
        raise click.ClickException(f"{config} cannot be read: {error.strerror}; {advice}") from None
    except ValueError as error:
        raise click.ClickException(f"{config}: {error}") from None


def _colour() -> bool:
    return wants_colour(sys.stdout)


def status_lines(status: dict[str, Any], *, colour: bool) -> list[str]:
    """The table and what does not fit into it."""
    shards = status["shards"]
    head = f"{status['name']} (pid {status['pid']}) {str(status['state']).lower()}, up {seconds(status['uptime'])}"
    rows = [_row(shard) for shard in shards]
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]
    lines = [printable(head), "", _join(COLUMNS, widths)]
    for row in rows:
        line = _join(row, widths)
        state = row[3]
        if colour and (paint := STATE_COLOURS.get(state, ON_THE_WAY)):
            line = line.replace(f" {state} ", f" {paint}{state}{RESET} ", 1)
        lines.append(line)
    remarks = [remark for shard in shards for remark in _remarks(shard)]
    remarks += status["shadowed_commands"]
    return [*lines, *([""] if remarks else []), *map(printable, remarks)]


def _row(shard: dict[str, Any]) -> tuple[str, ...]:
    failed = shard["failed_plugins"]
    plugins = [
        *(name for name in shard["plugins"] if name not in failed),
        *(f"{name} (failed)" for name in failed),
    ]
    cells = (
        shard["name"], shard["incarnation"], shard["pid"] or "-", shard["state"].upper(), seconds(shard["since"]),
        shard["restarts"], shard["queue"], shard["in_flight"], ", ".join(plugins) or "-",
    )  # fmt: skip
    return tuple(printable(str(cell)) for cell in cells)


def _join(cells: tuple[str, ...], widths: list[int]) -> str:
    padded = [
        f"{cell:>{width}}" if name in NUMBERS else f"{cell:<{width}}"
        for name, cell, width in zip(COLUMNS, cells, widths, strict=True)
    ]
    return "  ".join(padded).rstrip()


def _remarks(shard: dict[str, Any]) -> list[str]:
    """What an operator wants to know of a shard that is not well."""
    told = [
        f"{name} in {shard['name']} did not load: {reason}"
        for name, reason in shard["failed_plugins"].items()
    ]
    if shard["last_exit"] and shard["state"].upper() != "READY":
        due = shard["next_start"]
        told.append(shard["last_exit"] + (f"; next start in {seconds(due)}" if due is not None else ""))
    return told
