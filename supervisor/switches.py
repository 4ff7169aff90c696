"""What has an operator switched on and off, everywhere or in single sessions?

It is said of a component by its full name, and outlives what the component's plugin declares: a plugin that registers again,
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

    full_name: str
    enabled: bool | None = None
    """Everywhere; ``None`` leaves it as declared."""
    disabled_sessions: frozenset[str] = frozenset()
    """Sessions, by their ids, in which it is off all the same."""

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
    """All that is said, by full name.

    Attributes:
        on_turned: Told each switch that was turned, to keep it. It must not raise.
        sessions: Those in which something is off.
    """

    def __init__(self) -> None:
        self.on_turned: Callable[[Switch], None] = lambda switch: None
        self.sessions: frozenset[str] = frozenset()
        self._switches: dict[str, Switch] = {}

    def __contains__(self, full_name: str) -> bool:
        return full_name in self._switches

    def count_of(self, plugin_id: str) -> int:
        """How many there are of a plugin's components."""
        return sum(name.startswith(f"{plugin_id}.") for name in self._switches)

    @property
    def all(self) -> tuple[Switch, ...]:
        """Those that say something, by name."""
        return tuple(self._switches[name] for name in sorted(self._switches))

    def restore(self, switches: Iterable[Switch]) -> None:
        """Take what was kept, in place of all that was said. Nobody is told."""
        self._switches = {each.full_name: each for each in switches if not each.says_nothing}
        self._note_sessions()

    def turn(self, full_name: str, enabled: bool, session_id: str | None) -> None:
        switch = self._switches.get(full_name) or Switch(full_name=full_name)
        switch = switch.turned(enabled, session_id)
        if switch.says_nothing:
            self._switches.pop(full_name, None)
        else:
            self._switches[full_name] = switch
        self._note_sessions()
        self.on_turned(switch)

    def applied_to(self, component: _C) -> _C:
        """The component as it is declared, or as it was left."""
        switch = self._switches.get(component.full_name) if self._switches else None
        if switch is None:
            return component
        enabled = component.enabled if switch.enabled is None else switch.enabled
        return attrs.evolve(component, enabled=enabled, disabled_sessions=switch.disabled_sessions)

    def _note_sessions(self) -> None:
        self.sessions = frozenset().union(*(each.disabled_sessions for each in self._switches.values()))
