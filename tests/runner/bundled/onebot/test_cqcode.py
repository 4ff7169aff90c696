"""A text with codes in it becomes segments and back without losing anything, whatever is in it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.runner.bundled.onebot.cqcode import escape, parse, unescape, write


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", []),
        ("hello", [{"type": "text", "data": {"text": "hello"}}]),
        ("[CQ:at,qq=all]", [{"type": "at", "data": {"qq": "all"}}]),
        (
            "a[CQ:face,id=178]b",
            [
                {"type": "text", "data": {"text": "a"}},
                {"type": "face", "data": {"id": "178"}},
                {"type": "text", "data": {"text": "b"}},
            ],
        ),
        ("&#91;CQ:at&#93; &amp;amp;", [{"type": "text", "data": {"text": "[CQ:at] &amp;"}}]),
        ("[CQ:image,file=a&#44;b=c&#93;]", [{"type": "image", "data": {"file": "a,b=c]"}}]),
        ("[CQ:shake]", [{"type": "shake", "data": {}}]),
        pytest.param("[CQ:at,qq]", [{"type": "text", "data": {"text": "[CQ:at,qq]"}}], id="a value is missing"),
        pytest.param("[CQ:at,qq=1", [{"type": "text", "data": {"text": "[CQ:at,qq=1"}}], id="its end is missing"),
        pytest.param("[CQ:]", [{"type": "text", "data": {"text": "[CQ:]"}}], id="its type is missing"),
    ],
)  # fmt: skip
def test_a_text_is_read(text: str, segments: list[Any]) -> None:
    """A code that is broken is text."""
    assert parse(text) == segments


def test_values_that_are_no_texts_are_written() -> None:
    """Numbers and booleans as the protocol does; what is null is left out."""
    segment = {"type": "image", "data": {"id": 5, "cache": True, "proxy": False, "url": None}}

    assert write([segment]) == "[CQ:image,id=5,cache=1,proxy=0]"


@pytest.mark.slow
@given(st.text(), st.booleans())
def test_what_is_escaped_is_read_as_it_was(text: str, in_code: bool) -> None:
    """Escaping and unescaping are each other's opposite, and leave nothing that could begin or end a code."""
    written = escape(text, in_code=in_code)

    assert unescape(written) == text
    assert not set("[]") & set(written)
    assert not in_code or "," not in written


_SEGMENT = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "data": st.fixed_dictionaries({"text": st.text(min_size=1)})}),
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["at", "image", "face", "json", "new_type"]),
            "data": st.dictionaries(st.sampled_from(["qq", "file", "data", "id"]), st.text(), max_size=3),
        }
    ),
)  # fmt: skip


@pytest.mark.slow
@given(st.lists(_SEGMENT, max_size=6))
def test_segments_survive_the_way_through_a_text(segments: list[Any]) -> None:
    """Texts beside each other become one, everything else is the same."""
    assert parse(write(segments)) == _joined(segments)


@pytest.mark.slow
@given(st.dictionaries(st.text(), st.text(), max_size=3), st.text().filter(lambda kind: kind != "text"))
def test_a_segment_never_becomes_two(data: dict[str, str], kind: str) -> None:
    """What a plugin writes into a type, a name or a value cannot end the code and begin another."""
    written = write([{"type": kind, "data": data}])

    assert (written.count("["), written.count("]")) == (1, 1)


@pytest.mark.slow
@given(st.text(alphabet="[]CQ:at,=&#91;x "))
def test_any_text_can_be_read(text: str) -> None:
    """Nothing is raised, and reading what was written from it gives the same again."""
    segments = parse(text)

    assert parse(write(segments)) == segments


def _joined(segments: list[Any]) -> list[Any]:
    joined: list[Any] = []
    for segment in segments:
        if segment["type"] == "text" and joined and joined[-1]["type"] == "text":
            joined[-1] = {
                "type": "text",
                "data": {"text": joined[-1]["data"]["text"] + segment["data"]["text"]},
            }
        else:
            joined.append(segment)
    return joined
