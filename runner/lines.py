"""How does a stream of bytes become lines, however it is cut and whoever wrote which part?"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LINE_BYTES = 8 * 1024
"""What is kept of one line. A longer one is cut: a plugin that prints a picture must not fill the log."""


class Lines:
    """Cuts one stream into lines and says whose each is.

    Args:
        emit: Called with the plugin's id ("" for nobody's) and the text of each line, without its line end.
    """

    def __init__(self, emit: Callable[[str, str], None]) -> None:
        self._emit = emit
        self._owner = ""
        self._rest = b""

    def feed(self, owner: str, data: bytes) -> None:
        """Take what ``owner`` wrote. What another one had begun and not ended becomes a line of its own."""
        if owner != self._owner:
            self.end()
            self._owner = owner
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()[: MAX_LINE_BYTES + 1]
        for line in lines:
            self._say(line)

    @property
    def is_open(self) -> bool:
        """Whether a line has begun and not ended."""
        return bool(self._rest)

    def end(self) -> None:
        """The owner has finished: what has no line end yet is a line too."""
        if self._rest:
            rest, self._rest = self._rest, b""
            self._say(rest)

    def _say(self, line: bytes) -> None:
        text = line[:MAX_LINE_BYTES].decode("utf-8", "replace").rstrip("\r")
        self._emit(self._owner, f"{text} […]" if len(line) > MAX_LINE_BYTES else text)
