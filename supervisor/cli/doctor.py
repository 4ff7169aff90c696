"""`rookery doctor`: what will not work here, before anything runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ..doctor import Diagnosis, examine
from ..exit_codes import EXIT_MISTAKE, EXIT_OK
from ..sdk_windows import EMULATED_HOST, SDK, installed_sdk
from .doctor_isolation import isolation
from .terminal import printable


@click.group("doctor", short_help="Say what will not work here, before anything runs.")
def command() -> None:
    """Look at this machine, or at plugins, and say what will not work and what to do about it.

    Exit codes: 0 all is well; 1 something is not.
    """


command.add_command(isolation)


@command.command("plugins", short_help="Say which plugins will load.")
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--host-version", "host", default=EMULATED_HOST, show_default=True, metavar="X.Y.Z",
    help="The bot's version that plugins of the SDK are told.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def plugins(directory: Path, host: str, as_json: bool) -> None:
    """Look at every plugin in DIRECTORY, native ones and those of maibot-plugin-sdk: its manifest, the versions of the bot and
    of the SDK that it is for, the plugins and packages that it needs, the syntax of its code, and whether it imports code of
    a bot that is not here. No code of a plugin is run.

    \b
    Example:
      rookery doctor plugins plugins

    Exit codes: 0 all of them will load; 1 one will not, or there is none.
    """
    sdk = installed_sdk()
    found = examine(directory, host=host, sdk=sdk)
    if as_json:
        click.echo(json.dumps([as_map(each) for each in found], indent=2, ensure_ascii=False))
    else:
        for each in found:
            click.echo("\n".join(map(printable, diagnosis_lines(each))))
        click.echo(_summary(found, directory, host, sdk))
    sys.exit(EXIT_OK if found and all(each.loads for each in found) else EXIT_MISTAKE)


def as_map(diagnosis: Diagnosis) -> dict[str, object]:
    """What `--json` prints of one plugin."""
    return {
        "path": str(diagnosis.path),
        "id": diagnosis.plugin_id,
        "version": diagnosis.version,
        "kind": diagnosis.kind,
        "loads": diagnosis.loads,
        "reasons": list(diagnosis.reasons),
        "warnings": list(diagnosis.warnings),
    }


def diagnosis_lines(diagnosis: Diagnosis) -> list[str]:
    """A line for the plugin, and one for each thing that stands against it."""
    name = diagnosis.plugin_id or diagnosis.path.name
    told = " ".join(filter(None, (name, diagnosis.version, diagnosis.kind and f"({diagnosis.kind})")))
    lines = [f"{'loads' if diagnosis.loads else 'NO   '}  {told}"]
    lines += [f"         {reason}" for reason in diagnosis.reasons]
    return lines + [f"         note: {warning}" for warning in diagnosis.warnings]


def _summary(found: list[Diagnosis], directory: Path, host: str, sdk: str) -> str:
    if not found:
        return (
            f"there is no plugin in {directory}: each has a directory with a plugin.toml, or a _manifest.json"
        )
    good = sum(each.loads for each in found)
    with_sdk = f"{SDK} {sdk}" if sdk else f"no {SDK}"
    return f"\n{good} of {len(found)} will load (host version {host}, {with_sdk})"
