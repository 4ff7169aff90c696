"""What did a runner die of, by all that was found?"""

from __future__ import annotations

import attrs

from .exit_report import ExitKind
from .hang import HangClass

SIGKILL = 9
SIGTERM = 15

NEARLY = 0.9
"""The part of ``rss_hard`` from which on a kill by somebody else is taken for the kernel's."""


@attrs.frozen
class Sentence:
    """Why the host kills a runner."""

    kind: ExitKind
    reason: str
    hang: HangClass | None = None


@attrs.frozen(kw_only=True)
class Findings:
    """What is known when the process has been reaped."""

    planned: bool
    sentence: Sentence | None
    """Why the host killed it; None when it did not, or had planned the end."""
    status: int | None
    """The exit code, or minus the signal's number; None while the process is not dead."""
    was_signalled: bool
    """Whether the host had sent it a signal that ends it."""
    rss: int = 0
    """Resident memory when it was last looked at, in bytes; 0 where it is not known."""
    rss_hard: int = 0
    """Its limit; 0 for none."""
    oom_killed: bool = False
    """Whether the kernel says that it killed it for memory."""


def decide_cause(found: Findings) -> tuple[ExitKind, str]:
    """The kind of the end, and the reason or a remark. The host's own word comes first, then the kernel's."""
    if found.planned:
        return ExitKind.STOPPED, ""
    if found.sentence is not None:
        return found.sentence.kind, found.sentence.reason
    if found.oom_killed:
        return ExitKind.OUT_OF_MEMORY, "the kernel killed it"
    if found.was_signalled and found.status in (None, -SIGKILL, -SIGTERM):
        # A stop that the host had not planned before the end of the connection, and that came before its own word on that.
        return ExitKind.STUCK, "it closed its connection and did not end"
    if found.status is None or found.status >= 0:
        return ExitKind.EXITED, ""
    if found.status == -SIGKILL:
        if found.rss_hard and found.rss >= NEARLY * found.rss_hard:
            return ExitKind.OUT_OF_MEMORY, f"the host had not sent the signal, and rss was {_percent(found)}"
        return ExitKind.SIGNAL, "not sent by the host; out of memory?"
    return ExitKind.SIGNAL, ""


def _percent(found: Findings) -> str:
    return f"{100 * found.rss / found.rss_hard:.0f} % of rss_hard"
