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
from typing import TYPE_CHECKING, Any, TypeVar

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
    StageHandler,
    Tool,
    readings,
)
from .conversation import session_of
from .declaration import BadComponent, check_patterns, make_component
from .handler_index import NOBODY, Audience, EventIndex, Ordered
from .ordering import event_order, hook_order, name_order, stage_order
from .switches import Switches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rookery.protocol import ComponentDeclaration, MessageMap

_C = TypeVar("_C", bound=Component)

MAX_COMPONENTS = 2000
"""Of one plugin; a registration with more is refused before it costs memory."""
MAX_COMPONENTS_OF_STRANGERS = 300
"""The same of a plugin of a shard that is not trusted: so many take thirty milliseconds of the loop's time at once."""


@attrs.frozen(kw_only=True)
class Registration:
    """What one plugin offers."""

    plugin_id: str
    shard: str
    version: str
    components: tuple[Component, ...]
    default_config: Mapping[str, object] = attrs.Factory(dict)
    config_schema: Mapping[str, object] = attrs.Factory(dict)
    config_subscriptions: tuple[str, ...] = ()
    """Whose configuration it wants to hear of besides its own: ``bot``, ``model``."""


class Registry:
    """The components of the whole tree.

    Args:
        check_hook: Called with each hook handler; returns why it may not register, or ``None``.
        prefix: What a message begins with to be a command.

    Attributes:
        switches: What was switched on and off; see ``set_enabled``.
        on_replaced: Called with the id of each plugin whose live components are others now. They must not raise.
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
        self._stages: dict[str, Ordered[StageHandler]] = {}
        self._names: dict[tuple[str, str], Component] = {}
        self._apis: Ordered[Api] = Ordered(name_order)
        self._tools: Ordered[Tool] = Ordered(name_order)
        self._commands: Ordered[Command] = Ordered(name_order)
        self._table: CommandTable | None = None
        self.switches = Switches()
        self.on_replaced: list[Callable[[str], None]] = []
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
        most = MAX_COMPONENTS if is_trusted else MAX_COMPONENTS_OF_STRANGERS
        if len(registered.components) > most:
            raise BadPayload(f"has {len(registered.components)}, at most {most} are allowed", "components")
        components = tuple(
            self._make(registered.plugin_id, declared, shard, is_trusted, f"components[{index}]")
            for index, declared in enumerate(registered.components)
        )
        self._check(components, registered.components)
        registration = Registration(
            plugin_id=registered.plugin_id,
            shard=shard,
            version=registered.plugin_version,
            components=components,
            default_config=registered.default_config,
            config_schema=registered.config_schema,
            config_subscriptions=tuple(registered.config_reload_subscriptions),
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

    # --- switching ---------------------------------------------------------------------------------------------

    def set_enabled(self, full_name: str, enabled: bool, session_id: str | None = None) -> bool:
        """Switch a component on or off, for good: it outlives reloads, and whoever listens to ``switches`` keeps it.

        Args:
            full_name: ``plugin.id.component``; of an API all its versions.
            session_id: Only in this session, whatever holds elsewhere; ``None`` is everywhere.

        Returns:
            False when there is no such component.
        """
        place = self._place_of(full_name)
        if place is None:
            return False
        self.turn(*place, enabled, session_id)
        return True

    def turn(self, plugin_id: str, name: str, enabled: bool, session_id: str | None = None) -> None:
        """The same for a component of just this plugin."""
        self.switches.turn(plugin_id, name, enabled, session_id)
        self._apply_switches(plugin_id)

    def set_plugin_enabled(self, plugin_id: str, enabled: bool, session_id: str | None = None) -> int:
        """The same for all components of a plugin; return how many they are."""
        known = [each for each in (self._live.get(plugin_id), self._staged.get(plugin_id)) if each]
        names = {component.name for each in known for component in each.components}
        for name in sorted(names):
            self.switches.turn(plugin_id, name, enabled, session_id)
        if names:
            self._apply_switches(plugin_id)
        return len(names)

    # --- reading -----------------------------------------------------------------------------------------------

    def audience(self, event_type: str, message: MessageMap | None) -> Audience:
        """Who gets an event: the handlers of its type that are enabled and whose filter it fits. It is counted as dispatched."""
        index = self._events.get(event_type)
        if index is None:
            return NOBODY
        found = index.find(message)
        if self.switches.sessions and message is not None:
            session_id = session_of(message)
            if session_id in self.switches.sessions:
                return found.in_session(session_id)
        return found

    def has_audience(self, event_type: str) -> bool:
        """Whether any enabled handler may want an event of this type."""
        return event_type in self._events

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

    def stage_handlers(self, stage: str) -> tuple[StageHandler, ...]:
        found = self._stages.get(stage)
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

    @property
    def known(self) -> tuple[Registration, ...]:
        """The same with what plugins have registered that still load, in the place of what is live of them."""
        known = {**self._live, **self._staged}
        return tuple(known[plugin_id] for plugin_id in sorted(known))

    def registration(self, plugin_id: str) -> Registration | None:
        return self._live.get(plugin_id)

    def loading(self, plugin_id: str) -> Registration | None:
        """What a plugin has registered that still loads."""
        return self._staged.get(plugin_id)

    def component(self, plugin_id: str, name: str) -> Component | None:
        """A live component by its plugin and name."""
        return self._names.get((plugin_id, name))

    def by_full_name(self, full_name: str) -> Component | None:
        """A live component by its full name; of an API with several versions one of them."""
        found = (self._names.get(reading) for reading in readings(full_name))
        return next((each for each in found if each is not None), None)

    def is_live(self, component: Component) -> bool:
        """Whether it is still what its plugin offers."""
        return self._names.get((component.plugin_id, component.name)) is component

    def gateway(self, plugin_id: str, name: str) -> Gateway | None:
        """A gateway, also of a plugin that is still loading; an empty name means the only one that the plugin has."""
        registration = self._staged.get(plugin_id) or self._live.get(plugin_id)
        gateways = _of_kind(registration.components if registration else (), Gateway)
        if not name:
            return gateways[0] if len(gateways) == 1 else None
        return next((each for each in gateways if each.name == name), None)

    def apis(self) -> tuple[Api, ...]:
        return self._apis.all

    def tools(self) -> tuple[Tool, ...]:
        """Tools and actions, in the total order."""
        return self._tools.all

    # --- inside ------------------------------------------------------------------------------------------------

    def _make(
        self, plugin_id: str, declared: ComponentDeclaration, shard: str, is_trusted: bool, path: str
    ) -> Component:
        try:
            made = make_component(
                declared, plugin_id=plugin_id, shard=shard, is_trusted=is_trusted, path=path
            )
            if isinstance(made, HookHandler) and (why := self._check_hook(made)):
                raise BadPayload(why, f"{path}.metadata.hook")
        except BadPayload as mistake:
            raise BadComponent(mistake, plugin_id, declared) from None
        return self.switches.applied_to(made)

    def _check(self, components: tuple[Component, ...], declared: list[ComponentDeclaration]) -> None:
        versions: dict[str, set[str]] = {}
        for index, component in enumerate(components):
            # Only an API may be there more than once, in different versions.
            version = component.version if isinstance(component, Api) else ""
            others = versions.setdefault(component.name, set())
            if version in others or (others and "" in {version, *others}):
                mistake = BadPayload(f"{component.name!r} is registered twice", f"components[{index}].name")
                raise BadComponent(mistake, component.plugin_id, declared[index])
            others.add(version)
        check_patterns(components)

    def _place_of(self, full_name: str) -> tuple[str, str] | None:
        """The plugin that has a component of this full name, live or staged, and the component's own name."""
        for plugin_id, name in readings(full_name):
            staged = self._staged.get(plugin_id)
            if (plugin_id, name) in self._names or (
                staged is not None and any(each.name == name for each in staged.components)
            ):
                return plugin_id, name
        return None

    def _apply_switches(self, plugin_id: str) -> None:
        live, staged = self._live.get(plugin_id), self._staged.get(plugin_id)
        if staged is not None:
            self._staged[plugin_id] = self._switched(staged)
        if live is not None:
            self._replace(plugin_id, self._switched(live))
            self.generation += 1

    def _switched(self, registration: Registration) -> Registration:
        applied = self.switches.applied_to
        return attrs.evolve(registration, components=tuple(map(applied, registration.components)))

    def _replace(self, plugin_id: str, registration: Registration | None) -> None:
        """What a plugin offers from now on; ``None`` for nothing."""
        old = self._live.pop(plugin_id, None)
        for component in old.components if old else ():
            self._remove(component)
        if registration is not None:
            self._live[plugin_id] = registration
            for component in registration.components:
                self._add(component)
        for tell in self.on_replaced:
            tell(plugin_id)

    def _add(self, component: Component) -> None:
        self._names[component.plugin_id, component.name] = component
        if isinstance(component, EventHandler):
            if component.enabled:
                self._events.setdefault(component.event_type, EventIndex()).add(component)
        elif isinstance(component, HookHandler):
            self._hooks.setdefault(component.hook, Ordered(hook_order)).add(component)
        elif isinstance(component, StageHandler):
            self._stages.setdefault(component.stage, Ordered(stage_order)).add(component)
        elif isinstance(component, Command):
            self._commands.add(component)
            self._table = None
        elif isinstance(component, Tool):
            self._tools.add(component)
        elif isinstance(component, Api):
            self._apis.add(component)

    def _remove(self, component: Component) -> None:
        self._names.pop((component.plugin_id, component.name), None)
        if isinstance(component, EventHandler):
            if component.enabled:
                _take_out(self._events, component.event_type, component)
        elif isinstance(component, HookHandler):
            _take_out(self._hooks, component.hook, component)
        elif isinstance(component, StageHandler):
            _take_out(self._stages, component.stage, component)
        elif isinstance(component, Command):
            self._commands.remove(component)
            self._table = None
        elif isinstance(component, Tool):
            self._tools.remove(component)
        elif isinstance(component, Api):
            self._apis.remove(component)


def _take_out(indexes: dict[str, Any], name: str, component: Component) -> None:
    """An index without components is kept for nobody: its name comes from a plugin."""
    indexes[name].remove(component)
    if not indexes[name]:
        del indexes[name]


def _of_kind(components: Iterable[Component], kind: type[_C]) -> list[_C]:
    return [each for each in components if isinstance(each, kind)]
