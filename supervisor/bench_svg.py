"""How are lines and bars drawn as SVG, with nothing but text?

Scales are logarithmic: what is measured spans decades, and a ratio has the same length everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

import attrs

WIDTH = 960
LEFT, RIGHT, TOP, BOTTOM = 330, 150, 44, 42
BARS_TOP = 60
LINES_HEIGHT = 320
LINES_LEFT, LINES_RIGHT = 80, 330
BAR_HEIGHT, BAR_GAP = 15, 6

COLOURS = ("#1b6ca8", "#d1495b", "#2e8b57", "#8e5ea2", "#e08e0b", "#4a4a4a", "#17a2a2", "#a0522d")
INK, GRID, FAINT = "#222222", "#dddddd", "#777777"


@attrs.frozen(kw_only=True)
class Series:
    """One line."""

    name: str
    points: Sequence[tuple[str, float]]
    """What stands below it on the axis, and its height, which is more than 0."""


@attrs.frozen(kw_only=True)
class LineChart:
    title: str
    across: str
    """What the axis below is."""
    up: str
    places: Sequence[str]
    """Along the axis, in their order."""
    series: Sequence[Series]


@attrs.frozen(kw_only=True)
class Bar:
    name: str
    length: float
    """More than 0."""
    label: str
    is_good: bool


@attrs.frozen(kw_only=True)
class BarChart:
    title: str
    limit: str
    """What the line at 1 is."""
    bars: Sequence[Bar]


Chart = LineChart | BarChart


def draw(title: str, charts: Sequence[Chart]) -> str:
    """A whole document, the charts below each other."""
    top, parts = 40.0, [_text(20, 26, title, size=17, weight="bold")]
    for chart in charts:
        height, drawn = _draw_lines(chart) if isinstance(chart, LineChart) else _draw_bars(chart)
        parts.append(f'<g transform="translate(0 {top:g})">{"".join(drawn)}</g>')
        top += height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top:g}" width="{WIDTH}" height="{top:g}"'
        f' font-family="sans-serif" role="img" aria-label={quoteattr(title)}>'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


# --- bars ------------------------------------------------------------------------------------------------------


def _draw_bars(chart: BarChart) -> tuple[float, list[str]]:
    scale = Scale.around([1.0, *(bar.length for bar in chart.bars)], LEFT, WIDTH - RIGHT)
    end = BARS_TOP + len(chart.bars) * (BAR_HEIGHT + BAR_GAP)
    parts = [_text(20, 22, chart.title, size=14, weight="bold")]
    for tick in scale.ticks:
        x = scale.at(tick)
        parts.append(_line(x, BARS_TOP - 4, x, end, GRID))
        parts.append(_text(x, end + 14, f"{tick:,.10g}", anchor="middle", colour=FAINT))
    for place, bar in enumerate(chart.bars):
        y = BARS_TOP + place * (BAR_HEIGHT + BAR_GAP)
        start, stop = scale.at(scale.low), scale.at(bar.length)
        colour = COLOURS[2] if bar.is_good else COLOURS[1]
        parts.append(
            f'<rect x="{start:.1f}" y="{y:g}" width="{max(1.0, stop - start):.1f}" height="{BAR_HEIGHT}" fill="{colour}"/>'
        )
        parts.append(_text(LEFT - 8, y + 12, bar.name, anchor="end"))
        parts.append(_text(stop + 6, y + 12, bar.label, colour=FAINT))
    x = scale.at(1.0)
    parts += [_line(x, BARS_TOP - 6, x, end, INK), _text(x, BARS_TOP - 10, chart.limit, anchor="middle")]
    return end + BOTTOM, parts


# --- lines -----------------------------------------------------------------------------------------------------


def _draw_lines(chart: LineChart) -> tuple[float, list[str]]:
    heights = [height for series in chart.series for _, height in series.points]
    bottom = LINES_HEIGHT - BOTTOM
    scale = Scale.around(heights, bottom, TOP)
    right = WIDTH - LINES_RIGHT
    step = (right - LINES_LEFT) / max(1, len(chart.places) - 1)
    across = {name: LINES_LEFT + place * step for place, name in enumerate(chart.places)}
    parts = [_text(20, 22, chart.title, size=14, weight="bold"), _text(20, TOP - 8, chart.up, colour=FAINT)]
    for tick in scale.ticks:
        y = scale.at(tick)
        parts.append(_line(LINES_LEFT, y, right, y, GRID))
        parts.append(_text(LINES_LEFT - 8, y + 4, f"{tick:,.10g}", anchor="end", colour=FAINT))
    for name, x in across.items():
        parts.append(_text(x, bottom + 16, name, anchor="middle", colour=FAINT))
    parts.append(_text((LINES_LEFT + right) / 2, bottom + 34, chart.across, anchor="middle", colour=FAINT))
    for number, series in enumerate(chart.series):
        colour = COLOURS[number % len(COLOURS)]
        places = [(across[name], scale.at(height)) for name, height in series.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        y = TOP + number * 18
        parts.append(_line(right + 20, y, right + 40, y, colour, width=3))
        parts.append(_text(right + 46, y + 4, series.name))
    return LINES_HEIGHT + 10, parts


# --- scales and marks ------------------------------------------------------------------------------------------


@attrs.frozen
class Scale:
    """From numbers to places, by their logarithm."""

    low: float
    high: float
    start: float
    stop: float

    @classmethod
    def around(cls, values: Sequence[float], start: float, stop: float) -> Scale:
        """As wide as the values need; from a step below the least to one above the largest."""
        low, high = min(values, default=1.0), max(values, default=1.0)
        return cls(_step(low, down=True), max(_step(high, down=False), low * 2), start, stop)

    def at(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.stop - self.start)

    @property
    def ticks(self) -> list[float]:
        """1, 2 and 5 of each decade; 1 alone where there are many decades."""
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        steps = (1, 2, 5) if len(decades) <= 4 else (1,)
        found = [float(f"{step}e{decade}") for decade in decades for step in steps]
        return [tick for tick in found if self.low <= tick * 1.001 and tick <= self.high * 1.001]


def _step(value: float, *, down: bool) -> float:
    """The next of 1, 2, 5, 10 … from a number on."""
    decade = math.floor(math.log10(value))
    steps = [float(f"{step}e{power}") for power in (decade, decade + 1) for step in (1, 2, 5)]
    if down:
        return max(step for step in steps if step <= value * 1.001)
    return min(step for step in steps if step * 1.001 >= value)


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 12,
    anchor: str = "start",
    colour: str = INK,
    weight: str = "normal",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}"'
        f' font-weight="{weight}">{escape(text)}</text>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, width: int = 1) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"'
        f' stroke-width="{width}"/>'
    )
