"""In which order do the handlers of one event or one hook run, over the whole tree?

One total order, wherever the handlers live. Events: weight descending, then plugin id, then component name. Hooks:
blocking before observe; early, normal, late; trusted before others; plugin id; name. Commands and APIs: plugin id, name.
It is made when components change; a dispatch walks a snapshot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from .component import Component, EventHandler, HookHandler, HookMode, HookOrder

if TYPE_CHECKING:
    from collections.abc import Iterable

_C = TypeVar("_C", bound=Component)

_MODES = {HookMode.BLOCKING: 0, HookMode.OBSERVE: 1}
_ORDERS = {HookOrder.EARLY: 0, HookOrder.NORMAL: 1, HookOrder.LATE: 2}


def order_event_handlers(handlers: Iterable[EventHandler]) -> tuple[EventHandler, ...]:
    return tuple(sorted(handlers, key=lambda each: (-each.weight, each.plugin_id, each.name)))


def order_hook_handlers(handlers: Iterable[HookHandler]) -> tuple[HookHandler, ...]:
    return tuple(sorted(handlers, key=_hook_key))


def order_by_name(components: Iterable[_C]) -> tuple[_C, ...]:
    return tuple(sorted(components, key=lambda each: (each.plugin_id, each.name)))


def _hook_key(handler: HookHandler) -> tuple[int, int, bool, str, str]:
    return (
        _MODES[handler.mode],
        _ORDERS[handler.order],
        not handler.is_trusted,
        handler.plugin_id,
        handler.name,
    )
