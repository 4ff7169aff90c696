"""How does a plugin use a service of the host: one call, one answer."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class CapabilityCall:
    """``cap.call``; the plugin is the envelope's."""

    capability: str
    args: dict[str, Any] = attrs.Factory(dict)
    within: int = 0
    """The request that the plugin was working on when it called, as its runner knows; 0 for none. Said only to a host with
    the feature ``within``."""


@attrs.frozen(kw_only=True)
class CapabilityAnswer:
    success: bool = True
    """True whenever the implementation ran; its own success may stand inside ``result``."""
    result: Any = None
