"""Into which lines is a long reply cut, so that each arrives whole?

The server puts our own name before a line when it passes it on, and cuts what then exceeds 512 bytes, in the middle
of a character if need be. So the room for a text is what remains of 512 bytes after that prefix and the command.
"""

from __future__ import annotations

import re

from .errors import CannotSay
from .line import MAX_LINE

_LINE_ENDS = re.compile(r"\r\n|\r|\n")
# NUL cannot be sent; 0x01 would make a CTCP request of a text.
_UNSENDABLE = {0: None, 1: None}
_LONGEST_CHARACTER = 4  # bytes of UTF-8


def room_for(prefix: str, target: str, verb: str = "PRIVMSG") -> int:
    """How many bytes of text fit into one line.

    Args:
        prefix: ``nick!user@host`` as the server will write it before our line.

    Raises:
        CannotSay: The names are so long that not even one character fits.
    """
    around = f":{prefix} {verb} {target} :\r\n"
    room = MAX_LINE - len(around.encode("utf-8", "replace"))
    if room < _LONGEST_CHARACTER:
        raise CannotSay(f"the target {target!r:.80} leaves no room for a text in a line of {MAX_LINE} bytes")
    return room


def split_text(text: str, room: int) -> list[str]:
    """Cut a text into pieces of at most ``room`` bytes of UTF-8; line ends begin a new piece.

    Prefers to cut at a space, which is then left out; otherwise between two characters. Lines without anything to
    see are dropped, as IRC cannot send them. Lone surrogates become ``?``.

    Args:
        room: At least 4, the bytes of the longest character.
    """
    clean = text.encode("utf-8", "replace").decode("utf-8").translate(_UNSENDABLE)
    pieces: list[str] = []
    for line in _LINE_ENDS.split(clean):
        pieces.extend(piece for piece in _cut(line, room) if piece and not piece.isspace())
    return pieces


def _cut(line: str, room: int) -> list[str]:
    pieces: list[str] = []
    start = 0
    while start < len(line):
        # A character has at least one byte: what is beyond `room` characters need not be looked at.
        data = line[start : start + room].encode("utf-8")
        head = data[:room].decode(
            "utf-8", "ignore"
        )  # without the bytes of a character that fits only in part
        end = start + len(head)
        if end < len(line) and line[end] != " ":
            space = head.rfind(" ")
            # A space within the indentation is no place to cut: the piece before it would be empty.
            if head[: max(space, 0)].strip():
                end = start + space
        pieces.append(line[start:end])
        while end < len(line) and line[end] == " ":
            end += 1
        start = end
    return pieces
