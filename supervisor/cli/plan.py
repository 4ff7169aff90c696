"""`rookery plan`: which plugin would live in which shard, and why."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from ..checking import check_deployment
from ..exit_codes import EXIT_MISTAKE
from ..planning import shard_settings
from ..state_directory import locate_config
from .check import as_map
from .mistake_lines import mistake_lines
from .policies import NOTHING, give_up_lines, give_up_map, group_map, group_rows, plain, shard_rows
from .terminal import printable, wants_colour

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rookery.sharding import ShardPlan

    from ..catalog import Catalog
    from ..settings import Settings, ShardSettings

COLUMNS = ("SHARD", "TRUST", "PLUGIN", "WHY")


@click.command("plan", short_help="Show which plugin lives in which shard, and why.")
@click.argument("config", type=click.Path(path_type=Path), default="rookery.toml")
@click.option(
    "-v", "--verbose", is_flag=True, help="Show what each shard is allowed, and how it is restarted."
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(config: Path, verbose: bool, as_json: bool) -> None:
    """Show which plugin of CONFIG would live in which shard and why, and when a shard is given up.

    CONFIG is a file, or a directory with a rookery.toml (without it: rookery.toml in this directory). Nothing is
    started. The plan is the same on every machine, and a plugin that comes later moves no other, unless it is
    tied to it, keeps away from it or takes its room.

    \b
    Example:
      rookery plan examples/irc --verbose

    Exit codes: 0 there is a plan; 1 the configuration has a mistake, told on standard error (with --json on standard
    output).
    """
    checked = check_deployment(config)
    settings, catalog, plan = checked.settings, checked.catalog, checked.plan
    if settings is None or catalog is None or plan is None:
        if as_json:
            click.echo(json.dumps(as_map(checked, str(locate_config(config))), indent=2))
        else:
            lines = mistake_lines(checked.mistakes, colour=wants_colour(sys.stderr))
            click.echo("\n".join(lines), err=True)
        sys.exit(EXIT_MISTAKE)
    if as_json:
        click.echo(json.dumps(plan_as_map(settings, catalog, plan), indent=2))
    else:
        click.echo("\n".join(plan_lines(settings, catalog, plan, verbose=verbose)))


def plan_as_map(settings: Settings, catalog: Catalog, plan: ShardPlan) -> dict[str, Any]:
    """What `--json` prints."""
    shards = shard_settings(settings, plan)
    return {
        "config": str(settings.path),
        "ok": True,
        "name": settings.name,
        "state_dir": str(settings.state_dir),
        "policy": settings.placement.policy.value,
        "shards": [
            {
                **attrs.asdict(shard, value_serializer=plain),
                "plugins": [_plugin_map(plugin_id, settings, catalog, plan) for plugin_id in shard.plugins],
                "give_up": give_up_map(shard.restart),
            }
            for shard in shards
        ],
        "groups": [group_map(group, shards) for group in settings.groups],
        "disabled": disabled_plugins(settings, catalog),
    }


def _plugin_map(plugin_id: str, settings: Settings, catalog: Catalog, plan: ShardPlan) -> dict[str, Any]:
    plugin, weight = catalog.plugins[plugin_id], settings.plugin(plugin_id).weight
    return {
        "id": plugin_id,
        "version": plugin.manifest.version,
        "source": plugin.source.value,
        "path": str(plugin.path),
        "weight": plugin.manifest.weight if weight is None else weight,
        "reason": plan.placements[plugin_id].reason,
    }


def plan_lines(settings: Settings, catalog: Catalog, plan: ShardPlan, *, verbose: bool) -> list[str]:
    """The tables, and with `verbose` what each shard is allowed and when it is given up."""
    shards = shard_settings(settings, plan)
    rows = [row for shard in shards for row in _rows(shard, plan)]
    lines = [
        f"{settings.name}: policy {settings.placement.policy.value}, state in {settings.state_dir}",
        "",
        *_aligned([COLUMNS, *rows]),
    ]
    if any(shard.plugins for shard in shards):
        lines += ["", *_aligned(shard_rows(shard for shard in shards if shard.plugins))]
        lines += ["", *_aligned(group_rows(settings.groups, shards))]
    if foreign := [shard for shard in shards if shard.runner]:
        lines += [
            "",
            *(
                f"{each.name} has a runner of the original kind: {shlex.join(each.runner)}"
                for each in foreign
            ),
        ]
    if verbose:
        for shard in shards:
            lines += ["", f"shard {shard.name}", *_aligned(_allowances(shard), indent="  ")]
            lines += [f"  {line}" for line in give_up_lines(shard.restart)]
    if disabled := disabled_plugins(settings, catalog):
        lines += ["", f"disabled: {', '.join(disabled)}"]
    return [printable(line) for line in lines]


def disabled_plugins(settings: Settings, catalog: Catalog) -> list[str]:
    """The plugins that are installed and switched off."""
    return [plugin_id for plugin_id in catalog.plugins if not settings.plugin(plugin_id).enabled]


def _rows(shard: ShardSettings, plan: ShardPlan) -> Iterable[tuple[str, ...]]:
    name, trust = shard.name, shard.trust
    for plugin_id in shard.plugins:
        yield name, trust, plugin_id, plan.placements[plugin_id].reason
        name = trust = ""  # told once
    if not shard.plugins:
        yield name, trust, NOTHING, "No plugin: nothing is started for it."


def _allowances(shard: ShardSettings) -> Iterable[tuple[str, str]]:
    """Every setting of a shard but those that the table shows, nested ones by their path."""
    for name, value in _flat(attrs.asdict(shard, value_serializer=plain)):
        if name not in ("name", "plugins", "trust"):
            yield name, _shown(value)


def _shown(value: object) -> str:
    match value:
        case None:
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case tuple() | list():
            return " ".join(map(str, value)) or NOTHING
    return str(value)


def _flat(table: dict[str, Any], path: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def _aligned(rows: Iterable[Sequence[str]], indent: str = "") -> list[str]:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        (indent + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]
