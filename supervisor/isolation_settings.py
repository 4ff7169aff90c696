"""Which settings of a shard go with its isolation?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .profiles import Isolation
from .ranges import Clash, Form
from .start_mode import StartMode

if TYPE_CHECKING:
    from .settings import ShardSettings

LEAST_UID, MOST_UID = 1000, 2**31 - 1
"""Below are users of the system."""

STRENGTH = (Isolation.PROCESS, Isolation.CONFINED, Isolation.SANDBOX)


def check_isolation(shard: ShardSettings) -> None:
    """Settings that contradict the profile.

    Raises:
        Clash: There are some.
    """
    fallback = shard.isolation_fallback
    if fallback is not None and STRENGTH.index(fallback) >= STRENGTH.index(shard.isolation):
        raise Clash(
            "isolation_fallback",
            "isolation",
            given=f"{fallback.value!r}, which is not weaker than isolation ({shard.isolation.value!r})",
            advice="leave it out, or raise isolation",
        )
    if shard.isolation is Isolation.PROCESS:
        if shard.network is False:
            raise Clash(
                "network",
                "isolation",
                given="false with isolation 'process', which keeps nothing from the network",
                advice="set isolation to 'sandbox' or 'confined'",
            )
        return
    wrong = {
        "terminal": (shard.terminal, "give the terminal to a shard with isolation 'process'"),
        "runner": (
            bool(shard.runner),
            "a runner of the original kind gets its own way to connect: use 'process'",
        ),
        "start": (
            shard.start is StartMode.ZYGOTE,
            "leave it out: what is forked shares its memory's layout with trusted runners",
        ),
    }
    for key, (is_set, advice) in wrong.items():
        if is_set:
            raise Clash(
                key, "isolation", given=f"set with isolation {shard.isolation.value!r}", advice=advice
            )


def uids_of(text: str | None) -> range:
    """The users that a range names, as UID_FORM takes it."""
    if text is None:
        return range(0)
    first, _, last = text.partition("-")
    return range(int(first), int(last) + 1)


def _is_range(text: str) -> bool:
    found = re.fullmatch(r"([0-9]{4,10})-([0-9]{4,10})", text, re.ASCII)
    return found is not None and LEAST_UID <= int(found[1]) <= int(found[2]) <= MOST_UID


UID_FORM = Form(
    _is_range, f"'FIRST-LAST', numbers of users from {LEAST_UID} up that nobody has, such as '200000-200063'"
)
