"""How does a running plugin learn of a new configuration, its own or the bot's, and how is one looked at and tried?

What is pushed lies over the plugin's own ``config.toml``, in place of what the deployment's file says, and holds for each
later runner too, until the host ends. What a plugin refuses is forgotten.
"""

from __future__ import annotations

import logging
import tomllib
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from rookery.protocol import (
    CONFIG_NAME,
    PLUGIN_CONFIG_UPDATED,
    PLUGIN_INSPECT_CONFIG,
    PLUGIN_VALIDATE_CONFIG,
    Acknowledged,
    ConfigUpdated,
    ErrorCode,
    InspectConfig,
    InspectConfigAnswer,
    RemoteError,
    RookeryError,
    ValidateConfig,
    ValidateConfigAnswer,
    structure,
    unstructure,
)

from .errors import UsageError
from .plugin_config import laid_over
from .shard_state import WORKING
from .suggestion import one_of, suggest
from .when_free import when_free

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rookery.protocol import Link

    from .shard import Shard
    from .supervisor import Supervisor

_LOG = logging.getLogger("rookery.config")

SELF, BOT, MODEL = "self", "bot", "model"
SCOPES = (SELF, BOT, MODEL)


class ConfigRejected(RookeryError, ValueError):
    """A plugin, or its file, does not allow a configuration; the text says every mistake."""


