"""What came of an order to reload plugins?"""

from __future__ import annotations

from typing import Any

import attrs


@attrs.define(kw_only=True)
class ReloadResult:
    """True when everything that was asked for runs its newer code, or will when its shard starts."""

    requested: tuple[str, ...]
    reloaded: list[str] = attrs.Factory(list)
    """Those that run newer code now, in the order in which they were loaded; those that depend on what was asked for too."""
    inactive: list[str] = attrs.Factory(list)
    """Those that are unloaded because their newer configuration switches them off, or what they need."""
    pending: dict[str, str] = attrs.Factory(dict)
    """Those whose shard has no runner now, with a text that says so: its next start takes the newer code."""
    failed: dict[str, str] = attrs.Factory(dict)
    """Those that were not reloaded, with the reason, its place in their code, and what runs instead."""

    def __bool__(self) -> bool:
        return not self.failed

    def as_json(self) -> dict[str, Any]:
        return {"success": bool(self), **attrs.asdict(self), "requested": list(self.requested)}
