"""How do all plugins of a runner come in, in which order, and what is the host told about those that did not?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rookery.protocol import RunnerReady, satisfies

from .border import plugin_logger
from .dependencies import plan_order
from .roster import NotLoaded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .discovery import Candidate, Found
    from .roster import Roster


async def load_all(roster: Roster, found: Found, external: Mapping[str, str]) -> RunnerReady:
    """Load what was found, each plugin behind what it depends on; one that fails keeps no other from coming in.

    Args:
        external: Plugins of other runners: id to version.
    """
    manifests = {plugin_id: candidate.manifest for plugin_id, candidate in found.candidates.items()}
    order = plan_order(manifests, external, unusable=found.failed)
    failed = {**found.failed, **order.failed}
    inactive: set[str] = set()
    for plugin_id, reason in failed.items():
        plugin_logger(plugin_id).error("not loaded: %s", reason)
    for plugin_id in order.sequence:
        candidate = found.candidates[plugin_id]
        try:
            _check_needs(candidate, roster, external, inactive)
            module = await roster.import_code(candidate)
            await roster.bring_in(candidate, module)
        except NotLoaded as error:
            if error.is_inactive:
                inactive.add(plugin_id)
            else:
                failed[plugin_id] = error.reason
    roster.say_loaded()
    return RunnerReady(
        loaded_plugins=list(roster.loaded),
        failed_plugins=sorted(failed),
        failed_plugin_reasons=failed,
        inactive_plugins=sorted(inactive),
    )


def _check_needs(
    candidate: Candidate, roster: Roster, external: Mapping[str, str], inactive: set[str]
) -> None:
    """Whether what it depends on did come in. The plan saw to versions; only what happened since is new."""
    if not candidate.assigned.enabled:
        raise NotLoaded("it is switched off", is_inactive=True)
    for wanted in candidate.manifest.dependencies:
        name = wanted.plugin_id
        here = name in roster.loaded or (name in external and satisfies(external[name], wanted.version_spec))
        if not here:
            state = "is switched off" if name in inactive else "was not loaded"
            text = f"needs the plugin {name}, which {state}"
            plugin_logger(candidate.plugin_id).error("not loaded: %s", text)
            raise NotLoaded(text, is_inactive=name in inactive)
