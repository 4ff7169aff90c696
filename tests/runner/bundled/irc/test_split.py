"""Long replies are cut so that each line arrives whole."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.runner.bundled.irc.errors import CannotSay
from rookery.runner.bundled.irc.registration import Identity
from rookery.runner.bundled.irc.session import IrcSession
from rookery.runner.bundled.irc.split import room_for, split_text

_TEXTS = st.text(st.one_of(st.characters(), st.sampled_from(" \n\r\0\x01äß漢😀")), max_size=2000)


def _visible(text: str) -> str:
    """What of a text must arrive: all but line ends, control bytes that cannot be sent, and blanks."""
    return re.sub(r"[\s\0\x01]", "", text.encode("utf-8", "replace").decode())


@given(_TEXTS, st.integers(4, 500))
def test_no_piece_exceeds_the_room_and_nothing_is_lost(text: str, room: int) -> None:
    """Pieces fit in bytes, hold whole characters and no line end, and together say what the text said."""
    pieces = split_text(text, room)

    assert all(0 < len(piece.encode()) <= room for piece in pieces)
    assert not any(re.search(r"[\r\n\0\x01]", piece) for piece in pieces)
    assert _visible("".join(pieces)) == _visible(text)


@given(_TEXTS, st.sampled_from(["#rookery", "#" + "漢" * 40, "nick"]))
def test_no_line_exceeds_512_bytes_with_what_the_server_adds(text: str, target: str) -> None:
    """The whole line, with our name before it as the server writes it, is at most 512 bytes long."""
    session = IrcSession(Identity(nick="rookery"))

    lines = session.say(target, text)

    for line in lines:
        passed_on = f":{session.prefix} ".encode() + line
        assert len(passed_on) <= 512
        assert passed_on.endswith(b"\r\n")
        assert passed_on.count(b"\n") == passed_on.count(b"\r") == 1
        passed_on.decode()  # no character is cut


@pytest.mark.parametrize(
    ("text", "room", "pieces"),
    [
        pytest.param("one two three", 8, ["one two", "three"], id="at a space"),
        pytest.param("one two three", 7, ["one two", "three"], id="the space itself needs no room"),
        pytest.param("abcdefgh", 3, ["abc", "def", "gh"], id="without a space between characters"),
        pytest.param("ääää", 5, ["ää", "ää"], id="never inside a character"),
        pytest.param("  indented text", 11, ["  indented", "text"], id="indentation is kept"),
        pytest.param("    abcdefgh", 8, ["    abcd", "efgh"], id="indentation is no place to cut"),
        pytest.param("a\r\nb\n\n\nc\rd", 9, ["a", "b", "c", "d"], id="line ends begin new lines"),
        pytest.param("", 9, [], id="nothing"),
        pytest.param(" \n ", 9, [], id="nothing to see"),
        pytest.param("\x01VERSION\x01", 99, ["VERSION"], id="no CTCP request by accident"),
    ],
)
def test_where_a_text_is_cut(text: str, room: int, pieces: list[str]) -> None:
    """The cut prefers spaces and keeps what can be seen."""
    assert split_text(text, room) == pieces


def test_a_megabyte_is_cut_without_looking_at_it_again_and_again() -> None:
    """The work grows with the text, not with its square: a quadratic cut takes seconds here."""
    pieces = split_text("word " * 40_000, 400)

    assert len(pieces) == 500


def test_a_target_that_leaves_no_room_is_refused() -> None:
    """A name as long as a line is an error of the caller, not an endless cut."""
    with pytest.raises(CannotSay, match="no room"):
        room_for("nick!user@host", "#" + "x" * 500)
