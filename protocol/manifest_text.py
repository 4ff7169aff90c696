"""How does the text of a manifest file become a manifest, or the list of everything that is wrong with it?"""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

from .manifest import (
    Manifest,
    ManifestError,
    ManifestMistake,
    PackageDependency,
    PluginDependency,
    VersionRange,
    is_same_package,
    is_version_spec,
)
from .manifest_fields import X_Y_Z, Fields
from .names import PLUGIN_ID
from .payloads import LLMProviderDeclaration

CONFIG_NAME = "config.toml"
"""A plugin's configuration, beside its manifest."""

MANIFEST_NAMES = ("plugin.toml", "_manifest.json")
"""The files that make a directory a plugin, the first one that exists counts."""

_NATIVE_KEYS = frozenset(
    [
        "id",
        "version",
        "name",
        "description",
        "license",
        "author",
        "type",
        "capabilities",
        "commands",
        "dependencies",
        "packages",
        "llm_providers",
        "weight",
    ]
)
_ORIGINAL_KEYS = frozenset(
    [
        "manifest_version",
        "id",
        "version",
        "name",
        "description",
        "license",
        "author",
        "urls",
        "host_application",
        "sdk",
        "capabilities",
        "i18n",
        "dependencies",
        "llm_providers",
        "plugin_type",
        "type",
        "display",
        "changelog",
    ]
)
_ID_FORM = "two or more parts of letters, digits and _ joined by . or -, like 'author.plugin'"
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_URL = re.compile(r"https?://.+")
_SHORT_FORM = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*|[A-Za-z0-9_.-]+)\s*(.*)", re.DOTALL)


def parse_manifest(file_name: str, text: bytes) -> Manifest:
    """Read a manifest.

    Args:
        file_name: One of ``MANIFEST_NAMES``; it decides how the text is read.

    Raises:
        ManifestError: With every mistake that could be found.
        ValueError: Not the name of a manifest.
    """
    if file_name not in MANIFEST_NAMES:
        raise ValueError(f"a manifest is called {' or '.join(MANIFEST_NAMES)}, not {file_name!r}")
    is_native = file_name == MANIFEST_NAMES[0]
    mistakes: list[ManifestMistake] = []
    fields = Fields(_parse_toml(text) if is_native else _parse_json(text), "", mistakes)
    manifest = _read_native(fields) if is_native else _read_original(fields)
    if mistakes or manifest is None:
        raise ManifestError(tuple(mistakes))
    return manifest


