"""What may a forked child of this runner do? Its own work, and nothing in the runner's name.

A fork copies everything: the socket to the host, what waits to be sent, the loop. One byte from the child would garble the
stream, and a child that comes back from the plugin's code would be a second runner that answers the same calls. A child
that executes a program or runs a function of its own (``subprocess``, ``multiprocessing``) is right and stays: it prints
and logs to the standard streams, and ends as it likes. One that comes back ends there and then.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .last_words import say_last_words
from .leave import INTERNAL_ERROR, leave_at_once

if TYPE_CHECKING:
    from collections.abc import Callable


class Forks:
    """Knows whether this process is a fork of the runner. There is one, ``FORKS``, as there is one hook of the system."""

    def __init__(self) -> None:
        self.is_child = False

    def watch(self, on_child: Callable[[], None]) -> None:
        """From now on forks are noticed, for good.

        Args:
            on_child: Called in the child before anything else of it: to let go of what is the parent's.
        """

        def note() -> None:
            self.is_child = True
            on_child()

        os.register_at_fork(after_in_child=note)

    def end_child(self) -> None:
        """Called where code of a plugin has come back to the runner's: in a child that is the end."""
        if self.is_child:
            say_last_words(
                "rookery.runner: a forked child came back from the plugin's code and was ended; end it with os._exit()"
                " in the plugin, or use multiprocessing or subprocess\n"
            )
            leave_at_once(INTERNAL_ERROR)


FORKS = Forks()
"""Of this process, as its signal handlers are."""
