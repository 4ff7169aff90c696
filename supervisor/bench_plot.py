"""Which charts does a benchmark give: its goals, calls a second, fan-out and chains, and the open loop?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from .bench_cases import KIB, Work, size
from .bench_figures import shown_number
from .bench_svg import Bar, BarChart, Chart, LineChart, Series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .bench_figures import Figure

LEAST = 0.01
"""What is drawn for nothing, as on a logarithmic scale there is no place for it."""


def make_charts(goals: Sequence[Figure], sweep: Sequence[Figure], open_loop: Sequence[Figure]) -> list[Chart]:
    """Those for which something was measured."""
    found: list[Chart] = []
    if bars := [_bar(figure) for figure in goals if figure.must and figure.judged is not None]:
        found.append(
            BarChart(
                title="Goals: shorter is better, what ends left of the line holds",
                limit="the goal",
                bars=bars,
            )
        )
    found += _sweep_charts(sweep)
    found.append(
        _line_chart(
            "Open loop: from the intended start of a call to its answer",
            "share of the calls a second that 64 callers reach",
            "ms",
            open_loop,
            _load_name,
            "load",
        )
    )
    return [chart for chart in found if isinstance(chart, BarChart) or chart.places]


def _bar(figure: Figure) -> Bar:
    assert figure.judged is not None
    assert figure.must is not None
    share = figure.must / figure.judged if figure.is_larger_better else figure.judged / figure.must
    unit = figure.of if figure.ratio is not None else figure.unit
    sign = "≥" if figure.is_larger_better else "≤"
    return Bar(
        name=figure.name,
        length=max(LEAST, share),
        label=f"{shown_number(figure.judged)} ({sign} {figure.must:g}) {unit}",
        is_good=figure.holds is True,
    )


def _sweep_charts(sweep: Sequence[Figure]) -> list[Chart]:
    one_cpu = [figure for figure in sweep if figure.case["cpus"] == 1]
    calls = [_per_second(figure) for figure in one_cpu if figure.case["work"] is Work.INVOKE]
    fans = [figure for figure in one_cpu if _is_fan(figure.case)]
    found = [
        _line_chart("Calls on one CPU", "in flight", "calls/s", calls, _call_name, "in_flight"),
        _line_chart(
            "Events and hook chains of 1 KB on one CPU", "handlers", "µs", fans, _fan_name, "handlers"
        ),
    ]
    return [chart for chart in found if len(chart.places) > 1]


def _is_fan(case: Any) -> bool:
    is_plain = case["in_flight"] == 1 and case["payload"] == KIB
    return is_plain and case["work"] in (Work.EVENT, Work.CHAIN)


def _per_second(figure: Figure) -> Figure:
    """One caller at a time makes as many calls as fit into a second."""
    if figure.unit != "µs" or not figure.value:
        return figure
    return attrs.evolve(figure, value=1e6 / figure.value, unit="calls/s")


def _call_name(case: Any) -> str:
    return f"{size(case['payload'])}, {_kind(case)}, {_shards(case)}"


def _fan_name(case: Any) -> str:
    return f"{case['work'].value}, {_kind(case)}, {_shards(case)}"


def _kind(case: Any) -> str:
    return str(case["runs"].value)


def _shards(case: Any) -> str:
    return "1 shard" if case["shards"] == 1 else f"{case['shards']} shards"


def _load_name(case: Any) -> str:
    return str(case["of"])


def _line_chart(
    title: str,
    across: str,
    up: str,
    figures: Iterable[Figure],
    name: Callable[[Any], str],
    axis: str,
) -> LineChart:
    """A line for each name, over what the cases have under the key `axis`."""
    lines: dict[str, dict[float, float]] = {}
    for figure in figures:
        if figure.value is not None and figure.value > 0:
            lines.setdefault(name(figure.case), {})[figure.case[axis]] = figure.value
    places = sorted({place for line in lines.values() for place in line})
    return LineChart(
        title=title,
        across=across,
        up=up,
        places=tuple(_place_name(axis, place) for place in places),
        series=tuple(
            Series(
                name=each,
                points=tuple((_place_name(axis, place), line[place]) for place in places if place in line),
            )
            for each, line in sorted(lines.items())
        ),
    )


def _place_name(axis: str, place: float) -> str:
    return f"{place:.0%}" if axis == "load" else str(place)
