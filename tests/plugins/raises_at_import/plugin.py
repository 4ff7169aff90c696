"""A plugin whose module raises."""

from __future__ import annotations

raise RuntimeError("no such luck")
