"""Which components does a plugin have: what its decorators noted, checked and bound into one table."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from rookery.protocol import (
    EVENT_FILTER,
    INLINE,
    ComponentDeclaration,
    ComponentType,
    EventFilter,
    read_event_filter,
    shown,
)

from .answers import Answer
from .binding import Binding, make_binding
from .errors import DeclarationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .plugin import Plugin

_F = TypeVar("_F", bound="Callable[..., Any]")

MAX_NAME_CHARS = 128

_MARK = "__rookery_components__"


@attrs.frozen(kw_only=True)
class Declared:
    """What one decorator says."""

    type: ComponentType
    name: str
    metadata: dict[str, Any]
    chat_scope: str = "all"
    allowed_session: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    """The named groups of a command's pattern."""


@attrs.frozen(kw_only=True, eq=False)
class Component:
    """One thing that a plugin offers, ready to be run."""

    declared: Declared
    handler: Callable[..., Any]
    """Bound to its plugin."""
    is_async: bool
    """False for a plain function, which runs in a thread."""
    binding: Binding
    name: str
    type: ComponentType
    answer: Callable[[Component, dict[str, Any], Any], Answer] | None = None
    """What a result of it means, where that is not what its type means."""

    @functools.cached_property
    def is_inline(self) -> bool:
        """True for what runs on the loop, from its first line on."""
        return self.is_async or self.declared.metadata.get("quick") is True

    @property
    def runs_in_segments(self) -> bool:
        """True for what the host may ask together with others."""
        return self.is_inline and self.type in (ComponentType.EVENT_HANDLER, ComponentType.HOOK_HANDLER)

    @property
    def intercepts(self) -> bool:
        """True for an event handler that may change or stop the event."""
        return self.declared.metadata.get("intercept_message") is True

    @property
    def filter(self) -> EventFilter:
        """Which events an event handler wants."""
        return read_event_filter(
            self.declared.metadata.get(EVENT_FILTER),
            EVENT_FILTER,
            chat_scope=self.declared.chat_scope,
            sessions=frozenset(self.declared.allowed_session),
        )

    def declaration(self, plugin_id: str) -> ComponentDeclaration:
        """What the host is told."""
        return ComponentDeclaration(
            name=self.name,
            component_type=self.type.value,
            plugin_id=plugin_id,
            chat_scope=self.declared.chat_scope,
            allowed_session=list(self.declared.allowed_session),
            metadata={**self.declared.metadata, INLINE: True}
            if self.runs_in_segments
            else self.declared.metadata,
        )


def collect_components(plugin: Plugin[Any]) -> dict[str, Component]:
    """Every component of a plugin by the name that it is called by, in the order of their definition.

    Raises:
        DeclarationError: Two of one name, or a signature that no call can satisfy.
    """
    components: dict[str, Component] = {}
    for attribute, declared in _declared_by(type(plugin)):
        if declared.type is ComponentType.LLM_PROVIDER:
            continue
        where = f"{type(plugin).__name__}.{attribute}"
        name = declared.name
        if (other := components.get(name)) is not None:
            name = _name_of_version(declared, other)
        if name in components or (other is not None and name == declared.name):
            taken = components[declared.name].type
            kind = f"two {taken}s" if taken is declared.type else f"a {declared.type} and a {taken}"
            raise DeclarationError(
                f"{where}: {kind} of {type(plugin).__name__} are called {declared.name!r}, and the host knows a"
                " plugin's components by name; give one of them another name"
            )
        if name != declared.name:
            metadata = {**declared.metadata, "handler_name": name}
            declared = attrs.evolve(declared, metadata=metadata)
        components[name] = bind_component(declared, getattr(plugin, attribute), where)
    return components


def collect_providers(plugin: Plugin[Any]) -> dict[str, Component]:
    """Every provider of language models of a plugin, by its client type.

    Raises:
        DeclarationError: Two of one client type, or a signature that no call can satisfy.
    """
    providers: dict[str, Component] = {}
    for attribute, declared in _declared_by(type(plugin)):
        if declared.type is not ComponentType.LLM_PROVIDER:
            continue
        where = f"{type(plugin).__name__}.{attribute}"
        if declared.name in providers:
            raise DeclarationError(
                f"{where}: {declared.name!r} is served already; a client type has one provider"
            )
        providers[declared.name] = bind_component(declared, getattr(plugin, attribute), where)
    return providers


def bind_component(declared: Declared, handler: Callable[..., Any], where: str) -> Component:
    """Make what was declared ready to be run.

    Args:
        handler: Bound to its plugin.
        where: How it is called in errors.

    Raises:
        DeclarationError: No call can satisfy its signature.
    """
    return Component(
        declared=declared,
        handler=handler,
        is_async=inspect.iscoroutinefunction(handler),
        binding=make_binding(handler, declared.type, where=where, groups=declared.groups),
        name=declared.name,
        type=declared.type,
    )


def _name_of_version(declared: Declared, other: Component) -> str:
    """What a further version of an API is called by; the same name again when it is none."""
    version = declared.metadata.get("version")
    if declared.type is not ComponentType.API or other.type is not ComponentType.API:
        return declared.name
    return (
        declared.name if version == other.declared.metadata.get("version") else f"{declared.name}@{version}"
    )


def _declared_by(plugin_class: type) -> Iterator[tuple[str, Declared]]:
    attributes: dict[str, Any] = {}
    for owner in reversed(plugin_class.__mro__):
        attributes.update(vars(owner))
    for attribute, value in attributes.items():
        for declared in getattr(value, _MARK, ()):
            yield attribute, declared


def marking(decorator: str, example: str, declare: Callable[[Any, str], Declared]) -> Callable[[_F], _F]:
    """A decorator that notes on a method what ``declare(function, its name)`` makes of it."""

    def mark(function: _F) -> _F:
        inner = getattr(function, "__func__", function)  # staticmethod and classmethod
        if not callable(inner) or isinstance(inner, type):
            raise DeclarationError(
                f"@{decorator} stands above a method of the plugin, got {shown(function)}; write {example}"
                " in the line before `async def` or `def`"
            )
        if inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner):
            raise DeclarationError(
                f"@{decorator}: {_name_of(inner)} is a generator, and nobody would iterate over it; return the result"
                " instead of yielding it"
            )
        declared = declare(inner, _name_of(inner))
        if not declared.name or len(declared.name) > MAX_NAME_CHARS:
            raise DeclarationError(
                f"@{decorator}: a component has a name of 1 to {MAX_NAME_CHARS} characters, got {shown(declared.name)}"
            )
        # The decorator nearest to the function has run first: the order of reading is the other way round.
        setattr(function, _MARK, (declared, *getattr(function, _MARK, ())))
        return function

    return mark


def _name_of(function: Any) -> str:
    name = getattr(function, "__name__", "")
    return name if isinstance(name, str) and name.isidentifier() else ""  # not "<lambda>"
