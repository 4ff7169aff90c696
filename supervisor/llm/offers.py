"""Do the plugins of a deployment serve what its models need, each client type by one of them?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..config_table import join
from ..errors import Mistake
from ..suggestion import one_of, suggest
from .config import plugin_client_types
from .settings import HTTP

if TYPE_CHECKING:
    from ..catalog import Catalog
    from ..settings import Settings


def check_offers(settings: Settings, catalog: Catalog) -> list[Mistake]:
    """What stands against the models of a configuration, by the manifests of the plugins that are not disabled."""
    owners: dict[str, list[str]] = {}
    for plugin_id, plugin in sorted(catalog.plugins.items()):
        if settings.plugin(plugin_id).enabled:
            for declared in plugin.manifest.llm_providers:
                owners.setdefault(declared.client_type, []).append(plugin_id)
    return [*_unserved(settings, owners), *_contested(settings, catalog, owners)]


def _unserved(settings: Settings, owners: dict[str, list[str]]) -> list[Mistake]:
    known = [HTTP, *owners]
    return [
        Mistake(
            file=str(settings.path),
            key=f"{join('llm.models', name)}.provider",
            given=f"{client_type!r}, and no plugin serves that client type",
            expected=one_of(known),
            advice=suggest(client_type, known) or "add the plugin that serves it, or enable it",
        )
        for client_type, names in plugin_client_types(settings.llm).items()
        if client_type not in owners
        for name in names
    ]


def _contested(settings: Settings, catalog: Catalog, owners: dict[str, list[str]]) -> list[Mistake]:
    found = []
    for client_type, plugins in owners.items():
        if client_type == HTTP:
            told, others = f"{HTTP!r}, which the host serves itself", plugins
        elif len(plugins) > 1:
            told, others = f"{client_type!r}, which plugin {plugins[0]!r} serves too", plugins[1:]
        else:
            continue
        for plugin_id in others:
            advice = f'disable one of them: [plugins."{plugin_id}"] enabled = false'
            found.append(
                Mistake(
                    file=str(catalog.plugins[plugin_id].path),
                    key="llm_providers",
                    given=told,
                    expected="a client type of its own",
                    advice=advice if client_type != HTTP else "",
                )
            )
    return found
