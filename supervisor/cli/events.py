"""`rookery events`: events that ended several runners, and what is to become of them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from .host import LONG, ask_host, host_options
from .terminal import printable

if TYPE_CHECKING:
    from pathlib import Path


@click.group("events", short_help="Deal with events that ended their runners.")
def command() -> None:
    """An event that ended the runners of several plugins is shown to nobody any more. Its calls wait here as dead letters.

    \b
    Example:
      rookery events dead --config examples/chatbot
      rookery events retry 3 --config examples/chatbot

    Exit codes: 0; 1 it failed again, there is no such letter, or no bot answers.
    """


@command.command("dead")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@host_options
def dead(as_json: bool, config: Path, state: Path | None) -> None:
    """List the dead letters, oldest first."""
    letters = ask_host(config, state, "dead")
    if as_json:
        click.echo(json.dumps(letters, indent=2))
    elif not letters:
        click.echo("there are no dead letters")
    for letter in () if as_json else letters:
        click.echo(printable(_line(letter)))


@command.command("retry")
@click.argument("number", type=int)
@host_options
def retry(number: int, config: Path, state: Path | None) -> None:
    """Make the call of dead letter NUMBER again. When it goes well the letter is gone; else it stays."""
    answer = ask_host(config, state, "retry", timeout=LONG, number=number)
    said = "" if answer["result"] is None else f": {answer['result']}"
    click.echo(printable(f"dead letter {number} went well{said}"))


@command.command("drop")
@click.argument("number", type=int)
@host_options
def drop(number: int, config: Path, state: Path | None) -> None:
    """Forget dead letter NUMBER."""
    letter = ask_host(config, state, "drop", number=number)
    click.echo(printable(f"dropped: {_line(letter)}"))


def _line(letter: dict[str, Any]) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(letter["at"]))
    about = f" for event {letter['event_id']}" if letter["event_id"] else ""
    where = f" in {letter['session_id']}" if letter["session_id"] else ""
    return f"{letter['number']}  {when}  {letter['plugin_id']}.{letter['component']}{about}{where}: {letter['reason']}"
