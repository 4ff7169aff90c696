"""The authors' API, and the process that loads plugins and runs their components.

For authors, all of it behind this door. plugin: what a plugin is · decorators, provider: how it says what it offers ·
configuration, setting: its configuration · message: a chat message · outcomes: what events and hooks may come to ·
context: what plugin code may touch · capabilities, apis, model_services, web, gateway: the host's services with types ·
inbound, backoff: what gateways have in common · errors.
testing is a side door: ``from rookery.runner.testing import run_plugin``, with fake_host behind it.

For the runner. components: the table of what a plugin offers · binding, annotation, parameters: signatures ·
invoke: plugin code is run · answers: what its results mean · failure: what it raised, for people · config_file,
config_schema: a configuration on disk and in a dashboard · loaded: a plugin once it is there · bundled: gateways that
ship with rookery.

The process. boot, start, lifeline: how it comes up · discovery, dependencies, loader: which plugins, in which order ·
serve: the conversation with the host · logs, lines, output, last_words: what plugins say.
"""

from __future__ import annotations

from .apis import DynamicApi
from .backoff import Backoff
from .border import PluginFailed
from .capabilities import Row
from .configuration import Field, PluginConfig
from .context import Context
from .decorators import action, api, command, event_handler, hook, message_gateway, stage_handler, tool
from .errors import CapabilityFailed, ConfigMistake, DeclarationError, PluginConfigError
from .inbound import Inbound
from .message import Message
from .model_services import ModelAnswer
from .outcomes import EventOutcome, HookOutcome
from .plugin import Plugin
from .provider import llm_provider
from .web import Fetched

__all__ = [
    "Plugin",
    "command",
    "event_handler",
    "hook",
    "stage_handler",
    "tool",
    "action",
    "message_gateway",
    "api",
    "llm_provider",
    "DynamicApi",
    "ModelAnswer",
    "Fetched",
    "PluginConfig",
    "Field",
    "Message",
    "Inbound",
    "Backoff",
    "EventOutcome",
    "HookOutcome",
    "Context",
    "Row",
    "CapabilityFailed",
    "ConfigMistake",
    "DeclarationError",
    "PluginConfigError",
    "PluginFailed",
]
