"""`rookery status`: what a running bot is doing. Loads no event loop, so that it answers at once."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from ..control_client import HostGone, ask, follow
from .durations import seconds
from .host import find_host, told
from .mistake_lines import count_of
from .terminal import RESET, printable, wants_colour

COLUMNS = ("SHARD", "INC", "PID", "STATE", "SINCE", "RESTARTS", "QUEUE", "INFLIGHT", "PLUGINS")
NUMBERS = {"INC", "PID", "RESTARTS", "QUEUE", "INFLIGHT"}

WATCH_PATIENCE = 10.0
"""Seconds without a word after which a host that is watched counts as gone astray; it speaks every second."""

CLEAR_SCREEN = "\x1b[H\x1b[2J"
HOME = "\x1b[H"
END_OF_LINE = "\x1b[K\n"
"""Erases what was right of the cursor before."""
CLEAR_BELOW = "\x1b[J"

STATE_COLOURS = {"READY": "\x1b[32m", "FAILED": "\x1b[31m", "LOST": "\x1b[31m", "STOPPED": "", "DISABLED": ""}
LESS = "less than it should have: the operator allows that"
WEAK = "\x1b[31m"
ON_THE_WAY = "\x1b[33m"
"""Any other state: it will not last."""


@click.command("status", short_help="Show what a running bot is doing.")
@click.argument("config", type=click.Path(path_type=Path), required=False)
@click.option(
    "-c",
    "--config",
    "config_option",
    type=click.Path(path_type=Path),
    help="CONFIG, as the other commands take it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print everything the host tells, as JSON.")
@click.option("--watch", is_flag=True, help="Show it again every second, until Ctrl-C.")
@click.option(
    "--state", type=click.Path(path_type=Path), metavar="DIR", help="Look there, whatever CONFIG says."
)
def command(
    config: Path | None, config_option: Path | None, as_json: bool, watch: bool, state: Path | None
) -> None:
    """Show the shards of the bot that runs with CONFIG (rookery.toml in this directory).

    SINCE is how long a shard has been in its state, QUEUE how many calls wait for it, INFLIGHT how many it is working
    on.

    \b
    Examples:
      rookery status examples/chatbot
      rookery status --watch --state ~/.local/state/rookery/chatbot

    Exit codes: 0 it runs, or has ended while it was watched; 1 it does not run, or does not answer.
    """
    if config is not None and config_option is not None:
        raise click.UsageError(f"the configuration is given twice, as {config} and as {config_option}")
    state_dir = find_host(config or config_option or Path("rookery.toml"), state)
    with told(state_dir):
        if watch:
            _watch(state_dir, as_json=as_json)
        else:
            click.echo(_shown(ask(state_dir, "status"), as_json=as_json))


def _watch(state_dir: Path, *, as_json: bool) -> None:
    """Draw over what was drawn, on a terminal; else one block after the other. Ctrl-C is the way to end it."""
    in_place = sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not as_json
    name = ""
    try:
        for status in follow(state_dir, "watch", patience=WATCH_PATIENCE):
            if as_json:
                click.echo(json.dumps(status))
            elif in_place:
                click.echo(_frame(_shown(status, as_json=False), is_first=not name), nl=False)
            else:
                click.echo(("\n" if name else "") + _shown(status, as_json=False))
            name = status["name"]
    except HostGone:
        click.echo(f"{printable(name) or 'the bot'} has gone", err=as_json)
    except KeyboardInterrupt:
        pass


def _frame(text: str, *, is_first: bool) -> str:
    """What shows the text in the place of the one before it, without a moment of nothing."""
    rows = shutil.get_terminal_size().lines - 1
    lines = text.split("\n")
    if len(lines) > rows:
        lines = [*lines[: rows - 1], f"({len(lines) - rows + 1} more lines)"]
    return (CLEAR_SCREEN if is_first else HOME) + END_OF_LINE.join([*lines, ""]) + CLEAR_BELOW


def _shown(status: dict[str, Any], *, as_json: bool) -> str:
    return json.dumps(status, indent=2) if as_json else "\n".join(status_lines(status, colour=_colour()))


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
    remarks += [
        f"{kept['plugin_id']} is in quarantine for another {seconds(kept['left'])}: {kept['reason']}"
        for kept in status["quarantine"]
    ]
    remarks += [
        f"{plugin_id} asks for more than was approved: {', '.join(names)}; `rookery grants approve {plugin_id}` lets it"
        for plugin_id, names in (status.get("held") or {}).items()
    ]
    if status["dead_letters"]:
        remarks.append(f"{status['dead_letters']} dead letters; `rookery events dead` lists them")
    if status["logs"]["degraded"]:
        remarks.append(
            f"the log file cannot be written: {status['logs']['reason']}; the newest lines are in `rookery logs`"
        )
    if status["logs"]["lost"]:
        remarks.append(f"{status['logs']['lost']} lines are missing in the log file")
    remarks += _platform_remarks(status.get("platform") or {})
    remarks += [
        f"{each['component']} is not asked: it has not come back in time again and again;"
        f" tried in {seconds(each['left'])}, passed over {each['skipped']} times"
        for each in status.get("circuits", ())
    ]
    remarks += [*status["shadowed_commands"], *status.get("shadowed", ())]
    told = [
        f"{WEAK}{line}{RESET}" if colour and line.endswith(LESS) else line for line in map(printable, remarks)
    ]
    return [*lines, *([""] if remarks else []), *told]


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


def _platform_remarks(platform: dict[str, Any]) -> list[str]:
    """What an operator has to know; of gateways that work, or have done their job, that is nothing."""
    offline = platform.get("offline", {})
    remarks = [
        f"{plugin_id} is offline: {reason}; `rookery online {plugin_id}` brings it back"
        for plugin_id, reason in offline.items()
    ]
    remarks += [
        f"gateway {each['gateway']} of {each['plugin_id']} is not connected"
        for each in platform.get("drivers", ())
        if each["state"] == "not ready" and not each["reported"].get("finished")
    ]
    return remarks + [
        f"the chat policy stays as it was: {each}" for each in platform.get("chat_policy_mistakes", ())
    ]


def _speech_remarks(name: str, connection: dict[str, Any]) -> list[str]:
    """That a shard's runner says more than it may."""
    told = []
    if held := connection.get("held_seconds"):
        told.append(f"{name} says too much at once: it was not listened to for {seconds(held)}")
    if refused := connection.get("refused_requests"):
        told.append(
            f"{count_of(refused, 'request')} of plugins in {name} refused: too many at once, see limits.calls_rate"
        )
    return told


def _remarks(shard: dict[str, Any]) -> list[str]:
    """What an operator wants to know of a shard that is not well."""
    told = [f"{shard['name']} is suspect: {shard['reason']}"] if shard["state"].upper() == "SUSPECT" else []
    if shard.get("is_weaker"):
        told.append(f"{shard['name']} has isolation {shard['isolation']}, {LESS}")
    elif shard.get("isolation", "process") not in ("process", "none"):
        by = ", ".join(shard["mechanisms"])
        told.append(f"{shard['name']} has isolation {shard['isolation']}: {by}")
    if shard.get("runner"):
        told.append(f"{shard['name']} has a runner of the original kind: {shlex.join(shard['runner'])}")
    if times := shard.get("flaps"):
        told.append(f"{shard['name']} was suspect and came back {count_of(times, 'time')}")
    told += _speech_remarks(shard["name"], shard.get("connection") or {})
    told += [
        f"{name} in {shard['name']} did not load: {reason}"
        for name, reason in shard["failed_plugins"].items()
    ]
    if shard["last_exit"] and shard["state"].upper() not in ("READY", "SUSPECT"):
        due = shard["next_start"]
        told.append(shard["last_exit"] + (f"; next start in {seconds(due)}" if due is not None else ""))
    return told
