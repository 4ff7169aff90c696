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

Row = tuple[str, ...]

HEAD = ("", "value", "", "ratio", "to", "must", "aim", "")
RIGHT = ("value", "ratio", "must", "aim")
"""Columns of numbers."""

STYLES = {"missed": "red", "holds": "green", "aim reached": "green"}
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
    parts = [f"{judged.count(True)} goals of {len(judged)} hold", f"{result.repetitions} repetitions"]
    if result.others is not None:
        used = f"others used {result.others:.0%} of the CPUs"
        parts.append(f"DISTURBED: {used}" if result.is_disturbed else used)
    if not result.is_complete:
        parts.append("ended early")
    return "; ".join(parts)


def show_table(title: str, figures: Sequence[Figure], stream: TextIO) -> None:
    """One table of what was measured, and a line for everything else."""
    rows = [_cells(figure) for figure in figures if figure.value is not None]
    head, rows = _without_empty_columns(title, rows)
    if stream.isatty() and (table := _rich_table(head)) is not None:
        _show_rich(table, rows, stream)
    else:
        click.echo("\n".join(plain_table(head, rows)), file=stream)
    for figure in figures:
        if figure.value is None:
            click.echo(f"not measured: {figure.name}: {figure.reason}", file=stream)


def _without_empty_columns(title: str, rows: list[Row]) -> tuple[Row, list[Row]]:
    kept = [place for place in range(len(HEAD)) if place == 0 or any(row[place] for row in rows)]
    head = (title, *HEAD[1:])
    return tuple(head[place] for place in kept), [tuple(row[place] for place in kept) for row in rows]


def plain_table(head: Row, rows: Sequence[Row]) -> list[str]:
    """The lines without rich."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [""]
    for row in (head, *rows):
        cells = (
            cell.rjust(width) if head[column] in RIGHT else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    return lines


def _cells(figure: Figure) -> Row:
    sign = "≥ " if figure.is_larger_better else "≤ "
    return (
        figure.name,
        shown_number(figure.value),
        figure.unit,
        shown_number(figure.ratio),
        figure.of if figure.ratio is not None else "",
        "" if figure.must is None else f"{sign}{shown_number(figure.must)}",
        "" if figure.aim is None else shown_number(figure.aim),
        figure.verdict,
    )


def _rich_table(head: Row) -> Any:
    try:
        from rich.table import Table
    except ImportError:
        return None
    table = Table(title=f"\n{head[0]}", title_justify="left", box=None, pad_edge=False)
    for place, name in enumerate(head):
        table.add_column(
            name if place else "", justify="right" if name in RIGHT else "left", no_wrap=place > 0
        )
    return table


def _show_rich(table: Any, rows: Iterable[Row], stream: TextIO) -> None:
    from rich.console import Console
    from rich.text import Text

    for row in rows:
        style = STYLES.get(row[-1], "")
        last = len(row) - 1
        table.add_row(
            *(Text(cell, style=style if place in (0, last) else "") for place, cell in enumerate(row))
        )
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
