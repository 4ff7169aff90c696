"""`rookery config`: what a plugin can be told, what holds for it, and how one value is changed while it runs."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import click

from .host import LONG, ask_host, host_options
from .terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@click.group("config", short_help="Show and change what plugins are told.")
def command() -> None:
    """Show and change the configuration of a plugin of a running bot, also of one that is switched off.

    Exit codes: 0 done; 1 the plugin or the bot could not be asked, or it does not allow the value.
    """


@command.command("schema", short_help="Show what can be configured.")
@click.argument("plugin")
@click.option("--json", "as_json", is_flag=True, help="Print the schema as one JSON object.")
@host_options
def schema(plugin: str, as_json: bool, config: Path, state: Path | None) -> None:
    """Show every value that PLUGIN can be told, with its kind, its default and its help.

    \b
    Example:
      rookery config schema author.dice --config examples/chatbot
    """
    told = ask_host(config, state, "config", timeout=LONG, plugin=plugin)["config_schema"]
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    for line in _schema_lines(told) or [f"{plugin} takes no configuration"]:
        click.echo(printable(line))


@command.command("show", short_help="Show what holds.")
@click.argument("plugin")
@click.option("--json", "as_json", is_flag=True, help="Print the values as one JSON object.")
@host_options
def show(plugin: str, as_json: bool, config: Path, state: Path | None) -> None:
    """Show what holds for PLUGIN: its defaults, its own file over them, and over both what the bot's file says. Passwords are
    among it.
    """
    told = ask_host(config, state, "config", timeout=LONG, plugin=plugin)
    if as_json:
        click.echo(json.dumps(told["normalized_config"], indent=2, ensure_ascii=False))
        return
    click.echo(printable(f"# {told['file']}{'' if told['enabled'] else ', switched off'}"))
    for key, value in _flat(told["normalized_config"]):
        click.echo(printable(f"{key} = {json.dumps(value, ensure_ascii=False)}"))


@command.command("set", short_help="Change one value.")
@click.argument("plugin")
@click.argument("key")
@click.argument("value")
@host_options
def set_value(plugin: str, key: str, value: str, config: Path, state: Path | None) -> None:
    """Set KEY, or TABLE.KEY, to VALUE in the own file of PLUGIN, and tell the running plugin. What the plugin does not allow
    changes nothing. VALUE is as TOML writes it; what is no TOML is a text.

    \b
    Example:
      rookery config set author.dice most 5 --config examples/chatbot
      rookery config set author.dice plugin.enabled false --config examples/chatbot

    Exit codes: 0 it is set; 1 it is not, or no bot answers.
    """
    told = ask_host(config, state, "config_set", timeout=LONG, plugin=plugin, key=key, value=parsed(value))
    text = f"{plugin} has it" if told["taken"] else f"{plugin} has it when it starts again"
    click.echo(printable(f"{told['file']}: {key} is set, {text}"))


def parsed(text: str) -> Any:
    """What a value on the command line means."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    try:
        json.dumps(value)
    except TypeError:  # a date: the host's file takes it as it is written
        return text
    return value


def _schema_lines(schema: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for name, section in schema.get("sections", {}).items():
        lines.append(f"[{name}]" + (f"  {section['description']}" if section["description"] else ""))
        for field in section["fields"].values():
            kind = "|".join(map(str, field["choices"])) if field["choices"] else field["type"]
            end = (
                "required"
                if field["required"]
                else f"default {json.dumps(field['default'], ensure_ascii=False)}"
            )
            more = "  ".join(part for part in (field["hint"], field["description"]) if part)
            lines.append(f"  {field['name']}: {kind}, {end}" + (f"  {more}" if more else ""))
    return lines


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