class ConfigPush:
    """Takes configurations to plugins, wherever they live."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._pushed: dict[str, dict[str, Any]] = {}
        self._edits: dict[str, trio.Lock] = {}
        """By plugin: between reading its file and writing it nobody else does."""

    def values_of(self, plugin_id: str) -> dict[str, Any]:
        """What lies over a plugin's own file: what was pushed last, else what the deployment's file says."""
        told = self._pushed.get(plugin_id)
        return dict(self._supervisor.settings.plugin(plugin_id).config) if told is None else told

    # --- telling -----------------------------------------------------------------------------------------------

    async def push(
        self,
        plugin_id: str,
        config_data: Mapping[str, Any] | None = None,
        config_version: str = "",
        config_scope: str = SELF,
        *,
        if_changed: bool = False,
    ) -> bool:
        """Tell one plugin; whether it has taken it. Why it has not is in the log.

        Args:
            config_data: ``None`` has it read its own file again, under what lay over it before.
            config_scope: ``self``, or ``bot`` or ``model`` for the configuration of those.
            if_changed: Whether it is told only when its configuration becomes another.
        """
        try:
            await self._push(plugin_id, config_data, config_version, config_scope, if_changed=if_changed)
        except RookeryError as error:
            _LOG.warning("the configuration of %s was not taken: %s", plugin_id, error)
            return False
        return True

    async def broadcast(
        self, config_scope: str, config_data: Mapping[str, Any], config_version: str = ""
    ) -> dict[str, bool]:
        """Tell every plugin that has subscribed to the configuration of the bot, or of its models; who has taken it."""
        return {
            each.plugin_id: await self.push(each.plugin_id, config_data, config_version, config_scope)
            for each in self._supervisor.parts.registry.registrations
            if config_scope in each.config_subscriptions
        }

    async def _push(
        self,
        plugin_id: str,
        config_data: Mapping[str, Any] | None,
        config_version: str,
        config_scope: str,
        *,
        if_changed: bool,
    ) -> None:
        if config_scope not in SCOPES:
            raise UsageError(f"{config_scope!r} is no scope; there is {one_of(SCOPES)}")
        is_own = config_scope == SELF
        data = self.values_of(plugin_id) if config_data is None and is_own else dict(config_data or {})
        before = self._pushed.get(plugin_id)
        link = self._link_to(plugin_id)
        if is_own and config_data is not None:
            self._pushed[plugin_id] = data
        told = ConfigUpdated(
            plugin_id=plugin_id,
            config_version=config_version,
            config_scope=config_scope,
            config_data=data,
            if_changed=if_changed,
        )
        try:
            answer = await link.call(PLUGIN_CONFIG_UPDATED, unstructure(told), plugin_id=plugin_id)
            if not structure(answer, Acknowledged).acknowledged:
                if is_own:
                    self._forget(plugin_id, before)
                raise ConfigRejected("the plugin did not acknowledge it")
        except RemoteError as error:
            if is_own and error.code is ErrorCode.E_BAD_PAYLOAD:
                self._forget(plugin_id, before)
                raise ConfigRejected(error.message) from None
            raise

    def _forget(self, plugin_id: str, before: dict[str, Any] | None) -> None:
        if before is None:
            self._pushed.pop(plugin_id, None)
        else:
            self._pushed[plugin_id] = before

    # --- asking ------------------------------------------------------------------------------------------------

    async def inspect(
        self, plugin_id: str, config_data: Mapping[str, Any] | None = None
    ) -> InspectConfigAnswer:
        """What can be configured, and what holds, or would with these values; also of a plugin that is not loaded.

        Raises:
            ConfigRejected: Its file has mistakes, or its code fails.
            RookeryError: It cannot be asked now.
        """
        told = InspectConfig(config_data=dict(config_data or {}), use_provided_config=config_data is not None)
        answer = await self._ask(plugin_id, PLUGIN_INSPECT_CONFIG, unstructure(told))
        return structure(answer, InspectConfigAnswer)

    async def validate(self, plugin_id: str, config_data: Mapping[str, Any]) -> dict[str, Any]:
        """These values with everything that they leave out.

        Raises:
            ConfigRejected: Every mistake in them.
            RookeryError: It cannot be asked now.
        """
        told = ValidateConfig(config_data=dict(config_data))
        answer = await self._ask(plugin_id, PLUGIN_VALIDATE_CONFIG, unstructure(told))
        return structure(answer, ValidateConfigAnswer).normalized_config

    async def _ask(self, plugin_id: str, method: str, payload: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = await when_free(
                partial(self._link_to(plugin_id).call, method, payload, plugin_id=plugin_id)
            )
        except RemoteError as error:
            if error.code in (ErrorCode.E_BAD_PAYLOAD, ErrorCode.E_PLUGIN_NOT_FOUND):
                raise ConfigRejected(error.message) from None
            raise
        if answer.get("success") is not True:
            raise ConfigRejected("the plugin said no, and not why")
        return answer

    # --- the file ----------------------------------------------------------------------------------------------

    def file_of(self, plugin_id: str) -> Path:
        """A plugin's own configuration file, which need not be there.

        Raises:
            UsageError: There is no such plugin.
        """
        installed = self._supervisor.parts.installed
        if plugin_id not in installed:
            advice = suggest(plugin_id, installed) or f"there is {one_of(installed)}"
            raise UsageError(f"there is no plugin {plugin_id!r}; {advice}")
        return installed[plugin_id].path / CONFIG_NAME

    async def set_value(self, plugin_id: str, key: str, value: Any) -> bool:
        """Set one value in a plugin's own file, after the plugin has seen that all of it is right, and have it read the file.

        Args:
            key: ``name``, or ``table.name``.

        Returns:
            Whether the running plugin has taken it; else its next start will.

        Raises:
            ConfigRejected: The plugin does not allow it; the file stays.
            RookeryError: The plugin cannot be asked now, or the file cannot be written.
        """
        from .config_edit import (
            edited,
            read_text,
            write_text,
        )  # its library takes a twentieth of a second to load

        path = self.file_of(plugin_id)
        names = key.split(".")
        if not all(names):
            raise UsageError(f"{key!r} is no key; write NAME or TABLE.NAME")
        async with self._edits.setdefault(plugin_id, trio.Lock()):
            text = edited(read_text(path), names, value, path)
            over = self.values_of(plugin_id)
            await self.validate(plugin_id, laid_over(tomllib.loads(text), over))
            if _has(over, names):
                raise UsageError(
                    f"{key} is set in {self._supervisor.settings.path}, which goes first: change it there"
                )
            await trio.to_thread.run_sync(write_text, path, text)  # it waits for the disk
        return await self.take_file(plugin_id)

    async def take_file(self, plugin_id: str, *, if_changed: bool = False) -> bool:
        """A plugin's own file has changed: it is told, loaded or unloaded, whichever the file means; whether that was done.

        Args:
            if_changed: Whether it is told only when its configuration becomes another.
        """
        shard = self._shard_of(plugin_id)
        if shard is None or shard.link is None:
            return False
        try:
            inspected = await self.inspect(plugin_id)
        except RookeryError as error:
            _LOG.warning("the configuration of %s was not taken: %s", plugin_id, error)
            return False
        is_loaded = plugin_id in shard.loaded
        if is_loaded and inspected.enabled:
            return await self.push(plugin_id, if_changed=if_changed)
        if is_loaded or inspected.enabled:
            reason = "config_disabled" if is_loaded else "config_enabled"
            return bool(await self._supervisor.reload_plugin(plugin_id, reason))
        return True

    # --- inside ------------------------------------------------------------------------------------------------

    def _link_to(self, plugin_id: str) -> Link:
        if self._supervisor.is_stopping:
            raise UsageError("the host is stopping")
        shard = self._shard_of(plugin_id)
        if shard is None:
            self.file_of(plugin_id)
            raise UsageError(f"{plugin_id} is switched off in {self._supervisor.settings.path}")
        if shard.link is None or shard.state.value not in WORKING:
            raise UsageError(f"its shard {shard.name!r} is {shard.state.value.value}")
        return shard.link

    def _shard_of(self, plugin_id: str) -> Shard | None:
        shards = self._supervisor.shards.values()
        return next((shard for shard in shards if plugin_id in shard.plugins), None)


def _has(values: Mapping[str, Any], names: list[str]) -> bool:
    here: Any = values
    for name in names:
        if not isinstance(here, dict) or name not in here:
            return False
        here = here[name]
    return True