def _parse_toml(text: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _unreadable(f"is not UTF-8 text (byte {error.start})") from None
    except tomllib.TOMLDecodeError as error:  # its text ends with the line and the column
        raise _unreadable(f"is not TOML: {error}") from None
    except RecursionError:
        raise _unreadable("is not TOML that can be read: it nests too deeply") from None


def _parse_json(text: bytes) -> dict[str, Any]:
    try:
        data = json.loads(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _unreadable(f"is not UTF-8 text (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise _unreadable(
            f"is not JSON: {error.msg} (at line {error.lineno}, column {error.colno})"
        ) from None
    except (RecursionError, ValueError):  # an integer of more digits than Python reads
        raise _unreadable("is not JSON that can be read: it nests too deeply or has a huge number") from None
    if type(data) is not dict:
        raise _unreadable(f"must be a JSON object, got {type(data).__name__}")
    return data


def _unreadable(message: str) -> ManifestError:
    return ManifestError((ManifestMistake("", message),))


def _read_native(file: Fields) -> Manifest | None:
    file.only(("plugin",))
    plugin = file.table("plugin", required=True)
    if plugin is None:
        return None
    plugin.only(_NATIVE_KEYS)
    plugin_id = plugin.matching("id", PLUGIN_ID, _ID_FORM)
    return Manifest(
        plugin_id=plugin_id,
        version=plugin.matching("version", X_Y_Z, "X.Y.Z"),
        name=plugin.text("name", default=plugin_id),
        description=plugin.text("description"),
        license=plugin.text("license"),
        author=plugin.text("author"),
        plugin_type=plugin.text("type", default="extension").lower(),
        capabilities=plugin.texts("capabilities"),
        commands=plugin.texts("commands"),
        dependencies=_short_dependencies(plugin, plugin_id),
        packages=_short_packages(plugin),
        llm_providers=_short_providers(plugin),
        weight=plugin.positive_number("weight", 1.0),
    )


def _short_dependencies(plugin: Fields, plugin_id: str) -> tuple[PluginDependency, ...]:
    found: list[PluginDependency] = []
    for text in plugin.texts("dependencies"):
        name, spec = _split(text)
        _add_plugin(
            plugin, "dependencies", PluginDependency(plugin_id=name, version_spec=spec), plugin_id, found
        )
    return tuple(found)


def _short_providers(plugin: Fields) -> tuple[LLMProviderDeclaration, ...]:
    """Client types."""
    return tuple(LLMProviderDeclaration(client_type=name) for name in plugin.texts("llm_providers"))


def _short_packages(plugin: Fields) -> tuple[PackageDependency, ...]:
    found: list[PackageDependency] = []
    for text in plugin.texts("packages"):
        name, spec = _split(text)
        _add_package(plugin, "packages", PackageDependency(name=name, version_spec=spec), found)
    return tuple(found)


def _split(text: str) -> tuple[str, str]:
    match = _SHORT_FORM.fullmatch(text)
    return (match[1], match[2].strip()) if match else (text, "")


def _add_plugin(
    fields: Fields, key: str, wanted: PluginDependency, owner: str, found: list[PluginDependency]
) -> None:
    name, spec = wanted.plugin_id, wanted.version_spec
    if not PLUGIN_ID.fullmatch(name):
        fields.wrong(key, f"{name!r:.100} is not a plugin's id: {_ID_FORM}")
    elif name == owner:
        fields.wrong(key, f"{name!r} cannot depend on itself")
    elif any(other.plugin_id == name for other in found):
        fields.wrong(key, f"{name!r} stands there twice")
    elif not is_version_spec(spec):
        fields.wrong(key, f"{spec!r:.100} is not a version range for {name!r}, write it like '>=1.0,<2'")
    else:
        found.append(wanted)


def _add_package(fields: Fields, key: str, wanted: PackageDependency, found: list[PackageDependency]) -> None:
    name, spec = wanted.name, wanted.version_spec
    if not _PACKAGE.fullmatch(name):
        fields.wrong(key, f"{name!r:.100} is not the name of a package")
    elif any(is_same_package(other.name, name) for other in found):
        fields.wrong(key, f"{name!r} stands there twice")
    elif not is_version_spec(spec):
        fields.wrong(key, f"{spec!r:.100} is not a version range for {name!r}, write it like '>=1.0,<2'")
    else:
        found.append(wanted)


def _read_original(file: Fields) -> Manifest | None:
    if not file.is_literally("manifest_version", 2):
        return None
    file.only(_ORIGINAL_KEYS)
    plugin_id = file.matching("id", PLUGIN_ID, _ID_FORM)
    _check_urls(file)
    _check_i18n(file)
    dependencies, packages = _tagged_dependencies(file, plugin_id)
    return Manifest(
        plugin_id=plugin_id,
        version=file.matching("version", X_Y_Z, "X.Y.Z"),
        name=file.text("name", required=True),
        description=file.text("description", required=True),
        license=file.text("license", required=True),
        author=_author(file),
        plugin_type=file.text("plugin_type", default=file.text("type", default="extension")).lower(),
        capabilities=file.texts("capabilities", required=True),
        dependencies=dependencies,
        packages=packages,
        host_application=_version_range(file, "host_application"),
        sdk=_version_range(file, "sdk"),
        llm_providers=_llm_providers(file),
        is_native=False,
    )


def _author(file: Fields) -> str:
    author = file.table("author", required=True)
    if author is None:
        return ""
    author.only(("name", "url"))
    author.matching("url", _URL, "an http or https address")
    return author.text("name", required=True)


def _check_urls(file: Fields) -> None:
    urls = file.table("urls", required=True)
    if urls is not None:
        urls.only(("repository", "homepage", "documentation", "issues"))
        urls.matching("repository", _URL, "an http or https address")
        for key in ("homepage", "documentation", "issues"):
            urls.matching(key, _URL, "an http or https address", required=False)


def _check_i18n(file: Fields) -> None:
    i18n = file.table("i18n", required=True)
    if i18n is not None:
        i18n.only(("default_locale", "locales_path", "supported_locales"))
        default = i18n.text("default_locale", required=True)
        i18n.text("locales_path")
        supported = i18n.texts("supported_locales")
        if default and supported and default not in supported:
            i18n.wrong("default_locale", f"must be one of supported_locales, got {default!r}")


def _version_range(file: Fields, key: str) -> VersionRange | None:
    table = file.table(key, required=True)
    if table is None:
        return None
    table.only(("min_version", "max_version"))
    low = table.matching("min_version", X_Y_Z, "X.Y.Z")
    high = table.matching("max_version", X_Y_Z, "X.Y.Z")
    if low and high and _numbers(low) > _numbers(high):
        table.wrong("min_version", f"must not be above max_version {high!r}, got {low!r}")
    return VersionRange(min_version=low, max_version=high)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part[:20]) for part in version.split("."))


def _tagged_dependencies(
    file: Fields, owner: str
) -> tuple[tuple[PluginDependency, ...], tuple[PackageDependency, ...]]:
    plugins: list[PluginDependency] = []
    packages: list[PackageDependency] = []
    for key, table in file.tables("dependencies"):
        kind = table.text("type", required=True)
        spec = table.text("version_spec", required=True)
        if kind == "plugin":
            table.only(("type", "id", "version_spec"))
            if name := table.text("id", required=True):
                _add_plugin(file, key, PluginDependency(plugin_id=name, version_spec=spec), owner, plugins)
        elif kind == "python_package":
            table.only(("type", "name", "version_spec"))
            if name := table.text("name", required=True):
                _add_package(file, key, PackageDependency(name=name, version_spec=spec), packages)
        elif kind:
            table.wrong("type", f"must be 'plugin' or 'python_package', got {kind!r:.100}")
    return tuple(plugins), tuple(packages)


def _llm_providers(file: Fields) -> tuple[LLMProviderDeclaration, ...]:
    found: dict[str, LLMProviderDeclaration] = {}
    for _key, table in file.tables("llm_providers"):
        table.only(("client_type", "name", "description", "version"))
        client_type = table.text("client_type", required=True)
        if client_type in found:
            table.wrong("client_type", f"{client_type!r} stands there twice")
        found[client_type] = LLMProviderDeclaration(
            client_type=client_type,
            name=table.text("name"),
            description=table.text("description"),
            version=table.text("version", default="1.0.0"),
        )
    return tuple(found.values())
