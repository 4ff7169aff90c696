"""Fuzz the wire input: ``python -m tests.fuzz [--seconds N] [--seed N] [--target NAME]``."""

from __future__ import annotations

import time

import click

from tests.fuzz import guided
from tests.fuzz.search import Search, try_input
from tests.fuzz.targets import TARGETS, Target


@click.command()
@click.option("--seconds", default=10.0, show_default=True, help="How long, for each target.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same inputs.")
@click.option("--target", "name", type=click.Choice(sorted(TARGETS)), help="One target; all without it.")
@click.option("--inputs", type=int, help="Stop after so many inputs and not after a time.")
@click.option("--repeat", metavar="HEX", help="Try this one input; needs --target.")
@click.option("--no-atheris", is_flag=True, help="Do not look for coverage, even with Atheris at hand.")
def main(
    seconds: float, seed: int, name: str | None, inputs: int | None, repeat: str | None, no_atheris: bool
) -> None:
    """Search for wire input that breaks what the protocol claims. Ends with 1 when it finds some.

    With Atheris installed the search is guided by coverage; without it, or with --inputs, inputs are made by mutation.
    """
    chosen = [TARGETS[name]] if name else list(TARGETS.values())
    if repeat is not None:
        if name is None:
            raise click.UsageError("--repeat needs --target")
        raise SystemExit(_repeat(chosen[0], repeat))
    if inputs is None and not no_atheris and guided.is_available():
        raise SystemExit(max(guided.run(target, seconds, seed) for target in chosen))
    total = failed = 0
    began = time.monotonic()
    for target in chosen:
        search = Search(target, seed)
        failed += not _run(search, seconds if inputs is None else float("inf"), inputs)
        total += search.inputs
    took = time.monotonic() - began
    click.echo(
        f"total: {total} inputs in {took:.1f} s, seed {seed}, {failed} of {len(chosen)} targets failed"
    )
    raise SystemExit(1 if failed else 0)


def _run(search: Search, seconds: float, inputs: int | None) -> bool:
    began = time.monotonic()
    finding = search.run(seconds=seconds, inputs=inputs)
    took = time.monotonic() - began
    rate = search.inputs / took if took else 0.0
    click.echo(
        f"{search.target.name:9} {search.inputs:8} inputs, {rate:6.0f} a second, {len(search.outcomes)} outcomes"
    )
    if finding is not None:
        click.echo(finding.told())
    return finding is None


def _repeat(target: Target, text: str) -> int:
    finding = try_input(target, b"" if text == "empty" else bytes.fromhex(text))
    if finding is None:
        click.echo(f"{target.name}: the input keeps its claim")
        return 0
    click.echo(finding.told())
    raise finding.error  # with its traceback


if __name__ == "__main__":
    main()
