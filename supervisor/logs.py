"""Where does what plugins and runners write go: to ``logging`` and to the observers, under a name that is theirs.

A runner says which logger wrote a line; that is a claim. A name that belongs to a plugin of another shard is replaced
by the shard's own. A shard may write so much a second and then some at once; what is above that is dropped and counted,
so that one plugin's flood costs neither the host's loop nor the disk. A flood is told once, when it is over.
"""

from __future__ import annotations

import codecs
import logging
import re
from typing import TYPE_CHECKING, Any

import attrs
import trio

from rookery.protocol import Bucket, LogBatch, structure

from .limits import ShardLimits
from .observers import LogWritten, Observers

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LOGGER_CHARS = 200

MAX_ENTRY_BYTES = 64 * 1024
"""What is kept of one entry, however many lines it has: a message with its traceback."""

LINE_COST = 200
"""Bytes that a line counts beside its text: what a short one takes in a file, and of the host's time."""

MOST_AT_ONCE = 1000
"""Lines that are taken of one piece of output: twenty milliseconds of the host's time."""

MOST_ENTRIES = 400
"""Entries that are taken of one batch: twenty milliseconds as well, since each has several parts. Runners send half as many."""

MAX_SKEW = 60.0
"""Seconds by which a runner may say that an entry is older; a time that is further off is a claim that nobody believes."""

QUIET_TIME = 1.0
"""Seconds without a drop after which a flood is over."""

TELL_PERIOD = 10.0
"""Seconds after which a flood that does not end is told again."""

_PLUGIN_LOGGER = re.compile(r"(plugin\.|_maibot_plugin_)(.+)")
"""What plugins' loggers are called: by a plugin's context, and by the original loader for its modules."""
_NOT_IN_MODULES = re.compile(r"[^0-9A-Za-z_]")
"""What the original loader replaces with ``_`` when it makes a module's name of a plugin's id."""
_RUNNER_LOGGER = "rookery.runner"

_DECODER = codecs.getincrementaldecoder("utf-8")

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}
"""Codes that would colour, move or erase on the terminal of whoever reads the log."""


@attrs.define
class _Source:
    """What the sink knows of one shard."""

    limits: ShardLimits
    allowance: Bucket
    """Of bytes."""
    dropped: int = 0
    """Since it was told the last time."""
    dropped_ever: int = 0
    dropped_at: float = 0.0
    told_at: float = 0.0

    def drop(self, lines: int, now: float) -> None:
        if not self.dropped:
            self.told_at = now
        self.dropped += lines
        self.dropped_ever += lines
        self.dropped_at = now


