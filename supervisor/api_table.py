"""Which APIs do plugins offer each other, over all shards, and which of them does a name mean?

An API is known by its plugin, its name and its version. What an operator has switched off, and what a plugin has taken
offline, outlives a registration: a runner that comes again does not undo it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import BadPayload, ErrorCode, RookeryError, shown

from .component import Api
from .registry import Registration
from .suggestion import suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .registry import Registry

DEFAULT_OFFLINE_REASON = "this dynamic API is offline"
NOT_AGAIN = "its plugin has come again and has not offered it yet"

MAX_DYNAMIC = 500
"""Dynamic APIs of one plugin that are there at once."""

MAX_OFFLINE = 500
"""Dynamic APIs of one plugin that are remembered as offline; the oldest are forgotten."""

MAX_REASON_CHARS = 500

_LIMIT_OF_SWITCHES = 2_000
"""Of one plugin. It has no more components than that."""

Key = tuple[str, str]
"""Name and version."""


class ApiRefused(RookeryError):
    """A name means no API that this caller may use now.

    Attributes:
        code: For the wire.
        kind: ``refused``: there is none, or not for this caller; ``unavailable``: it is offline now.
    """

    def __init__(self, message: str, code: ErrorCode, kind: str = "refused") -> None:
        super().__init__(message)
        self.code = code
        self.kind = kind


@attrs.frozen(eq=False)
class OfferedApi:
    """One version of one API."""

    api: Api
    enabled: bool
    offline_reason: str = ""

    @property
    def plugin_id(self) -> str:
        return self.api.plugin_id

    @property
    def key(self) -> Key:
        return _key(self.api)

    @property
    def is_dynamic(self) -> bool:
        """Whether its plugin may take it away, and give it again, while it runs."""
        return _said(self.api.metadata, "dynamic") is True

    @property
    def component(self) -> Api:
        """What is called: a plugin may run an API under another name than it offers it by."""
        handler = _said(self.api.metadata, "handler_name")
        if type(handler) is str and handler not in ("", self.api.name):
            return attrs.evolve(self.api, name=handler)
        return self.api

    def shown(self) -> dict[str, Any]:
        """In the form of protocol 1.0.0."""
        api = self.api
        description = _said(api.metadata, "description")
        return {
            "name": api.name,
            "full_name": api.full_name,
            "plugin_id": api.plugin_id,
            "description": description if type(description) is str else "",
            "version": api.version,
            "public": api.is_public,
            "enabled": self.enabled,
            "dynamic": self.is_dynamic,
            "offline_reason": self.offline_reason,
            "metadata": dict(api.metadata),
        }


@attrs.frozen(eq=False)
class _Early:
    """Dynamic APIs of a plugin that is still loading."""

    registration: Registration
    apis: tuple[Api, ...]
    reason: str


class ApiTable:
    """The APIs of all plugins that are live."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[str, Registration] = {}
        """What was live when it was looked at last."""
        self._plugins: dict[str, dict[Key, OfferedApi]] = {}
        self._early: dict[str, _Early] = {}
        registry.on_replaced.append(self._take)
        self._switched: dict[str, dict[Key, bool]] = {}
        self._all: tuple[OfferedApi, ...] | None = ()

    # --- changing ----------------------------------------------------------------------------------------------

    def replace_dynamic(
        self, plugin_id: str, apis: Iterable[Api], reason: str, registration: Registration
    ) -> tuple[int, int]:
        """Put a plugin's dynamic APIs in the place of those that it had: all of them, or none and nothing changes.

        Args:
            reason: Why those that are not among them are offline from now on; "" has a general one.
            registration: The plugin's. While that is not live, because the plugin still loads, they become live with it.

        Returns:
            How many there are now, and how many went offline.

        Raises:
            BadPayload: Two of them are the same, or one is the same as a static one; with its path.
        """
        apis = tuple(apis)
        if len(apis) > MAX_DYNAMIC:
            raise BadPayload(f"has {len(apis)}, at most {MAX_DYNAMIC} are allowed", "apis")
        _check(apis, registration)
        reason = (reason or DEFAULT_OFFLINE_REASON)[:MAX_REASON_CHARS]
        if self._registry.registration(plugin_id) is registration:
            return self._offer(plugin_id, apis, reason)
        self._early[plugin_id] = _Early(registration, apis, reason)
        return len(apis), len(self._leaving(plugin_id, set(map(_key, apis))))

    def switch(self, offered: OfferedApi, *, enabled: bool) -> None:
        """Switch one on or off, for as long as the host runs: an operator's word outlives a registration."""
        plugin_id, key = offered.plugin_id, offered.key
        known = self._plugins.get(plugin_id, {})
        if key in known:
            known[key] = attrs.evolve(known[key], enabled=enabled, offline_reason="")
            self._all = None
            switched = self._switched.setdefault(plugin_id, {})
            switched[key] = enabled
            _shorten(switched, _LIMIT_OF_SWITCHES)

    def _take(self, plugin_id: str) -> None:
        """What a plugin has registered is live now, or is other than it was, or is gone."""
        self._all = None
        registration, known = self._registry.registration(plugin_id), self._known.pop(plugin_id, None)
        before = self._plugins.pop(plugin_id, {})
        if registration is None:
            self._early.pop(plugin_id, None)
            return
        self._known[plugin_id] = registration
        is_again = known is None or not _is_same(known, registration)
        switched = self._switched.get(plugin_id, {})
        now: dict[Key, OfferedApi] = {}
        for api in registration.components:
            if isinstance(api, Api):
                now[_key(api)] = OfferedApi(api, switched.get(_key(api), api.enabled))
        for key, offered in before.items():
            if not offered.is_dynamic or key in now:
                continue
            moved = attrs.evolve(offered, api=attrs.evolve(offered.api, shard=registration.shard))
            if is_again:  # its code is another's by now, and has to offer it itself
                reason = offered.offline_reason or NOT_AGAIN
                moved = attrs.evolve(moved, enabled=False, offline_reason=reason)
            now[key] = moved
        self._keep(plugin_id, now)
        early = self._early.pop(plugin_id, None)
        if early is not None and _is_same(early.registration, registration):
            self._offer(plugin_id, early.apis, early.reason)

    def _offer(self, plugin_id: str, apis: tuple[Api, ...], reason: str) -> tuple[int, int]:
        self._all = None
        now = self._plugins.setdefault(plugin_id, {})
        leaving = self._leaving(plugin_id, set(map(_key, apis)))
        for key in leaving:
            # Last in the order of what is forgotten first.
            now[key] = attrs.evolve(now.pop(key), enabled=False, offline_reason=reason)
        for api in apis:
            now[_key(api)] = OfferedApi(api, enabled=True)
            self._switched.get(plugin_id, {}).pop(_key(api), None)
        self._keep(plugin_id, now)
        return len(apis), len(leaving)

    def _leaving(self, plugin_id: str, staying: set[Key]) -> list[Key]:
        known = self._plugins.get(plugin_id, {})
        return [key for key, each in known.items() if each.is_dynamic and each.enabled and key not in staying]

    def _keep(self, plugin_id: str, now: dict[Key, OfferedApi]) -> None:
        offline = {key: each for key, each in now.items() if each.is_dynamic and not each.enabled}
        for key in list(offline)[: max(0, len(offline) - MAX_OFFLINE)]:
            del now[key]
        self._plugins[plugin_id] = now

    # --- reading -----------------------------------------------------------------------------------------------

    def all(self) -> tuple[OfferedApi, ...]:
        """Every one, also those that are off; trusted plugins first, then by plugin, name and version."""
        if self._all is None:
            every = (each for offered in self._plugins.values() for each in offered.values())
            self._all = tuple(sorted(every, key=_order))
        return self._all

    def of_plugin(self, plugin_id: str) -> tuple[OfferedApi, ...]:
        return tuple(sorted(self._plugins.get(plugin_id, {}).values(), key=_order))

    def visible_to(self, caller: str | None) -> tuple[OfferedApi, ...]:
        """Those that a plugin may call: the public ones and its own. ``None`` is the host, which may call all."""
        return tuple(each for each in self.all() if _is_visible(each, caller))

    def find(self, name: str, version: str, caller: str | None) -> OfferedApi:
        """The API that a name means: a full name, or a short one, for which the first in the order stands.

        Args:
            name: ``plugin.id.api`` or ``api``, either with ``@version`` behind it.
            version: "" takes the only one that there is.
            caller: The plugin that asks; ``None`` for the host.

        Raises:
            ApiRefused: There is none, it is not for this caller, or it is off; the text says which.
        """
        name, version = split_version(name, version)
        offered = self.all()
        named = [each for each in offered if each.api.full_name == name]
        # Ids and names may have dots: of two that read alike, a stranger's does not stand before a trusted one, nor a part of
        # a plugin's id before the whole.
        named.sort(key=lambda each: (not each.api.is_trusted, -len(each.plugin_id)))
        named = named or [each for each in offered if each.api.name == name]
        if not named:
            raise ApiRefused(self._nothing(name, caller), ErrorCode.E_METHOD_NOT_ALLOWED)
        visible = [each for each in named if _is_visible(each, caller)]
        if not visible:
            text = f"{named[0].api.full_name} is not public: only its own plugin may call it"
            raise ApiRefused(text, ErrorCode.E_CAPABILITY_DENIED)
        fitting = [each for each in visible if version in ("", each.api.version)]
        if not fitting:
            text = f"there is no version {shown(version)} of {name}: it has {_versions(visible)}"
            raise ApiRefused(text, ErrorCode.E_METHOD_NOT_ALLOWED)
        enabled = [each for each in fitting if each.enabled]
        if not enabled:
            raise ApiRefused(_why_off(fitting), ErrorCode.E_METHOD_NOT_ALLOWED, "unavailable")
        first = enabled[0]
        same = [
            each for each in enabled if (each.plugin_id, each.api.name) == (first.plugin_id, first.api.name)
        ]
        if len(same) > 1:
            text = f"{first.api.full_name} has several versions, {_versions(same)}: name one of them"
            raise ApiRefused(text, ErrorCode.E_METHOD_NOT_ALLOWED)
        return first

    def _nothing(self, name: str, caller: str | None) -> str:
        visible = self.visible_to(caller)
        close = suggest(name, {text for each in visible for text in (each.api.full_name, each.api.name)})
        return f"no plugin offers an API {shown(name)}" + (f"; {close}" if close else "")


