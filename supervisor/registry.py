"""Which component lives where, now?

Two sets. *Live* is what dispatch sees. *Staged* is what a runner has registered while it loads: it becomes live as a
whole when the runner is ready, so that nobody dispatches to a plugin whose ``on_load`` still runs, and a runner that
dies half-way through loading has changed nothing. When a runner dies its live components stay: the shard is expected
back, and whether a call waits for it is the dispatcher's decision.

Everything that a dispatch reads (the handlers of an event, the handlers of a hook, commands) is a tuple that was sorted
when components changed; a dispatch holds on to the tuple it took.
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
from .ordering import order_by_name, order_event_handlers, order_hook_handlers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_C = TypeVar("_C", bound=Component)

MAX_COMPONENTS = 2000
"""Of one plugin; a registration with more is refused before it costs memory."""


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
        self._events: dict[str, tuple[EventHandler, ...]] = {}
        self._hooks: dict[str, tuple[HookHandler, ...]] = {}
        self._names: dict[tuple[str, str], Component] = {}
        self.commands = CommandTable((), prefix)
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
            self._live[registration.plugin_id] = registration
            self._index()
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
                self._live[plugin_id] = staged
            elif plugin_id not in serving:
                self._live.pop(plugin_id, None)
        self._index()

    def move_plugin(self, plugin_id: str, shard: str) -> None:
        """A plugin lives elsewhere from now on: what is known of it is called there, and waits until it is up again."""
        self._staged.pop(plugin_id, None)
        live = self._live.get(plugin_id)
        if live is not None:
            moved = tuple(attrs.evolve(each, shard=shard) for each in live.components)
            self._live[plugin_id] = attrs.evolve(live, shard=shard, components=moved)
            self._index()

    def forget_staged(self, plugins: Iterable[str]) -> None:
        """The runner that had staged them is gone."""
        for plugin_id in plugins:
            self._staged.pop(plugin_id, None)

    def unregister(self, plugin_id: str) -> int:
        """Remove a plugin; return how many components it had."""
        staged, live = self._staged.pop(plugin_id, None), self._live.pop(plugin_id, None)
        if live is not None:
            self._index()
        return len((live or staged).components) if live or staged else 0  # type: ignore[union-attr]

    # --- reading -----------------------------------------------------------------------------------------------

    def event_handlers(self, event_type: str) -> tuple[EventHandler, ...]:
        return self._events.get(event_type, ())

    def hook_handlers(self, hook: str) -> tuple[HookHandler, ...]:
        return self._hooks.get(hook, ())

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
        return order_by_name(_of_kind(self._components(), Api))

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

    def _components(self) -> list[Component]:
        return [each for registration in self._live.values() for each in registration.components]

    def _index(self) -> None:
        self.generation += 1
        everything = self._components()
        self._names = {(each.plugin_id, each.name): each for each in everything}
        events: dict[str, list[EventHandler]] = {}
        hooks: dict[str, list[HookHandler]] = {}
        for component in everything:
            if isinstance(component, EventHandler):
                events.setdefault(component.event_type, []).append(component)
            elif isinstance(component, HookHandler):
                hooks.setdefault(component.hook, []).append(component)
        self._events = {name: order_event_handlers(found) for name, found in events.items()}
        self._hooks = {name: order_hook_handlers(found) for name, found in hooks.items()}
        self.commands = CommandTable(order_by_name(_of_kind(everything, Command)), self._prefix)


def _of_kind(components: Iterable[Component], kind: type[_C]) -> list[_C]:
    return [each for each in components if isinstance(each, kind)]
