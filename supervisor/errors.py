"""What can an operator have got wrong, and how is it told?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from rookery.protocol import RookeryError

if TYPE_CHECKING:
    from collections.abc import Iterable


@attrs.frozen(kw_only=True)
class Mistake:
    """One thing that somebody has to change, and what to change it to."""

    file: str
    """The file it is in, as people know it; "" when it is in no file."""
    key: str
    """Where in the file, e.g. `shard.games.max_inflight` or `line 3, column 7`; "" is the whole file."""
    given: str
    """What stands there: a value as it prints, or a phrase such as `an unknown key`."""
    expected: str = ""
    """What should stand there, a phrase; "" when `given` is a sentence that says it all."""
    advice: str = ""
    """The next thing to do; "" when that is plain."""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.explain()) if part)

    def explain(self) -> str:
        """One line without the file."""
        told = f"got {self.given}, expected {self.expected}" if self.expected else self.given
        text = "; ".join(part for part in (told, self.advice) if part)
        return f"{self.key}: {text}" if self.key else text


class ConfigError(RookeryError):
    """A configuration, or a plugin that it names, cannot be used.

    Not a `UsageError`: the change is to be made in a file, and there may be many at once.

    Attributes:
        mistakes: Everything that was found; never empty.
    """

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        lines = [str(mistake) for mistake in self.mistakes]
        many = [f"there are {len(lines)} mistakes:", *lines]
        super().__init__(lines[0] if len(lines) == 1 else "\n  - ".join(many))


class UsageError(RookeryError):
    """A command cannot do what it was asked to: an argument is wrong, or the world is not as it needs it.

    The message is one sentence that ends with what to do.
    """
