"""How does a plugin say that it serves language models, and how is it asked?"""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import ComponentType, LLMProviderDeclaration, unstructure
from rookery.runner import DeclarationError, Plugin, llm_provider
from rookery.runner.components import collect_components, collect_providers
from rookery.runner.provider import compare_providers, declarations_of


class Serves(Plugin):
    @llm_provider("mine", description="local models", version="1.2.0")
    async def serve(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        return {"content": f"{operation} {request['message_list']}"}


def test_a_provider_is_no_component() -> None:
    """It has a list of its own in the registration, and a name that components may have too."""
    plugin = Serves()

    providers = collect_providers(plugin)

    assert collect_components(plugin) == {}
    assert [(name, each.type) for name, each in providers.items()] == [("mine", ComponentType.LLM_PROVIDER)]
    assert [unstructure(each) for each in declarations_of(providers)] == [
        {
            "client_type": "mine",
            "name": "",
            "description": "local models",
            "version": "1.2.0",
            "metadata": {},
        }
    ]


def test_one_client_type_has_one_provider() -> None:
    """And a handler takes what it is called with."""

    class Twice(Plugin):
        @llm_provider("mine")
        async def one(self, operation: str, request: dict[str, Any]) -> None: ...

        @llm_provider("mine")
        async def other(self, operation: str, request: dict[str, Any]) -> None: ...

    class Wrong(Plugin):
        @llm_provider("mine")
        async def one(self, operations: str) -> None: ...

    with pytest.raises(DeclarationError, match=r"Twice.other: 'mine' is served already"):
        collect_providers(Twice())
    with pytest.raises(DeclarationError, match=r"Wrong.one asks for 'operations'.*did you mean 'operation'"):
        collect_providers(Wrong())


@pytest.mark.parametrize("wrong", ["", " ", 3, print])
def test_a_client_type_is_a_text(wrong: Any) -> None:
    """Said where the decorator stands."""
    with pytest.raises(DeclarationError, match="@llm_provider"):
        llm_provider(wrong)


@pytest.mark.parametrize("promised", [[], ["other"], ["mine", "other"]])
def test_the_manifest_and_the_code_say_the_same(promised: list[str]) -> None:
    """The host goes by the one and calls the other."""
    declared = [LLMProviderDeclaration(client_type=name) for name in promised]

    with pytest.raises(DeclarationError, match=r"says llm_providers = .*, the code has \['mine'\]"):
        compare_providers("p.a", declared, collect_providers(Serves()))
    compare_providers("p.a", [LLMProviderDeclaration(client_type="mine")], collect_providers(Serves()))
