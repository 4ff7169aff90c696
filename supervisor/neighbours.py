"""Which handlers can be asked by one request, and what of that request is the same each time?"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .component import Component

C = TypeVar("C", bound="Component")


_NUMBERS = count(1)


class Neighbours(Generic[C]):
    """Handlers of one shard, in their order.

    Args:
        seconds: What a handler may take.
    """

    __slots__ = ("handlers", "longest", "names", "number", "plugins", "shortest", "timeouts", "timeouts_ms")

    def __init__(self, handlers: Sequence[C], seconds: Callable[[C], float]) -> None:
        self.number = next(_NUMBERS)
        """What runners may call them; see ``Groups`` of the protocol."""
        self.handlers = handlers
        self.plugins = [handler.plugin_id for handler in handlers]
        self.names = [handler.name for handler in handlers]
        self.timeouts = [seconds(handler) for handler in handlers]
        self.timeouts_ms = [int(each * 1000) for each in self.timeouts]
        self.shortest = min(self.timeouts)
        self.longest = max(self.timeouts)


class Order(Generic[C]):
    """Handlers that are asked together again and again: who is next to whom is found once.

    Args:
        handlers: In the total order.
        seconds: What a handler may take.
    """

    def __init__(self, handlers: Sequence[C], seconds: Callable[[C], float]) -> None:
        self.handlers = handlers
        self._seconds = seconds
        self._from: dict[int, Neighbours[C]] = {}
        self._groups: list[Neighbours[C]] | None = None

    def __len__(self) -> int:
        return len(self.handlers)

    def neighbours(self, place: int) -> Neighbours[C]:
        """From this place on, those that live in one shard and need no thread; at least the one that stands there."""
        found = self._from.get(place)
        if found is None:
            first, end = self.handlers[place], place + 1
            while first.is_inline and end < len(self.handlers) and _are_one_kind(first, self.handlers[end]):
                end += 1
            found = self._from[place] = Neighbours(self.handlers[place:end], self._seconds)
        return found

    @property
    def groups(self) -> list[Neighbours[C]]:
        """Those of each shard, in their order, where they may be asked all at once; the others alone.

        All handlers of a plugin that has one which needs a thread are alone: they take turns in a conversation, and the
        order of those turns is theirs.
        """
        if self._groups is None:
            threaded = {handler.plugin_id for handler in self.handlers if not handler.is_inline}
            shards: dict[str, list[C]] = {}
            alone: list[list[C]] = []
            for handler in self.handlers:
                if handler.plugin_id in threaded:
                    alone.append([handler])
                else:
                    shards.setdefault(handler.shard, []).append(handler)
            self._groups = [Neighbours(each, self._seconds) for each in (*shards.values(), *alone)]
        return self._groups


def _are_one_kind(one: Component, other: Component) -> bool:
    return other.is_inline and other.shard == one.shard
