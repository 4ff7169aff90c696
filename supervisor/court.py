"""Who is to blame for the ends of runners in a deployment, and what is done about it?

The evidence and the decisions are in ``quarantine.py`` and ``incident.py``; this file keeps the records and acts: it gives a
plugin a shard of its own, keeps it out for a while, dead-letters an event, or lets everybody wait when it is nobody.
Records are kept in memory: a host that is started again gives everybody another chance.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import attrs
import trio

from .errors import UsageError
from .fingerprint import fingerprint
from .incident import Death, find_incident, group_backoff, recent
from .judgement import NOTHING_FOUND, Judgement
from .moves import isolate
from .observers import (
    EnvironmentIncident,
    EventDeadLettered,
    PluginIsolated,
    PluginQuarantined,
    PluginReleased,
    ShardMoved,
)
from .quarantine import (
    Charge,
    Record,
    Step,
    decide_step,
    is_poison,
    quarantine_seconds,
    weigh,
)
from .restart import History
from .shard_state import ShardState
from .suggestion import one_of, suggest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .exit_report import ExitReport
    from .quarantine import QuarantinePolicy
    from .shard import Shard
    from .supervisor import Supervisor


MOST_POISON = 100
"""Events that are remembered."""


@attrs.frozen(kw_only=True)
class Quarantine:
    """A plugin that is kept out."""

    shard: str
    until: float
    """On trio's clock."""
    reason: str


