"""Who serves which client type, over all shards, and which claims are refused?"""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest

from rookery.protocol import ComponentDeclaration, LLMProviderDeclaration, RegisterComponents
from rookery.supervisor.provider_table import MAX_PROVIDERS, ProviderConflict, ProviderTable
from rookery.supervisor.registry import Registry


class Tree:
    """A registry and its providers."""

    def __init__(self, declared: Callable[[str], Collection[str]] | None = None) -> None:
        self.registry = Registry()
        self.table = ProviderTable(self.registry, declared)

    def offer(self, plugin_id: str, *client_types: str, shard: str = "one", live: bool = True) -> None:
        """A plugin registers, as the host's traffic takes it."""
        providers = [LLMProviderDeclaration(client_type=name) for name in client_types]
        self.table.check(plugin_id, providers)
        registered = RegisterComponents(
            plugin_id=plugin_id,
            components=[ComponentDeclaration(name="x", component_type="TOOL")],
            llm_providers=providers,
        )
        registration = self.registry.register(registered, shard=shard, is_trusted=True, live=live)
        self.table.note(registration, providers)

    def conflict(self, plugin_id: str, *client_types: str) -> ProviderConflict:
        with pytest.raises(ProviderConflict) as caught:
            self.offer(plugin_id, *client_types)
        return caught.value

    def served(self, *client_types: str) -> list[str]:
        """Those of them that somebody serves."""
        return [name for name in client_types if self.table.find(name) is not None]

    def owner_of(self, client_type: str) -> str | None:
        found = self.table.find(client_type)
        return None if found is None else f"{found.plugin_id} in {found.shard}"


def test_a_provider_is_found_while_its_plugin_is_there() -> None:
    """From the moment that it is live, until it is gone; a new registration replaces all that it had."""
    tree = Tree()

    tree.offer("p.a", "mine", "other", live=False)
    loading = tree.owner_of("mine")
    tree.registry.publish(["p.a"], ["p.a"])
    known = ("mine", "other", "third")
    live = tree.served(*known)
    tree.offer("p.a", "third")
    replaced = tree.served(*known)
    tree.registry.unregister("p.a")

    assert loading is None
    assert (live, replaced, tree.served(*known)) == (["mine", "other"], ["third"], [])


def test_it_moves_with_its_plugin_and_stays_when_something_is_switched() -> None:
    """It is called where the plugin lives."""
    tree = Tree()
    tree.offer("p.a", "mine")

    tree.registry.set_enabled("p.a.x", False)
    tree.registry.move_plugin("p.a", "two")

    assert tree.owner_of("mine") == "p.a in two"


def test_a_runner_that_dies_while_it_loads_leaves_no_claim() -> None:
    """Another plugin may have the client type then."""
    tree = Tree()
    tree.offer("p.a", "mine", live=False)
    early = tree.conflict("p.b", "mine")

    tree.registry.forget_staged(["p.a"])
    tree.offer("p.b", "mine")

    assert "belongs to plugin 'p.a'" in str(early)
    assert tree.owner_of("mine") == "p.b in one"


def test_newer_code_on_trial_takes_over_when_it_is_taken() -> None:
    """Until then the older serves."""
    tree = Tree()
    tree.offer("p.a", "mine")

    tree.offer("p.a", "mine", "more", live=False)
    trial = tree.served("mine", "more")
    tree.registry.publish(["p.a"], ["p.a"])

    assert trial == ["mine"]
    assert tree.served("mine", "more") == ["mine", "more"]


@pytest.mark.parametrize(
    ("client_types", "path", "text"),
    [
        pytest.param(("taken",), "llm_providers[0].client_type", "belongs to plugin 'p.a'", id="another's"),
        pytest.param(("openai",), "llm_providers[0].client_type", "by the host itself", id="the host's"),
        pytest.param(("x", "x"), "llm_providers[1].client_type", "there twice", id="one twice"),
        pytest.param((" ",), "llm_providers[0].client_type", "1 to 128", id="none"),
        pytest.param(("x" * 200,), "llm_providers[0].client_type", "1 to 128", id="a long one"),
        pytest.param(tuple(map(str, range(MAX_PROVIDERS + 1))), "llm_providers", "at most 50", id="too many"),
    ],
)
def test_a_claim_that_cannot_be_is_refused_as_a_whole(
    client_types: tuple[str, ...], path: str, text: str
) -> None:
    """With the details of protocol 1.0.0, and nothing has changed."""
    tree = Tree()
    tree.offer("p.a", "taken")
    tree.offer("p.b", "own")

    refused = tree.conflict("p.b", *client_types)

    assert refused.path == path
    assert text in str(refused)
    assert refused.details["plugin_id"] == "p.b"
    assert refused.details["llm_provider_count"] == len(client_types)
    assert (tree.owner_of("own"), tree.owner_of("taken")) == ("p.b in one", "p.a in one")
    assert set(tree.served(*client_types)) <= {"taken"}


def test_a_runner_cannot_claim_what_its_manifest_does_not_say() -> None:
    """The host has read the manifest itself."""
    tree = Tree(lambda plugin_id: {"mine"} if plugin_id == "p.a" else ())

    tree.offer("p.a", "mine")
    refused = tree.conflict("p.b", "yours")

    assert "not among the llm_providers of the plugin's manifest" in str(refused)
