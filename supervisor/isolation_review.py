"""Which shards of a deployment would not start on this machine, for want of isolation?

A warning and no mistake: the file may be for another machine. The bot runs without those shards.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .confiner import Confiner, refusal
from .errors import Mistake
from .means import find_means
from .planning import shard_settings
from .profiles import Isolation, Means
from .start_mode import TRUSTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rookery.sharding import ShardPlan

    from .settings import Settings


def review_isolation(settings: Settings, plan: ShardPlan | None) -> tuple[Mistake, ...]:
    """Warnings for shards that this machine cannot confine as they must be. Tries bubblewrap where a shard wants it.

    Args:
        plan: ``None`` where none can be made.
    """
    return () if plan is None else tuple(_review(settings, plan))


def _review(settings: Settings, plan: ShardPlan) -> Iterator[Mistake]:
    shards = [each for each in shard_settings(settings, plan) if plan.plugins_of(each.name)]
    concerned = [each for each in shards if each.isolation is not Isolation.PROCESS or each.trust != TRUSTED]
    if not concerned:
        return
    uid = settings.uids[0] if settings.uids and os.geteuid() == 0 else None
    wants_more = any(each.isolation is not Isolation.PROCESS for each in concerned)
    confiner = Confiner(settings.state_dir, find_means(uid) if wants_more else Means(), settings.uids)
    for shard in concerned:
        reached = confiner.reach(shard)
        if isinstance(reached, str):
            yield Mistake(
                file=str(settings.path), key=f"shard.{shard.name}.isolation", given=refusal(shard, reached)
            )
