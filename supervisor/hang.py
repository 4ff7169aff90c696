"""In which ways can a runner that lives not work, and how is that told?"""

from __future__ import annotations

from enum import Enum


class HangClass(Enum):
    """What a silent runner does, as far as it can be seen from outside. Measured with each kind of plugin code: the pair of
    beats and the kernel's state of the process tell these apart."""

    BLOCKED = "blocked"
    """The loop waits inside of one call: a sleep, a lock, IO."""
    BUSY = "busy"
    """The loop computes and other threads still run: Python code without an end."""
    LOCKED = "holding the interpreter"
    """Not even another thread runs: one long call of C code, such as a regular expression."""
    STOPPED = "stopped"
    """A signal or a debugger stopped the process."""
    KERNEL = "in the kernel"
    """It waits uninterruptibly, as a rule for a disk or a network file system."""
    UNREAD = "not reading"
    """The loop beats, and what the host sends is not taken."""

    @property
    def explanation(self) -> str:
        """What it means, for a line that names the runner."""
        return _EXPLANATIONS[self]


_EXPLANATIONS = {
    HangClass.BLOCKED: "its loop is blocked: plugin code sleeps, waits for a lock or does blocking IO",
    HangClass.BUSY: "its loop is busy: plugin code computes without a pause",
    HangClass.LOCKED: "its interpreter is held: plugin code is inside one long call of C code",
    HangClass.STOPPED: "the process is stopped",
    HangClass.KERNEL: "the kernel keeps the process in an uninterruptible wait",
    HangClass.UNREAD: "it does not read what it is sent",
}


def classify_hang(state: str, *, thread_beats: bool) -> HangClass:
    """The class of a runner whose loop does not beat.

    Args:
        state: The letter of its state in ``/proc``; "" where it is not known.
        thread_beats: Whether the beats of its thread go on.
    """
    if state in ("T", "t"):
        return HangClass.STOPPED
    if state == "D":
        return HangClass.KERNEL
    if not thread_beats:
        return HangClass.LOCKED
    return HangClass.BUSY if state == "R" else HangClass.BLOCKED
