"""What does a runner report without being asked: log entries and what it is loading."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class LogEntry:
    timestamp_ms: int
    level: int
    """A number of the standard ``logging`` module."""
    logger_name: str
    message: str
    exception_text: str = ""
    log_color_in_hex: str | None = None


@attrs.frozen(kw_only=True)
class LogBatch:
    """``runner.log_batch``."""

    entries: list[LogEntry]


@attrs.frozen(kw_only=True)
class Loading:
    """``runner.loading``: sent before each step that a plugin could fail to come back from.

    It is on the socket before the step begins, so that the host can name the plugin when the runner dies in it.
    """

    plugin_id: str
    """"" once nothing is being loaded."""
    phase: str = ""
    """``import`` or ``on_load``."""


@attrs.frozen(kw_only=True)
class Extend:
    """``runner.extend``: loading takes longer than planned."""

    seconds: float
    """From now on."""
