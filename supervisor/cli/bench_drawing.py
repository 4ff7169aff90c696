"""In which form is a benchmark drawn: SVG always, PNG where matplotlib is installed?"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from ..bench_plot import make_charts
from ..bench_svg import BarChart, Chart, draw
from ..errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from ..bench import BenchResult

INCHES, BAR_INCHES, LINES_INCHES = 11.0, 0.28, 3.6


def check_plot(target: Path) -> None:
    """Whether a file of that name can be drawn.

    Raises:
        UsageError: It cannot.
    """
    match target.suffix.lower():
        case ".svg":
            return
        case ".png":
            if importlib.util.find_spec("matplotlib") is None:
                raise UsageError(
                    f"{target}: a PNG needs matplotlib, which is not installed; give {target.with_suffix('.svg')},"
                    " which needs nothing"
                )
        case other:
            given = repr(other) if other else "no ending"
            raise UsageError(
                f"{target}: got {given}, expected .svg or .png; give {target.with_suffix('.svg')}"
            )


def draw_result(result: BenchResult, title: str, target: Path) -> None:
    """Draw it into a file that `check_plot` has approved.

    Raises:
        OSError: It cannot be written.
    """
    charts = make_charts(result.goals, result.sweep, result.open_loop)
    if target.suffix.lower() == ".svg":
        target.write_text(draw(title, charts), "utf-8")
    else:
        _draw_png(title, charts, target)


def _draw_png(title: str, charts: list[Chart], target: Path) -> None:
    importlib.import_module("matplotlib").use("Agg")
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    heights = [
        1.0 + BAR_INCHES * len(chart.bars) if isinstance(chart, BarChart) else LINES_INCHES
        for chart in charts
    ]
    figure, panels = pyplot.subplots(
        len(charts), 1, figsize=(INCHES, sum(heights) + 1), height_ratios=heights, squeeze=False
    )
    for place, (panel, chart) in enumerate(zip(panels[:, 0], charts, strict=True)):
        panel.set_title(chart.title if place else f"{title}\n\n{chart.title}")
        if isinstance(chart, BarChart):
            panel.barh([bar.name for bar in chart.bars], [bar.length for bar in chart.bars])
            panel.axvline(1.0, color="black")
            panel.set_xscale("log")
            panel.invert_yaxis()
            continue
        for series in chart.series:
            panel.plot(*zip(*series.points, strict=True), marker="o", label=series.name)
        panel.set(xlabel=chart.across, ylabel=chart.up, yscale="log")
        panel.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(target)
