"""How does an operator let one chat in, or keep it out, without writing the policy's file by hand?

What its owner wrote around stays, comments too; the file is replaced whole or not at all, and never by one that could not be
read again.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from ..config_edit import read_text, write_text
from ..errors import UsageError
from .chat_policy import IDENTITY, ChatType, DefaultAction
from .policy_file import read_policy_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


class Override(StrEnum):
    """What a policy is to say of one chat."""

    ALLOW = "allow"
    BLOCK = "block"
    INHERIT = "inherit"
    """Nothing: what is said of all of them holds."""


_LISTS = {Override.ALLOW: "allow_ids", Override.BLOCK: "deny_ids"}


def set_chat(
    path: Path,
    kind: ChatType,
    target_id: str,
    override: Override,
    *,
    gateway: Mapping[str, str] | None = None,
) -> bool:
    """Let a chat in, keep it out, or say nothing of it; whether that is a change.

    Args:
        target_id: Of a group, or of a person in private.
        gateway: What the entry names about the gateways that it is for; ``None`` is the defaults of all of them.

    Raises:
        UsageError: The file cannot be read, written, or used; it stays as it was.
    """
    if not target_id.strip():
        raise UsageError("a chat has an id that is not empty")
    return _edit(
        path, lambda document: _set_chat(_rule(document, kind, gateway), target_id.strip(), override)
    )


def forget_chat(path: Path, kind: ChatType, target_id: str) -> bool:
    """Say nothing of a chat, in the defaults and in every entry; whether that is a change."""

    def forget(document: Any) -> None:
        for rule in _rules(document, kind):
            _set_chat(rule, target_id, Override.INHERIT)

    return _edit(path, forget)


def set_default(
    path: Path, kind: ChatType, action: DefaultAction | None, *, gateway: Mapping[str, str] | None = None
) -> bool:
    """What holds for chats of a kind that nothing is said of; ``None`` leaves it to the next entry."""

    def change(document: Any) -> None:
        rule = _rule(document, kind, gateway)
        if action is None:
            rule.pop("default_action", None)
        else:
            rule["default_action"] = action.value

    return _edit(path, change)


def _edit(path: Path, change: Any) -> bool:
    before = read_text(path)
    try:
        document = tomlkit.parse(before)
        change(document)
        after = tomlkit.dumps(document)
    except (TOMLKitError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: {error}; correct it first") from None
    if after == before:
        return False
    _, mistakes = read_policy_text(after, path)
    if mistakes:
        raise UsageError(f"{mistakes[0]}; correct it first")
    write_text(path, after)
    return True


def _rule(document: Any, kind: ChatType, gateway: Mapping[str, str] | None) -> Any:
    """The table that the change is made in; it is added where it is not there."""
    owner = _table(document, "defaults") if gateway is None else _entry(document, gateway)
    return _table(owner, kind.value)


def _entry(document: Any, gateway: Mapping[str, str]) -> Any:
    strange = sorted(gateway.keys() - set(IDENTITY))
    if strange or not gateway:
        raise UsageError(
            f"a gateway is named by {', '.join(IDENTITY)}; got {', '.join(strange) or 'nothing'}"
        )
    entries = document.setdefault("adapters", tomlkit.aot())
    for entry in entries:
        if {name: str(entry[name]) for name in IDENTITY if name in entry} == dict(gateway):
            return entry
    made = tomlkit.table()
    made.update(gateway)
    entries.append(made)
    return entries[-1]


def _rules(document: Any, kind: ChatType) -> Iterator[Any]:
    owners: Iterable[Any] = (document.get("defaults", {}), *document.get("adapters", ()))
    return (owner[kind.value] for owner in owners if kind.value in owner)


def _table(owner: Any, name: str) -> Any:
    if name not in owner:
        owner[name] = tomlkit.table()
    return owner[name]


def _set_chat(rule: Any, target_id: str, override: Override) -> None:
    wanted = _LISTS.get(override)
    for name in _LISTS.values():
        ids = rule.get(name, [])
        there = [place for place, each in enumerate(ids) if str(each) == target_id]
        if name == wanted:
            if not there:
                rule.setdefault(name, tomlkit.array()).append(target_id)
        else:
            for place in reversed(there):
                del ids[place]
