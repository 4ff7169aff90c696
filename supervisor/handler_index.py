"""Which handlers want this event, out of ten thousand, at the price of those few?

Handlers of one event type with equal filters are a *group*: its filter is judged once an event. A group is filed under the
narrowest thing that its filter names (conversations, else users, else two letters that its pattern needs, else platforms, else
the kind of chat), so that an event meets only the groups that its own names and letters lead to. What a set of groups comes
to, merged in the total order, is remembered until a handler comes or goes; a dispatch holds on to what it took.

Everything here changes by one handler at a time: adding the ten-thousandth costs a search by halves and the shift of a list.
"""

from __future__ import annotations

from bisect import bisect_left, insort_right
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from rookery.protocol import EVERYTHING, EventFilter, Occasion

from .component import Component, EventHandler
from .ordering import event_order

if TYPE_CHECKING:
    from collections.abc import Callable

    from rookery.protocol import MessageMap

_C = TypeVar("_C", bound=Component)

MAX_REMEMBERED = 1_000_000
"""Handlers in all the merged sets that are kept; beyond it all are forgotten, and made again when they are met."""


class Ordered(Generic[_C]):
    """Components in an order, which stays while they come and go."""

    def __init__(self, key: Callable[[_C], Any]) -> None:
        self._key = key
        self._items: list[_C] = []
        self._snapshot: tuple[_C, ...] | None = ()

    def add(self, item: _C) -> None:
        insort_right(self._items, item, key=self._key)
        self._snapshot = None

    def remove(self, item: _C) -> None:
        place = bisect_left(self._items, self._key(item), key=self._key)
        while self._items[place] is not item:  # an API has several versions, which are equal to the order
            place += 1
        del self._items[place]
        self._snapshot = None

    @property
    def all(self) -> tuple[_C, ...]:
        """All of them; a later change makes a new tuple."""
        if self._snapshot is None:
            self._snapshot = tuple(self._items)
        return self._snapshot

    def __bool__(self) -> bool:
        return bool(self._items)


@attrs.frozen(eq=False)
class Audience:
    """Those who get one event, each half in the total order. The same object as long as they are the same handlers."""

    interceptors: tuple[EventHandler, ...] = ()
    observers: tuple[EventHandler, ...] = ()
    notes: dict[object, Any] = attrs.Factory(dict)
    """What those who ask them want to find again, as long as they are the same."""

    def chosen(self, serves: Callable[[EventHandler], bool]) -> Audience:
        """Those of them that a caller wants."""
        return Audience(tuple(filter(serves, self.interceptors)), tuple(filter(serves, self.observers)))

    def in_session(self, session_id: str) -> Audience:
        """Those of them that are not switched off in a session."""
        off = frozenset(
            handler
            for handler in (*self.interceptors, *self.observers)
            if session_id in handler.disabled_sessions
        )
        if not off:
            return self
        found: Audience | None = self.notes.get(off)
        if found is None:
            found = self.notes[off] = self.chosen(lambda handler: handler not in off)
        return found


NOBODY = Audience()


_Shelf = dict[str, list["_Group"]]


class _Group:
    """The handlers with one filter.

    Attributes:
        number: In the order in which groups came.
        filed: Under which names of which shelves.
        matched: Events that the filter let pass.
    """

    def __init__(self, wanted: EventFilter, number: int, matched: int) -> None:
        self.filter = wanted
        self.number = number
        self.matched = matched
        self.filed: list[tuple[_Shelf, str]] = []
        self.interceptors: Ordered[EventHandler] = Ordered(event_order)
        self.observers: Ordered[EventHandler] = Ordered(event_order)

    def half(self, handler: EventHandler) -> Ordered[EventHandler]:
        return self.interceptors if handler.intercepts else self.observers


