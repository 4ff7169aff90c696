"""What was allowed, what was denied, and who was stopped: one line for each, in a file that only grows and rotates.

A plugin that asks a thousand times a second for what it may not have must neither fill the disk nor drive older lines out of
the record. So a line that has just been written is counted while it repeats, and the count is written a minute later.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs
import trio

from .exit_report import ExitKind
from .log_file import LogFile
from .observers import (
    CapabilitiesApproved,
    CapabilitiesGranted,
    CapabilitiesHeld,
    CapabilitiesRevoked,
    CapabilityDenied,
    ComponentsWithheld,
    PluginIsolated,
    PluginManaged,
    PluginQuarantined,
    PluginReleased,
    RunnerDied,
    RunnerLost,
    SecurityViolation,
    ShardMoved,
)
from .state_directory import AUDIT_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_LOG = logging.getLogger("rookery.audit")

WINDOW = 60.0
"""Seconds in which the same line is written once."""

MOST_SUBJECTS = 50
"""Different lines of one kind that a shard gets in a window; what is beyond is counted together."""

MAX_FILE_BYTES = 4 * 1024 * 1024
KEPT_FILES = 8
"""Older files beside the current one."""

MAX_CHARS = 500
"""Of a text in a line: parts of it come from plugins."""

Entry = dict[str, Any]


@attrs.define
class _Repeated:
    entry: Entry
    since: float
    """On trio's clock."""
    count: int = 0
    """How often it came again."""


class Audit:
    """An observer that writes down what concerns authorization.

    Args:
        write: Takes one line at a time and never waits for the disk.
        clock: Unix seconds.
    """

    def __init__(self, write: Callable[[str], object], clock: Callable[[], float] = time.time) -> None:
        self._write_line = write
        self._clock = clock
        self._seen: dict[tuple[str, str, str, str], _Repeated] = {}
        self._subjects: Counter[tuple[str, str]] = Counter()
        """How many of them there are of one kind and shard."""
        self._incarnations: dict[str, int] = {}
        self._accused: dict[str, int] = {}
        """Of each shard the last incarnation whose violation stands in the record."""
        self._work = trio.Event()

    def note(self, record: object) -> None:
        """An observer of the host's."""
        if isinstance(record, ShardMoved):
            self._incarnations[record.shard] = record.incarnation
            return
        if isinstance(record, SecurityViolation):
            self._accused[record.shard] = record.incarnation
        elif isinstance(record, RunnerDied) and self._is_news(record):
            self._note_read(_broke(record))
        read = _READERS.get(type(record))
        if read is not None:
            self._note_read(read(record))

    def _is_news(self, record: RunnerDied) -> bool:
        """Whether a runner ended for a violation that nobody has told yet: frames that are none, answers to nobody."""
        report = record.report
        accused = self._accused.pop(report.shard, None)
        return report.kind is ExitKind.PROTOCOL and not report.planned and accused != report.incarnation

    def _note_read(self, entry: Entry) -> None:
        entry.setdefault("incarnation", self._incarnations.get(entry["shard"]))
        self._note_entry({name: _cut(value) for name, value in entry.items()})

    async def run(self) -> None:
        """Write the counts of what repeated, until cancelled; then those that are left."""
        try:
            while True:
                if self._seen:
                    await trio.sleep(WINDOW)
                    self._forget(trio.current_time() - WINDOW)
                else:
                    # No timer while there is nothing to count.
                    self._work = trio.Event()
                    await self._work.wait()
        finally:
            self._forget(float("inf"))

    def _note_entry(self, entry: Entry) -> None:
        now = trio.current_time()
        key = (entry["what"], entry["shard"], entry["plugin"], entry["reason"])
        if key not in self._seen and self._is_crowded(entry):
            key = (entry["what"], entry["shard"], "", "")
        before = self._seen.get(key)
        if before is not None and now - before.since < WINDOW:
            before.count += 1
            before.entry = entry
            return
        if before is not None:
            self._write_count(before)
        else:
            self._subjects[key[:2]] += 1
        if not self._seen:
            self._work.set()
        self._seen[key] = _Repeated(entry, now)
        self._write(entry)

    def _is_crowded(self, entry: Entry) -> bool:
        return self._subjects[entry["what"], entry["shard"]] >= MOST_SUBJECTS

    def _forget(self, before: float) -> None:
        for key in [key for key, repeated in self._seen.items() if repeated.since <= before]:
            self._write_count(self._seen.pop(key))
            self._subjects[key[:2]] -= 1

    def _write_count(self, repeated: _Repeated) -> None:
        if repeated.count:
            self._write({**repeated.entry, "repeated": repeated.count})

    def _write(self, entry: Entry) -> None:
        self._write_line(json.dumps({"time": round(self._clock(), 3), **entry}) + "\n")


