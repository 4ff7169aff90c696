"""`rookery grants`: what plugins ask for, what they get, and what an operator approves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from ..control_client import AskFailed, NotRunning, ask
from .host import find_host, host_options
from .terminal import printable

if TYPE_CHECKING:
    from pathlib import Path

    from ..approvals import Approvals

COLUMNS = ("PLUGIN", "TRUST", "SHARD", "ASKS FOR", "VERDICT", "REMARK")


@click.group(
    "grants", short_help="Show what plugins get, and approve what they ask for.", invoke_without_command=True
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@host_options
@click.pass_context
def command(context: click.Context, as_json: bool, config: Path, state: Path | None) -> None:
    """Show what each plugin asks for in its manifest and what its components need, and whether it is granted that. Without a
    running bot the files tell what it will be.

    A plugin that is not trusted and asks for more since an update, or offers more, goes on with what it had: the rest is held
    back until it is approved. Whether it is then granted, [grants.LEVEL] in the configuration says.

    \b
    Example:
      rookery grants --config examples/chatbot
      rookery grants approve author.dice send.image --config examples/chatbot

    Exit codes: 0; 1 the configuration has a mistake, or there is nothing of that name to approve.
    """
    if context.invoked_subcommand is not None:
        return
    state_dir = find_host(config, state)
    rows = _ask_if_it_runs(state_dir, "grants")
    if rows is None:
        rows = [row.as_json() for row in _rows(config, state_dir)]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for line in table(rows) or ["there is no plugin that asks for anything"]:
        click.echo(printable(line))


@command.command("approve", short_help="Approve what a plugin asks for since an update.")
@click.argument("plugin")
@click.argument("capabilities", nargs=-1, metavar="[CAPABILITY]...")
@host_options
def approve(plugin: str, capabilities: tuple[str, ...], config: Path, state: Path | None) -> None:
    """Let PLUGIN ask for each CAPABILITY that is held back since an update, or for all of them; at once when the bot runs."""
    state_dir = find_host(config, state)
    answer = _ask_if_it_runs(state_dir, "approve", plugin=plugin, capabilities=list(capabilities))
    done = _approve_on_disk(plugin, capabilities, config, state_dir) if answer is None else answer["approved"]
    if done:
        click.echo(printable(f"{plugin} may ask for {', '.join(done)}; `rookery grants` shows what it gets"))
        if answer is not None and answer["offers"]:
            click.echo(printable(f"what it offers with that is there after `rookery reload {plugin}`"))
    else:
        click.echo(printable(f"nothing of {plugin} is held back"))


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Columns for a person; nothing when no plugin asks for anything."""
    cells = [
        (row["plugin_id"], row["trust"], row["shard"], each["name"], each["verdict"], each["remark"])
        for row in rows
        for each in row["asks"]
    ]
    if not cells:
        return []
    widths = [max(map(len, column)) for column in zip(COLUMNS, *cells, strict=True)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (COLUMNS, *cells)
    ]


def _ask_if_it_runs(state_dir: Path, name: str, **arguments: Any) -> Any:
    """The answer of the running bot; ``None`` when none runs."""
    try:
        return ask(state_dir, name, **arguments)
    except NotRunning:
        return None
    except AskFailed as error:
        raise click.ClickException(f"the bot with its state in {state_dir}: {error}") from None


# --- without a running bot ---------------------------------------------------------------------------------------------


def _rows(config: Path, state_dir: Path) -> list[Any]:
    from ..grant_table import list_grants
    from ..planning import shard_settings

    checked = _checked(config)
    declared = {each: plugin.manifest.capabilities for each, plugin in checked.catalog.plugins.items()}
    shards = shard_settings(checked.settings, checked.plan)
    approvals = _approvals(state_dir)
    return list_grants(shards, declared, checked.settings.entitlements, approvals)


def _approve_on_disk(
    plugin: str, capabilities: tuple[str, ...], config: Path, state_dir: Path
) -> tuple[str, ...]:
    from ..audit import append_to_audit
    from ..errors import UsageError
    from ..observers import CapabilitiesApproved
    from ..planning import shard_settings
    from ..run_lock import hold_run_lock
    from ..start_mode import TRUSTED
    from ..suggestion import one_of, suggest

    checked = _checked(config)
    homes = {
        each: shard for shard in shard_settings(checked.settings, checked.plan) for each in shard.plugins
    }
    if plugin not in homes:
        advice = suggest(plugin, homes) or f"there is {one_of(homes)}"
        raise UsageError(f"there is no plugin {plugin!r} in a shard of this bot; {advice}")
    if homes[plugin].trust == TRUSTED or not state_dir.is_dir():
        return ()
    asked = checked.catalog.plugins[plugin].manifest.capabilities
    with hold_run_lock(state_dir):
        done = _approvals(state_dir).approve(plugin, asked, capabilities)
        if done:
            record = CapabilitiesApproved(shard=homes[plugin].name, plugin_id=plugin, capabilities=done)
            append_to_audit(state_dir, record)
    return done


def _approvals(state_dir: Path) -> Approvals:
    from ..approvals import Approvals
    from ..state_directory import APPROVALS_FILE

    return Approvals(state_dir / APPROVALS_FILE)


def _checked(config: Path) -> Any:
    from ..checking import check_deployment
    from ..errors import ConfigError

    checked = check_deployment(config)
    if checked.mistakes:
        raise ConfigError(checked.mistakes)
    return checked
