"""A result becomes charts, and charts become SVG that every reader can parse."""

from __future__ import annotations

from xml.etree import ElementTree

import attrs
import pytest

from rookery.supervisor.bench_cases import BUSY, Case, Work
from rookery.supervisor.bench_figures import Figure, Goal, make_figure
from rookery.supervisor.bench_plot import make_charts
from rookery.supervisor.bench_svg import Bar, BarChart, LineChart, Scale, Series, draw

SVG = "{http://www.w3.org/2000/svg}"


def of_case(case: Case, value: float, unit: str) -> Figure:
    return attrs.evolve(make_figure(case.name, unit, [value]), case=attrs.asdict(case))


GOALS = [
    make_figure("a call <&>", "µs", [80.0], ratios=[1.6], of="R0", goal=Goal(must=1.5, aim=1.2)),
    make_figure("a rate", "calls/s", [4000.0], is_larger_better=True, goal=Goal(must=3000, aim=6000)),
    make_figure("failed", "calls", [0], goal=Goal(must=10, aim=0)),
    make_figure("absent", "µs", (), goal=Goal(must=1, aim=1), reason="no"),
]
SWEEP = [
    of_case(Case(work=Work.INVOKE), 100.0, "µs"),
    of_case(BUSY, 30_000.0, "calls/s"),
    of_case(Case(work=Work.EVENT, handlers=64), 400.0, "µs"),
    of_case(Case(work=Work.EVENT, handlers=4), 100.0, "µs"),
    of_case(Case(work=Work.CHAIN, handlers=16, in_flight=8), 900.0, "calls/s"),
]
OPEN = [
    attrs.evolve(make_figure("open", "ms", [value]), case={"load": load, "of": "p99"})
    for load, value in ((0.8, 9.0), (0.2, 2.0))
]


def test_goals_become_bars_that_end_at_the_goal_or_not() -> None:
    """Larger is better is turned round; nothing is drawn as next to nothing; what was not measured is not drawn."""
    [chart] = make_charts(GOALS, [], [])

    assert isinstance(chart, BarChart)
    assert [(bar.name, round(bar.length, 2), bar.is_good) for bar in chart.bars] == [
        ("a call <&>", 1.07, False),
        ("a rate", 0.75, True),
        ("failed", 0.01, True),
    ]


def test_cases_become_lines_over_what_was_swept() -> None:
    """One call at a time is told as calls a second too; places stand in the order of their numbers."""
    calls, fans, latencies = make_charts([], SWEEP, OPEN)

    assert isinstance(calls, LineChart)
    assert isinstance(fans, LineChart)
    assert isinstance(latencies, LineChart)
    assert calls.series == (Series(name="1 KB, async, 1 shard", points=(("1", 10_000.0), ("64", 30_000.0))),)
    assert fans.series == (Series(name="event, async, 1 shard", points=(("4", 100.0), ("64", 400.0))),)
    assert latencies.places == ("20%", "80%")


def test_what_was_not_swept_has_no_chart() -> None:
    """A single point is no line, and nothing at all no document of errors."""
    assert make_charts([], SWEEP[:1], []) == []
    assert ElementTree.fromstring(draw("nothing", [])).tag == f"{SVG}svg"


def test_the_drawing_is_xml_with_all_its_names() -> None:
    """Whatever letters they have."""
    text = draw('rookery "bench" <1>', make_charts(GOALS, SWEEP, OPEN))

    root = ElementTree.fromstring(text)
    texts = {element.text for element in root.iter(f"{SVG}text")}
    assert {'rookery "bench" <1>', "a call <&>", "in flight", "handlers", "p99", "20%"} <= texts
    assert len(list(root.iter(f"{SVG}polyline"))) == 3
    bars = [element for element in root.iter(f"{SVG}rect") if element.get("height") == "15"]
    assert len(bars) == 3


def test_no_mark_lies_outside_of_the_picture() -> None:
    """However far apart the numbers are."""
    bars = [Bar(name="b", length=length, label="", is_good=True) for length in (1e-6, 1.0, 1e6)]
    lines = Series(name="s", points=(("1", 0.001), ("2", 5e7)))
    charts = [
        BarChart(title="t", limit="l", bars=bars),
        LineChart(title="t", across="x", up="y", places=("1", "2"), series=[lines]),
    ]

    root = ElementTree.fromstring(draw("t", charts))

    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for circle in root.iter(f"{SVG}circle"):
        assert 0 < float(circle.get("cx", -1)) < width
        assert 0 < float(circle.get("cy", -1)) < height
    for bar in root.iter(f"{SVG}rect"):
        if bar.get("height") == "15":
            assert float(bar.get("x", -1)) + float(bar.get("width", 0)) < width


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        pytest.param([1.0, 10.0], [1, 2, 5, 10], id="a decade"),
        pytest.param([3.0], [2, 5], id="one number"),
        pytest.param([1.0], [1, 2], id="one that is a step itself"),
        pytest.param([0.01, 1e5], [0.01, 0.1, 1, 10, 100, 1000, 10_000, 100_000], id="many decades"),
        pytest.param([], [1, 2], id="nothing"),
    ],
)
def test_a_scale_has_round_ticks_around_its_values(values: list[float], ticks: list[float]) -> None:
    """From a step below the least to one above the largest."""
    scale = Scale.around(values, 0.0, 100.0)

    assert scale.ticks == pytest.approx(ticks)
    assert scale.at(scale.low) == 0.0
    assert scale.at(scale.high) == pytest.approx(100.0)
