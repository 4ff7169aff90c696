"""How does a plugin use what other plugins offer, and how does it say what it offers itself while it runs?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import ComponentType, ErrorCode, RemoteError, RequestTimedOut

from .capabilities import Family
from .components import Declared, bind_component
from .errors import CapabilityFailed, DeclarationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .components import Component

PREFIX = "dynamic_api__"
"""Of the names that dynamic APIs are called by; their own may be those of other components."""


@attrs.frozen
class DynamicApi:
    """An API that a plugin may take away again."""

    name: str
    handler: Any
    """A method, or any function: ``async`` or plain."""
    version: str = attrs.field(default="1", kw_only=True)
    public: bool = attrs.field(default=False, kw_only=True)
    """False keeps it to the plugin itself."""
    description: str = attrs.field(default="", kw_only=True)
    timeout: float | None = attrs.field(default=None, kw_only=True)
    """Seconds for one call; ``None`` takes the host's own limit."""

    @property
    def called(self) -> str:
        """The name that the host calls it by."""
        return f"{PREFIX}{self.name}__{self.version}"

    def bind(self) -> Component:
        """Make it ready to be run.

        Raises:
            DeclarationError: It cannot be.
        """
        if type(self.name) is not str or not self.name.strip() or not callable(self.handler):
            raise DeclarationError(
                f"DynamicApi takes a name and a function, got {self.name!r:.80} and {type(self.handler).__name__}"
            )
        metadata: dict[str, Any] = {
            "description": self.description,
            "version": self.version,
            "public": self.public,
            "dynamic": True,
            "handler_name": self.called,
        }
        if self.timeout is not None:
            metadata["timeout_ms"] = int(self.timeout * 1000)
        declared = Declared(type=ComponentType.API, name=self.name, metadata=metadata)
        return bind_component(declared, self.handler, f"the dynamic API {self.name!r}")


class Apis(Family):
    """``ctx.api``: functions of other plugins; capabilities ``api.*``."""

    _components: dict[str, Component] | None = None

    def attach(self, components: dict[str, Component]) -> None:
        """Where the plugin's own components are kept, which dynamic ones come and go from."""
        self._components = components

    async def call(
        self, name: str, /, *, version: str = "", timeout: float | None = None, **args: Any
    ) -> Any:
        """Call ``plugin.id.name`` with these arguments and return its result.

        Args:
            version: "" takes the only one there is.
            timeout: Seconds; ``None`` takes the protocol's 30. It ends with the call that this one is made in, at the latest.

        Raises:
            CapabilityFailed: The other plugin failed, or there is no such API; ``kind`` and ``maybe_executed`` say more.
        """
        try:
            return await self._ask(
                "api.call", "result", api_name=name, version=version, args=args, timeout=timeout
            )
        except RequestTimedOut as error:
            text = str(error)
        except RemoteError as error:
            if error.code is not ErrorCode.E_TIMEOUT:
                raise
            text = error.message
        # Whoever of the three notices first, to the caller it is the same.
        raise CapabilityFailed("api.call", text, kind="timeout", maybe_executed=True)

    async def get(self, name: str, /, *, version: str = "") -> dict[str, Any] | None:
        """What is known of one API that may be called; ``None`` when there is none."""
        found = await self._ask("api.get", "api", api_name=name, version=version)
        return found if isinstance(found, dict) and "full_name" in found else None

    async def list(self, *, plugin_id: str = "", name: str = "") -> list[dict[str, Any]]:
        """Every API that may be called now, by plugin, name and version.

        Args:
            plugin_id, name: Only of this plugin, only of this name; "" does not choose.
        """
        args = {"plugin_id": plugin_id, "api_name": name}
        found: list[dict[str, Any]] = await self._ask_for(list, "api.list", "apis", **args)
        return found

    async def replace_dynamic(self, apis: Iterable[DynamicApi], *, offline_reason: str = "") -> int:
        """Offer these APIs from now on, in the place of all dynamic ones before; return how many went offline.

        It needs no entry in the manifest's capabilities. After a reload the plugin has to offer them again, as in its
        ``on_load``.

        Args:
            offline_reason: What callers of those that went are told.

        Raises:
            DeclarationError: One of them cannot be.
            CapabilityFailed: The host refused; nothing has changed.
        """
        assert self._components is not None, "a plugin has components before any code of it runs"
        bound = {api.called: api.bind() for api in apis}
        before = {key: each for key, each in self._components.items() if key.startswith(PREFIX)}
        told = [
            {"name": each.name, "type": "API", "metadata": each.declared.metadata} for each in bound.values()
        ]
        # They have to be there before the host may call them.
        self._components.update(bound)
        try:
            offlined = await self._ask_for(
                int, "api.replace_dynamic", "offlined", apis=told, offline_reason=offline_reason
            )
        except BaseException:
            for key in bound:
                self._components.pop(key, None)
            self._components.update(before)
            raise
        for key in before.keys() - bound.keys():
            self._components.pop(key, None)
        return offlined
