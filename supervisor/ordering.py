"""In which order do the handlers of one event or one hook run, over the whole tree?

One total order, wherever the handlers live. Events: weight descending, then plugin id, then component name. Hooks:
blocking before observe; early, normal, late; trusted before others; plugin id; name. Stages: blocking before the others;
priority descending, then plugin id, then name. What is called by its name: trusted before others, so that no stranger's
command stands in the place of another's; plugin id; name.
It is kept as components come and go; a dispatch walks a snapshot.
"""

from __future__ import annotations

from .component import Component, EventHandler, HookHandler, HookMode, HookOrder, StageHandler

_MODES = {HookMode.BLOCKING: 0, HookMode.OBSERVE: 1}
_ORDERS = {HookOrder.EARLY: 0, HookOrder.NORMAL: 1, HookOrder.LATE: 2}


def event_order(handler: EventHandler) -> tuple[int, str, str]:
    return -handler.weight, handler.plugin_id, handler.name


def hook_order(handler: HookHandler) -> tuple[int, int, bool, str, str]:
    return (
        _MODES[handler.mode],
        _ORDERS[handler.order],
        not handler.is_trusted,
        handler.plugin_id,
        handler.name,
    )


def stage_order(handler: StageHandler) -> tuple[bool, int, str, str]:
    return not handler.blocks, -handler.priority, handler.plugin_id, handler.name


def name_order(component: Component) -> tuple[bool, str, str]:
    return not component.is_trusted, component.plugin_id, component.name
