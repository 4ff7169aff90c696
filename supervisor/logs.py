"""Where does what plugins and runners write go: to ``logging`` and to the observers, under a name that is theirs.

A runner says which logger wrote a line; that is a claim. A name that belongs to a plugin of another shard is replaced
by the shard's own. A shard may write so much a second and then some at once; what is above that is dropped and counted,
so that one plugin's flood costs neither the host's loop nor the disk.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import attrs
import trio

from .observers import LogWritten, Observers

if TYPE_CHECKING:
    from collections.abc import Callable

    from rookery.protocol import LogBatch

MAX_LINE_CHARS = 8192
"""A longer line is cut; nobody reads on."""
MAX_LOGGER_CHARS = 200
LOG_RATE = 1024 * 1024
"""Characters a second that a shard may write in the long run."""
LOG_BURST = 4 * 1024 * 1024
"""Characters that it may write at once after a quiet time."""

_PLUGIN_LOGGER = re.compile(r"(plugin\.|_maibot_plugin_)(.+)")
"""What plugins' loggers are called: by a plugin's context, and by the original loader for its modules."""
_NOT_IN_MODULES = re.compile(r"[^0-9A-Za-z_]")
"""What the original loader replaces with ``_`` when it makes a module's name of a plugin's id."""
_RUNNER_LOGGER = "rookery.runner"

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}
"""Codes that would colour, move or erase on the terminal of whoever reads the log."""


@attrs.define
class Allowance:
    """A bucket of characters that fills with time."""

    rate: float
    burst: float
    left: float
    at: float
    """The time of the last look, seconds."""

    def take(self, size: int, now: float) -> bool:
        """Whether so much may be written now; if so, it counts as written."""
        self.left = min(self.burst, self.left + (now - self.at) * self.rate)
        self.at = now
        if size > self.left:
            return False
        self.left -= size
        return True


@attrs.define
class _Source:
    """What the sink knows of one shard."""

    allowance: Allowance
    dropped: int = 0


class LogSink:
    """Takes everything that shards write.

    Args:
        clock: Seconds, for the rate; trio's clock by default.
        root: Below it the loggers of shards and plugins are named.
    """

    def __init__(
        self,
        observers: Observers,
        *,
        clock: Callable[[], float] = trio.current_time,
        root: logging.Logger | None = None,
    ) -> None:
        self._observers = observers
        self._clock = clock
        self._root = root or logging.getLogger("rookery")
        self._sources: dict[str, _Source] = {}

    def write_batch(self, shard: str, plugins: tuple[str, ...], batch: LogBatch) -> None:
        """Write what a runner sent.

        Args:
            plugins: Those of the shard; only they can be authors.
        """
        for entry in batch.entries:
            author, logger = _attribute(entry.logger_name, shard, plugins)
            text = entry.message
            # The original runner's message has the traceback in it already.
            if entry.exception_text and entry.exception_text not in text:
                text = f"{text}\n{entry.exception_text}"
            self._write(shard, author, min(max(entry.level, 0), logging.CRITICAL), text, logger)

    def write_output(self, shard: str, plugin_id: str, output: bytes, *, level: int = logging.INFO) -> None:
        """Write raw output, line by line.

        Args:
            plugin_id: Whose it is; "" when only the shard is known.
        """
        logger = f"plugin.{plugin_id}" if plugin_id else f"shard.{shard}"
        for line in output.decode("utf-8", "replace").splitlines():
            if line.strip():
                self._write(shard, plugin_id, level, line, logger)

    def end(self, shard: str) -> None:
        """The shard's runner is gone: say now what was dropped of it."""
        source = self._sources.get(shard)
        if source is not None:
            self._tell_dropped(shard, source)

    def _write(self, shard: str, plugin_id: str, level: int, text: str, logger: str) -> None:
        now = self._clock()
        source = self._sources.get(shard)
        if source is None:
            source = self._sources[shard] = _Source(Allowance(LOG_RATE, LOG_BURST, LOG_BURST, now))
        if not source.allowance.take(len(text) + len(logger), now):
            source.dropped += 1
            return
        self._tell_dropped(shard, source)
        self._emit(shard, plugin_id, level, _clean(text), _clean(logger)[:MAX_LOGGER_CHARS])

    def _tell_dropped(self, shard: str, source: _Source) -> None:
        if source.dropped:
            text = f"{source.dropped} lines of shard {shard!r} were dropped: it writes more than {LOG_RATE >> 20} MiB a second"
            source.dropped = 0
            self._emit(shard, "", logging.WARNING, text, f"shard.{shard}")

    def _emit(self, shard: str, plugin_id: str, level: int, text: str, logger: str) -> None:
        if self._root.isEnabledFor(level):
            # Not a logger for each name: names come from runners, and a logger is never freed.
            name = f"{self._root.name}.{logger}"
            record = self._root.makeRecord(name, level, f"<shard {shard}>", 0, text, (), None)
            self._root.handle(record)
        self._observers.notify(
            LogWritten(shard=shard, plugin_id=plugin_id, level=level, text=text, logger=logger)
        )


def _attribute(claimed: str, shard: str, plugins: tuple[str, ...]) -> tuple[str, str]:
    """The author ("" for none but the shard) and the name of the logger that a claimed name stands for."""
    match = _PLUGIN_LOGGER.fullmatch(claimed)
    if match is None:
        # Below the shard's name: a runner cannot speak in the name of the host.
        return "", f"shard.{shard}" if claimed == _RUNNER_LOGGER else f"shard.{shard}.{claimed}"
    prefix, rest = match.groups()
    owners = []
    for plugin in plugins:
        name = plugin if prefix == "plugin." else _NOT_IN_MODULES.sub("_", plugin)
        if rest == name or rest.startswith(f"{name}."):
            owners.append(plugin)
    if not owners:
        return "", f"shard.{shard}"
    return max(owners, key=len), claimed  # the longest: an id may be the beginning of another's


def _clean(text: str) -> str:
    lines = [
        line if len(line) <= MAX_LINE_CHARS else f"{line[:MAX_LINE_CHARS]}… ({len(line)} characters)"
        for line in text.split("\n")
    ]
    return "\n".join(lines).translate(_CONTROL)
