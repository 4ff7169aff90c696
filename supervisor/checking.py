"""Is a deployment in order, and if not, what is wrong with it, everything at once?

A configuration with a mistake is looked at further with the defaults in the mistake's place, so that one look finds
what is wrong with the plugins too. A plan is only made when no mistake could be the reason for another.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import attrs

from rookery.sharding import ShardPlan

from .catalog import Catalog, find_plugins
from .config import read_config
from .errors import ConfigError, Mistake
from .grant_review import review_grants
from .isolation_review import review_isolation
from .planning import make_plan
from .settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


_NO_MATTER_FOR_THE_PLAN = re.compile(
    r"(?:pipeline\b|grants\b|bot\b|llm\b|render\b|fetch\b|rookery\.(?:name|state_dir|command_prefix|log_level)$"
    r"|group\b|shard\.[^.\[\]]+\.(?:group|significance|order|autostart|restart|quarantine|timeouts|health|limits)\b"
    r"|shard\.[^.\[\]]+\.(?:max_inflight|queue_limit|thread_limit|terminal|capabilities)\b"
    r'|plugins\."[^"]+"\.(?:config|fetch|capabilities|reads_config_of|calls_apis_of|manages|shares_tables)\b).*'
)


@attrs.frozen(kw_only=True)
class CheckedDeployment:
    """What was found. Without mistakes everything is there."""

    settings: Settings | None = None
    """None when the file is not there or is no TOML."""
    catalog: Catalog | None = None
    plan: ShardPlan | None = None
    """None when anything is wrong."""
    mistakes: tuple[Mistake, ...] = ()
    warnings: tuple[Mistake, ...] = ()
    """What is right, and will surprise somebody."""


def check_deployment(path: Path, *, environ: Mapping[str, str] = os.environ) -> CheckedDeployment:
    """Look at a configuration, at every plugin it names, and at where they would live. Starts and changes nothing.

    Args:
        path: The file, or the directory that has it under the name rookery.toml.
    """
    try:
        read = read_config(path, environ=environ)
    except ConfigError as error:
        return CheckedDeployment(mistakes=error.mistakes)
    catalog = find_plugins(read.settings, with_code=True)
    found = (*read.mistakes, *catalog.code_mistakes)
    plan, mistakes = None, catalog.mistakes
    if _allow_a_plan(read.mistakes):
        try:
            plan, mistakes = make_plan(read.settings, catalog), ()
        except ConfigError as error:
            mistakes = error.mistakes
    return CheckedDeployment(
        settings=read.settings,
        catalog=catalog,
        plan=None if read.mistakes else plan,
        mistakes=(*found, *mistakes),
        warnings=(
            *review_grants(read.settings, catalog, plan),
            *review_isolation(read.settings, None if read.mistakes else plan),
        ),
    )


def _allow_a_plan(mistakes: Iterable[Mistake]) -> bool:
    return all(_NO_MATTER_FOR_THE_PLAN.fullmatch(mistake.key) for mistake in mistakes)