class Court:
    """Judges the ends of all shards; a ``Judge``.

    Args:
        chance: A random number from 0 to 1.
    """

    def __init__(self, supervisor: Supervisor, chance: Callable[[], float] = random.random) -> None:
        self._supervisor = supervisor
        self._chance = chance
        self._records: dict[str, Record] = {}
        self._deaths: tuple[Death, ...] = ()
        self._charges: tuple[Charge, ...] = ()
        """Of all plugins, for as long as an event may come back."""
        self._home: dict[str, str] = {}
        """Isolated plugins: the shard that each came from."""
        self._kept_in: dict[str, str] = {}
        """Isolated plugins: the shard that each has now."""
        self._poison: tuple[str, ...] = ()
        """Events that were found to be to blame, the latest last."""
        self._sizes: dict[str, int] = {}
        """How many plugins a shard had before any was taken out of it."""
        self._kept_out: dict[str, Quarantine] = {}

    @property
    def kept_out(self) -> dict[str, Quarantine]:
        """The plugins that are in quarantine now."""
        return dict(self._kept_out)

    # --- judging -----------------------------------------------------------------------------------------------

    def judge(self, shard: Shard, report: ExitReport) -> Judgement:
        if self._supervisor.is_stopping:
            return NOTHING_FOUND
        now, policy = report.ended_at, shard.settings.quarantine
        charges = weigh(report)
        for charge in charges:
            self._charge(policy, charge)
        if event_id := self._find_poison(policy, charges):
            return self._blame_event(event_id)
        is_charged = any(charge.is_certain for charge in charges)
        self._deaths = (*recent(self._deaths, now), Death(shard.name, now, is_charged))
        # What was isolated is expected to die, and says nothing about the others.
        own = {self._kept_in.get(plugin_id) for plugin_id in self._home}
        deaths = [death for death in self._deaths if death.shard not in own]
        involved = find_incident(deaths, len(self._supervisor.shards) - len(own), now)
        if involved and shard.name in involved:
            return self._blame_environment(involved, report)
        worst = max(charges, key=lambda each: each.weight, default=None)
        if worst is None:
            return NOTHING_FOUND
        return self._blame_plugin(shard, worst, policy, now)

    def take_blocked(self, shard: Shard, plugin_id: str, reason: str) -> None:
        """It gets a shard of its own, where another attempt hurts nobody, and not at once."""
        if self._supervisor.is_stopping or not self._may_remove(shard, shard.settings.quarantine):
            return
        seconds = self._begin_quarantine(plugin_id, shard.settings.quarantine)
        self._isolate(shard, plugin_id, reason, hold=seconds)

    # --- who it was --------------------------------------------------------------------------------------------

    def _charge(self, policy: QuarantinePolicy, charge: Charge) -> None:
        record = self._record(charge.plugin_id)
        self._records[charge.plugin_id] = record.charged(policy, charge, charge.at)
        kept = (each for each in self._charges if each.at > charge.at - policy.long_crash_window)
        self._charges = (*kept, charge)

    def _record(self, plugin_id: str) -> Record:
        """What is known of a plugin as it is now: what another version of it did is not its fault."""
        installed = self._supervisor.catalog.plugins.get(plugin_id)
        mark = fingerprint(installed.path) if installed is not None else 0
        record = self._records.get(plugin_id)
        return record if record is not None and record.fingerprint == mark else Record(fingerprint=mark)

    def _find_poison(self, policy: QuarantinePolicy, charges: tuple[Charge, ...]) -> str:
        for event_id in sorted({charge.event_id for charge in charges} - {""}):
            if event_id in self._poison or is_poison(policy, self._charges, event_id):
                return event_id
        return ""

    def _blame_event(self, event_id: str) -> Judgement:
        plugins = tuple(sorted({each.plugin_id for each in self._charges if each.event_id == event_id}))
        deaths = len({each.at for each in self._charges if each.event_id == event_id})
        reason = f"it ended {deaths} runners"
        self._charges = tuple(each for each in self._charges if each.event_id != event_id)
        for plugin_id in plugins:
            self._records[plugin_id] = self._records[plugin_id].forgiven(event_id=event_id)
        self._supervisor.dead_letters.condemn(event_id, reason)
        culprit = Judgement(is_excused=True, culprit=f"event {event_id}")
        if event_id in self._poison:
            return culprit  # it was under way to several plugins at once
        self._poison = (*self._poison, event_id)[-MOST_POISON:]
        self._supervisor.parts.counters.dead_lettered += 1
        record = EventDeadLettered(event_id=event_id, plugins=plugins, reason=reason)
        self._supervisor.parts.observers.notify(record)
        return culprit

    def _blame_environment(self, involved: frozenset[str], report: ExitReport) -> Judgement:
        """Nobody's fault: what was charged and counted for these deaths is taken back, and all wait a little."""
        since = min(death.at for death in self._deaths if death.shard in involved)
        self._charges = tuple(each for each in self._charges if each.at < since)
        self._records = {name: known.forgiven(since=since) for name, known in self._records.items()}
        for name in sorted(involved):  # each draws its own wait
            other = self._supervisor.shards[name]
            other.history = attrs.evolve(
                other.history, deaths=tuple(at for at in other.history.deaths if at < since)
            )
            if name != report.shard:
                other.hold(group_backoff(self._chance()), "most shards died at once")
        reason = f"{len(involved)} of {len(self._supervisor.shards)} shards died within seconds"
        record = EnvironmentIncident(shards=tuple(sorted(involved)), reason=reason)
        self._supervisor.parts.observers.notify(record)
        return Judgement(is_excused=True, hold=group_backoff(self._chance()), reason=reason)

    def _blame_plugin(self, shard: Shard, charge: Charge, policy: QuarantinePolicy, now: float) -> Judgement:
        plugin_id = charge.plugin_id
        is_isolated = plugin_id in self._home
        found = Judgement(culprit=plugin_id if charge.weight >= 1.0 else "")
        if charge.plugin_id not in shard.plugins:
            return found
        removed, size = self._removed_from(shard)
        step = decide_step(
            policy,
            self._records[plugin_id],
            now,
            is_isolated=is_isolated,
            neighbours=size,
            removed=removed,
        )
        if step is Step.ISOLATE:
            made = self._isolate(shard, plugin_id, f"its charges reached {policy.crash_limit:g}", hold=0.0)
            self._records[plugin_id] = attrs.evolve(self._records[plugin_id], charges=())
            return Judgement(
                is_excused=charge.is_certain,
                culprit=plugin_id,
                reason=f'{plugin_id} is moved into shard "{made.name}"',
            )
        if step is Step.QUARANTINE:
            seconds = self._begin_quarantine(plugin_id, policy)
            self._keep_out(shard, plugin_id, seconds, "it ended its own runner again")
            return Judgement(
                is_excused=True, hold=seconds, culprit=plugin_id, reason=f"{plugin_id} is in quarantine"
            )
        return found

    # --- what is done ------------------------------------------------------------------------------------------

    def _removed_from(self, shard: Shard) -> tuple[int, int]:
        """How many plugins were taken out of a shard, and how many it had before."""
        removed = sum(home == shard.name for home in self._home.values())
        return removed, self._sizes.setdefault(shard.name, len(shard.plugins) + removed)

    def _may_remove(self, shard: Shard, policy: QuarantinePolicy) -> bool:
        removed, size = self._removed_from(shard)
        return size > 1 and removed + 1 <= policy.max_fraction * size

    def _isolate(self, shard: Shard, plugin_id: str, reason: str, *, hold: float) -> Shard:
        self._removed_from(shard)  # its size is known from before
        made = isolate(self._supervisor, plugin_id, shard, hold=hold, reason=reason)
        self._home[plugin_id], self._kept_in[plugin_id] = shard.name, made.name
        record = PluginIsolated(plugin_id=plugin_id, shard=shard.name, to_shard=made.name, reason=reason)
        self._supervisor.parts.observers.notify(record)
        if hold:
            self._keep_out(made, plugin_id, hold, reason)
        return made

    def _begin_quarantine(self, plugin_id: str, policy: QuarantinePolicy) -> float:
        record = self._record(plugin_id)
        seconds = quarantine_seconds(policy, record.quarantines)
        self._records[plugin_id] = attrs.evolve(record, quarantines=record.quarantines + 1, charges=())
        return seconds

    def _keep_out(self, shard: Shard, plugin_id: str, seconds: float, reason: str) -> None:
        until = trio.current_time() + seconds
        self._kept_out[plugin_id] = Quarantine(shard=shard.name, until=until, reason=reason)
        dispatcher = self._supervisor.parts.dispatcher
        dispatcher.refusals.block_plugin(plugin_id, f"{plugin_id} is in quarantine: {reason}")
        dispatcher.end_refused(plugin_id)
        record = PluginQuarantined(plugin_id=plugin_id, shard=shard.name, seconds=seconds, reason=reason)
        self._supervisor.parts.observers.notify(record)

    def release(self, plugin_id: str) -> Shard:
        """End a quarantine now.

        Raises:
            UsageError: The plugin is not in quarantine.
        """
        kept = self._kept_out.get(plugin_id)
        if kept is None:
            advice = suggest(plugin_id, self._kept_out) or f"in quarantine is {one_of(self._kept_out)}"
            raise UsageError(f"{plugin_id!r} is not in quarantine; {advice}")
        shard = self._supervisor.shards[kept.shard]
        shard.history = History()
        shard.release(f"{plugin_id} is released")
        if plugin_id in self._kept_out:
            self._let_in(plugin_id)  # it had not begun to wait yet
        return shard

    def note(self, record: object) -> None:
        """An observer of the host's: a shard that starts again lets its plugin in."""
        if isinstance(record, ShardMoved) and record.new is ShardState.SPAWNING:
            for plugin_id in [name for name, kept in self._kept_out.items() if kept.shard == record.shard]:
                self._let_in(plugin_id)

    def _let_in(self, plugin_id: str) -> None:
        kept = self._kept_out.pop(plugin_id)
        self._records[plugin_id] = attrs.evolve(self._records[plugin_id], released_at=trio.current_time())
        self._supervisor.parts.dispatcher.refusals.unblock_plugin(plugin_id)
        self._supervisor.parts.observers.notify(PluginReleased(plugin_id=plugin_id, shard=kept.shard))