class LogSink:
    """Takes everything that shards write.

    Args:
        limits: What a shard of this name may write; the defaults without it.
        clock: Seconds, for the rate; trio's clock by default.
        root: Below it the loggers of shards and plugins are named.
    """

    def __init__(
        self,
        observers: Observers,
        *,
        limits: Callable[[str], ShardLimits] = lambda _: ShardLimits(),
        clock: Callable[[], float] = trio.current_time,
        root: logging.Logger | None = None,
    ) -> None:
        self._observers = observers
        self._limits = limits
        self._clock = clock
        self._root = root or logging.getLogger("rookery")
        self._sources: dict[str, _Source] = {}

    def take_batch(self, shard: str, plugins: tuple[str, ...], payload: dict[str, Any]) -> None:
        """Write what a runner sent, as it came. Of a batch that is too long the rest is dropped before it is looked at.

        Raises:
            BadPayload: It is no batch.
        """
        entries = payload.get("entries")
        beyond = len(entries) - MOST_ENTRIES if type(entries) is list else 0
        if beyond > 0:
            payload = {**payload, "entries": entries[:MOST_ENTRIES]}  # type: ignore[index]  # a list, see above
            self._drop(shard, beyond)
        self.write_batch(shard, plugins, structure(payload, LogBatch))

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
            text = _clean(text, self._source_of(shard).limits.log_line_bytes)
            level = min(max(entry.level, 0), logging.CRITICAL)
            self._write(shard, author, level, text, logger, at=entry.timestamp_ms / 1000)

    def write_output(self, shard: str, plugin_id: str, output: bytes, *, level: int = logging.INFO) -> None:
        """Write raw output, line by line.

        Args:
            plugin_id: Whose it is; "" when only the shard is known.
        """
        source = self._source_of(shard)
        if source.allowance.wait(self._clock(), LINE_COST):  # not even for a short line
            self._drop(shard, output.count(b"\n") + 1)  # a flood must not cost what its lines would
            return
        logger = f"plugin.{plugin_id}" if plugin_id else f"shard.{shard}"
        lines = output.splitlines()
        for line in lines[:MOST_AT_ONCE]:
            if line.strip():
                self._write(shard, plugin_id, level, _text_of(line, source.limits.log_line_bytes), logger)
        self._drop(shard, len(lines) - MOST_AT_ONCE)

    def tell_drops(self) -> None:
        """Say of each flood that is over, or lasts, how much of it was dropped. To be called once a second."""
        now = self._clock()
        for shard, source in self._sources.items():
            if now >= min(source.dropped_at + QUIET_TIME, source.told_at + TELL_PERIOD):
                self._tell_dropped(shard, source, now)

    def end(self, shard: str) -> None:
        """The shard's runner is gone: say now what was dropped of it."""
        source = self._sources.get(shard)
        if source is not None:
            self._tell_dropped(shard, source, self._clock())

    def dropped_of(self, shard: str) -> int:
        """Lines of the shard that were dropped since the host's start."""
        source = self._sources.get(shard)
        return 0 if source is None else source.dropped_ever

    def _source_of(self, shard: str) -> _Source:
        source = self._sources.get(shard)
        if source is None:
            limits = self._limits(shard)
            allowance = Bucket.full(limits.log_rate, limits.log_burst, self._clock())
            source = self._sources[shard] = _Source(limits, allowance)
        return source

    def _write(
        self, shard: str, plugin_id: str, level: int, text: str, logger: str, *, at: float | None = None
    ) -> None:
        now, source = self._clock(), self._source_of(shard)
        if source.allowance.take(now, _size(text) + LINE_COST):
            source.drop(1, now)
            return
        self._emit(shard, plugin_id, level, text, _clean(logger[:MAX_LOGGER_CHARS], MAX_ENTRY_BYTES), at=at)

    def _drop(self, shard: str, lines: int) -> None:
        if lines > 0:
            self._source_of(shard).drop(lines, self._clock())

    def _tell_dropped(self, shard: str, source: _Source, now: float) -> None:
        if source.dropped:
            lines = "1 line" if source.dropped == 1 else f"{source.dropped} lines"
            text = f"{lines} of shard {shard!r} dropped: it writes too much at once, see limits.log_rate and log_burst"
            source.dropped = 0
            source.told_at = now
            self._emit(shard, "", logging.WARNING, text, f"shard.{shard}")

    def _emit(
        self, shard: str, plugin_id: str, level: int, text: str, logger: str, *, at: float | None = None
    ) -> None:
        if self._root.isEnabledFor(level):
            # Not a logger for each name: names come from runners, and a logger is never freed.
            name = f"{self._root.name}.{logger}"
            record = self._root.makeRecord(name, level, f"<shard {shard}>", 0, text, (), None)
            if at is not None and abs(at - record.created) <= MAX_SKEW:
                record.created, record.msecs = at, at % 1 * 1000
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


def _clean(text: str, line_bytes: int) -> str:
    """Bounded, and nothing in it that a terminal would obey."""
    if len(text) > MAX_ENTRY_BYTES:
        text = f"{text[:MAX_ENTRY_BYTES]}… ({len(text)} characters)"
    if len(text) > line_bytes // 4:  # no character takes more than four bytes
        text = "\n".join(_cut(line, line_bytes) for line in text.split("\n"))
    return text.translate(_CONTROL)


def _text_of(line: bytes, line_bytes: int) -> str:
    """A line of raw output: what is no UTF-8 is told as bytes. Cut first: what is not shown is not decoded either."""
    text = _DECODER("backslashreplace").decode(line[:line_bytes], final=len(line) <= line_bytes)
    clean = text.translate(_CONTROL)
    if len(line) <= line_bytes and len(clean) <= line_bytes:
        return clean
    return f"{clean[:line_bytes]}… ({len(line)} bytes)"


def _cut(line: str, line_bytes: int) -> str:
    size = _size(line)
    if size <= line_bytes:
        return line
    kept = line[:line_bytes].encode("utf-8", "backslashreplace")[:line_bytes]
    return f"{kept.decode('utf-8', 'ignore')}… ({size} bytes)"


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "backslashreplace"))
