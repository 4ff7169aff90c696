"""How does an author say that a plugin serves language models?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from rookery.protocol import ComponentType, LLMInvocation, LLMProviderDeclaration, shown, structure

from .components import Declared, marking
from .errors import DeclarationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .components import Component

_F = TypeVar("_F", bound="Callable[..., Any]")

EXAMPLE = '@llm_provider("my-models")'


def llm_provider(
    client_type: str, *, name: str = "", description: str = "", version: str = "1.0.0"
) -> Callable[[_F], _F]:
    """Serves the models of a deployment that name this client type as their ``provider``.

    The handler takes ``operation`` and ``request``. Operations are ``response``, whose request has ``message_list``,
    ``tool_options``, ``temperature``, ``max_tokens`` and ``model_info``, and which returns ``{"content": …}``, with
    ``reasoning_content``, ``tool_calls`` and ``usage`` where there are some; ``embedding``, with ``embedding_input``, which
    returns ``{"embedding": […]}``; and ``audio_transcription``, with ``audio_base64``, which returns ``{"content": …}``. The
    manifest names the client type too, in its list ``llm_providers``. Keys stand in the plugin's own configuration.

    Args:
        client_type: What ``provider`` says in the deployment's ``[llm.models.NAME]``; one plugin of a deployment has it.
    """
    if callable(client_type):
        raise DeclarationError(f"@llm_provider needs parentheses: write {EXAMPLE}")
    if type(client_type) is not str or not client_type.strip():
        raise DeclarationError(
            f"@llm_provider takes the text of a client type first, got {shown(client_type)}; write {EXAMPLE}"
        )
    metadata = {"name": name, "description": description, "version": version}

    def declare(function: Any, own_name: str) -> Declared:
        return Declared(type=ComponentType.LLM_PROVIDER, name=client_type.strip(), metadata=metadata)

    return marking("llm_provider", EXAMPLE, declare)


def choose_provider(
    plugin_id: str, providers: Mapping[str, Component], payload: dict[str, Any]
) -> tuple[Component, dict[str, Any]] | str:
    """The provider that a request means and what it is called with, or why there is none.

    Raises:
        BadPayload: The request is none.
    """
    if not providers:
        return f"{plugin_id} offers no model provider"
    told = structure(payload, LLMInvocation)
    provider = providers.get(told.client_type)
    if provider is None:
        served = ", ".join(providers)
        return (
            f"{plugin_id} serves no models of the client type {shown(told.client_type)}; it serves {served}"
        )
    return provider, {"operation": told.operation, "request": told.request}


def declarations_of(providers: Mapping[str, Component]) -> list[LLMProviderDeclaration]:
    """What the host is told of them."""
    return [
        LLMProviderDeclaration(
            client_type=client_type,
            name=provider.declared.metadata["name"],
            description=provider.declared.metadata["description"],
            version=provider.declared.metadata["version"],
        )
        for client_type, provider in providers.items()
    ]


def compare_providers(
    plugin_id: str, declared: Sequence[LLMProviderDeclaration], providers: Mapping[str, Component]
) -> None:
    """The manifest and the code have to say the same: the host goes by the one, and calls the other.

    Raises:
        DeclarationError: They do not.
    """
    promised, offered = {each.client_type for each in declared}, set(providers)
    if promised != offered:
        raise DeclarationError(
            f"the manifest of {plugin_id} says llm_providers = {sorted(promised)}, the code has {sorted(offered)};"
            " a client type stands in both"
        )
