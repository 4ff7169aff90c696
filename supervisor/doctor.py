"""Which plugins of a directory will load here, and which will not and why, before any of their code has run?"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from .dependencies import check_dependencies
from .plugin_directory import MODULE_NAME, find_manifest, list_plugins, read_plugin
from .sdk_windows import complaints_about_windows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .plugin_directory import PluginFiles

BOT_PACKAGE = "src"
"""What original plugins call the code of their bot."""


@attrs.frozen(kw_only=True)
class Diagnosis:
    """One plugin, or what might be one."""

    path: Path
    plugin_id: str
    """"" when the manifest is too broken to tell."""
    version: str = ""
    kind: str = ""
    """``native``, ``sdk``, or "" when that cannot be told."""
    reasons: tuple[str, ...] = ()
    """Why it will not load, a sentence each."""
    warnings: tuple[str, ...] = ()
    """What will not work although it loads."""

    @property
    def loads(self) -> bool:
        return not self.reasons


def examine(directory: Path, *, host: str, sdk: str) -> list[Diagnosis]:
    """Look at every plugin of a directory, or at the one that it is.

    Args:
        host: The bot's version that the deployment stands in for.
        sdk: The version of the SDK that is installed; "" when none is.

    Raises:
        OSError: The directory cannot be read.
    """
    read: list[tuple[Path, PluginFiles | None]] = []
    for path in list_plugins(directory):
        manifest_file = find_manifest(path)
        if manifest_file is not None:
            read.append((path, read_plugin(path, manifest_file, with_code=True)))
        elif (path / MODULE_NAME).is_file():
            read.append((path, None))
    needs = _needs([files for _, files in read if files is not None])
    places: dict[str, list[Path]] = {}
    for path, files in read:
        if files is not None and files.plugin_id:
            places.setdefault(files.plugin_id, []).append(path)
    return [_diagnose(path, files, places, needs, host=host, sdk=sdk) for path, files in read]


def _diagnose(
    path: Path,
    files: PluginFiles | None,
    places: dict[str, list[Path]],
    needs: dict[Path, list[str]],
    *,
    host: str,
    sdk: str,
) -> Diagnosis:
    if files is None:
        text = (
            "it has a plugin.py and no manifest: write plugin.toml, or _manifest.json for a plugin of the SDK"
        )
        return Diagnosis(path=path, plugin_id="", reasons=(text,))
    reasons = [mistake.explain() for mistake in (*files.mistakes, *files.code_mistakes)]
    reasons += [
        f"another plugin has its id: {other}" for other in places.get(files.plugin_id, ()) if other != path
    ]
    warnings: list[str] = []
    manifest = files.manifest
    if manifest is not None:
        reasons += complaints_about_windows(manifest, host, sdk)
        reasons += needs.get(files.manifest_file, [])
    if not files.code_mistakes:
        for line, module, is_optional in bot_imports(path / MODULE_NAME):
            text = f"{MODULE_NAME} line {line} imports {module}, code of a bot that is not here"
            (warnings if is_optional else reasons).append(text)
    return Diagnosis(
        path=path,
        plugin_id=files.plugin_id,
        version="" if manifest is None else manifest.version,
        kind="" if manifest is None else "native" if manifest.is_native else "sdk",
        reasons=tuple(reasons),
        warnings=tuple(warnings),
    )


def _needs(found: list[PluginFiles]) -> dict[Path, list[str]]:
    """By manifest file: the plugins and packages that are missing."""
    manifests = {
        files.plugin_id: (files.manifest, files.manifest_file)
        for files in found
        if files.manifest is not None
    }
    absent = {
        files.plugin_id: "which has mistakes of its own"
        for files in found
        if files.manifest is None and files.plugin_id
    }
    needs: dict[Path, list[str]] = {}
    for mistake in check_dependencies(manifests, absent):
        for _, file in manifests.values():
            if mistake.file == str(file):
                needs.setdefault(file, []).append(mistake.explain())
    return needs


def bot_imports(file: Path) -> Iterator[tuple[int, str, bool]]:
    """Where a module imports its bot's code: the line, the module, and whether the import may fail or comes later.

    Imports below a function are only run when it is called, and those in a ``try`` are expected to fail.
    """
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    yield from _bot_imports(tree, is_optional=False)


def _bot_imports(node: ast.AST, *, is_optional: bool) -> Iterator[tuple[int, str, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                if alias.name.partition(".")[0] == BOT_PACKAGE:
                    yield child.lineno, alias.name, is_optional
        elif isinstance(child, ast.ImportFrom):
            module = child.module or ""
            if not child.level and module.partition(".")[0] == BOT_PACKAGE:
                yield child.lineno, module, is_optional
        else:
            later = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.Try))
            typing_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
            if not typing_only:
                yield from _bot_imports(child, is_optional=is_optional or later)
