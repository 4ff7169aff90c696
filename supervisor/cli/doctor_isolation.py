"""`rookery doctor isolation`: which profiles this machine gives, and whether a shard's keeps what it promises."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..exit_codes import EXIT_MISTAKE, EXIT_OK
from .terminal import printable

if TYPE_CHECKING:
    from ..isolation_proof import Attempt
    from ..profiles import Means, Reached


@click.command("isolation", short_help="Say which isolation profiles this machine gives.")
@click.argument("config", type=click.Path(path_type=Path), default=Path("rookery.toml"), required=False)
@click.option(
    "--prove",
    "shard",
    metavar="SHARD",
    help="Hunt for planted secrets from inside of this shard's isolation.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def isolation(config: Path, shard: str | None, as_json: bool) -> None:
    """Try each mechanism on this machine: what each profile would have, or what is missing and how it is had.

    With --prove, a probe is started in the profile that SHARD of CONFIG has. It looks for a secret file, for secrets in the
    environment and in other processes, for sockets, and for ways to change what is not its own; all of them are planted
    for it. No plugin is run.

    \b
    Examples:
      rookery doctor isolation
      rookery doctor isolation examples/chatbot --prove community

    Exit codes: 0 all is well; 1 a profile is missing, or something was reached that the profile promises to keep.
    """
    from ..means import find_means

    if shard is None:
        means = find_means()
        rows = profile_rows(means)
        if as_json:
            click.echo(json.dumps({name: text for name, (_, text) in rows.items()}, indent=2))
        else:
            click.echo(
                "\n".join(
                    printable(f"{'yes' if has else 'NO '}  {name:9} {text}")
                    for name, (has, text) in rows.items()
                )
            )
        sys.exit(EXIT_OK if all(has for has, _ in rows.values()) else EXIT_MISTAKE)
    reached, attempts = _prove(config, shard)
    if as_json:
        click.echo(json.dumps(_as_map(shard, reached, attempts), indent=2))
    else:
        click.echo("\n".join(map(printable, proof_lines(shard, reached, attempts))))
    sys.exit(EXIT_MISTAKE if any(attempt.is_breach for attempt in attempts) else EXIT_OK)


def profile_rows(means: Means) -> dict[str, tuple[bool, str]]:
    """By profile: whether it is to be had, and by what, or why not."""
    from ..profiles import Isolation, Reached, Wish, decide_isolation

    rows = {}
    for profile in Isolation:
        found = decide_isolation(Wish(isolation=profile, network=profile is Isolation.SANDBOX), means)
        if isinstance(found, Reached):
            rows[profile.value] = True, ", ".join(found.mechanisms) or "nothing is needed; it is no security"
        else:
            rows[profile.value] = False, found
    return rows


def proof_lines(shard: str, reached: Reached, attempts: tuple[Attempt, ...]) -> list[str]:
    """A line for each attempt, and how it stands."""
    by = ", ".join(reached.mechanisms) or "a process of its own"
    lines = [f'shard "{shard}" has isolation {reached.profile} ({by})', ""]
    for attempt in attempts:
        verdict = "REACHED" if attempt.is_breach else "reached" if attempt.reached else "kept"
        note = "" if attempt.is_promised or not attempt.reached else " (not promised)"
        lines.append(f"{verdict:8} {attempt.name}{f': {attempt.reached}' if attempt.reached else ''}{note}")
    breaches = sum(attempt.is_breach for attempt in attempts)
    kept = sum(attempt.is_promised and not attempt.reached for attempt in attempts)
    lines += ["", f"{kept} of {kept + breaches} promises are kept"]
    return lines


def _prove(config: Path, shard: str) -> tuple[Reached, tuple[Attempt, ...]]:
    import trio

    from rookery.protocol import AssignedPlugin

    from ..assignment import PLUGIN_DIRECTORY
    from ..catalog import find_plugins
    from ..config import load_settings
    from ..confiner import open_confiner
    from ..errors import ConfigError
    from ..isolation_proof import NoProof, prove
    from ..planning import make_plan, shard_settings
    from ..suggestion import suggest

    try:
        settings = load_settings(config)
        catalog = find_plugins(settings)
        plan = make_plan(settings, catalog)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    shards = {each.name: each for each in shard_settings(settings, plan)}
    if shard not in shards:
        raise click.ClickException(
            f"there is no shard {shard!r}; {suggest(shard, shards) or ', '.join(shards)}"
        )
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    plugins = [
        AssignedPlugin(
            plugin_id=each,
            path=str(catalog.plugins[each].path),
            data_dir=str(settings.state_dir / PLUGIN_DIRECTORY / each),
        )
        for each in plan.plugins_of(shard)
    ]
    os.environ.setdefault("HOME", "/")
    try:
        return prove(trio.run(open_confiner, settings), shards[shard], plugins, settings.path)
    except (NoProof, OSError) as error:
        raise click.ClickException(f'shard "{shard}" would not start: {error}') from None


def _as_map(shard: str, reached: Reached, attempts: tuple[Attempt, ...]) -> dict[str, Any]:
    return {
        "shard": shard,
        "profile": reached.profile.value,
        "mechanisms": list(reached.mechanisms),
        "attempts": [
            {"name": each.name, "reached": each.reached, "promised_not_to": each.is_promised}
            for each in attempts
        ],
    }
