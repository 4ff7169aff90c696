"""What does a person read when something happened: a line for each record of the observers.

What the host says goes through `logging`, so that the terminal and the log file tell the same. What shards write is in
the file already, see `logs.py`; the terminal gets their warnings, one line each, but not the tracebacks of a runner that
cannot even start. What ends well within a second is one line on the terminal: the death names when the runner is due,
and only a longer absence is worth a second line.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import attrs

from ..exit_report import ExitKind
from ..host_log import SHOWN, one_line
from ..observers import (
    CapabilitiesHeld,
    ComponentsWithheld,
    EnvironmentIncident,
    Escalated,
    EventDeadLettered,
    GatewayReported,
    GroupRestarted,
    LogWritten,
    MessageLost,
    PluginIsolated,
    PluginNotLoaded,
    PluginQuarantined,
    PluginReleased,
    PluginReloaded,
    PluginReloadFailed,
    RunnerBack,
    RunnerDied,
    RunnerLost,
    RunnerRecovered,
    RunnerSuspect,
    SecurityViolation,
    ShardMoved,
)
from ..shard_state import ShardState
from .durations import seconds

if TYPE_CHECKING:
    from ..host_log import Show

LONG_ABSENCE = 1.0
"""Seconds after which a runner's return is told on the terminal."""

WORKING = frozenset({ShardState.READY, ShardState.SUSPECT, ShardState.DRAINING})

MAX_NAMED = 3
"""Plugins that a line names."""

MAX_HELD = 50
"""Warnings of one loading shard that wait for its being ready."""


@attrs.frozen(kw_only=True)
class Line:
    """What is told, how grave it is, and whose it is."""

    text: str
    level: int = logging.INFO
    logger: str = "rookery.shards"
    shown: bool = False
    """On the terminal although it is no warning."""


def line_of(record: object) -> Line | None:
    """The line for a record; ``None`` for what is not worth one."""
    match record:
        case RunnerDied():
            return _death(record)
        case RunnerBack(shard=shard, after=after):
            if after is None:
                return Line(text=f'shard "{shard}" is ready (pid {record.pid})')
            text = f'shard "{shard}" is back after {seconds(after)} (pid {record.pid})'
            return Line(text=text, shown=after > LONG_ABSENCE)
        case PluginNotLoaded():
            return _not_loaded(record)
        case SecurityViolation(shard=shard, claim=claim):
            return Line(text=f'shard "{shard}" claimed what is not its own: {claim}', level=logging.ERROR)
        case GatewayReported(plugin_id=plugin_id, ready=ready, account_id=account):
            state = "ready" if ready else "not ready"
            return Line(
                text=f"{plugin_id} is {state} ({account})", level=logging.DEBUG, logger="rookery.gateways"
            )
        case RunnerSuspect(shard=shard, incarnation=number, reason=reason, place=place):
            where = f"; {place}" if place is not None else ""
            text = f'shard "{shard}" #{number} does not answer: {reason}{where}; what comes for it waits'
            return Line(text=text, level=logging.WARNING)
        case RunnerRecovered(shard=shard):
            return Line(text=f'shard "{shard}" answers again', shown=True)
        case ShardMoved(shard=shard, old=old, new=new, reason=reason):
            told = f" ({reason})" if reason else ""
            by = f"{record.transition}, " if record.transition else ""
            return Line(text=f'shard "{shard}": {by}{old.name} to {new.name}{told}', level=logging.DEBUG)
        case MessageLost():
            # For the file: the death that lost many calls is one line on the terminal.
            text = f"lost: {record.component} for message {record.message_id} in {record.session_id}: {record.reason}"
            return Line(text=text, logger="rookery.traffic")
    return _verdict(record)


