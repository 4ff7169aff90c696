"""Which regular expressions may a plugin give its host, and what do they say?

The syntax is that of ``re``, without what cannot be judged in one pass over the text: no back references, no looking ahead or
behind, nothing atomic or possessive. Groups are there to group, and a lazy repeat is a repeat, for nobody asks where the match
is. It is read here and not by ``re``: compiling a hostile pattern there can take seconds, and the host would wait for it.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

MAX_PATTERN_CHARS = 1000
MAX_PATTERN_SIZE = 400
"""Of a pattern with its counted repeats written out: characters, edges and alternatives."""
MAX_DEPTH = 30
"""Groups in groups."""

LAST = 0x10FFFF


class PatternError(ValueError):
    """It is no pattern, or one that may not be used here.

    Attributes:
        reason: One line, with the place.
    """

    def __init__(self, reason: str, place: int | None = None) -> None:
        self.reason = reason if place is None else f"{reason} at character {place}"
        super().__init__(self.reason)


@attrs.frozen(kw_only=True)
class Chars:
    """One character of a set."""

    ranges: tuple[tuple[int, int], ...] = ()
    """First and last code point of each, in order and apart."""
    kinds: frozenset[str] = frozenset()
    """``d``, ``w``, ``s`` and their opposites in capitals."""
    negated: bool = False
    ignores_case: bool = False
    size: int = 1

    @property
    def literal(self) -> str:
        """The one character that it stands for; "" when there are more."""
        if self.kinds or self.negated or self.ignores_case or len(self.ranges) != 1:
            return ""
        first, last = self.ranges[0]
        return chr(first) if first == last else ""


@attrs.frozen
class Edge:
    """A place between two characters: ``^`` ``$`` (``M`` before it: of every line), ``A``, ``Z``, ``b``."""

    kind: str
    size: int = 1


@attrs.frozen
class Row:
    """One after the other."""

    items: tuple[Node, ...]
    size: int


@attrs.frozen
class Either:
    options: tuple[Node, ...]
    size: int


@attrs.frozen
class Repeat:
    item: Node
    least: int
    most: int | None
    """``None`` for no end."""
    size: int


Node: TypeAlias = Chars | Edge | Row | Either | Repeat

_ESCAPES = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_HEX = {"x": 2, "u": 4, "U": 8}
_FLAGS = {"i", "m", "s"}
_REFUSED = {
    "=": "looking ahead",
    "!": "looking ahead",
    "<": "looking behind",
    ">": "an atomic group",
    "(": "a condition",
}


def read_pattern(text: str) -> Node:
    """What a pattern says.

    Raises:
        PatternError: The first mistake, with its place.
    """
    if len(text) > MAX_PATTERN_CHARS:
        raise PatternError(f"has {len(text)} characters, at most {MAX_PATTERN_CHARS} are allowed")
    reader = _Reader(text)
    node = reader.either(0)
    if reader.place < len(text):
        raise PatternError("has a parenthesis that was never opened", reader.place)
    return node


class _Reader:
    """Reads from left to right; every method leaves ``place`` behind what it has read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._flags: frozenset[str] = frozenset()
        self.place = 0

    def _peek(self) -> str:
        return self._text[self.place : self.place + 1]

    def _take(self, wanted: str) -> bool:
        found = self._text.startswith(wanted, self.place)
        self.place += len(wanted) * found
        return found

    def _checked(self, node: Node, place: int) -> Node:
        if node.size > MAX_PATTERN_SIZE:
            raise PatternError(
                f"is too large: written out it has more than {MAX_PATTERN_SIZE} characters", place
            )
        return node

    def either(self, depth: int) -> Node:
        start = self.place
        options = [self._row(depth)]
        while self._take("|"):
            options.append(self._row(depth))
        if len(options) == 1:
            return options[0]
        size = sum(each.size for each in options) + len(options)
        return self._checked(Either(tuple(options), size), start)

    def _row(self, depth: int) -> Node:
        start = self.place
        items: list[Node] = []
        while (char := self._peek()) and char not in "|)":
            place = self.place
            item = self._item(depth)
            if item is not None:
                items.append(self._repeated(item, place))
        return self._checked(Row(tuple(items), sum(each.size for each in items)), start)

    def _item(self, depth: int) -> Node | None:
        """``None`` for flags, which are nothing by themselves."""
        place, char = self.place, self._peek()
        self.place += 1
        if char == "(":
            return self._group(depth + 1, place)
        if char in "*+?" or (char == "{" and self._count() is not None):
            raise PatternError("has nothing to repeat", place)
        if char == ".":
            return Chars(negated=True, ranges=() if "s" in self._flags else ((10, 10),))
        if char in "^$":
            return Edge(f"M{char}" if "m" in self._flags else char)
        if char == "[":
            return self._set(place)
        if char == "\\":
            for kind in "bAZ":
                if self._take(kind):
                    return Edge(kind)
            char = self._escape(place)
            if len(char) == 2:
                return Chars(kinds=frozenset(char[1]))
        return self._literal(char)

    def _literal(self, char: str) -> Chars:
        return Chars(ranges=((ord(char), ord(char)),), ignores_case="i" in self._flags)

    def _group(self, depth: int, place: int) -> Node | None:
        if depth > MAX_DEPTH:
            raise PatternError(f"has groups that are nested more than {MAX_DEPTH} deep", place)
        outer = self._flags
        if self._take("?"):
            if self._take("P<"):
                self._name(place)
            elif not self._take(":") and self._opens(place) is None:
                if place:
                    raise PatternError("has flags for all of it that are not at its beginning", place)
                return None
        node = self.either(depth)
        if not self._take(")"):
            raise PatternError("has a parenthesis that is never closed", place)
        self._flags = outer
        return node

    def _name(self, place: int) -> None:
        end = self._text.find(">", self.place)
        if end < 0 or not self._text[self.place : end].isidentifier():
            raise PatternError("has a group whose name is none", place)
        self.place = end + 1

    def _opens(self, place: int) -> bool | None:
        """What follows ``(?``: true for flags of a group, ``None`` for flags of everything."""
        char = self._peek()
        if char in _REFUSED or char == "P":
            what = _REFUSED.get(char, "a back reference")
            raise PatternError(f"has {what}, which a host does not judge,", place)
        added, removed = set[str](), set[str]()
        into = added
        while (char := self._peek()) and char not in ":)":
            if char == "-" and into is added:
                into = removed
            elif char in _FLAGS:
                into.add(char)
            else:
                raise PatternError(f"has (?{char}, which a host does not know; it knows i, m and s,", place)
            self.place += 1
        self.place += 1
        if not char or (char == ")" and into is removed):
            raise PatternError("has flags that do not end", place)
        self._flags = (self._flags | added) - removed
        return True if char == ":" else None

    def _repeated(self, item: Node, place: int) -> Node:
        """An item with what stands behind it."""
        start = self.place
        char = self._peek()
        if char and char in "*+?":
            self.place += 1
            least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
        elif char == "{":
            self.place += 1
            count = self._count()
            if count is None:
                self.place = start
                return item
            least, most = count
        else:
            return item
        if isinstance(item, Edge):
            raise PatternError("repeats what is no character", start)
        if self._take("+"):
            raise PatternError("has a possessive repeat, which a host does not judge,", start)
        self._take("?")
        following = self._peek()
        if (following and following in "*+?") or (following == "{" and self._is_count()):
            raise PatternError("repeats a repeat; put a group around it", self.place)
        if most is not None and most < least:
            raise PatternError("repeats at least more often than at most", start)
        size = item.size * max(least, most or 0, 1)
        return self._checked(Repeat(item, least, most, size), place)

    def _is_count(self) -> bool:
        place = self.place
        self.place += 1
        count = self._count()
        self.place = place
        return count is not None

    def _count(self) -> tuple[int, int | None] | None:
        """What stands behind ``{``; ``None``, and nothing is read, when it is no count and the brace is a character."""
        end = self._text.find("}", self.place)
        low, comma, high = self._text[self.place : max(end, self.place)].partition(",")
        if end < 0 or not (low or comma) or not all(each in "0123456789" for each in low + high):
            return None
        self.place = end + 1
        # Longer numbers are too large whatever they say.
        least = int(low[:9] or "0")
        if not comma:
            return least, least
        return least, int(high[:9]) if high else None

    def _escape(self, place: int) -> str:
        r"""What a backslash stands for: a character, or two for a kind, ``\d`` as ``\d``."""
        char = self._peek()
        self.place += 1
        if char and char in "dDwWsS":
            return f"\\{char}"
        if char in _ESCAPES:
            return _ESCAPES[char]
        if char in _HEX:
            digits = self._text[self.place : self.place + _HEX[char]]
            if len(digits) < _HEX[char] or not all(each in "0123456789abcdefABCDEF" for each in digits):
                raise PatternError(f"has an incomplete \\{char}", place)
            if int(digits, 16) > LAST:
                raise PatternError("has a character that does not exist", place)
            self.place += len(digits)
            return chr(int(digits, 16))
        if not char:
            raise PatternError("ends in a backslash", place)
        if char.isascii() and char.isalnum():
            what = "a back reference, which a host does not judge," if char.isdigit() else "an unknown escape"
            raise PatternError(f"has {what}", place)
        return char

    def _set(self, place: int) -> Chars:
        negated = self._take("^")
        ranges: list[tuple[int, int]] = []
        kinds: set[str] = set()
        is_first = True
        while is_first or not self._take("]"):
            is_first = False
            start = self.place
            low = self._member(place)
            if len(low) == 2:
                kinds.add(low[1])
                if self._peek() == "-" and self._text[self.place + 1 : self.place + 2] != "]":
                    raise PatternError("has a range that begins with a kind of characters", start)
                continue
            high = low
            if self._peek() == "-" and self._text[self.place + 1 : self.place + 2] != "]":
                self.place += 1
                high = self._member(place)
            if len(high) == 2 or high < low:
                raise PatternError("has a range whose end is before its beginning", start)
            ranges.append((ord(low), ord(high)))
        return Chars(
            ranges=_apart(ranges),
            kinds=frozenset(kinds),
            negated=negated,
            ignores_case="i" in self._flags,
        )

    def _member(self, place: int) -> str:
        at, char = self.place, self._peek()
        if not char:
            raise PatternError("has a set that is never closed", place)
        self.place += 1
        if char != "\\":
            return char
        if self._take("b"):
            return "\b"
        return self._escape(at)


def _apart(ranges: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The same characters, in ranges that neither overlap nor touch."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return tuple(found)
