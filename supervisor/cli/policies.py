"""How are the policies of shards and groups told: what gives them up, when, and what follows then?"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

import attrs

from ..give_up import LIVES, find_endless, is_given_up, simulate_give_up
from ..restart import RestartMode
from ..strategy import start_order
from .durations import seconds
from .mistake_lines import count_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..restart import RestartPolicy
    from ..settings import ShardSettings
    from ..strategy import GroupSettings

SHARD_COLUMNS = ("SHARD", "GROUP", "SIGNIFICANCE", "RESTART", "A CRASH LOOP IS GIVEN UP", "THEN")
GROUP_COLUMNS = ("GROUP", "STRATEGY", "RESTARTS", "STARTS AT ONCE", "AUTO SHUTDOWN", "SHARDS")
NOTHING = "-"


def shard_rows(shards: Iterable[ShardSettings]) -> list[tuple[str, ...]]:
    """One line for each shard."""
    return [SHARD_COLUMNS, *(_shard_row(shard) for shard in shards)]


def _shard_row(shard: ShardSettings) -> tuple[str, ...]:
    policy = shard.restart
    found = simulate_give_up(policy, 0.0)
    if not is_given_up(policy):
        when, then = NOTHING, NOTHING
    elif found is None:
        when, then = "never", NOTHING
    else:
        when = f"after {seconds(found.seconds)} and {count_of(found.restarts, 'restart')}"
        then = _attempts(policy)
    return shard.name, shard.group, shard.significance.value, policy.mode.value, when, then


def group_rows(groups: Iterable[GroupSettings], shards: Sequence[ShardSettings]) -> list[tuple[str, ...]]:
    """One line for each group that has shards."""
    rows = (_group_row(group, members_of(group, shards)) for group in groups)
    return [GROUP_COLUMNS, *(row for row in rows if row[-1])]


def _group_row(group: GroupSettings, members: Iterable[str]) -> tuple[str, ...]:
    return (
        group.name,
        group.strategy.value,
        f"{group.restart_limit} in {group.restart_window:g} s",
        str(group.start_concurrency),
        group.auto_shutdown.value,
        (", then " if group.is_ordered else ", ").join(members),
    )


def members_of(group: GroupSettings, shards: Iterable[ShardSettings]) -> tuple[str, ...]:
    """The shards of a group that have plugins, as they start."""
    return start_order(
        {shard.name: shard.order for shard in shards if shard.group == group.name and shard.plugins}
    )


def give_up_lines(policy: RestartPolicy) -> list[str]:
    """When a shard is given up, for runners that live for different times."""
    if not is_given_up(policy):
        return ["it is never started again, so nothing gives it up"]
    lines = []
    if policy.mode is RestartMode.TRANSIENT:
        lines.append("an end by itself with code 0 is final; every other one counts:")
    endless = find_endless(policy)
    told = (ready_for for ready_for in LIVES if endless is None or ready_for < endless)
    lines += [_give_up_line(policy, ready_for) for ready_for in told]
    if endless is not None:
        lines.append(f"ready for {endless:g} s or more each time: never given up")
    return [*lines, f"and then {_attempts(policy)}"]


def _give_up_line(policy: RestartPolicy, ready_for: float) -> str:
    found = simulate_give_up(policy, ready_for)
    what = f"ready for {ready_for:g} s each time:" if ready_for else "an instant crash loop is"
    if found is None:
        return f"{what} never given up"
    return f"{what} given up after {seconds(found.seconds)} and {count_of(found.restarts, 'restart')}"


def _attempts(policy: RestartPolicy) -> str:
    if not policy.failed_retry:
        return "nothing until it is started by hand"
    if policy.failed_retry_max == policy.failed_retry:
        return f"one attempt every {policy.failed_retry:g} s"
    return f"one attempt after {policy.failed_retry:g} s, doubling up to {policy.failed_retry_max:g} s"


def give_up_map(policy: RestartPolicy) -> dict[str, Any] | None:
    """The same for programs; None for a shard that is never started again."""
    if not is_given_up(policy):
        return None
    lives = [{"ready_for": ready_for, **_life_map(policy, ready_for)} for ready_for in LIVES]
    return {"lives": lives, "never_from": find_endless(policy)}


def _life_map(policy: RestartPolicy, ready_for: float) -> dict[str, Any]:
    found = simulate_give_up(policy, ready_for)
    if found is None:
        return {"seconds": None, "restarts": None}
    return {"seconds": round(found.seconds, 1), "restarts": found.restarts}


def group_map(group: GroupSettings, shards: Iterable[ShardSettings]) -> dict[str, Any]:
    """A group with its shards, as they start."""
    return {**attrs.asdict(group, value_serializer=plain), "shards": list(members_of(group, shards))}


def plain(instance: object, field: object, value: object) -> object:
    """A value as JSON has it; for `attrs.asdict`."""
    return value.value if isinstance(value, Enum) else value
