"""How does a value of any kind stand in an error message: short, sendable, and without ever raising."""

from __future__ import annotations

import reprlib

from .limits import MAX_ERROR_CHARS


def shown(value: object) -> str:
    """A ``repr`` of at most a hundred characters.

    The value comes from the peer or from plugin code: it may be nested a thousand levels deep (where ``repr`` gives up
    with RecursionError), megabytes long, or have a ``__repr__`` that raises.
    """
    try:
        text = _REPR.repr(value)
    except ValueError:  # an integer of more digits than Python is willing to print
        return f"<{type(value).__name__}>"
    return text if len(text) <= _MAX_CHARS else text[: _MAX_CHARS - 1] + "…"


def sendable(text: str) -> str:
    """The text as it can always be sent: not too long, and lone surrogates, which UTF-8 does not have, escaped."""
    if len(text) > MAX_ERROR_CHARS:
        text = text[: MAX_ERROR_CHARS - 1] + "…"
    return text.encode("utf-8", "backslashreplace").decode()


class _ShortRepr(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxstring = self.maxother = 60

    def repr_bytes(self, value: bytes, level: int) -> str:
        return repr(value) if len(value) <= self.maxstring else f"{value[: self.maxstring]!r}…"


_MAX_CHARS = 100
_REPR = _ShortRepr()
