"""What does a plugin of the SDK offer, how is each of it called, and what do its results mean?

The SDK hands out plain maps. A component's handler is looked for as the original runner does: the attribute that its
metadata names, then ``handle_NAME``, then ``NAME``, then the plugin's own ``invoke_component``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import ComponentDeclaration, ComponentType, shown

from ..answers import Answer
from ..binding import Binding
from ..border import plugin_logger
from ..components import Component, Declared
from ..errors import DeclarationError
from ..guest import in_asyncio

if TYPE_CHECKING:
    from collections.abc import Callable

_TAKES_ALL = Binding((), (), takes_all=True)

WITHOUT_FALLBACK = (ComponentType.EVENT_HANDLER, ComponentType.HOOK_HANDLER)
"""Types that ``invoke_component`` does not run."""


@attrs.frozen(kw_only=True)
class SdkComponents:
    """What a plugin offers."""

    by_name: dict[str, Component]
    """What can be called."""
    declarations: list[ComponentDeclaration]
    """What the host is told, in the plugin's order; also what cannot be called, such as a card."""


def collect_sdk_components(instance: Any, plugin_id: str) -> SdkComponents:
    """Read ``get_components()``. A component of a type that no host knows is left out, with a warning.

    Raises:
        DeclarationError: A component has no handler.
    """
    by_name: dict[str, Component] = {}
    declarations: list[ComponentDeclaration] = []
    for item in _maps(instance.get_components()):
        name, kind_name = _text(item.get("name")), _text(item.get("type")).upper()
        try:
            kind = ComponentType(kind_name)
        except ValueError:
            plugin_logger(plugin_id).warning(
                "its component %r is left out: there are no components of the type %s here", name, kind_name
            )
            continue
        metadata = item.get("metadata")
        metadata = dict(metadata) if isinstance(metadata, Mapping) else {}
        declaration = ComponentDeclaration(
            name=name,
            component_type=kind.value,
            plugin_id=plugin_id,
            chat_scope=_text(item.get("chat_scope")) or "all",
            allowed_session=[_text(each) for each in _items(item.get("allowed_session")) if _text(each)],
            metadata=metadata,
        )
        declarations.append(declaration)
        component = _component(instance, declaration, kind)
        if component is not None:
            by_name[name] = component
    return SdkComponents(by_name=by_name, declarations=declarations)


def collect_providers(instance: Any) -> dict[str, Component]:
    """Read ``get_llm_providers()``, by client type; plugins of older SDKs have none.

    Raises:
        DeclarationError: One has no handler.
    """
    get = getattr(instance, "get_llm_providers", None)
    found: dict[str, Component] = {}
    for item in _maps(get() if callable(get) else ()):
        client_type, own = _text(item.get("client_type")), item.get("metadata")
        name = _text(own.get("handler_name")) if isinstance(own, Mapping) else ""
        handler = getattr(instance, name or client_type, None)
        if not callable(handler):
            raise DeclarationError(
                f"{type(instance).__name__} has no method {name or client_type!r} for its LLM provider {client_type!r}"
            )
        metadata = {
            "name": _text(item.get("name")),
            "description": _text(item.get("description")),
            "version": _text(item.get("version")) or "1.0.0",
        }
        declared = Declared(type=ComponentType.LLM_PROVIDER, name=client_type, metadata=metadata)
        found[client_type] = _runnable(declared, handler)
    return found


def _component(instance: Any, declaration: ComponentDeclaration, kind: ComponentType) -> Component | None:
    handler = _handler(instance, declaration, kind)
    if handler is None:
        if kind not in ANSWERS:
            return None  # it is shown and never called
        raise DeclarationError(
            f"{type(instance).__name__} has no method for its {kind.value} {declaration.name!r}: none called"
            f" {shown(declaration.metadata.get('handler_name') or declaration.name)} or handle_{declaration.name}"
        )
    return _runnable(
        Declared(
            type=kind,
            name=declaration.name,
            metadata=declaration.metadata,
            chat_scope=declaration.chat_scope,
            allowed_session=tuple(declaration.allowed_session),
        ),
        handler,
    )


def _runnable(declared: Declared, handler: Callable[..., Any]) -> Component:
    is_async = inspect.iscoroutinefunction(handler) or isinstance(handler, functools.partial)
    return Component(
        declared=declared,
        handler=on_the_loop(handler) if is_async else handler,
        is_async=is_async,
        binding=_TAKES_ALL,
        name=declared.name,
        type=declared.type,
        answer=ANSWERS[declared.type],
    )


def _handler(
    instance: Any, declaration: ComponentDeclaration, kind: ComponentType
) -> Callable[..., Any] | None:
    name = declaration.name
    for attribute in (_text(declaration.metadata.get("handler_name")) or name, f"handle_{name}", name):
        handler = getattr(instance, attribute, None) if attribute.isidentifier() else None
        if callable(handler):
            found: Callable[..., Any] = handler
            return found
    fallback = getattr(instance, "invoke_component", None)
    if callable(fallback) and kind in ANSWERS and kind not in WITHOUT_FALLBACK:
        return functools.partial(fallback, name)
    return None


def on_the_loop(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same as a coroutine function of trio, which runs it as a task of the asyncio loop."""

    async def handler(*args: Any, **kwargs: Any) -> Any:
        return await in_asyncio(lambda: function(*args, **kwargs))

    return handler


# --- results ------------------------------------------------------------------------------------------------------------


def _result_answer(component: Component, args: dict[str, Any], result: Any) -> Answer:
    return Answer({"success": True, "result": result})


def _event_answer(component: Component, args: dict[str, Any], result: Any) -> Answer:
    if result is None:
        return Answer({"success": True, "continue_processing": True})
    if not isinstance(result, dict):
        return Answer({"success": True, "continue_processing": True, "custom_result": result})
    goes_on = not result["blocked"] if "blocked" in result else result.get("continue_processing", True)
    return Answer(
        {
            "success": True,
            "continue_processing": bool(goes_on),
            "modified_message": result.get("modified_message"),
            "custom_result": result.get("custom_result"),
        }
    )


def _hook_answer(component: Component, args: dict[str, Any], result: Any) -> Answer:
    if result is None:
        return Answer({"success": True, "action": "continue"})
    answer = {"success": True, "action": "continue", "modified_kwargs": None, "custom_result": result}
    if isinstance(result, dict):
        answer["action"] = _text(result.get("action")).lower() or "continue"
        answer["modified_kwargs"] = result.get("modified_kwargs")
        answer["custom_result"] = result.get("custom_result")
    return Answer(answer)


ANSWERS: dict[ComponentType, Callable[[Component, dict[str, Any], Any], Answer]] = {
    ComponentType.EVENT_HANDLER: _event_answer,
    ComponentType.HOOK_HANDLER: _hook_answer,
    **dict.fromkeys(
        (
            ComponentType.COMMAND,
            ComponentType.TOOL,
            ComponentType.ACTION,
            ComponentType.API,
            ComponentType.MESSAGE_GATEWAY,
            ComponentType.LLM_PROVIDER,
        ),
        _result_answer,
    ),
}


def _maps(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in _items(value) if isinstance(item, Mapping)]


def _items(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) else []


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
