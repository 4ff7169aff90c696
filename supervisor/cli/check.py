"""`rookery check`: every mistake in a configuration and its plugins, at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from ..checking import check_deployment
from ..exit_codes import EXIT_MISTAKE, EXIT_OK
from ..state_directory import locate_config
from .mistake_lines import count_of, mistake_lines, short_path, warning_lines
from .terminal import wants_colour

if TYPE_CHECKING:
    from ..checking import CheckedDeployment


@click.command("check", short_help="Find every mistake in a configuration and its plugins.")
@click.argument("config", type=click.Path(path_type=Path), default="rookery.toml")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def command(config: Path, as_json: bool) -> None:
    """Find every mistake in CONFIG and in the plugins that it names.

    CONFIG is a file, or a directory with a rookery.toml (without it: rookery.toml in this directory). Everything that
    can be wrong before a process is started is looked at: keys and values, manifests, dependencies and their versions,
    the syntax of the plugins' code, and whether every plugin has a shard. No code of a plugin is run. Warnings are about
    what is right and may surprise you, such as a plugin that asks for more than it is granted.

    \b
    Example:
      rookery check rookery.toml && rookery run rookery.toml

    Exit codes: 0 there is no mistake; 1 there is one, or CONFIG cannot be read.
    """
    checked = check_deployment(config)
    path = str(locate_config(config))
    if as_json:
        click.echo(json.dumps(as_map(checked, path), indent=2))
    else:
        for text in warning_lines(checked.warnings):
            click.echo(text)
        if checked.mistakes:
            click.echo("\n".join(mistake_lines(checked.mistakes, colour=wants_colour(sys.stdout))))
        else:
            click.echo(_all_is_well(checked, path))
    sys.exit(EXIT_MISTAKE if checked.mistakes else EXIT_OK)


def as_map(checked: CheckedDeployment, path: str) -> dict[str, object]:
    """What `--json` prints."""
    return {
        "config": path,
        "ok": not checked.mistakes,
        "mistakes": [attrs.asdict(mistake) for mistake in checked.mistakes],
        "warnings": [attrs.asdict(warning) for warning in checked.warnings],
    }


def _all_is_well(checked: CheckedDeployment, path: str) -> str:
    plan = checked.plan
    assert plan is not None, "without a mistake there is a plan"
    # As `rookery run` counts them: a shard without a plugin is not started.
    taken = {placement.shard for placement in plan.placements.values()}
    plugins, shards = count_of(len(plan.placements), "plugin"), count_of(len(taken), "shard")
    warned = f", {count_of(len(checked.warnings), 'warning')}" if checked.warnings else ""
    return f"{short_path(path)}: {plugins} in {shards}, no mistakes{warned}"
