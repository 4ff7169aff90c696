"""What an operator allows: the plugin's list before its level's, nothing without a word, and where to write more."""

from __future__ import annotations

import pytest

from rookery.supervisor.entitlement import Entitlements

PLUGINS = {"a.own": ("config.get",), "a.none": ()}
LEVELS = {"guest": ("send.text", "config.*")}


@pytest.mark.parametrize(
    ("plugin_id", "trust", "shard_allows", "is_allowed"),
    [
        pytest.param("a.b", "trusted", None, True, id="a trusted level that nobody speaks of"),
        pytest.param("a.b", "untrusted", None, False, id="another level that nobody speaks of"),
        pytest.param("a.b", "guest", None, True, id="a level that has it"),
        pytest.param("a.own", "guest", None, False, id="a list of the plugin's own in place of its level's"),
        pytest.param("a.none", "trusted", None, False, id="an empty list of its own"),
        pytest.param("a.b", "untrusted", ("send.*",), True, id="a word of its shard where there is no other"),
        pytest.param("a.b", "guest", ("database.*",), False, id="a shard that has less than the level"),
        pytest.param("a.own", "guest", ("send.*",), False, id="a shard that has more than the plugin"),
    ],
)
def test_the_nearest_word_counts_and_a_shard_only_limits(
    plugin_id: str, trust: str, shard_allows: tuple[str, ...] | None, is_allowed: bool
) -> None:
    """Of ``send.text``, whatever the manifest says."""
    entitlement = Entitlements(plugins=PLUGINS, levels=LEVELS).of(
        plugin_id, trust=trust, shard="s", shard_allows=shard_allows
    )

    assert (entitlement.complaint("send.text") == "") is is_allowed


@pytest.mark.parametrize(
    ("plugin_id", "shard_allows", "words"),
    [
        pytest.param("a.b", None, 'add "llm.embed" to allow in [grants.guest]', id="its level"),
        pytest.param("a.own", None, 'add "llm.embed" to capabilities in [plugins."a.own"]', id="its list"),
        pytest.param(
            "a.all", ("send.*",), 'to capabilities of the [[shard]] with name = "sandbox"', id="its shard"
        ),
    ],
)
def test_a_complaint_names_the_place_to_write(
    plugin_id: str, shard_allows: tuple[str, ...] | None, words: str
) -> None:
    """The very one whose word was missing."""
    entitlements = Entitlements(plugins={**PLUGINS, "a.all": ("*",)}, levels=LEVELS)

    entitlement = entitlements.of(plugin_id, trust="guest", shard="sandbox", shard_allows=shard_allows)

    assert words in entitlement.complaint("llm.embed")


@pytest.mark.parametrize(
    ("plugin_id", "trust", "may"),
    [
        pytest.param("a.b", "trusted", True, id="a trusted one"),
        pytest.param("a.b", "guest", False, id="a stranger"),
        pytest.param("a.friend", "guest", True, id="a stranger that is named for it"),
        pytest.param("a.any", "guest", True, id="a stranger that is named for all"),
        pytest.param("a.b", "community", True, id="a level that is named for it"),
    ],
)
def test_a_stranger_calls_trusted_plugins_by_leave_only(plugin_id: str, trust: str, may: bool) -> None:
    """They act with leave that it has not."""
    entitlements = Entitlements(
        callees={"a.friend": ("t.shop",), "a.any": ("*",)}, level_callees={"community": ("t.shop",)}
    )

    complaint = entitlements.of(plugin_id, trust=trust).complaint_about_call(plugin_id, "t.shop")

    assert (complaint == "") is may
    assert may or f'add "t.shop" to calls_apis_of in [grants.{trust}]' in complaint