@contextmanager
def open_audit(state_dir: Path) -> Iterator[Audit]:
    """The audit record of a state directory, open for as long as the block runs."""
    path = state_dir / AUDIT_FILE

    def tell(reason: str) -> None:
        if reason:
            _LOG.error("the audit record %s cannot be written: %s; lines wait in memory", path, reason)
        else:
            _LOG.warning("the audit record %s is written again", path)

    file = LogFile(path, tell, max_bytes=MAX_FILE_BYTES, kept=KEPT_FILES)
    try:
        yield Audit(file.write)
    finally:
        file.close()


def append_to_audit(state_dir: Path, record: object) -> None:
    """Write down what was decided while no host runs. The caller owns the state directory.

    Raises:
        OSError: It cannot be written.
    """
    entry = {name: _cut(value) for name, value in _READERS[type(record)](record).items()}
    with (state_dir / AUDIT_FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"time": round(time.time(), 3), **entry}) + "\n")


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= MAX_CHARS else f"{value[: MAX_CHARS - 1]}…"
    if isinstance(value, tuple):
        return [_cut(each) for each in value]
    return value


# --- from records to lines ---------------------------------------------------------------------------------------------


def _entry(what: str, shard: str, plugin: str, reason: str, **more: Any) -> Entry:
    return {"what": what, "shard": shard, "plugin": plugin, "reason": reason, **more}


def _granted(record: CapabilitiesGranted) -> Entry:
    may = f"may use {', '.join(record.capabilities) or 'nothing'}"
    reason = f"{may}; withheld: {', '.join(record.withheld)}" if record.withheld else may
    return _entry(
        "granted",
        record.shard,
        record.plugin_id,
        reason,
        incarnation=record.incarnation,
        capabilities=record.capabilities,
        withheld=record.withheld,
    )


def _revoked(record: CapabilitiesRevoked) -> Entry:
    return _entry("revoked", record.shard, record.plugin_id, record.reason, incarnation=record.incarnation)


def _denied(record: CapabilityDenied) -> Entry:
    return _entry("denied", record.shard, record.plugin_id, record.reason, capability=record.capability)


def _held(record: CapabilitiesHeld) -> Entry:
    names = ", ".join(record.capabilities)
    reason = f"it asks for more than was approved: {names}; `rookery grants approve {record.plugin_id}`"
    return _entry("held", record.shard, record.plugin_id, reason, capabilities=record.capabilities)


def _approved(record: CapabilitiesApproved) -> Entry:
    reason = f"an operator lets it ask for {', '.join(record.capabilities)}"
    return _entry("approved", record.shard, record.plugin_id, reason, capabilities=record.capabilities)


def _withheld(record: ComponentsWithheld) -> Entry:
    reason = f"not used: {', '.join(record.components)}; {record.reason}"
    return _entry(
        "withheld",
        record.shard,
        record.plugin_id,
        reason,
        incarnation=record.incarnation,
        capability=record.capability,
    )


def _violation(record: SecurityViolation) -> Entry:
    return _entry("violation", record.shard, record.plugin_id, record.claim, incarnation=record.incarnation)


def _broke(record: RunnerDied) -> Entry:
    report = record.report
    return _entry("violation", report.shard, _whose(record), report.reason, incarnation=report.incarnation)


def _whose(record: RunnerDied) -> str:
    """The plugin that is to blame, else the one whose code ran, else the only one; "" when nobody knows."""
    report = record.report
    running = report.running
    ran = report.loading if running is None else running.plugin_id
    return record.culprit or ran or (report.plugins[0] if len(report.plugins) == 1 else "")


def _died(record: RunnerDied) -> Entry:
    report = record.report
    what = "stopped" if report.planned else "killed" if report.sent_signal else "died"
    return _entry(
        what,
        report.shard,
        record.culprit if report.planned else _whose(record),
        report.describe(),
        incarnation=report.incarnation,
        pid=report.pid,
        kind=report.kind.value,
    )


def _lost(record: RunnerLost) -> Entry:
    return _entry("killed", record.shard, "", "the kernel keeps its process", pid=record.pid)


def _isolated(record: PluginIsolated) -> Entry:
    reason = f'moved into shard "{record.to_shard}": {record.reason}'
    return _entry("isolated", record.shard, record.plugin_id, reason)


def _quarantined(record: PluginQuarantined) -> Entry:
    reason = f"for {record.seconds:g} s: {record.reason}"
    return _entry("quarantined", record.shard, record.plugin_id, reason)


def _released(record: PluginReleased) -> Entry:
    return _entry("released", record.shard, record.plugin_id, "its quarantine is over")


def _managed(record: PluginManaged) -> Entry:
    return _entry("managed", record.shard, record.plugin_id, record.change, target=record.target)


_READERS: Mapping[type, Callable[[Any], Entry]] = {
    CapabilitiesGranted: _granted,
    CapabilitiesRevoked: _revoked,
    CapabilitiesHeld: _held,
    CapabilitiesApproved: _approved,
    CapabilityDenied: _denied,
    ComponentsWithheld: _withheld,
    SecurityViolation: _violation,
    RunnerDied: _died,
    RunnerLost: _lost,
    PluginIsolated: _isolated,
    PluginQuarantined: _quarantined,
    PluginReleased: _released,
    PluginManaged: _managed,
}