class EventIndex:
    """The enabled handlers of one event type."""

    def __init__(self) -> None:
        self._groups: dict[EventFilter, _Group] = {}
        self._unfiltered: tuple[_Group, ...] = ()
        """The one whose filter wants everything, while it has handlers."""
        self._sessions: _Shelf = {}
        self._users: _Shelf = {}
        self._letters: _Shelf = {}
        self._platforms: _Shelf = {}
        self._scopes: _Shelf = {}
        self._audiences: dict[tuple[_Group, ...], Audience] = {}
        self._remembered = 0
        self._numbers = count(1)
        self._dispatched = 0
        self._joined: dict[EventHandler, int] = {}
        """Of each filtered handler: how many events its filter had sorted out when it came."""

    def __bool__(self) -> bool:
        return bool(self._groups)

    # --- changing ----------------------------------------------------------------------------------------------

    def add(self, handler: EventHandler) -> None:
        group = self._groups.get(handler.filter)
        if group is None:
            group = _Group(handler.filter, next(self._numbers), self._dispatched)
            self._groups[handler.filter] = group
            group.filed = self._places_for(handler.filter)
            for shelf, name in group.filed:
                shelf.setdefault(name, []).append(group)
            if handler.filter is EVERYTHING:
                self._unfiltered = (group,)
        group.half(handler).add(handler)
        if handler.filter is not EVERYTHING:
            self._joined[handler] = self._dispatched - group.matched
        self._forget()

    def remove(self, handler: EventHandler) -> None:
        group = self._groups[handler.filter]
        group.half(handler).remove(handler)
        self._joined.pop(handler, None)
        if not group.interceptors and not group.observers:
            del self._groups[handler.filter]
            if handler.filter is EVERYTHING:
                self._unfiltered = ()
            for shelf, name in group.filed:
                shelf[name].remove(group)
                if not shelf[name]:
                    del shelf[name]
        self._forget()

    def _places_for(self, wanted: EventFilter) -> list[tuple[_Shelf, str]]:
        """Where a filter is filed; nowhere for the one that wants everything."""
        if wanted.sessions:
            return [(self._sessions, name) for name in wanted.sessions]
        if wanted.users:
            return [(self._users, name) for name in wanted.users]
        if wanted.pattern is not None and wanted.pattern.needed:
            # What many patterns have in common, as the letters of a prefix, tells little: the emptiest place it is.
            pairs = wanted.pattern.letters
            return [(self._letters, min(pairs, key=lambda pair: len(self._letters.get(pair, ()))))]
        if wanted.platforms:
            return [(self._platforms, name) for name in wanted.platforms]
        return [] if wanted is EVERYTHING else [(self._scopes, wanted.chat_scope)]

    def _forget(self) -> None:
        self._audiences.clear()
        self._remembered = 0

    # --- reading -----------------------------------------------------------------------------------------------

    def find(self, message: MessageMap | None) -> Audience:
        """Those who get an event, which is counted."""
        self._dispatched += 1
        found = self._unfiltered
        if message is not None and len(self._groups) > len(found):
            found += self._matching(Occasion(message))
        return self._audiences.get(found) or self._merge(found)

    def _matching(self, occasion: Occasion) -> tuple[_Group, ...]:
        met: list[_Group] = []
        if self._sessions:
            for name in occasion.names:
                met += self._sessions.get(name, ())
        if self._users:
            met += self._users.get(occasion.user_id, ())
        if self._letters:
            met += self._met_by_letters(occasion)
        if self._platforms:
            met += self._platforms.get(occasion.platform, ())
        if self._scopes:
            met += self._scopes.get(occasion.scope, ())
            met += self._scopes.get("all", ())
        if len(met) > 1:
            # A conversation has several names, and a filter may be filed under two of them.
            met = sorted(set(met), key=_number_of)
        found = []
        for group in met:
            if group.filter.admits(occasion):
                group.matched += 1
                found.append(group)
        return tuple(found)

    def _met_by_letters(self, occasion: Occasion) -> list[_Group]:
        text = occasion.text_seen
        if len(self._letters) <= 2 * len(text):
            return [group for pair, groups in self._letters.items() if pair in text for group in groups]
        return [group for pair in occasion.letters() for group in self._letters.get(pair, ())]

    def _merge(self, groups: tuple[_Group, ...]) -> Audience:
        interceptors = [handler for group in groups for handler in group.interceptors.all]
        observers = [handler for group in groups for handler in group.observers.all]
        if len(groups) > 1:
            interceptors.sort(key=event_order)
            observers.sort(key=event_order)
        self._remembered += len(interceptors) + len(observers) + 1
        if self._remembered > MAX_REMEMBERED:
            self._forget()
        audience = self._audiences[groups] = Audience(tuple(interceptors), tuple(observers))
        return audience

    def filtered(self, handler: EventHandler) -> int:
        """How many events a handler's filter has kept from it; nothing is done an event to know it."""
        joined = self._joined.get(handler)
        if joined is None:
            return 0
        return self._dispatched - self._groups[handler.filter].matched - joined


def _number_of(group: _Group) -> int:
    return group.number
