"""What is one line of IRC: tags, source, command and parameters, and how is it read and written?

RFC 1459 and 2812 with the message tags of IRCv3. Lines are read leniently, because servers differ, and written
strictly: a value that would change the meaning of its line, or smuggle in a second one, is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs

from .errors import BadLine, CannotSay

MAX_LINE = 512  # bytes of a line without its tags, CR LF included (RFC 1459, 2.3)
MAX_TAGS = 8191  # bytes of the tags of a line, "@" and the space included (IRCv3 message tags)

NO_TAGS: Mapping[str, str] = MappingProxyType({})

_UNESCAPES = {":": ";", "s": " ", "\\": "\\", "r": "\r", "n": "\n"}
_ESCAPES = str.maketrans({meant: "\\" + written for written, meant in _UNESCAPES.items()})


@attrs.frozen
class Line:
    """One line, taken apart."""

    command: str
    """In upper case, or a numeric of three digits."""
    params: tuple[str, ...] = ()
    """The parameters; only the last may be empty, hold a space or begin with a colon."""
    source: str = ""
    """Who sent it: ``nick!user@host`` or the name of a server; empty on lines of our own."""
    tags: Mapping[str, str] = NO_TAGS
    """Message tags with their values unescaped; a tag without a value has an empty one."""

    @property
    def nick(self) -> str:
        """The nick of the source, or the name of the server."""
        return self.source.partition("!")[0].partition("@")[0]

    def param(self, index: int) -> str:
        """The parameter at this place; an empty text when the server left it out."""
        return self.params[index] if -len(self.params) <= index < len(self.params) else ""


def parse_line(data: bytes) -> Line:
    """Read one line without its line end. Bytes that are not UTF-8 become U+FFFD.

    Raises:
        BadLine: There is no command in it.
    """
    rest = data.decode("utf-8", "replace")
    tags, source = NO_TAGS, ""
    if rest.startswith("@"):
        written, _, rest = rest[1:].partition(" ")
        tags = MappingProxyType(_parse_tags(written))
    rest = rest.lstrip(" ")
    if rest.startswith(":"):
        source, _, rest = rest[1:].partition(" ")
    head, colon, trailing = _before_trailing(rest)
    words = [word for word in head.split(" ") if word]
    if not words:
        raise BadLine(f"a line without a command: {data[:80]!r}")
    params = (*words[1:], trailing) if colon else tuple(words[1:])
    return Line(words[0].upper(), params, source, tags)


def format_line(line: Line) -> bytes:
    """Write one line with its CR LF.

    Raises:
        CannotSay: A part would break the line: a line end, a NUL, a space or colon where none may be, or its length.
    """
    tags = _format_tags(line.tags)
    parts = [":" + line.source] if line.source else []
    parts.append(line.command)
    for index, param in enumerate(line.params):
        needs_colon = not param or param.startswith(":") or " " in param
        if needs_colon and index < len(line.params) - 1:
            raise CannotSay(f"{param!r} can only be the last parameter of {line.command}")
        parts.append(":" + param if needs_colon else param)
    text = " ".join(parts)
    if not line.command.isalnum() or " " in line.source:
        raise CannotSay(f"{line.source!r} {line.command!r} is not a source and a command")
    if any(sign in text for sign in "\r\n\0"):
        raise CannotSay(f"a line end or NUL inside a line: {text!r:.80}")
    data = text.encode("utf-8", "replace") + b"\r\n"
    if len(data) > MAX_LINE:
        raise CannotSay(f"a line of {len(data)} bytes, at most {MAX_LINE} are allowed: {text!r:.80}")
    return tags + data


def command(name: str, *params: str) -> bytes:
    """Write a line of our own."""
    return format_line(Line(name, params))


def _before_trailing(text: str) -> tuple[str, str, str]:
    # The trailing parameter starts at the first colon that follows a space; it may hold anything after that.
    head, found, trailing = text.partition(" :")
    return head, found, trailing


def _parse_tags(written: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    for item in written.split(";"):
        key, _, value = item.partition("=")
        if key:
            tags[key] = _unescape(value)
    return tags


def _unescape(value: str) -> str:
    if "\\" not in value:
        return value
    read: list[str] = []
    signs = iter(value)
    for sign in signs:
        if sign == "\\":
            # An escape that nobody defined means the sign itself; a lone backslash at the end means nothing.
            after = next(signs, "")
            sign = _UNESCAPES.get(after, after)
        read.append(sign)
    return "".join(read)


def _format_tags(tags: Mapping[str, str]) -> bytes:
    if not tags:
        return b""
    for key in tags:
        if not key or any(sign in key for sign in "=; \r\n\0"):
            raise CannotSay(f"{key!r} is not the name of a tag")
    items = (key + (f"={value.translate(_ESCAPES)}" if value else "") for key, value in tags.items())
    data = f"@{';'.join(items)} ".encode("utf-8", "replace")
    if b"\0" in data or len(data) > MAX_TAGS:
        raise CannotSay(f"tags of {len(data)} bytes or with a NUL; at most {MAX_TAGS} bytes are allowed")
    return data


@attrs.define
class LineReader:
    """Cuts a stream of bytes into lines, whatever the pieces in which it comes."""

    limit: int = MAX_TAGS + MAX_LINE
    """Bytes of the longest line that is kept."""
    too_long: int = 0
    """Lines that were dropped because they passed the limit."""
    _rest: bytes = b""
    _skipping: bool = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes and return the lines that are now complete, without line ends and without empty lines.

        CR LF, LF and CR all end a line: a lone CR has no meaning inside one.
        """
        *complete, rest = (self._rest + data.replace(b"\r", b"\n")).split(b"\n")
        if self._skipping and complete:
            del complete[0]  # the end of the line that was too long
            self._skipping = False
        lines = [line for line in complete if line and len(line) <= self.limit]
        self.too_long += sum(len(line) > self.limit for line in complete)
        self._rest = b"" if self._skipping else rest
        if len(self._rest) > self.limit:
            # Forgotten at once, so that a server cannot make us keep an endless line.
            self.too_long += 1
            self._rest, self._skipping = b"", True
        return lines
