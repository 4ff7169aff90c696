"""What stands in a plugin's own configuration file, and how are values laid over others?"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rookery.protocol import CONFIG_NAME

from .foreign_file import read_foreign

if TYPE_CHECKING:
    from pathlib import Path


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """The values below, with those above in their place; tables are joined."""
    merged = dict(below)
    for key, value in above.items():
        before = merged.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            value = laid_over(before, value)
        merged[key] = value
    return merged


def own_config(directory: Path) -> dict[str, Any]:
    """What stands in a plugin's own file."""
    try:
        return tomllib.loads(read_foreign(directory / CONFIG_NAME).decode())
    except (OSError, ValueError, RecursionError):
        return {}  # a plugin with a broken file was not loaded, with that as the reason
