"""`rookery chats`: let a chat in, or keep it out, while the bot runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .host import ask_host, host_options
from .mistake_lines import short_path
from .terminal import printable

if TYPE_CHECKING:
    from pathlib import Path


@click.command("chats", short_help="Let a chat in, or keep it out.")
@click.argument("action", type=click.Choice(["allow", "block", "inherit"]))
@click.argument("chat", required=False, metavar="[ID]")
@click.option("--private", is_flag=True, help="ID is a person in private, not a group.")
@click.option(
    "--for",
    "gateways",
    multiple=True,
    metavar="NAME=VALUE",
    help="Only for a gateway: platform=…, account_id=…, scope=…, plugin_id=… or gateway_name=…; may be repeated.",
)
@host_options
def command(
    action: str,
    chat: str | None,
    private: bool,
    gateways: tuple[str, ...],
    config: Path,
    state: Path | None,
) -> None:
    """Let the group ID in ("allow"), keep it out ("block"), or say nothing of it, so that what holds for all groups holds
    ("inherit"). Without an ID it is about all groups that nothing is said of. The bot's chat policy is changed on the disk,
    and holds at once.

    \b
    Example:
      rookery chats block 123456 --config examples/onebot

    Exit codes: 0 the policy says so now; 1 it does not, or no bot answers.
    """
    named = dict(_pair(text) for text in gateways) or None
    kind = "private" if private else "group"
    result = ask_host(config, state, "chats", action=action, chat=chat, chat_type=kind, gateway=named)
    done = "says so now" if result["changed"] else "says so already"
    click.echo(printable(f"{short_path(result['file'])} {done}"))


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise click.UsageError(f"--for is NAME=VALUE, such as platform=qq; got {text!r}")
    return name, value
