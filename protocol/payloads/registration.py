"""How does a plugin become known to the host: bootstrap, components, unregister."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Bootstrap:
    """``plugin.bootstrap``: a plugin appears; an empty capability list takes its grants back."""

    plugin_id: str
    plugin_version: str = "1.0.0"
    plugin_type: str = "extension"
    capabilities_required: list[str] = attrs.Factory(list)


@attrs.frozen(kw_only=True)
class BootstrapAnswer:
    accepted: bool
    plugin_id: str = ""


@attrs.frozen(kw_only=True)
class ComponentDeclaration:
    """One component as its plugin declares it."""

    name: str
    component_type: str
    plugin_id: str = ""
    """Informational: the host goes by the plugin that registers."""
    chat_scope: str = "all"
    """``all``, ``group`` or ``private``."""
    allowed_session: list[str] = attrs.Factory(list)
    """Session ids, group ids or ``platform:group``; empty allows all."""
    metadata: dict[str, Any] = attrs.Factory(dict)


@attrs.frozen(kw_only=True)
class LLMProviderDeclaration:
    client_type: str
    name: str = ""
    description: str = ""
    version: str = "1.0.0"
    metadata: dict[str, Any] = attrs.Factory(dict)


@attrs.frozen(kw_only=True)
class RegisterComponents:
    """``plugin.register_components``: everything a plugin offers, replacing what it offered before."""

    plugin_id: str
    plugin_version: str = "1.0.0"
    plugin_type: str = "extension"
    components: list[ComponentDeclaration] = attrs.Factory(list)
    llm_providers: list[LLMProviderDeclaration] = attrs.Factory(list)
    capabilities_required: list[str] = attrs.Factory(list)
    dependencies: list[str] = attrs.Factory(list)
    config_reload_subscriptions: list[str] = attrs.Factory(list)
    default_config: dict[str, Any] = attrs.Factory(dict)
    config_schema: dict[str, Any] = attrs.Factory(dict)


@attrs.frozen(kw_only=True)
class RegisterAnswer:
    accepted: bool
    plugin_id: str = ""
    registered_components: int = 0
    registered_apis: int = 0
    llm_providers: int = 0
    message_gateways: int = 0


@attrs.frozen(kw_only=True)
class Unregister:
    plugin_id: str
    reason: str = "manual"


@attrs.frozen(kw_only=True)
class UnregisterAnswer:
    accepted: bool
    plugin_id: str = ""
    reason: str = ""
    removed_components: int = 0
    """Without its APIs."""
    removed_apis: int = 0
    removed_llm_providers: int = 0
    removed_registration: bool = False
