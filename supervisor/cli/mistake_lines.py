"""How does a person read a list of mistakes: by file, the shortest path that names it, and a count at the end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..errors import Mistake


def mistake_lines(mistakes: Iterable[Mistake], *, colour: bool) -> list[str]:
    """The mistakes under the names of their files, in the order in which the files first occur."""
    by_file: dict[str, list[Mistake]] = {}
    for mistake in mistakes:
        by_file.setdefault(mistake.file, []).append(mistake)
    lines = []
    for file, found in by_file.items():
        heading = printable(short_path(file))
        lines.append(click.style(heading, bold=True) if colour else heading)
        lines += [f"  {_painted(printable(mistake.explain()), mistake, colour=colour)}" for mistake in found]
        lines.append("")
    count = sum(map(len, by_file.values()))
    return [*lines, f"{count_of(count, 'mistake')} in {count_of(len(by_file), 'file')}"]


def warning_lines(warnings: Iterable[Mistake]) -> list[str]:
    """One line each, with an empty one behind the last."""
    lines = [printable(f"{short_path(each.file)}: warning: {each.explain()}") for each in warnings]
    return [*lines, ""] if lines else []


def _painted(text: str, mistake: Mistake, *, colour: bool) -> str:
    key = printable(mistake.key)
    if not colour or not key:
        return text
    return click.style(key, fg="red") + text.removeprefix(key)


def short_path(file: str) -> str:
    """A path below this directory as one would type it; any other as it is."""
    path = Path(file)
    if path.is_absolute() and path.is_relative_to(here := os.getcwd()) and path != Path(here):
        return str(path.relative_to(here))
    return file


def count_of(number: int, noun: str) -> str:
    """`1 mistake`, `2 mistakes`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
