"""Grants: a plugin may use what its manifest declares and its operator allows, and nothing else."""

from __future__ import annotations

import pytest

from rookery.supervisor.grants import Grants


@pytest.mark.parametrize(
    ("declared", "allowed", "is_allowed"),
    [
        pytest.param(["send.text"], None, True, id="declared by name"),
        pytest.param(["send.*"], None, True, id="declared as a family"),
        pytest.param(["*"], None, True, id="everything declared"),
        pytest.param([], None, False, id="nothing declared"),
        pytest.param(["send.image"], None, False, id="another one declared"),
        pytest.param(["send"], None, False, id="a family without its star"),
        pytest.param(["sen*"], None, False, id="a star in the middle of a word"),
        pytest.param(["send.*"], ["send.text"], True, id="a family declared and the name allowed"),
        pytest.param(["send.text"], ["*"], True, id="everything allowed"),
        pytest.param(["send.text"], [], False, id="nothing allowed"),
        pytest.param(["send.text"], ["database.*"], False, id="another family allowed"),
    ],
)
def test_a_capability_is_allowed_when_declared_and_not_forbidden(
    declared: list[str], allowed: list[str] | None, is_allowed: bool
) -> None:
    """Declared ∩ allowed, by name, by family or as a whole."""
    grants = Grants()

    grants.grant("a.b", declared, allowed)

    assert grants.allows("a.b", "send.text") is is_allowed


def test_a_plugin_without_a_grant_may_nothing() -> None:
    """Not even what everybody may."""
    grants = Grants()

    assert not grants.allows("a.b", "send.text")
    assert not grants.allows("a.b", "api.replace_dynamic")


def test_a_grant_is_for_one_plugin_and_replaces_the_one_before() -> None:
    """Granting again takes the old list away."""
    grants = Grants()
    grants.grant("a.b", ["send.text"], None)

    grants.grant("a.b", ["config.get"], None)

    assert not grants.allows("a.b", "send.text")
    assert grants.allows("a.b", "config.get")
    assert not grants.allows("a.c", "config.get")


def test_revoking_takes_everything_back() -> None:
    """And may be done twice."""
    grants = Grants()
    grants.grant("a.b", ["*"], None)

    grants.revoke("a.b")
    grants.revoke("a.b")

    assert not grants.allows("a.b", "send.text")


def test_a_refusal_says_who_has_to_do_what() -> None:
    """The author is told what to declare, and the operator's decision is named as such."""
    grants = Grants()
    grants.grant("a.b", ["send.text"], [])

    undeclared = grants.refusal("a.b", "database.get_row")
    forbidden = grants.refusal("a.b", "send.text")

    assert undeclared is not None
    assert '"database.get_row"' in undeclared
    assert "manifest" in undeclared
    assert forbidden is not None
    assert "operator" in forbidden


def test_a_shards_limit_holds_for_every_plugin_there() -> None:
    """Whatever the manifest declares and the plugin's own limit allows."""
    grants = Grants()
    grants.grant("a.b", ["send.*", "config.get"], ["*"], shard="sandbox", shard_allows=["send.text"])

    refusal = grants.refusal("a.b", "config.get")

    assert grants.allows("a.b", "send.text")
    assert not grants.allows("a.b", "send.image")
    assert refusal is not None
    assert '"sandbox"' in refusal


def test_a_grant_is_not_used_from_another_shard() -> None:
    """It belongs to the connection that it was given to."""
    grants = Grants()
    grants.grant("a.b", ["send.text"], None, shard="one")

    assert grants.refusal("a.b", "send.text", "one") is None
    assert grants.refusal("a.b", "send.text", "two") is not None


def test_the_end_of_a_runner_takes_back_what_its_shard_had() -> None:
    """Also of a plugin that has been moved elsewhere since; nothing of the others."""
    grants = Grants()
    for plugin_id, shard in (("a.b", "one"), ("a.c", "one"), ("a.d", "two")):
        grants.grant(plugin_id, ["send.text"], None, shard=shard)

    assert grants.revoke_shard("one") == ("a.b", "a.c")
    assert grants.revoke_shard("one") == ()
    assert not grants.allows("a.b", "send.text")
    assert grants.allows("a.d", "send.text")


def test_a_grant_that_is_changed_later_stays_bound_to_its_shard() -> None:
    """Whoever changes what a plugin declares need not know where it lives, nor what is allowed there."""
    grants = Grants()
    grants.grant("a.b", ["send.text"], None, shard="one", shard_allows=["config.*", "send.*"])

    grants.grant("a.b", ["config.get", "database.get"], None)

    assert grants.allows("a.b", "config.get")
    assert grants.refusal("a.b", "config.get", "two") is not None
    assert not grants.allows("a.b", "database.get")
    assert grants.revoke_shard("one") == ("a.b",)
    assert not grants.allows("a.b", "config.get")
