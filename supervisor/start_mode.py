"""How does a runner of a shard start: as an interpreter of its own, or forked from one that is warm?"""

from __future__ import annotations

from enum import StrEnum

TRUSTED = "trusted"
"""The trust level whose runners may send the largest frames, and may be forked: forked ones share the layout of their memory and the seed of their hashes."""


class StartMode(StrEnum):
    """How a runner starts."""

    AUTO = "auto"
    """As the deployment says, and of that what the shard's trust allows."""
    ZYGOTE = "zygote"
    """Forked from a warm process, where the system can do that and one is warm; else spawned."""
    SPAWN = "spawn"
    """Always an interpreter of its own."""


def resolve(shard: StartMode, deployment: StartMode, trust: str, *, is_confined: bool = False) -> StartMode:
    """What holds for a shard, ``AUTO`` no more.

    Args:
        shard, deployment: What each of them says.
        is_confined: Its isolation is more than a process.
    """
    if shard is not StartMode.AUTO:
        return shard
    if trust != TRUSTED or is_confined:
        return StartMode.SPAWN
    return DEFAULT_START if deployment is StartMode.AUTO else deployment


DEFAULT_START = StartMode.ZYGOTE
"""What a deployment that says nothing has."""
