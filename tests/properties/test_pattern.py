"""A pattern fits the texts that ``re`` says it fits, whatever it is made of."""

from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rookery.protocol.pattern import TextPattern
from rookery.protocol.pattern_syntax import PatternError

ATOMS = (
    *(
        "a",
        "b",
        "_",
        "1",
        "\n",
        r"\n",
        " ",
        "é",
        ".",
        r"\w",
        r"\W",
        r"\d",
        r"\D",
        r"\s",
        r"\S",
        "[ab]",
        "[^a]",
    ),
    *("[a-c1]", r"[^\d b]", r"[\W_]", "[^\n]", "^", "$", r"\b", r"\A", r"\Z"),
)
REPEATS = ("*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{,2}", "{2,}", "{0}", "{,}", "{1,2}?")
FLAGS = ("", "i", "m", "s", "im", "-i", "s-m")

patterns = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda options: f"(?:{'|'.join(options)})"),
        st.tuples(st.sampled_from(FLAGS), inner).map(lambda found: f"(?{found[0]}:{found[1]})"),
        st.tuples(inner, st.sampled_from(REPEATS)).map(lambda found: f"({found[0]}){found[1]}"),
    ),
    max_leaves=12,
)
starts = st.sampled_from(("", "(?i)", "(?m)", "(?s)", "(?im)"))
texts = st.text("abcABC1_ \né", max_size=8)


@pytest.mark.slow
@settings(max_examples=600)
@given(starts, patterns, st.lists(texts, min_size=1, max_size=8))
def test_a_pattern_fits_what_python_says_it_fits(start: str, body: str, examples: list[str]) -> None:
    """One after the other with what was remembered of those before."""
    try:
        pattern = TextPattern(start + body)
    except PatternError as error:
        assume("too large" not in error.reason)
        raise

    found = [pattern.is_in(text) for text in examples]

    expected = re.compile(start + body)
    assert found == [expected.search(text) is not None for text in examples]


@pytest.mark.slow
@settings(max_examples=600)
@given(st.text(r"ab1\dwbAZxu{},[]^-$.*+?()|:P<>=!im" + "\n", max_size=30))
def test_what_is_taken_is_a_pattern_for_python_too(source: str) -> None:
    """Any text at all is refused or compiled, and nothing else is raised."""
    try:
        pattern = TextPattern(source)
    except PatternError:
        return

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sets that may come to mean something else
        expected = re.compile(source)
    text = "ab1\n" + source[:6]  # longer ones can take Python for ever
    assert pattern.is_in(text) == (expected.search(text) is not None)
