"""A stream becomes lines with owners, however it is cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rookery.runner.lines import MAX_LINE_BYTES, Lines


def _fed(*parts: tuple[str, bytes]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    lines = Lines(lambda owner, text: found.append((owner, text)))
    for owner, data in parts:
        lines.feed(owner, data)
    lines.end()
    return found


@given(st.binary(max_size=200), st.integers(0, 200))
def test_it_does_not_matter_where_the_stream_is_cut(data: bytes, cut: int) -> None:
    """Two reads say what one says, letters of several bytes included."""
    assert _fed(("a", data[:cut]), ("a", data[cut:])) == _fed(("a", data))


def test_an_open_line_ends_when_another_one_writes() -> None:
    """No line has two owners."""
    assert _fed(("a", b"begun"), ("b", b"other\nmore")) == [("a", "begun"), ("b", "other"), ("b", "more")]


def test_windows_line_ends_and_broken_text() -> None:
    """What is no UTF-8 is shown as such."""
    assert _fed(("a", b"one\r\n\xff\n")) == [("a", "one"), ("a", "�")]


def test_a_line_that_is_too_long_is_cut_and_says_so() -> None:
    """In one piece or in many, with a bounded memory in between."""
    long = b"x" * (3 * MAX_LINE_BYTES)

    whole = _fed(("a", long + b"\nnext\n"))
    pieces = _fed(*[("a", long[:5000])] * 6, ("a", b"\nnext\n"))

    assert whole == pieces == [("a", "x" * MAX_LINE_BYTES + " […]"), ("a", "next")]
