"""Which handlers can be asked by one request?"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .component import Component

C = TypeVar("C", bound="Component")


def end_of_segment(handlers: Sequence[Component], place: int) -> int:
    """Where the run of neighbours ends that live in one shard and need no thread; at least one after ``place``."""
    first = handlers[place]
    end = place + 1
    if first.is_inline:
        while end < len(handlers) and handlers[end].is_inline and handlers[end].shard == first.shard:
            end += 1
    return end


def groups_by_shard(handlers: Sequence[C]) -> list[Sequence[C]]:
    """Those of each shard, in their order, where they may be asked together; the others alone.

    All handlers of a plugin that has one which needs a thread are alone: they take turns in a conversation, and the order
    of those turns is theirs.
    """
    threaded = {handler.plugin_id for handler in handlers if not handler.is_inline}
    groups: dict[str, list[C]] = {}
    alone: list[Sequence[C]] = []
    for handler in handlers:
        if handler.plugin_id in threaded:
            alone.append((handler,))
        else:
            groups.setdefault(handler.shard, []).append(handler)
    return [*groups.values(), *alone]
