"""What has an operator switched on and off, everywhere or in single sessions?

It is said of a component of one plugin, and outlives what the component's plugin declares: a plugin that registers again,
because it was reloaded or its runner was replaced, finds it as it was left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .component import Component

_C = TypeVar("_C", bound="Component")


@attrs.frozen(kw_only=True)
class Switch:
    """What is said of one component."""

    plugin_id: str
    name: str
    enabled: bool | None = None
    """Everywhere; ``None`` leaves it as declared."""
    disabled_sessions: frozenset[str] = frozenset()
    """Sessions, by their ids, in which it is off all the same."""

    @property
    def full_name(self) -> str:
        return f"{self.plugin_id}.{self.name}"

    @property
    def says_nothing(self) -> bool:
        return self.enabled is None and not self.disabled_sessions

    def turned(self, enabled: bool, session_id: str | None) -> Switch:
        """As it is after one more order."""
        if session_id is None:
            return attrs.evolve(self, enabled=enabled)
        sessions = self.disabled_sessions - {session_id} if enabled else self.disabled_sessions | {session_id}
        return attrs.evolve(self, disabled_sessions=sessions)


class Switches:
    """All that is said, by plugin and component: two plugins may have components of one full name, since both may have dots.

    Attributes:
        on_turned: Told each switch that was turned, to keep it. It must not raise.
        sessions: Those in which something is off.
    """

    def __init__(self) -> None:
        self.on_turned: Callable[[Switch], None] = lambda switch: None
        self.sessions: frozenset[str] = frozenset()
        self._switches: dict[tuple[str, str], Switch] = {}

    def __contains__(self, place: tuple[str, str]) -> bool:
        return place in self._switches

    def count_of(self, plugin_id: str) -> int:
        """How many there are of a plugin's components."""
        return sum(owner == plugin_id for owner, _ in self._switches)

    @property
    def all(self) -> tuple[Switch, ...]:
        """Those that say something, by plugin and name."""
        return tuple(self._switches[place] for place in sorted(self._switches))

    def restore(self, switches: Iterable[Switch]) -> None:
        """Take what was kept, in place of all that was said. Nobody is told."""
        self._switches = {(each.plugin_id, each.name): each for each in switches if not each.says_nothing}
        self._note_sessions()

    def turn(self, plugin_id: str, name: str, enabled: bool, session_id: str | None) -> None:
        place = (plugin_id, name)
        switch = self._switches.get(place) or Switch(plugin_id=plugin_id, name=name)
        switch = switch.turned(enabled, session_id)
        if switch.says_nothing:
            self._switches.pop(place, None)
        else:
            self._switches[place] = switch
        self._note_sessions()
        self.on_turned(switch)

    def applied_to(self, component: _C) -> _C:
        """The component as it is declared, or as it was left."""
        switch = self._switches.get((component.plugin_id, component.name)) if self._switches else None
        if switch is None:
            return component
        enabled = component.enabled if switch.enabled is None else switch.enabled
        return attrs.evolve(component, enabled=enabled, disabled_sessions=switch.disabled_sessions)

    def _note_sessions(self) -> None:
        self.sessions = frozenset().union(*(each.disabled_sessions for each in self._switches.values()))
