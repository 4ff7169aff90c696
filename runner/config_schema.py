"""How does a dashboard learn what can be configured: the schema of a configuration class, in the shape of protocol 1.0.0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from .setting import is_section

if TYPE_CHECKING:
    from rookery.protocol import Manifest

    from .configuration import PluginConfig
    from .setting import Setting

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}
_WIDGETS = {"boolean": "switch", "integer": "number", "number": "number", "array": "list", "object": "json"}


def config_schema(config_class: type[PluginConfig], manifest: Manifest) -> dict[str, Any]:
    """Sections with their fields; empty for a plugin that takes no configuration."""
    own = config_class.own_schema()
    if own is not None:
        return own
    if not config_class.settings:
        return {}
    sections = {
        name: _section(name, setting.kind, setting.help, order)
        for order, (name, setting) in enumerate(config_class.settings.items())
        if is_section(setting.kind)
    }
    loose = [setting for setting in config_class.settings.values() if not is_section(setting.kind)]
    if loose:
        # The keys above all tables; the original puts them last too.
        sections["general"] = _described("general", "", len(sections), loose)
    return {
        "plugin_id": manifest.plugin_id,
        "plugin_info": {
            "name": manifest.name,
            "version": manifest.version,
            "description": manifest.description,
            "author": manifest.author,
        },
        "sections": sections,
        "layout": {"type": "auto", "tabs": []},
    }


def _section(name: str, config_class: type[PluginConfig], help: str, order: int) -> dict[str, Any]:
    return _described(name, help, order, list(config_class.settings.values()))


def _described(name: str, help: str, order: int, settings: list[Setting]) -> dict[str, Any]:
    return {
        "name": name,
        "title": name,
        "description": help,
        "icon": None,
        "collapsed": False,
        "order": order,
        "fields": {setting.name: _field(setting, index) for index, setting in enumerate(settings)},
    }


def _field(setting: Setting, order: int) -> dict[str, Any]:
    type_name, choices = _type_of(setting.kind)
    default = None if setting.is_required else setting.read(setting.default, setting.name, [])
    return {
        "name": setting.name,
        "type": type_name,
        "default": default.as_dict() if is_section(setting.kind) and default is not None else default,
        "description": setting.help,
        "label": setting.name,
        "hint": setting.range,
        "required": setting.is_required,
        "choices": choices,
        "min": setting.gt if setting.ge is None else setting.ge,
        "max": setting.lt if setting.le is None else setting.le,
        "order": order,
        "ui_type": "select" if choices else _WIDGETS.get(type_name, "text"),
    }


def _type_of(kind: Any) -> tuple[str, list[Any] | None]:
    if get_origin(kind) is Literal:
        return "select", list(get_args(kind))
    if get_origin(kind) in (list, tuple):
        return "array", None
    if get_origin(kind) is dict or is_section(kind):
        return "object", None
    parts = [part for part in get_args(kind) if part is not type(None)]
    if get_origin(kind) is not Union and len(parts) == 1:
        return _type_of(parts[0])
    return _TYPES.get(kind, "string"), None
