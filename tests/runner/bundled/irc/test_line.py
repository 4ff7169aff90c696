"""Lines of IRC are read leniently, written strictly, and cut out of any stream of bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.runner.bundled.irc.errors import BadLine, CannotSay
from rookery.runner.bundled.irc.line import MAX_LINE, MAX_TAGS, Line, LineReader, format_line, parse_line

# What may stand inside a line: anything but line ends, NUL and lone surrogates.
_INSIDE = st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"])
_WORDS = st.text(
    st.characters(exclude_characters="\r\n\0 ", exclude_categories=["Cs"]), min_size=1, max_size=12
)
_MIDDLES = _WORDS.filter(lambda word: not word.startswith(":"))
_VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@st.composite
def lines(draw: st.DrawFn) -> Line:
    """Any line that can be written."""
    params = draw(st.lists(_MIDDLES, max_size=4))
    if draw(st.booleans()):
        params.append(draw(st.text(_INSIDE, max_size=40)))
    return Line(
        command=draw(st.sampled_from(["PRIVMSG", "001", "CAP", "JOIN"])),
        params=tuple(params),
        source=draw(st.sampled_from(["", "irc.example.org", "nick!user@host"])),
        tags=draw(st.dictionaries(st.from_regex(r"\A\+?[a-z./-]{1,10}\Z"), _VALUES, max_size=3)),
    )


@pytest.mark.slow
@given(lines())
def test_what_is_written_reads_back_the_same(line: Line) -> None:
    """Tags, source, command and parameters survive the way through bytes."""
    assert parse_line(format_line(line).removesuffix(b"\r\n")) == line


@given(st.binary(max_size=200))
def test_any_bytes_are_a_line_or_a_bad_line(data: bytes) -> None:
    """No bytes of a server raise anything but BadLine."""
    try:
        line = parse_line(data)
    except BadLine:
        return

    assert line.command


@given(st.lists(st.binary(max_size=30), max_size=20))
def test_a_stream_gives_the_same_lines_however_it_is_cut(chunks: list[bytes]) -> None:
    """What comes in pieces reads like what comes at once."""
    whole, pieces = LineReader(limit=16), LineReader(limit=16)

    at_once = whole.feed(b"".join(chunks) + b"\n")
    in_pieces = [line for chunk in [*chunks, b"\n"] for line in pieces.feed(chunk)]

    assert in_pieces == at_once
    assert pieces.too_long == whole.too_long
    assert all(0 < len(line) <= 16 for line in at_once)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"PING", Line("PING"), id="a command alone"),
        pytest.param(b"ping :a b", Line("PING", ("a b",)), id="commands are upper case"),
        pytest.param(
            b":n!u@h PRIVMSG #c ::) hi", Line("PRIVMSG", ("#c", ":) hi"), "n!u@h"), id="colon in text"
        ),
        pytest.param(b":s 001  me   :hi", Line("001", ("me", "hi"), "s"), id="more spaces than needed"),
        pytest.param(b"TOPIC #c :", Line("TOPIC", ("#c", "")), id="an empty last parameter"),
        pytest.param(
            b"@a=1\\:2\\s\\\\\\r\\n;b;c=x\\y\\ PING",
            Line("PING", tags={"a": "1;2 \\\r\n", "b": "", "c": "xy"}),
            id="tags with every escape",
        ),
        pytest.param(
            b"PRIVMSG #c :caf\xe9",
            Line("PRIVMSG", ("#c", "caf\ufffd")),
            id="latin-1 is replaced, not refused",
        ),
    ],
)
def test_lines_of_real_servers(data: bytes, expected: Line) -> None:
    """Each form of a line is read as the documents say."""
    assert parse_line(data) == expected


@pytest.mark.parametrize("data", [b"", b" ", b":source", b"@tag", b"@tag :source "])
def test_a_line_without_a_command_is_bad(data: bytes) -> None:
    """A server that sends no command gets a BadLine, with the bytes in its text."""
    with pytest.raises(BadLine, match="without a command"):
        parse_line(data)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(Line("PRIVMSG", ("#c", "hi\r\nQUIT")), id="a second line in the text"),
        pytest.param(Line("PRIVMSG", ("#c\nQUIT", "hi")), id="a second line in the target"),
        pytest.param(Line("PRIVMSG", ("#c", "a\0b")), id="a NUL"),
        pytest.param(Line("PRIVMSG", ("#c d", "hi")), id="a space in a middle parameter"),
        pytest.param(Line("PRIVMSG", ("", "hi")), id="an empty middle parameter"),
        pytest.param(Line("PRIVMSG", (":c", "hi")), id="a colon before a middle parameter"),
        pytest.param(Line("PRIV MSG", ("#c",)), id="a space in the command"),
        pytest.param(Line("PING", ("x",), "a b"), id="a space in the source"),
        pytest.param(Line("PRIVMSG", ("#c", "x" * MAX_LINE)), id="too long"),
        pytest.param(Line("PING", tags={"a b": ""}), id="a space in a tag"),
        pytest.param(Line("PING", tags={"a": "x" * MAX_TAGS}), id="tags too long"),
    ],
)
def test_what_would_break_a_line_is_refused(line: Line) -> None:
    """Nothing that a plugin says can become a second line or another parameter."""
    with pytest.raises(CannotSay):
        format_line(line)


def test_an_endless_line_is_forgotten_while_it_comes() -> None:
    """A server that never ends its line costs the limit in memory, and the line after it is read."""
    reader = LineReader(limit=100)

    for _ in range(1000):
        assert reader.feed(b"x" * 60) == []

    assert reader.feed(b"\r\nPING\r\n") == [b"PING"]
    assert reader.too_long == 1
