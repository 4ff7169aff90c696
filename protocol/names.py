"""What things are called on the wire and which texts are valid identifiers."""

from __future__ import annotations

import re
from enum import StrEnum

PROTOCOL_VERSION = "1.0.0"

PLUGIN_ID = re.compile(r"[A-Za-z0-9_]+(?:[.-][A-Za-z0-9_]+)+")
"""At least two parts joined by ``.`` or ``-``: the grammar of manifest version 2."""

SHARD_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
"""Short, because it becomes part of file names and log prefixes."""


INLINE = "inline"
"""In the metadata of a component: true when it runs on the runner's loop, and needs no thread before it begins."""


class ComponentType(StrEnum):
    """What kinds of thing a plugin can offer; the values are the texts on the wire."""

    ACTION = "ACTION"
    COMMAND = "COMMAND"
    TOOL = "TOOL"
    EVENT_HANDLER = "EVENT_HANDLER"
    HOOK_HANDLER = "HOOK_HANDLER"
    MESSAGE_GATEWAY = "MESSAGE_GATEWAY"
    API = "API"
    LLM_PROVIDER = "LLM_PROVIDER"
    HOME_CARD = "HOME_CARD"


class Side(StrEnum):
    """Which end of a connection one is."""

    HOST = "host"
    RUNNER = "runner"

    @property
    def peer(self) -> Side:
        return Side.RUNNER if self is Side.HOST else Side.HOST


def is_plugin_id(text: str) -> bool:
    return PLUGIN_ID.fullmatch(text) is not None


def is_shard_name(text: str) -> bool:
    return SHARD_NAME.fullmatch(text) is not None


def full_name(plugin_id: str, component: str) -> str:
    """The name that is unique over the whole tree: ``plugin.id.component``."""
    return f"{plugin_id}.{component}"