def split_version(name: str, version: str) -> tuple[str, str]:
    """``api@2`` is version 2 of ``api``, unless a version is said beside it."""
    name = name.strip()
    if not version and "@" in name:
        before, _, after = name.rpartition("@")
        if before.strip() and after.strip():
            return before.strip(), after.strip()
    return name, version.strip()


def _check(apis: Iterable[Api], registration: Registration) -> None:
    static = {
        _key(each)
        for each in registration.components
        if isinstance(each, Api) and _said(each.metadata, "dynamic") is not True
    }
    seen = set()
    for index, api in enumerate(apis):
        key = _key(api)
        name = f"{shown(api.name)}, version {shown(api.version)},"
        if key in static:
            raise BadPayload(
                f"{name} is one of the APIs that the plugin declares for good", f"apis[{index}].name"
            )
        if key in seen:
            raise BadPayload(f"{name} is there twice", f"apis[{index}].name")
        seen.add(key)


def _is_same(one: Registration, other: Registration) -> bool:
    """Whether one is the other, perhaps with something switched or in another shard: each brings a configuration of its own."""
    return one.default_config is other.default_config


def _key(api: Api) -> Key:
    return api.name, api.version


def _why_off(offered: list[OfferedApi]) -> str:
    if len(offered) > 1:
        return f"several versions of {offered[0].api.full_name} are there, and all of them are offline"
    return f"{offered[0].api.full_name} is not available: {offered[0].offline_reason or 'it is switched off'}"


def _versions(offered: Iterable[OfferedApi]) -> str:
    return ", ".join(dict.fromkeys(each.api.version for each in offered))


def _is_visible(offered: OfferedApi, caller: str | None) -> bool:
    return caller is None or offered.api.is_public or offered.plugin_id == caller


def _order(offered: OfferedApi) -> tuple[bool, str, str, str]:
    api = offered.api
    return not api.is_trusted, api.plugin_id, api.name, api.version


def _said(metadata: Mapping[str, Any], key: str) -> object:
    """At the top, or in a map ``metadata`` inside of it, where an older SDK puts what is extra."""
    if key in metadata:
        return metadata[key]
    inner = metadata.get("metadata")
    return inner.get(key) if isinstance(inner, dict) else None


def _shorten(known: dict[Key, bool], most: int) -> None:
    while len(known) > most:
        del known[next(iter(known))]
