"""Who is let in is decided by the entry that names most about the gateway, and the answer says why."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.supervisor.platform.chat_policy import (
    AdapterEntry,
    ChatDefaults,
    ChatPolicy,
    ChatRule,
    DefaultAction,
    ListType,
    PolicyResult,
)
from rookery.supervisor.platform.routes import Driver, route_key

KEY = route_key("QQ", "me")
DRIVER = Driver(plugin_id="p.a", gateway="chat", key=KEY, sends=True, receives=True)


def _evaluate(policy: ChatPolicy, *, group: str | None = "g", user: str = "u") -> PolicyResult:
    return policy.evaluate(DRIVER, KEY, group_id=group, user_id=user)


def test_without_a_word_everybody_is_let_in() -> None:
    """And the answer says that nobody decided it."""
    assert _evaluate(ChatPolicy()) == PolicyResult(
        allowed=True, configured=False, chat_type="group", target_id="g"
    )


@pytest.mark.parametrize(
    ("rule", "target", "allowed", "reason"),
    [
        pytest.param(ChatRule(disabled=True, allow_ids=("g",)), "g", False, "disabled", id="switched off"),
        pytest.param(ChatRule(deny_ids=("g",), allow_ids=("g",)), "g", False, "deny_ids", id="denied first"),
        pytest.param(ChatRule(deny_ids=("*",)), "g", False, "deny_ids", id="everybody denied"),
        pytest.param(
            ChatRule(allow_ids=("g",), default_action=DefaultAction.BLOCK), "g", True, "allow_ids", id="allowed"
        ),
        pytest.param(
            ChatRule(allow_ids=("x",), default_action=DefaultAction.BLOCK), "g", False, "default_action", id="others"
        ),
        pytest.param(ChatRule(ids=("g",)), "g", True, "whitelist", id="a list is a whitelist"),
        pytest.param(ChatRule(ids=("x",)), "g", False, "whitelist", id="not on it"),
        pytest.param(ChatRule(list_type=ListType.WHITELIST), "g", False, "whitelist", id="an empty whitelist"),
        pytest.param(ChatRule(list_type=ListType.BLACKLIST, ids=("g",)), "g", False, "blacklist", id="blacklisted"),
        pytest.param(ChatRule(list_type=ListType.BLACKLIST), "g", True, "blacklist", id="an empty blacklist"),
    ],
)  # fmt: skip
def test_what_one_rule_decides(rule: ChatRule, target: str, allowed: bool, reason: str) -> None:
    """Switched off, denied, allowed, listed, or by default, in this order."""
    result = _evaluate(ChatPolicy(ChatDefaults(group=rule)), group=target)

    assert (result.allowed, result.configured, result.reason) == (allowed, True, reason)
    assert result.source == "defaults.group"


def test_a_group_and_a_person_are_asked_about_by_their_own_rules() -> None:
    """The id of a group goes before that of the speaker."""
    policy = ChatPolicy(ChatDefaults(group=ChatRule(ids=("g",)), private=ChatRule(ids=("u",))))

    assert _evaluate(policy, group="g", user="stranger").allowed
    assert not _evaluate(policy, group="u", user="u").allowed
    assert _evaluate(policy, group=None, user="u").allowed
    assert _evaluate(policy, group=None, user="g").target_id == "g"


@pytest.mark.parametrize(
    "entry",
    [
        {"platform": "qq", "account_id": "me"},
        {"plugin_id": "p.a", "gateway_name": "chat"},
        {"adapter_id": "gateway:p.a:chat", "platform": "QQ"},
    ],
)
def test_the_entry_that_names_most_decides(entry: dict[str, str]) -> None:
    """Wherever it stands in the file; platforms are compared without regard to case."""
    broad = AdapterEntry(platform="qq", group=ChatRule(deny_ids=("*",)))
    exact = AdapterEntry(**entry, group=ChatRule(allow_ids=("g",)))
    policy = ChatPolicy(ChatDefaults(group=ChatRule(disabled=True)), (broad, exact))

    assert _evaluate(policy).allowed
    assert not _evaluate(policy, group="other").allowed


@pytest.mark.parametrize(
    "other",
    [{"platform": "irc"}, {"platform": "qq", "account_id": "you"}, {"plugin_id": "p.a", "scope": "s"}],
)
def test_an_entry_of_another_gateway_has_no_say(other: dict[str, str]) -> None:
    """Everything that it names has to be equal."""
    policy = ChatPolicy(adapters=(AdapterEntry(**other, group=ChatRule(disabled=True)),))

    assert not _evaluate(policy).configured


def test_an_entry_can_switch_its_gateway_off() -> None:
    """For both kinds of chat."""
    policy = ChatPolicy(adapters=(AdapterEntry(plugin_id="p.a", disabled=True),))

    assert not _evaluate(policy).allowed
    assert _evaluate(policy, group=None).source == "adapter plugin_id=p.a"


def test_a_message_from_nobody_is_not_let_in() -> None:
    """There is nothing that a rule could be about."""
    result = _evaluate(ChatPolicy(), group=None, user="")

    assert (result.allowed, result.configured, result.reason) == (False, True, "missing_target_id")


def test_the_answer_is_a_plain_map() -> None:
    """It travels to the gateway."""
    told: Any = _evaluate(ChatPolicy(ChatDefaults(group=ChatRule(deny_ids=("g",))))).as_map()

    assert told == {
        "allowed": False,
        "configured": True,
        "chat_type": "group",
        "target_id": "g",
        "list_type": None,
        "source": "defaults.group",
        "reason": "deny_ids",
        "matched_ids": ["g"],
    }
