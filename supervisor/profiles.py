"""Which isolation does a shard get on this machine, and when does it not start?

A configuration names the least that a shard must have. What the machine cannot give is refused, with what is missing and how it
is had; a weaker profile is taken only where the operator has named it. A process of its own is no security and is never
called a sandbox.
"""

from __future__ import annotations

from enum import StrEnum

import attrs


class Isolation(StrEnum):
    """How far a runner is kept from everything that is not its own."""

    PROCESS = "process"
    """It can crash alone. Whatever this user may do, its plugins may do."""
    CONFINED = "confined"
    """It reaches no file but its own and no network, and may do nothing to other processes: Landlock and seccomp."""
    SANDBOX = "sandbox"
    """It sees nothing else either: namespaces made by bubblewrap around both."""


@attrs.frozen(kw_only=True)
class Wish:
    """What an operator wants for one shard."""

    isolation: Isolation
    fallback: Isolation | None = None
    """A weaker one that will do."""
    network: bool = False
    subprocesses: bool = False


@attrs.frozen(kw_only=True)
class Means:
    """What a machine has. Each text says why something is not there and how it is had; "" when it is."""

    landlock: int = 0
    """The version of the kernel's interface; 0 for none."""
    no_landlock: str = ""
    no_seccomp: str = ""
    bubblewrap: str = ""
    """The path of the program."""
    no_bubblewrap: str = ""

    @property
    def confines(self) -> bool:
        return self.landlock > 0 and not self.no_seccomp


@attrs.frozen(kw_only=True)
class Reached:
    """What a shard gets."""

    profile: Isolation
    mechanisms: tuple[str, ...]
    is_weaker: bool = False
    """Less than what was wished, by the operator's own leave."""


SIGNALS_VERSION = 6
"""Of Landlock: from here on it keeps signals and abstract sockets in."""


def decide_isolation(wish: Wish, means: Means) -> Reached | str:
    """What a shard gets, or why it gets nothing that is enough."""
    match wish.isolation:
        case Isolation.PROCESS:
            return Reached(profile=Isolation.PROCESS, mechanisms=())
        case Isolation.CONFINED:
            found = _confined(wish, means)
        case Isolation.SANDBOX:
            found = _sandbox(wish, means)
    if isinstance(found, Reached) or wish.fallback is None:
        return found
    weaker = decide_isolation(attrs.evolve(wish, isolation=wish.fallback, fallback=None), means)
    if isinstance(weaker, Reached):
        return attrs.evolve(weaker, is_weaker=True)
    return f"{found}; nor is the fallback: {weaker}"


def _confined(wish: Wish, means: Means) -> Reached | str:
    if not means.landlock:
        return f"landlock: {means.no_landlock}"
    if means.no_seccomp:
        return f"seccomp: {means.no_seccomp}"
    if wish.subprocesses and means.landlock < SIGNALS_VERSION:
        return (
            f"landlock: version {means.landlock} of the kernel's interface does not keep signals in, which version"
            f" {SIGNALS_VERSION} does (Linux 6.12): set allow_subprocess = false, or use a newer kernel"
        )
    return Reached(profile=Isolation.CONFINED, mechanisms=(f"landlock {means.landlock}", "seccomp"))


def _sandbox(wish: Wish, means: Means) -> Reached | str:
    if means.bubblewrap and means.confines:
        mechanisms = ("bubblewrap", f"landlock {means.landlock}", "seccomp")
        return Reached(profile=Isolation.SANDBOX, mechanisms=mechanisms)
    why = means.no_bubblewrap or "it is there"
    if wish.network or wish.subprocesses:
        key = "network" if wish.network else "allow_subprocess"
        return f"bubblewrap: {why}. landlock and seccomp alone: not enough with {key} = true"
    alone = _confined(wish, means)
    if isinstance(alone, str):
        return f"bubblewrap: {why}. {alone}"
    return alone
