"""Which event loop do the plugins of a shard find in their runner?"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rookery.protocol import Manifest


class Runtime(StrEnum):
    """What runs in a runner beside trio."""

    AUTO = "auto"
    """asyncio where a plugin of the shard is written for it, else trio alone."""
    TRIO = "trio"
    """Nothing: the fastest for plugins that need no more."""
    ASYNCIO = "asyncio"
    """An asyncio loop in the same thread, for the whole life of the runner; plugins of both kinds find their own."""


def resolve_runtime(shard: Runtime, manifests: Iterable[Manifest]) -> Runtime:
    """What holds for a shard with these plugins, ``AUTO`` no more."""
    if shard is not Runtime.AUTO:
        return shard
    return Runtime.TRIO if all(manifest.is_native for manifest in manifests) else Runtime.ASYNCIO


SDK_MODULES = ("maibot_sdk", "rookery.runner.compat.sdk_plugin")
"""What a runner imports that has plugins of the SDK; most of its start."""


def preloads_of(manifests: Iterable[Manifest]) -> tuple[str, ...]:
    """The modules that runners with these plugins are going to import."""
    return () if all(manifest.is_native for manifest in manifests) else SDK_MODULES
