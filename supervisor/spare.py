"""How does a host that has no free descriptor left still do what must be done: find a process, write a line?

It holds two for nothing, and gives them up for a moment.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT = 2
"""One for a directory that is listed, one for a file in it; or for a log file that is opened."""

NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})
"""What the system says then: this process has too many open, or all of them together."""


class SpareDescriptors:
    """Descriptors that are held so that they can be missed."""

    def __init__(self) -> None:
        self._held: list[int] = []

    def __repr__(self) -> str:
        return f"<SpareDescriptors, {len(self._held)} held>"

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Let the block have them. They are taken again afterwards, as far as they can be had."""
        self.close()
        try:
            yield
        finally:
            self.take()

    def take(self) -> None:
        """Hold them; what cannot be had now is taken the next time."""
        try:
            while len(self._held) < COUNT:
                self._held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            pass

    def close(self) -> None:
        while self._held:
            os.close(self._held.pop())


@contextmanager
def hold_spare_descriptors() -> Iterator[SpareDescriptors]:
    """Hold some for as long as the block runs."""
    spare = SpareDescriptors()
    spare.take()
    try:
        yield spare
    finally:
        spare.close()
