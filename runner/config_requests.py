"""What does the host get when it looks at a plugin's configuration, tries values, or gives it new ones?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import trio

from rookery.protocol import (
    ErrorCode,
    InspectConfig,
    InspectConfigAnswer,
    RookeryError,
    ValidateConfigAnswer,
)

from .border import PluginFailed, call_guarded, log_failure, run_guarded
from .config_file import SWITCH_TABLE, merge_values, read_config, take_switch
from .config_schema import config_schema
from .errors import PluginConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rookery.protocol import ConfigUpdated

    from .loaded import LoadedPlugin


class ConfigRefused(RookeryError):
    """A configuration request cannot be done; the code goes to the host."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


async def update_config(
    plugin: LoadedPlugin, values: dict[str, Any], *, timeout: float, if_changed: bool = False
) -> None:
    """Give a plugin what the deployment says now, and tell it.

    Args:
        if_changed: Whether to tell it only when its configuration has become another.

    Raises:
        ConfigRefused: The values are wrong and the old ones stay, or the plugin's ``on_config_update`` failed.
    """
    assigned = attrs.evolve(plugin.assigned, config=values)
    held = plugin.instance.config
    try:
        merged = read_config(Path(assigned.path), values)
        before, plugin.assigned = plugin.assigned, assigned
        try:
            plugin.replace_config(merged)
        except RookeryError:
            plugin.assigned = before
            raise
    except (PluginConfigError, PluginFailed) as error:
        raise ConfigRefused(ErrorCode.E_BAD_PAYLOAD, str(error)) from None
    if not if_changed or plugin.instance.config != held:
        await _tell(plugin, "on_config_update", plugin.instance.on_config_update, timeout=timeout)


async def tell_host_config(plugin: LoadedPlugin, told: ConfigUpdated, *, timeout: float) -> None:
    """Tell a plugin what another configuration says now, if it wants to hear of it.

    Raises:
        ConfigRefused: The plugin's ``on_host_config`` failed.
    """
    if told.config_scope in plugin.instance.config_subscriptions:
        arguments = told.config_scope, told.config_data, told.config_version
        await _tell(plugin, "on_host_config", plugin.instance.on_host_config, *arguments, timeout=timeout)


async def _tell(
    plugin: LoadedPlugin, name: str, function: Callable[..., Any], *arguments: Any, timeout: float
) -> None:
    with trio.move_on_after(timeout) as limit:
        try:
            await run_guarded(plugin.plugin_id, function, *arguments)
        except PluginFailed as failure:
            log_failure(plugin.plugin_id, name, failure)
            raise ConfigRefused(ErrorCode.E_UNKNOWN, f"{name} failed: {failure.reason}") from None
    if limit.cancelled_caught:
        raise ConfigRefused(ErrorCode.E_TIMEOUT, f"{name} took longer than {timeout:g} s")


def inspect_config(plugin: LoadedPlugin, told: InspectConfig) -> InspectConfigAnswer:
    """Describe what can be configured and what holds.

    Raises:
        ConfigRefused: The plugin's own file is broken. Provided values are never refused here, only not normalised.
    """
    config_class = plugin.instance.config_class
    if told.use_provided_config:
        values = told.config_data
    else:
        try:
            values = read_config(Path(plugin.assigned.path), plugin.assigned.config)
        except PluginConfigError as error:
            raise ConfigRefused(ErrorCode.E_BAD_PAYLOAD, str(error)) from None
    try:
        normalized = _normalize(plugin, values)
    except ConfigRefused:
        if not told.use_provided_config:
            raise
        normalized = dict(values)
    return InspectConfigAnswer(
        success=True,
        default_config=config_class.default_values(),
        config_schema=config_schema(config_class, plugin.manifest),
        normalized_config=normalized,
        changed=normalized != values,
        enabled=plugin.assigned.enabled and take_switch(values, is_own=True)[1],
    )


def validate_config(plugin: LoadedPlugin, values: dict[str, Any]) -> ValidateConfigAnswer:
    """Check values without using them.

    Raises:
        ConfigRefused: Every mistake in them.
    """
    normalized = _normalize(plugin, merge_values({}, values))
    return ValidateConfigAnswer(success=True, normalized_config=normalized, changed=normalized != values)


def _normalize(plugin: LoadedPlugin, values: Mapping[str, Any]) -> dict[str, Any]:
    config_class = plugin.instance.config_class
    try:
        values, _ = take_switch(values, is_own=SWITCH_TABLE in config_class.settings)
        config = call_guarded(plugin.plugin_id, config_class.from_values, values)
    except PluginConfigError as error:
        raise ConfigRefused(ErrorCode.E_BAD_PAYLOAD, str(error)) from None
    except PluginFailed as failure:
        cause = failure.__cause__
        text = str(cause) if isinstance(cause, PluginConfigError) else failure.reason
        raise ConfigRefused(ErrorCode.E_BAD_PAYLOAD, text) from None
    normalized: dict[str, Any] = config.as_dict()
    return normalized
