"""Which chats does the bot take part in: who is let in through a gateway, and why?

An entry is looked up for a gateway, the one that names most about it first, and then the defaults of the kind of chat. The
first that has an opinion decides. Nothing is read from a disk here: see ``policy_file.py``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from .routes import Driver, RouteKey

EVERYBODY = "*"

IDENTITY = ("adapter_id", "plugin_id", "gateway_name", "platform", "account_id", "scope")
"""What an entry may say about the gateway that it is for."""

MAX_REMEMBERED = 1024
"""Gateways and routes whose entries are remembered."""


class ChatType(StrEnum):
    GROUP = "group"
    PRIVATE = "private"


class DefaultAction(StrEnum):
    ALLOW = "allow"
    BLOCK = "block"


class ListType(StrEnum):
    WHITELIST = "whitelist"
    BLACKLIST = "blacklist"


@attrs.frozen(kw_only=True)
class ChatRule:
    """What one entry says about chats of one kind, by the ids of groups, or of users in private chats."""

    disabled: bool = False
    """Nobody is let in."""
    deny_ids: tuple[str, ...] = ()
    """They are not; ``*`` is everybody."""
    allow_ids: tuple[str, ...] = ()
    """They are."""
    default_action: DefaultAction | None = None
    """For whoever else, where there is no list."""
    list_type: ListType | None = None
    """What ``ids`` are; a list without it is a whitelist."""
    ids: tuple[str, ...] = ()

    def decide(self, target: str) -> Verdict | None:
        """Its opinion; ``None`` when it has none."""
        named = {target, EVERYBODY}
        if self.disabled:
            return Verdict(False, "disabled")
        for ids, allowed, reason in ((self.deny_ids, False, "deny_ids"), (self.allow_ids, True, "allow_ids")):
            if matched := tuple(each for each in ids if each in named):
                return Verdict(allowed, reason, matched)
        if self.list_type is None and not self.ids:
            if self.default_action is None:
                return None
            return Verdict(self.default_action is DefaultAction.ALLOW, "default_action")
        kind = self.list_type or ListType.WHITELIST
        matched = tuple(each for each in self.ids if each in named)
        return Verdict(bool(matched) is (kind is ListType.WHITELIST), kind.value, matched)


@attrs.frozen
class Verdict:
    """What one rule says of one chat."""

    allowed: bool
    reason: str
    matched_ids: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class ChatDefaults:
    """For every gateway."""

    group: ChatRule = attrs.field(factory=ChatRule)
    private: ChatRule = attrs.field(factory=ChatRule)


def _as_in_keys(platform: str | None) -> str | None:
    """The form that platforms have in route keys."""
    return None if platform is None else platform.strip().lower()


@attrs.frozen(kw_only=True)
class AdapterEntry:
    """For the gateways that it fits: everything that it names has to be equal, and it names something."""

    adapter_id: str | None = None
    """The driver's id, ``gateway:PLUGIN:NAME``."""
    plugin_id: str | None = None
    gateway_name: str | None = None
    platform: str | None = attrs.field(default=None, converter=_as_in_keys)
    account_id: str | None = None
    scope: str | None = None
    disabled: bool = False
    """Nobody is let in by them."""
    group: ChatRule = attrs.field(factory=ChatRule)
    private: ChatRule = attrs.field(factory=ChatRule)

    @property
    def named(self) -> dict[str, str]:
        """What it says about the gateway."""
        return {name: text for name in IDENTITY if (text := getattr(self, name))}


@attrs.frozen(kw_only=True)
class PolicyResult:
    """Whether a message is let in, and why."""

    allowed: bool
    configured: bool
    """False when nothing said anything."""
    chat_type: str
    target_id: str
    list_type: str | None = None
    source: str = "implicit_default"
    reason: str = "implicit_default"
    matched_ids: tuple[str, ...] = ()

    def as_map(self) -> dict[str, Any]:
        return {**attrs.asdict(self), "matched_ids": list(self.matched_ids)}


class ChatPolicy:
    """The entries of one file.

    Args:
        adapters: In the order of the file; of two that name equally much the first decides.
    """

    def __init__(self, defaults: ChatDefaults | None = None, adapters: tuple[AdapterEntry, ...] = ()) -> None:
        self.defaults = defaults or ChatDefaults()
        self.adapters = tuple(sorted(adapters, key=lambda entry: -len(entry.named)))
        self._remembered: dict[tuple[str, RouteKey, ChatType], tuple[tuple[str, ChatRule], ...]] = {}

    def evaluate(self, driver: Driver, key: RouteKey, *, group_id: str | None, user_id: str) -> PolicyResult:
        """Whether a message of a chat may come in by a driver."""
        kind = ChatType.PRIVATE if group_id is None else ChatType.GROUP
        target = user_id if group_id is None else group_id
        if not target:
            return PolicyResult(
                allowed=False,
                configured=True,
                chat_type=kind,
                target_id="",
                source="",
                reason="missing_target_id",
            )
        for source, rule in self._rules(driver, key, kind):
            verdict = rule.decide(target)
            if verdict is not None:
                return PolicyResult(
                    allowed=verdict.allowed,
                    configured=True,
                    chat_type=kind.value,
                    target_id=target,
                    list_type=rule.list_type.value if rule.list_type else None,
                    source=source,
                    reason=verdict.reason,
                    matched_ids=verdict.matched_ids,
                )
        return PolicyResult(allowed=True, configured=False, chat_type=kind.value, target_id=target)

    def _rules(self, driver: Driver, key: RouteKey, kind: ChatType) -> tuple[tuple[str, ChatRule], ...]:
        """Those that are asked about a gateway, in order, each with what it is called."""
        place = (driver.driver_id, key, kind)
        known = self._remembered.get(place)
        if known is None:
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            known = self._remembered[place] = self._find_rules(driver, key, kind)
        return known

    def _find_rules(self, driver: Driver, key: RouteKey, kind: ChatType) -> tuple[tuple[str, ChatRule], ...]:
        identity = {
            "adapter_id": driver.driver_id,
            "plugin_id": driver.plugin_id,
            "gateway_name": driver.gateway,
            "platform": key.platform,
            "account_id": key.account_id,
            "scope": key.scope,
        }
        found = [
            (
                f"adapter {', '.join(f'{name}={text}' for name, text in entry.named.items())}",
                ChatRule(disabled=True) if entry.disabled else getattr(entry, kind.value),
            )
            for entry in self.adapters
            if entry.named and all(identity[name] == text for name, text in entry.named.items())
        ]
        return (*found, (f"defaults.{kind.value}", getattr(self.defaults, kind.value)))
