"""Values in error messages: short, sendable, and never the cause of another error."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol.limits import MAX_ERROR_CHARS
from rookery.protocol.shown import sendable, shown


class _Angry:
    def __repr__(self) -> str:
        raise RuntimeError("no repr for you")


def _deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("abc", "'abc'", id="text"),
        pytest.param(7, "7", id="number"),
        pytest.param(None, "None", id="nothing"),
        pytest.param({"a": [1]}, "{'a': [1]}", id="map"),
        pytest.param(b"ab", "b'ab'", id="bytes"),
    ],
)
def test_small_values_are_shown_whole(value: object, text: str) -> None:
    """What fits is what repr says."""
    assert shown(value) == text


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("x" * 10**6, id="long text"),
        pytest.param(b"x" * 10**6, id="long bytes"),
        pytest.param(list(range(10**5)), id="long list"),
        pytest.param([["x" * 50] * 10] * 10, id="wide lists of texts"),
        pytest.param(dict.fromkeys(range(10**4)), id="large map"),
        pytest.param(10**5000, id="a number of more digits than Python prints"),
        pytest.param(_deep(100_000), id="a hundred thousand levels"),
        pytest.param(_Angry(), id="a repr that raises"),
    ],
)
def test_any_value_is_shown_short(value: object) -> None:
    """A hundred characters at most, and no exception."""
    assert 0 < len(shown(value)) <= 100


def test_lone_surrogates_are_escaped_in_what_is_sent() -> None:
    """The file names and the exceptions of plugins may hold them."""
    assert sendable("a\ud800b") == "a\\ud800b"


def test_long_texts_are_cut_in_what_is_sent() -> None:
    """And it shows that they were cut."""
    text = sendable("x" * 10**6)

    assert len(text) == MAX_ERROR_CHARS
    assert text.endswith("x…")
