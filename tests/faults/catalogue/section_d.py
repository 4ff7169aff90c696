"""Section D of the catalogue of faults."""

from __future__ import annotations

WHERE: dict[str, tuple[str, ...]] = {}

NOT_HERE: dict[str, str] = {}
