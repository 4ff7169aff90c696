"""What moved beyond the noise of both results is told as better or worse; a file that is no result is told where."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rookery.supervisor.bench_compare import Verdict, compare, parse_result
from rookery.supervisor.bench_figures import make_figure
from rookery.supervisor.errors import UsageError


def document(*figures: dict[str, Any], **more: Any) -> str:
    return json.dumps({"machine": "m", "python": "p", "goals": list(figures), "sweep": [], **more})


def figure(name: str, *ratios: float, **options: Any) -> dict[str, Any]:
    """One that was measured once in each repetition."""
    return make_figure(
        name, "µs", [50 * ratio for ratio in ratios], ratios=ratios, of="R0", **options
    ).as_json()


STEADY = (1.0, 1.01, 1.02, 1.0, 0.99, 1.0, 1.01)
FASTER = (0.8, 0.81, 0.82, 0.8, 0.79, 0.8, 0.81)
WIDE = (0.7, 0.81, 0.82, 0.8, 0.79, 0.8, 1.0)
NEAR = (1.03, 1.03, 1.03, 1.03, 1.03, 1.03, 1.03)


@pytest.mark.parametrize(
    ("before", "after", "options", "verdict"),
    [
        pytest.param(STEADY, FASTER, {}, Verdict.BETTER, id="less"),
        pytest.param(FASTER, STEADY, {}, Verdict.WORSE, id="more"),
        pytest.param(STEADY, FASTER, {"is_larger_better": True}, Verdict.WORSE, id="less of a rate"),
        pytest.param(STEADY, STEADY, {}, Verdict.SAME, id="the same"),
        pytest.param(STEADY, WIDE, {}, Verdict.SAME, id="one repetition reaches into the other"),
        pytest.param(STEADY, NEAR, {}, Verdict.SAME, id="apart, and too near to matter"),
        pytest.param((1.0,), (1.3,), {}, Verdict.SAME, id="measured once: a third may be chance"),
        pytest.param((1.0,), (2.0,), {}, Verdict.WORSE, id="measured once: twice as much is not"),
    ],
)  # fmt: skip
def test_a_figure_moves_when_the_bands_are_apart_and_the_middles_too(
    before: tuple[float, ...], after: tuple[float, ...], options: dict[str, Any], verdict: Verdict
) -> None:
    """The fewer repetitions there are, the further apart."""
    old = parse_result(document(figure("call", *before, **options)), "old.json")
    new = parse_result(document(figure("call", *after, **options)), "new.json")

    [move] = compare(old, new).moves

    assert move.verdict is verdict


def test_a_value_is_compared_where_there_is_no_ratio_and_may_be_nothing() -> None:
    """Failures that were none and are some have got worse."""
    none = make_figure("failed", "calls", [0]).as_json()
    some = make_figure("failed", "calls", [5]).as_json()

    comparison = compare(parse_result(document(none), "old"), parse_result(document(some), "new"))

    [move] = comparison.of(Verdict.WORSE)
    assert move.change is None


def test_what_cannot_be_compared_is_said() -> None:
    """Another machine, another interpreter, a figure that is gone; one that is new is nobody's loss."""
    old = parse_result(document(figure("call", 1.0), figure("gone", 1.0)), "old.json")
    new = parse_result(document(figure("call", 1.0), figure("new", 1.0), machine="n", python="q"), "new.json")

    comparison = compare(old, new)

    assert [move.before.name for move in comparison.moves] == ["call"]
    assert comparison.remarks == (
        "another interpreter: p then, q now; believe ratios at most",
        "another machine: m then, n now; believe ratios at most",
        "gone: only in old.json",
    )


def test_results_of_other_lengths_are_said() -> None:
    """Short moments catch other things than long ones."""
    short = parse_result(document(figure("call", 1.0), moment=0.01), "short.json")
    usual = parse_result(document(figure("call", 1.0), moment=0.1), "usual.json")

    assert compare(short, usual).remarks == (
        "0.01 s a case then, 0.1 s now: measure both with the same options",
    )


def test_a_disturbed_result_is_said() -> None:
    """Somebody else used the processors."""
    calm = parse_result(document(figure("call", 1.0), others=0.05), "calm.json")
    busy = parse_result(document(figure("call", 1.0), others=0.4), "busy.json")

    assert compare(calm, busy).remarks == ("others used 40% of the CPUs in busy.json: believe it with care",)


def test_figures_of_the_machine_and_figures_without_a_value_are_left_out() -> None:
    """Neither says anything about the code."""
    of_machine = {**figure("R0", 1.0), "is_of_machine": True}
    absent = make_figure("absent", "µs", (), reason="no such thing").as_json()

    result = parse_result(document(of_machine, absent, figure("call", 1.0)), "old.json")

    assert list(result.bands) == ["call"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("{", "line 1, column 2: it is no JSON", id="cut off"),
        pytest.param("", "line 1, column 1: it is no JSON", id="empty"),
        pytest.param("[]", "goals: there is no list of that name", id="a list"),
        pytest.param('{"figures": {}}', "goals: there is no list of that name", id="another benchmark"),
        pytest.param("[" * 100_000, "it nests too deeply", id="deep"),
        pytest.param(document(sweep={}), "sweep: got a map, expected a list", id="a map of figures"),
        pytest.param('{"goals": [3]}', "goals[0]: got 3, expected a map with a name", id="a number"),
        pytest.param(
            '{"goals": [{"name": "call", "value": "fast"}]}',
            "goals[0].value: got a text, expected a number or null",
            id="a text for a number",
        ),
        pytest.param(
            '{"goals": [{"name": "call", "value": 1, "repetitions": 0}]}',
            "goals[0].repetitions: got 0, expected a whole number from 1 on",
            id="never measured",
        ),
        pytest.param(
            '{"goals": [{"name": "call", "value": NaN}]}', "goals[0].value: got nan, expected a number", id="no number"
        ),
    ],
)  # fmt: skip
def test_a_file_that_is_no_result_is_told_with_the_place(text: str, told: str) -> None:
    """And with what to give instead."""
    with pytest.raises(UsageError) as raised:
        parse_result(text, "old.json")

    assert str(raised.value).startswith("old.json")
    assert told in str(raised.value)
    assert "rookery bench --json" in str(raised.value)
