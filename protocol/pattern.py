"""Does a text contain what a pattern says, in time that no pattern and no text can draw out?

``re`` tries one way after the other: ``(a+)+$`` takes it longer than anybody waits, and that a pattern is harmless cannot be seen
by looking at it. Here all ways are followed at once, as a set of places in the pattern, one step a character. A step from one set
by one character is remembered, so that texts like those before cost a look-up a character. Nothing is ever tried again, so the
time is at most the length of the text by the size of the pattern, and both are bounded.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakValueDictionary

from .pattern_syntax import Chars, Edge, Either, PatternError, Repeat, Row, read_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .pattern_syntax import Node

    _Part: TypeAlias = tuple[bool, int, int]
    """Of a pattern: whether it fits nothing at all, the places that it begins with, and those that it ends with."""

__all__ = ["MAX_PATTERN_TEXT", "PatternError", "TextPattern", "compile_pattern", "letters_of"]

MAX_PATTERN_TEXT = 1000
"""Characters of a text that are looked at. The end of a longer one is not seen, so that ``$`` does not fit it."""
MAX_STEPS = 1000
"""That one pattern remembers; then it forgets them all."""

END = ""
LAST_NEWLINE = "\n$"
"""What follows the last character, and a newline that is the last."""


class _Table:
    """Where one place of the pattern leads to, at one kind of edge between two characters.

    Attributes:
        is_empty_enough: It fits without any character.
        first: Places that it may begin with.
        last: Places that it may end with.
    """

    def __init__(self, node: Node, edges: frozenset[str], size: int) -> None:
        self.edges = edges
        self._follow = [0] * size
        self._place = 0
        self.is_empty_enough, self.first, self.last = self._visit(node)
        self._bytes = (self._place + 7) // 8
        self._low = [self._sums(8 * index) for index in range(self._bytes)]
        self._high = [self._sums(8 * index + 4) for index in range(self._bytes)]
        del self._follow

    def after(self, places: int) -> int:
        """Every place that may come after one of these."""
        found = 0
        for byte, low, high in zip(
            places.to_bytes(self._bytes, "little"), self._low, self._high, strict=True
        ):
            if byte:
                found |= low[byte & 15] | high[byte >> 4]
        return found

    def _sums(self, start: int) -> list[int]:
        """What follows each set of four neighbours."""
        four = [*self._follow[start : start + 4], 0, 0, 0, 0]
        sums = [0] * 16
        for subset in range(1, 16):
            lowest = (subset & -subset).bit_length() - 1
            sums[subset] = sums[subset & (subset - 1)] | four[lowest]
        return sums

    def _visit(self, node: Node) -> _Part:
        if isinstance(node, Chars):
            place = 1 << self._place
            self._place += 1
            return False, place, place
        if isinstance(node, Edge):
            return node.kind in self.edges, 0, 0
        if isinstance(node, Row):
            return self._join([self._visit(item) for item in node.items])
        if isinstance(node, Either):
            options = [self._visit(each) for each in node.options]
            first = last = 0
            for _, begins, ends in options:
                first, last = first | begins, last | ends
            return any(fits for fits, _, _ in options), first, last
        return self._repeat(node)

    def _repeat(self, node: Repeat) -> _Part:
        copies = [self._visit(node.item) for _ in range(_copies(node))]
        if node.most is None:
            _, first, last = copies[-1]
            self._lead(last, first)
        return self._join(
            [(fits or number >= node.least, first, last) for number, (fits, first, last) in enumerate(copies)]
        )

    def _join(self, parts: list[_Part]) -> _Part:
        """One after the other. From the end, so that every place is led once and not to each that follows."""
        fits, first, last = True, 0, 0
        for part_fits, begins, ends in reversed(parts):
            self._lead(ends, first)
            first = begins | first if part_fits else begins
            last = last | ends if fits else last
            fits = fits and part_fits
        return fits, first, last

    def _lead(self, places: int, to: int) -> None:
        for place in _bits(places):
            self._follow[place] |= to


class _Alphabet:
    """Which places of the pattern a character fits."""

    def __init__(self, atoms: list[Chars]) -> None:
        self._kinds: dict[str, int] = {}
        self._negated = self._ignoring = 0
        turns: dict[int, int] = {}
        for place, atom in enumerate(atoms):
            bit = 1 << place
            for kind in atom.kinds:
                self._kinds[kind] = self._kinds.get(kind, 0) | bit
            self._negated |= bit * atom.negated
            self._ignoring |= bit * atom.ignores_case
            for first, last in atom.ranges:
                turns[first] = turns.get(first, 0) ^ bit
                turns[last + 1] = turns.get(last + 1, 0) ^ bit
        self._bounds = sorted(turns)
        self._inside = [0]
        for bound in self._bounds:
            self._inside.append(self._inside[-1] ^ turns[bound])

    def places_of(self, char: str) -> int:
        found = self._ranges(char)
        if self._ignoring:
            for other in {char.lower(), char.upper(), char.casefold(), char.upper().lower()} - {char}:
                if len(other) == 1:
                    found |= self._ranges(other) & self._ignoring
        for kind, places in self._kinds.items():
            if _is_of(char, kind):
                found |= places
        return found ^ self._negated

    def _ranges(self, char: str) -> int:
        return self._inside[bisect_right(self._bounds, ord(char))]


class _State(dict[str, "_State"]):
    """What is known after some characters: a set of places, and where each next character leads from here.

    Attributes:
        before: The kind of the last character, where the pattern has edges.
        alike: Where characters lead that fit the same places and are of the same kind.
    """

    def __init__(self, pattern: TextPattern, places: int, before: str) -> None:
        self.pattern = pattern
        self.places = places
        self.before = before
        self.alike: dict[tuple[int, str], _State] = {}

    def __missing__(self, char: str) -> _State:
        return self.pattern._step(self, char)


class TextPattern:
    """A pattern, ready to be searched for. Made by ``compile_pattern``; one text makes one pattern.

    Attributes:
        size: What it counts against a limit for many.
        needed: A text that is in every text that fits; "" when there is none.
    """

    def __init__(self, source: str) -> None:
        node = read_pattern(source)
        self.source = source
        self.size = node.size
        self._node = node
        self._atoms = list(_atoms_of(node))
        self._alphabet = _Alphabet(self._atoms)
        self.needed = _needed_by(node)
        self._edges = frozenset(_edges_of(node))
        self._tables: dict[tuple[str, str], _Table] = {}
        self._found = _State(self, 0, "")
        self._forget()

    @property
    def letters(self) -> list[str]:
        """Each two neighbours of what it needs: a text without one of them does not fit."""
        return letters_of(self.needed)

    def __repr__(self) -> str:
        return f"TextPattern({self.source!r})"

    def is_in(self, text: str) -> bool:
        """Whether some part of a text fits, as ``re.search`` has it."""
        rest: tuple[str, ...] = (END,)
        if len(text) > MAX_PATTERN_TEXT:
            # The one behind tells what kind of edge the last one has.
            text, rest = text[: MAX_PATTERN_TEXT + 1], ()
        if self.needed not in text:
            return False
        if rest and text.endswith("\n"):
            text, rest = text[:-1], (LAST_NEWLINE, END)
        state, found = self._start, self._found
        for char in text:
            state = state[char]
            if state is found:
                return True
        for char in rest:
            state = state[char]
            if state is found:
                return True
        return False

    def _forget(self) -> None:
        self._states: dict[tuple[int, str], _State] = {}
        self._steps = 0
        self._start = self._state(0, "start" if self._edges else "")

    def _state(self, places: int, before: str) -> _State:
        found = self._states.get((places, before))
        if found is None:
            found = self._states[places, before] = _State(self, places, before)
        return found

    def _step(self, state: _State, char: str) -> _State:
        if self._steps >= MAX_STEPS:
            self._forget()
        self._steps += 1
        fitting = self._alphabet.places_of(char[0]) if char else 0
        kind = _kind_of(char) if self._edges else ""
        following = state.alike.get((fitting, kind))
        if following is None:
            following = state.alike[fitting, kind] = self._follow(state, fitting, kind)
        state[char] = following
        return following

    def _follow(self, state: _State, fitting: int, kind: str) -> _State:
        table = self._tables.get((state.before, kind)) or self._table(state.before, kind)
        if table.is_empty_enough or state.places & table.last:
            return self._found
        places = (table.first | table.after(state.places)) & fitting
        return self._state(places, "newline" if kind == "last newline" else kind)

    def _table(self, before: str, after: str) -> _Table:
        edges = _holding(before, after) & self._edges
        for table in self._tables.values():
            if table.edges == edges:
                break
        else:
            table = _Table(self._node, edges, len(self._atoms))
        self._tables[before, after] = table
        return table


_patterns: WeakValueDictionary[str, TextPattern] = WeakValueDictionary()


def compile_pattern(source: str) -> TextPattern:
    """The pattern that a text is; the same object as long as somebody holds it.

    Raises:
        PatternError: It is none, or one that is not allowed.
    """
    found = _patterns.get(source)
    if found is None:
        found = _patterns[source] = TextPattern(source)
    return found


def letters_of(text: str) -> list[str]:
    """Each two neighbours of a text, in their order; a text of one letter has that one."""
    return [text[place : place + 2] for place in range(max(len(text) - 1, len(text) == 1))]


def _bits(places: int) -> Iterator[int]:
    while places:
        lowest = places & -places
        yield lowest.bit_length() - 1
        places ^= lowest


def _kind_of(char: str) -> str:
    if char == "\n":
        return "newline"
    if char is END or char is LAST_NEWLINE:
        return "end" if char is END else "last newline"
    return "word" if _is_of(char, "w") else "other"


def _holding(before: str, after: str) -> frozenset[str]:
    """Which edges are between two characters of these kinds."""
    edges = set()
    if before == "start":
        edges |= {"^", "A"}
    if before in ("start", "newline"):
        edges.add("M^")
    if after in ("end", "last newline"):
        edges.add("$")
    if after in ("end", "last newline", "newline"):
        edges.add("M$")
    if after == "end":
        edges.add("Z")
    if (before == "word") != (after == "word"):
        edges.add("b")
    return frozenset(edges)


def _is_of(char: str, kind: str) -> bool:
    small = kind.lower()
    if small == "d":
        found = char.isdecimal()
    elif small == "s":
        found = char.isspace()
    else:
        found = char.isalnum() or char == "_"
    return found == (kind == small)


def _atoms_of(node: Node) -> Iterator[Chars]:
    """The sets of characters in the order of the places, as a table numbers them."""
    if isinstance(node, Chars):
        yield node
    elif isinstance(node, Repeat):
        for _ in range(_copies(node)):
            yield from _atoms_of(node.item)
    elif not isinstance(node, Edge):
        for each in node.items if isinstance(node, Row) else node.options:
            yield from _atoms_of(each)


def _copies(node: Repeat) -> int:
    """How many times the item of a repeat is written out."""
    return max(node.least, 1 if node.most is None else node.most)


def _edges_of(node: Node) -> Iterator[str]:
    if isinstance(node, Edge):
        yield node.kind
    elif isinstance(node, Repeat):
        yield from _edges_of(node.item)
    elif not isinstance(node, Chars):
        for each in node.items if isinstance(node, Row) else node.options:
            yield from _edges_of(each)


def _needed_by(node: Node) -> str:
    """The longest text that is in every text that fits: it is cheaper to look for."""
    longest = run = ""
    for part in _in_turn(node):
        run = run + part.literal if isinstance(part, Chars) and part.literal else ""
        longest = max(longest, run, key=len)
    return longest


def _in_turn(node: Node) -> Iterator[Node]:
    if isinstance(node, Row):
        for each in node.items:
            yield from _in_turn(each)
    else:
        yield node
