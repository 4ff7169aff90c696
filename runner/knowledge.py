"""What the host knows of persons, of plugins, and of how much was said and used: ``ctx.persons``, ``ctx.components``,
``ctx.statistics``."""

from __future__ import annotations

from typing import Any

from .capabilities import Family


class Persons(Family):
    """``ctx.persons``: whom the bot has met; capabilities ``person.*``."""

    async def id_of(self, platform: str, user_id: str) -> str:
        """The id of a person, who need not have been met."""
        return await self._ask_for(str, "person.get_id", "person_id", platform=platform, user_id=user_id)

    async def id_by_name(self, name: str) -> str:
        """The id of whoever is called so and spoke last; "" when nobody is."""
        return await self._ask_for(str, "person.get_id_by_name", "person_id", person_name=name)

    async def value(self, person_id: str, field: str, default: Any = None) -> Any:
        """What is known of a person: ``nickname``, ``cardname``, ``first_seen``, ``last_seen``, ``messages``, …"""
        args = {"person_id": person_id, "field_name": field, "default": default}
        return await self._ask("person.get_value", "value", **args)


class Components(Family):
    """``ctx.components``: what plugins offer; capabilities ``component.*`` and ``tool.get_definitions``.

    A plugin changes itself. Another one it changes only when the operator has written ``manages`` for it.
    """

    async def plugins(self) -> dict[str, Any]:
        """Every plugin that is loaded, by id, with its components."""
        return await self._ask_for(dict, "component.get_all_plugins", "plugins")

    async def tools(self) -> list[dict[str, Any]]:
        """What a language model is told of the tools."""
        return await self._ask_for(list, "tool.get_definitions", "tools")

    async def switch(self, full_name: str, component_type: str, *, enabled: bool) -> None:
        """Switch a component on or off, for good.

        Raises:
            CapabilityFailed: There is none.
            RemoteError: It is another plugin's.
        """
        name = "component.enable" if enabled else "component.disable"
        await self._ask(name, "", name=full_name, component_type=component_type)

    async def reload(self, plugin_id: str) -> None:
        """Have a plugin run the code that is on the disk now. Of itself it returns before that is done.

        Raises:
            CapabilityFailed: It went wrong; the running version goes on.
            RemoteError: It is another plugin.
        """
        await self._ask("component.reload_plugin", "", plugin_name=plugin_id)

    async def set_config(self, key: str, value: Any, *, plugin_id: str = "") -> bool:
        """Set a value in a plugin's own configuration file, "" for this one's; whether the running plugin has taken it.

        Raises:
            CapabilityFailed: The plugin does not allow the value, or the file cannot be written.
            RemoteError: It is another plugin.
        """
        args = {"plugin_name": plugin_id} if plugin_id else {}
        return await self._ask_for(
            bool, "component.update_plugin_config", "hot_updated", key=key, value=value, **args
        )


class Statistics(Family):
    """``ctx.statistics``: how much was said and used; capabilities ``statistics.local.*``.

    A series has ``timestamps`` in Unix seconds, ``values_by_key``, ``labels_by_key``, ``total`` and ``source_count``.
    """

    async def models(self, *, days: int = 7) -> list[dict[str, Any]]:
        """What each language model was used for."""
        return await self._ask_for(list, "statistics.local.models", "models", days=days)

    async def messages(self, *, days: int = 7, bucket: str = "day") -> dict[str, Any]:
        """A series of messages by chat; ``bucket`` is ``day`` or ``hour``."""
        return await self._series("message_trend", days, bucket)

    async def tools(self, *, days: int = 7, bucket: str = "day") -> dict[str, Any]:
        """The same of calls of tools."""
        return await self._series("tool_trend", days, bucket)

    async def tokens(self, *, days: int = 7, bucket: str = "day") -> dict[str, Any]:
        """The same of the tokens of language models, those of questions and those of answers."""
        return await self._series("token_trend", days, bucket)

    async def _series(self, name: str, days: int, bucket: str) -> dict[str, Any]:
        return await self._ask_for(dict, f"statistics.local.{name}", "series", days=days, bucket=bucket)
