"""What did somebody mean who wrote a word that is not known?"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_WORK = 400_000
"""Pairs of characters that are compared. The words may come from a plugin, the known ones too, and it costs the host's time:
ten milliseconds."""

MOST_LISTED = 12
"""Words that a message lists; nobody reads more."""


def suggest(word: str, known: Iterable[str]) -> str:
    """Advice for a message: `did you mean 'shards'?`; "" when nothing is like it, or there is too much to compare."""
    words = list(known)
    if len(word) * sum(map(len, words)) > MOST_WORK:
        return ""
    close = difflib.get_close_matches(word, words, n=1)
    return f"did you mean {close[0]!r}?" if close else ""


def one_of(known: Iterable[str]) -> str:
    """An expectation for a message: `one of 'a', 'b'`, shortened when there are many."""
    words = [repr(word) for word in sorted(known)]
    if not words:
        return "nothing, there are none"
    listed = ", ".join(words[:MOST_LISTED])
    more = len(words) - MOST_LISTED
    return (f"one of {listed}" if len(words) > 1 else listed) + (f" or {more} more" if more > 0 else "")
