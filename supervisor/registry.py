"""Which component lives where, now?

Two sets. *Live* is what dispatch sees. *Staged* is what a runner has registered while it loads: it becomes live as a
whole when the runner is ready, so that nobody dispatches to a plugin whose ``on_load`` still runs, and a runner that
dies half-way through loading has changed nothing. When a runner dies its live components stay: the shard is expected
back, and whether a call waits for it is the dispatcher's decision.

Everything that a dispatch reads (the handlers of an event, the handlers of a hook, commands) is kept in its order as
components come and go, at a price that hangs on how many these are and not on how many there are; a dispatch holds on to
the tuple it took.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

import attrs

from rookery.protocol import BadPayload, RegisterComponents

from .commands import CommandTable
from .component import (
    Api,
    Command,
    Component,
    EventHandler,
    Gateway,
    HookHandler,
    make_component,
)
from .handler_index import NOBODY, Audience, EventIndex, Ordered
from .ordering import event_order, hook_order, name_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rookery.protocol import MessageMap

_C = TypeVar("_C", bound=Component)

MAX_COMPONENTS = 2000
"""Of one plugin; a registration with more is refused before it costs memory."""

MAX_PATTERNS = 20
MAX_PATTERNS_SIZE = 1000
"""Of one plugin of an untrusted shard, in the filters of its event handlers."""


@attrs.frozen(kw_only=True)
class Registration:
    """What one plugin offers."""

    plugin_id: str
    shard: str
    version: str
    components: tuple[Component, ...]
    default_config: Mapping[str, object] = attrs.Factory(dict)
    config_schema: Mapping[str, object] = attrs.Factory(dict)


class Registry:
    """The components of the whole tree.

    Args:
        check_hook: Called with each hook handler; returns why it may not register, or ``None``.
        prefix: What a message begins with to be a command.
    """

    def __init__(
        self, *, check_hook: Callable[[HookHandler], str | None] = lambda _: None, prefix: str = "!"
    ) -> None:
        self._check_hook = check_hook
        self._prefix = prefix
        self._live: dict[str, Registration] = {}
        self._staged: dict[str, Registration] = {}
        self._events: dict[str, EventIndex] = {}
        self._hooks: dict[str, Ordered[HookHandler]] = {}
        self._names: dict[tuple[str, str], Component] = {}
        self._apis: Ordered[Api] = Ordered(name_order)
        self._commands: Ordered[Command] = Ordered(name_order)
        self._table: CommandTable | None = None
        self.generation = 0
        """Counts the changes of what is live."""

    # --- changing ----------------------------------------------------------------------------------------------

    def register(
        self, registered: RegisterComponents, *, shard: str, is_trusted: bool, live: bool
    ) -> Registration:
        """Take a plugin's registration: all of it, or nothing and the old one stays.

        Args:
            live: False stages it until ``publish``.

        Raises:
            BadPayload: The first mistake, with its path.
        """
        if len(registered.components) > MAX_COMPONENTS:
            raise BadPayload(
                f"has {len(registered.components)}, at most {MAX_COMPONENTS} are allowed", "components"
            )
        components = tuple(
            make_component(
                declared,
                plugin_id=registered.plugin_id,
                shard=shard,
                is_trusted=is_trusted,
                path=f"components[{index}]",
            )
            for index, declared in enumerate(registered.components)
        )
        self._check(components)
        registration = Registration(
            plugin_id=registered.plugin_id,
            shard=shard,
            version=registered.plugin_version,
            components=components,
            default_config=registered.default_config,
            config_schema=registered.config_schema,
        )
        if live:
            self._replace(registration.plugin_id, registration)
            self.generation += 1
        else:
            self._staged[registration.plugin_id] = registration
        return registration

    def publish(self, plugins: Iterable[str], loaded: Iterable[str]) -> None:
        """A runner is ready: what it staged becomes live, what it did not load is gone.

        Args:
            plugins: All plugins of the shard.
            loaded: Those that it serves.
        """
        serving = set(loaded)
        for plugin_id in plugins:
            staged = self._staged.pop(plugin_id, None)
            if staged is not None and plugin_id in serving:
                self._replace(plugin_id, staged)
            elif plugin_id not in serving:
                self._replace(plugin_id, None)
        self.generation += 1

    def move_plugin(self, plugin_id: str, shard: str) -> None:
        """A plugin lives elsewhere from now on: what is known of it is called there, and waits until it is up again."""
        self._staged.pop(plugin_id, None)
        live = self._live.get(plugin_id)
        if live is not None:
            moved = tuple(attrs.evolve(each, shard=shard) for each in live.components)
            self._replace(plugin_id, attrs.evolve(live, shard=shard, components=moved))
            self.generation += 1

    def forget_staged(self, plugins: Iterable[str]) -> None:
        """The runner that had staged them is gone."""
        for plugin_id in plugins:
            self._staged.pop(plugin_id, None)

    def unregister(self, plugin_id: str) -> int:
        """Remove a plugin; return how many components it had."""
        staged, live = self._staged.pop(plugin_id, None), self._live.get(plugin_id)
        if live is not None:
            self._replace(plugin_id, None)
            self.generation += 1
        return len((live or staged).components) if live or staged else 0  # type: ignore[union-attr]

    # --- reading -----------------------------------------------------------------------------------------------

    def audience(self, event_type: str, message: MessageMap | None) -> Audience:
        """Who gets an event: the handlers of its type that are enabled and whose filter it fits. It is counted as dispatched."""
        index = self._events.get(event_type)
        return NOBODY if index is None else index.find(message)

    def event_handlers(self, event_type: str) -> tuple[EventHandler, ...]:
        """All of a type, to be shown: a dispatch asks for its ``audience``."""
        found = [
            each for each in _of_kind(self._names.values(), EventHandler) if each.event_type == event_type
        ]
        return tuple(sorted(found, key=event_order))

    def filtered(self, handler: EventHandler) -> int:
        """How many events a live handler's filter has kept from it since it came."""
        return self._events[handler.event_type].filtered(handler) if handler.enabled else 0

    def hook_handlers(self, hook: str) -> tuple[HookHandler, ...]:
        found = self._hooks.get(hook)
        return () if found is None else found.all

    @property
    def commands(self) -> CommandTable:
        if self._table is None:
            self._table = CommandTable(self._commands.all, self._prefix)
        return self._table

    @property
    def registrations(self) -> tuple[Registration, ...]:
        """What is live, by plugin id."""
        return tuple(self._live[plugin_id] for plugin_id in sorted(self._live))

    def registration(self, plugin_id: str) -> Registration | None:
        return self._live.get(plugin_id)

    def component(self, plugin_id: str, name: str) -> Component | None:
        """A live component by its plugin and name."""
        return self._names.get((plugin_id, name))

    def gateway(self, plugin_id: str, name: str) -> Gateway | None:
        """A gateway, also of a plugin that is still loading; an empty name means the only one that the plugin has."""
        registration = self._staged.get(plugin_id) or self._live.get(plugin_id)
        gateways = _of_kind(registration.components if registration else (), Gateway)
        if not name:
            return gateways[0] if len(gateways) == 1 else None
        return next((each for each in gateways if each.name == name), None)

    def apis(self) -> tuple[Api, ...]:
        return self._apis.all

    # --- inside ------------------------------------------------------------------------------------------------

    def _check(self, components: tuple[Component, ...]) -> None:
        versions: dict[str, set[str]] = {}
        for index, component in enumerate(components):
            # Only an API may be there more than once, in different versions.
            version = component.version if isinstance(component, Api) else ""
            others = versions.setdefault(component.name, set())
            if version in others or (others and "" in {version, *others}):
                raise BadPayload(f"{component.name!r} is registered twice", f"components[{index}].name")
            others.add(version)
            if isinstance(component, HookHandler) and (why := self._check_hook(component)):
                raise BadPayload(why, f"components[{index}].metadata.hook")
        _check_patterns(components)

    def _replace(self, plugin_id: str, registration: Registration | None) -> None:
        """What a plugin offers from now on; ``None`` for nothing."""
        old = self._live.pop(plugin_id, None)
        for component in old.components if old else ():
            self._remove(component)
        if registration is not None:
            self._live[plugin_id] = registration
            for component in registration.components:
                self._add(component)

    def _add(self, component: Component) -> None:
        self._names[component.plugin_id, component.name] = component
        if isinstance(component, EventHandler):
            if component.enabled:
                self._events.setdefault(component.event_type, EventIndex()).add(component)
        elif isinstance(component, HookHandler):
            self._hooks.setdefault(component.hook, Ordered(hook_order)).add(component)
        elif isinstance(component, Command):
            self._commands.add(component)
            self._table = None
        elif isinstance(component, Api):
            self._apis.add(component)

    def _remove(self, component: Component) -> None:
        self._names.pop((component.plugin_id, component.name), None)
        if isinstance(component, EventHandler):
            if component.enabled:
                self._events[component.event_type].remove(component)
        elif isinstance(component, HookHandler):
            self._hooks[component.hook].remove(component)
        elif isinstance(component, Command):
            self._commands.remove(component)
            self._table = None
        elif isinstance(component, Api):
            self._apis.remove(component)


def _check_patterns(components: tuple[Component, ...]) -> None:
    """A pattern takes the host's time with each event: what strangers may have of it is bounded."""
    sizes: dict[object, int] = {}
    for index, component in enumerate(components):
        if isinstance(component, EventHandler) and component.filter.pattern and not component.is_trusted:
            sizes[component.filter.pattern] = component.filter.pattern.size
            if len(sizes) > MAX_PATTERNS or sum(sizes.values()) > MAX_PATTERNS_SIZE:
                raise BadPayload(
                    f"a plugin of an untrusted shard has at most {MAX_PATTERNS} patterns,"
                    f" and together of size {MAX_PATTERNS_SIZE}",
                    f"components[{index}].metadata.event_filter.pattern",
                )


def _of_kind(components: Iterable[Component], kind: type[_C]) -> list[_C]:
    return [each for each in components if isinstance(each, kind)]
