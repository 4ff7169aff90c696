"""Who of those with one key came first?

Events and hooks of one conversation go from handler to handler, one behind the other. One that asked several handlers at
once could pass another that goes back to the host between two of them; so only the first does that.
"""

from __future__ import annotations


class Precedence:
    """Those that are on their way, by key, in the order in which they came."""

    def __init__(self) -> None:
        self._lines: dict[str, dict[object, None]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nobody is on their way."""
        return not self._lines

    def enter(self, key: str | None, who: object) -> None:
        """It comes behind all others with this key; with ``None`` behind nobody."""
        if key is not None:
            self._lines.setdefault(key, {})[who] = None

    def leave(self, key: str | None, who: object) -> None:
        """It has arrived, or was given up; harmless when it was not on its way."""
        line = self._lines.get(key) if key is not None else None
        if line is not None:
            line.pop(who, None)
            if not line:
                del self._lines[key]  # type: ignore[arg-type]  # no line has the key None

    def is_first(self, key: str | None, who: object) -> bool:
        """Whether nobody with this key is before it."""
        line = self._lines.get(key) if key is not None else None
        return not line or next(iter(line)) is who
