"""How does a runner come up and go down: ready, health, drain, shutdown, reload."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class RunnerReady:
    """``runner.ready``: every plugin has been tried."""

    loaded_plugins: list[str] = attrs.Factory(list)
    """In the order of loading."""
    failed_plugins: list[str] = attrs.Factory(list)
    failed_plugin_reasons: dict[str, str] = attrs.Factory(dict)
    inactive_plugins: list[str] = attrs.Factory(list)
    """Switched off by their own configuration, or waiting for one that is."""


@attrs.frozen(kw_only=True)
class Accepted:
    """The answer that says nothing but yes."""

    accepted: bool = True


@attrs.frozen(kw_only=True)
class Acknowledged:
    acknowledged: bool = True


@attrs.frozen(kw_only=True)
class Empty:
    """A payload without fields."""


@attrs.frozen(kw_only=True)
class HealthAnswer:
    healthy: bool
    loaded_plugins: list[str] = attrs.Factory(list)
    uptime_ms: int = 0


@attrs.frozen(kw_only=True)
class Shutdown:
    """``plugin.prepare_shutdown`` and ``plugin.shutdown``."""

    reason: str = "normal"
    drain_timeout_ms: int = 5000


@attrs.frozen(kw_only=True)
class Reload:
    plugin_id: str
    reason: str = "manual"
    external_available_plugins: dict[str, str] = attrs.Factory(dict)


@attrs.frozen(kw_only=True)
class ReloadBatch:
    plugin_ids: list[str] = attrs.Factory(list)
    reason: str = "manual"
    external_available_plugins: dict[str, str] = attrs.Factory(dict)


@attrs.frozen(kw_only=True)
class ReloadAnswer:
    success: bool
    requested_plugin_id: str = ""
    requested_plugin_ids: list[str] = attrs.Factory(list)
    reloaded_plugins: list[str] = attrs.Factory(list)
    unloaded_plugins: list[str] = attrs.Factory(list)
    inactive_plugins: list[str] = attrs.Factory(list)
    failed_plugins: dict[str, str] = attrs.Factory(dict)


@attrs.frozen(kw_only=True)
class Exchange:
    """``runner.exchange``: newer code of a plugin takes the place of the code that serves.

    Beside it: what the plugin registers after ``trial`` counts from ``taken`` on, and is forgotten with ``dropped``; until
    then the host calls what it knew before. In turn: from ``away`` to ``back`` neither is there, and calls wait.
    """

    plugin_id: str
    step: str
    """``trial``, ``taken`` or ``dropped``; ``away`` or ``back``."""


@attrs.frozen(kw_only=True)
class UnloadBatch:
    plugin_ids: list[str] = attrs.Factory(list)
    reason: str = "manual"


@attrs.frozen(kw_only=True)
class UnloadAnswer:
    success: bool
    requested_plugin_ids: list[str] = attrs.Factory(list)
    unloaded_plugins: list[str] = attrs.Factory(list)
    failed_plugins: dict[str, str] = attrs.Factory(dict)