def _verdict(record: object) -> Line | None:
    """What was decided about plugins, events and groups."""
    text, level = "", logging.WARNING
    match record:
        case RunnerLost(shard=shard, pid=pid):
            text = f'shard "{shard}": the kernel does not let process {pid} go, although it was killed; it goes on without it'
            level = logging.ERROR
        case PluginIsolated(plugin_id=plugin, shard=shard, to_shard=own, reason=reason):
            text = (
                f'plugin {plugin} is moved out of shard "{shard}" into "{own}", a shard of its own: {reason}'
            )
        case PluginQuarantined(plugin_id=plugin, seconds=length, reason=reason):
            text = f"plugin {plugin} is in quarantine for {seconds(length)}: {reason}; `rookery release {plugin}` ends that"
        case PluginReleased(plugin_id=plugin):
            return Line(text=f"plugin {plugin} gets another chance", shown=True)
        case PluginReloaded(plugin_id=plugin, version=version):
            return Line(text=f"plugin {plugin} runs its newer code, version {version}", shown=True)
        case PluginReloadFailed(plugin_id=plugin, error=error):
            text = f"plugin {plugin} was not reloaded: {error}"
        case CapabilitiesHeld(plugin_id=plugin, capabilities=names):
            told = ", ".join(names[:MAX_NAMED])
            text = f"plugin {plugin} asks for more than was approved: {told}; `rookery grants approve {plugin}` lets it"
        case ComponentsWithheld(plugin_id=plugin, components=names, reason=reason):
            text = f"plugin {plugin} offers {', '.join(names[:MAX_NAMED])}, which is not used: {reason}"
        case EventDeadLettered(event_id=event, plugins=plugins, reason=reason):
            named = ", ".join(plugins[:MAX_NAMED])
            text = f"event {event} is shown to nobody any more: {reason} ({named}); see `rookery events dead`"
        case EnvironmentIncident(reason=reason):
            text = (
                f"no plugin is blamed: {reason}, so it is the machine or the deployment; they wait a little"
            )
        case GroupRestarted(group=group, reason=reason):
            text = f'group "{group}" is restarted: {reason}'
        case Escalated(reason=reason):
            text, level = f"the host ends: {reason}", logging.ERROR
        case _:
            return None
    return Line(text=text, level=level)


class Teller:
    """An observer that tells everything to the log, and to the terminal what shards warn of."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._states: dict[str, ShardState] = {}
        self._held: dict[str, list[LogWritten]] = {}
        self._not_loaded: dict[str, str] = {}

    def __call__(self, record: object) -> None:
        line = line_of(record)
        match record:
            case LogWritten():
                self._take_written(record)
            case ShardMoved():
                self._take_move(record)
            case PluginNotLoaded() if line is not None:
                line = self._not_loaded_again(record, line)
        if line is not None:
            extra = SHOWN if line.shown else None
            logging.getLogger(line.logger).log(line.level, "%s", line.text, extra=extra)

    def _take_written(self, record: LogWritten) -> None:
        """Show a warning of a shard that works; keep that of one that loads until it is known how that ends."""
        if record.level < logging.WARNING:
            return
        state = self._states.get(record.shard)
        if state in WORKING:
            self._show_written(record)
        elif state is ShardState.LOADING and record.plugin_id:
            held = self._held.setdefault(record.shard, [])
            if len(held) < MAX_HELD:
                held.append(record)

    def _take_move(self, record: ShardMoved) -> None:
        self._states[record.shard] = record.new
        if record.new is ShardState.READY:
            for each in self._held.pop(record.shard, ()):
                self._show_written(each)
        elif record.new not in WORKING:
            self._held.pop(record.shard, None)  # the line of its death has the gist

    def _not_loaded_again(self, record: PluginNotLoaded, line: Line) -> Line:
        """What a plugin wrote of its failure is the same again, and so is the failure at the next attempt."""
        held = self._held.get(record.shard, [])
        held[:] = [
            each for each in held if each.plugin_id != record.plugin_id or record.reason not in each.text
        ]
        told = self._not_loaded.get(record.plugin_id) == record.reason
        self._not_loaded[record.plugin_id] = record.reason
        return attrs.evolve(line, level=logging.INFO) if told else line

    def _show_written(self, record: LogWritten) -> None:
        speaker = record.plugin_id or f'shard "{record.shard}"'
        self._show(f"{speaker}: {one_line(record.text)}", record.level)


def _death(record: RunnerDied) -> Line:
    report = record.report
    text = report.describe()
    last_words = report.stderr_tail.strip().rpartition("\n")[2].strip()
    if report.kind is ExitKind.EXITED and last_words:
        text += f" ({last_words})"
    if record.culprit and record.culprit not in text:
        text += f"; {record.culprit} is to blame"
    text += f"; {record.next}"
    if report.planned:
        return Line(text=text)
    if report.in_flight:
        text += f"; {report.in_flight} open call{'' if report.in_flight == 1 else 's'}"
        if report.called:
            more = ", …" if len(report.called) > MAX_NAMED else ""
            text += f" of {', '.join(report.called[:MAX_NAMED])}{more}"
        text += " failed with it"
    # Without a date for the next start nobody brings it back.
    return Line(text=text, level=logging.WARNING if record.delay is not None else logging.ERROR)


def _not_loaded(record: PluginNotLoaded) -> Line:
    verb = "was not loaded" if record.blocked else "did not load"
    return Line(text=f"plugin {record.plugin_id} {verb}: {record.reason}", level=logging.WARNING)
