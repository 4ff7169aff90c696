"""`rookery hooks`: which points of the host's flow may a plugin handle, and what may it do there?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from ..hook_catalogue import APPLICATION_HOOKS, CATALOGUE

if TYPE_CHECKING:
    from ..hook_spec import HookSpec


@click.command("hooks", short_help="List the hooks that a plugin may handle.")
@click.option("--all", "with_all", is_flag=True, help="Those too that only a host application fires.")
@click.option("--json", "as_json", is_flag=True, help="Print everything that is known of them as JSON.")
def command(with_all: bool, as_json: bool) -> None:
    """List the hooks that the default pipeline fires, with their arguments and what a handler may do.

    \b
    Example:
      rookery hooks --all

    Exit codes: 0 always.
    """
    specs = (*CATALOGUE, *APPLICATION_HOOKS) if with_all else CATALOGUE
    if as_json:
        click.echo(json.dumps([as_map(spec) for spec in specs], indent=2))
        return
    for spec in specs:
        click.echo("\n".join(hook_lines(spec)))


def as_map(spec: HookSpec) -> dict[str, Any]:
    """What `--json` prints of one."""
    return {
        "name": spec.name,
        "description": spec.description,
        "parameters": dict(spec.parameters_schema),
        "timeout": spec.default_timeout,
        "allow_abort": spec.allow_abort,
        "allow_mutation": spec.allow_mutation,
        "read_only": sorted(spec.read_only),
        "fired_by": "application" if spec.is_applications else "pipeline",
    }


def hook_lines(spec: HookSpec) -> list[str]:
    """One hook for people."""
    properties = spec.parameters_schema.get("properties", {})
    names = [f"{name} (read-only)" if name in spec.read_only else name for name in properties]
    may = [
        "change its arguments" if spec.allow_mutation else "",
        "abort" if spec.allow_abort else "",
    ]
    rights = " and ".join(text for text in may if text) or "only look"
    said = spec.description or "Fired by a host application that has what it is about."
    limit = f"; {spec.default_timeout:g} s for a handler" if spec.default_timeout else ""
    return [
        spec.name,
        f"  {said}",
        f"  arguments: {', '.join(names)}",
        f"  a handler may {rights}{limit}",
        "",
    ]
