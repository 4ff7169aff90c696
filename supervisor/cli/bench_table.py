"""How does a person read a benchmark: a table of goals, one of everything else, and what moved?"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TextIO

import click

from ..bench_compare import Verdict
from ..bench_figures import shown_number
from .terminal import CLEAR_LINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..bench import BenchResult
    from ..bench_compare import Band, Comparison, Move
    from ..bench_figures import Figure

HEAD = ("", "value", "", "ratio", "to", "must", "aim", "")
RIGHT = (1, 3, 5, 6)
"""Columns of numbers."""

STYLES = {"missed": "red", "holds": "green", "aim reached": "green", "not measured": "dim"}
MARGIN = 8
"""Columns of a progress line that stay empty."""


def show_result(result: BenchResult, stream: TextIO) -> None:
    """The whole result: goals, then the sweep, then the open loop; with rich on a terminal where it is installed."""
    for title, figures in (
        ("goals", result.goals),
        ("every case", result.sweep),
        ("open loop: from the intended start to the answer", result.open_loop),
    ):
        if figures:
            show_table(title, figures, stream)
    for failure in result.failures:
        click.echo(f"FAILED: {failure}", file=stream)
    click.echo(_verdict(result), file=stream)


def _verdict(result: BenchResult) -> str:
    judged = [figure.holds for figure in result.goals if figure.holds is not None]
    text = f"{judged.count(True)} goals of {len(judged)} hold; {result.repetitions} repetitions"
    return text if result.is_complete else f"{text}; ended early"


def show_table(title: str, figures: Sequence[Figure], stream: TextIO) -> None:
    """One table."""
    rows = [_cells(figure) for figure in figures]
    if stream.isatty() and (table := _rich_table(title)) is not None:
        _show_rich(table, rows, stream)
        return
    click.echo("\n".join(plain_table(title, rows)), file=stream)


def plain_table(title: str, rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The lines without rich."""
    head = (title, *HEAD[1:])
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(HEAD))]
    lines = [""]
    for row in (head, *rows):
        cells = (
            cell.rjust(width) if column in RIGHT else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    return lines


def _cells(figure: Figure) -> tuple[str, ...]:
    sign = "≥ " if figure.is_larger_better else "≤ "
    return (
        figure.name,
        shown_number(figure.value),
        figure.unit if figure.value is not None else "",
        shown_number(figure.ratio),
        figure.of if figure.ratio is not None else "",
        "" if figure.must is None else f"{sign}{shown_number(figure.must)}",
        "" if figure.aim is None else shown_number(figure.aim),
        ": ".join(part for part in (figure.verdict, figure.reason) if part),
    )


def _rich_table(title: str) -> Any:
    try:
        from rich.table import Table
    except ImportError:
        return None
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column, name in enumerate(HEAD):
        table.add_column(name, justify="right" if column in RIGHT else "left", no_wrap=0 < column < 7)
    return table


def _show_rich(table: Any, rows: Iterable[tuple[str, ...]], stream: TextIO) -> None:
    from rich.console import Console
    from rich.text import Text

    for row in rows:
        style = STYLES.get(row[-1].partition(":")[0], "")
        table.add_row(*(Text(cell, style=style if place in (0, 7) else "") for place, cell in enumerate(row)))
    Console(file=stream, highlight=False).print(table)


# --- comparing -------------------------------------------------------------------------------------------------


def comparison_lines(comparison: Comparison, base: str) -> list[str]:
    """What moved, worst first, and the verdict."""
    lines = ["", *(f"note: {remark}" for remark in comparison.remarks)]
    for verdict in (Verdict.WORSE, Verdict.BETTER):
        lines += [_move_line(move) for move in comparison.of(verdict)]
    worse, better = len(comparison.of(Verdict.WORSE)), len(comparison.of(Verdict.BETTER))
    lines.append(
        f"against {base}: {worse} worse, {better} better, {len(comparison.moves) - worse - better} as before"
    )
    return lines


def _move_line(move: Move) -> str:
    change = "" if move.change is None else f"  x{move.change:.2f}"
    word = "WORSE " if move.verdict is Verdict.WORSE else "better"
    return f"{word}  {move.before.name}: {_band(move.before)} → {_band(move.after)}{change}"


def _band(band: Band) -> str:
    unit = f" {band.of}" if band.of else f" {band.unit}"
    return (
        f"{shown_number(band.middle)}{unit.rstrip()} ({shown_number(band.low)} to {shown_number(band.high)})"
    )


# --- progress --------------------------------------------------------------------------------------------------


class StepLine:
    """What is measured now, on one line of a terminal; nothing where there is none."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._is_shown = self._stream.isatty()

    def show(self, step: str, share: float) -> None:
        if self._is_shown:
            self._write(f"{CLEAR_LINE}{share:4.0%}  {step}"[: 80 + len(CLEAR_LINE) - MARGIN])

    def clear(self) -> None:
        if self._is_shown:
            self._write(CLEAR_LINE)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
