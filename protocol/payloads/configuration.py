"""How does configuration reach a plugin and how is it looked at without loading one."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class ConfigUpdated:
    """``plugin.config_updated``."""

    plugin_id: str
    config_version: str
    config_scope: str = "self"
    """``self``, ``bot`` or ``model``."""
    config_data: dict[str, Any] = attrs.Factory(dict)
    if_changed: bool = False
    """Whether a plugin is told only if its configuration becomes another; protocol 1.0.0 tells it always."""


@attrs.frozen(kw_only=True)
class InspectConfig:
    config_data: dict[str, Any] = attrs.Factory(dict)
    use_provided_config: bool = False


@attrs.frozen(kw_only=True)
class InspectConfigAnswer:
    success: bool
    default_config: dict[str, Any] = attrs.Factory(dict)
    config_schema: dict[str, Any] = attrs.Factory(dict)
    normalized_config: dict[str, Any] = attrs.Factory(dict)
    changed: bool = False
    enabled: bool = True


@attrs.frozen(kw_only=True)
class ValidateConfig:
    config_data: dict[str, Any] = attrs.Factory(dict)


@attrs.frozen(kw_only=True)
class ValidateConfigAnswer:
    success: bool
    normalized_config: dict[str, Any] = attrs.Factory(dict)
    changed: bool = False
