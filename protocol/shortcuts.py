"""Which ways to be quick can a connection go without, so that it can be seen whether one of them is to blame?

With any of them, and without, a deployment does the same; only the clock can tell. This is the one place where they have
names: `without` of a shard lists those that it goes without, and its runner is told so.
"""

from __future__ import annotations

from enum import StrEnum


class Shortcut(StrEnum):
    """One of them; what each saves was measured once, alone, and is said where it is done."""

    SEGMENTS = "segments"
    """Neighbouring handlers of a shard are asked by one request."""
    GROUPS = "groups"
    """A list of handlers crosses the wire once, and is a number afterwards."""
    COMPACT = "compact"
    """Envelopes are lists without the names of their fields."""
    ORDERED = "ordered"
    """The runner keeps the order of a conversation, so that several of its calls are on their way."""
    STARTED = "started"
    """It is known which calls a runner has begun: those that it has not go to the next one when it dies."""
    BEATS = "beats"
    """A runner shows that its loop turns; without it only a deadline tells that it hangs."""
    BATCHES = "batches"
    """What one pass of the scheduler sends leaves in one write at its end."""
    FRAMES = "frames"
    """Usual frames have no envelope between their bytes and their meaning."""
    HERE = "here"
    """A runner makes the first step of a call in the task that has read it."""
    THREADS = "threads"
    """Threads for plain functions are kept, and are woken one after the other."""


BY_FEATURE = frozenset(
    {Shortcut.SEGMENTS, Shortcut.COMPACT, Shortcut.ORDERED, Shortcut.STARTED, Shortcut.BEATS}
)
"""Those that a runner has announced by its hello, as features of the same names: a host goes without one by not using it."""
