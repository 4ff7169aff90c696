"""What do the files of one plugin say, without running any of its code, and what is wrong with them?"""

from __future__ import annotations

import json
import os
import tomllib
import warnings
from pathlib import Path
from typing import Any

import attrs

from rookery.protocol import MANIFEST_NAMES, Manifest, ManifestError, is_plugin_id, parse_manifest

from .errors import Mistake
from .foreign_file import read_foreign

NATIVE_MANIFEST, ORIGINAL_MANIFEST = MANIFEST_NAMES
MODULE_NAME = "plugin.py"


@attrs.frozen(kw_only=True)
class PluginFiles:
    """One plugin on disk, whole or broken."""

    path: Path
    """The directory."""
    manifest_file: Path
    plugin_id: str
    """"" when the manifest is too broken to tell."""
    manifest: Manifest | None
    """None when it is broken."""
    mistakes: tuple[Mistake, ...]
    """Of the manifest."""
    code_mistakes: tuple[Mistake, ...] = ()


def find_manifest(directory: Path) -> Path | None:
    """The file that makes a directory a plugin, the native one first; None when there is none."""
    return next((file for name in MANIFEST_NAMES if (file := directory / name).is_file()), None)


def list_plugins(directory: Path) -> list[Path]:
    """The directory itself if it is a plugin, else its subdirectories that might be one, by name.

    Raises:
        OSError: The directory cannot be read.
    """
    if find_manifest(directory) is not None:
        return [directory]
    with os.scandir(directory) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir())
    return [directory / name for name in names if not name.startswith((".", "__"))]


def read_plugin(directory: Path, manifest_file: Path, *, with_code: bool = False) -> PluginFiles:
    """Read a manifest.

    Args:
        with_code: Whether the code beside it is compiled too, to see its mistakes.
    """
    manifest, plugin_id, mistakes = _read_manifest(manifest_file)
    return PluginFiles(
        path=directory,
        manifest_file=manifest_file,
        plugin_id=plugin_id,
        manifest=manifest,
        mistakes=tuple(mistakes),
        code_mistakes=tuple(_check_code(directory / MODULE_NAME)) if with_code else (),
    )


def guess_plugin_id(file_name: str, text: bytes) -> str:
    """The id in a manifest that may be broken otherwise; "" when it cannot be told."""
    try:
        told = text.decode("utf-8-sig")
        document: Any = tomllib.loads(told) if file_name == NATIVE_MANIFEST else json.loads(told)
    except (ValueError, RecursionError):  # both parsers' errors and that of UTF-8 are ValueErrors
        return ""
    table = document.get("plugin") if file_name == NATIVE_MANIFEST else document
    found = table.get("id") if isinstance(table, dict) else None
    return found if isinstance(found, str) and is_plugin_id(found) else ""


def _read_manifest(file: Path) -> tuple[Manifest | None, str, list[Mistake]]:
    try:
        text = read_foreign(file)
    except OSError as error:
        return None, "", [Mistake(file=str(file), key="", given=f"it cannot be read: {error.strerror}")]
    try:
        manifest = parse_manifest(file.name, text)
    except ManifestError as error:
        mistakes = [Mistake(file=str(file), key=found.path, given=found.message) for found in error.mistakes]
        return None, guess_plugin_id(file.name, text), mistakes
    return manifest, manifest.plugin_id, []


def _check_code(file: Path) -> list[Mistake]:
    """Why a module cannot be compiled; nothing when it can."""
    if file.exists() and not file.is_file():  # reading a pipe would wait for a writer
        return [Mistake(file=str(file), key="", given="it is not a regular file")]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # an odd escape is the author's to see, when the module is imported
            compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
    except FileNotFoundError:
        return [
            Mistake(
                file=str(file), key="", given="there is no such file", advice="write the plugin's class there"
            )
        ]
    except OSError as error:
        return [Mistake(file=str(file), key="", given=f"it cannot be read: {error.strerror}")]
    except SyntaxError as error:
        place = f"line {error.lineno}" if error.lineno else ""
        code = f": {error.text.strip()[:80]}" if error.text else ""
        return [Mistake(file=str(file), key=place, given=f"this is not Python: {error.msg}{code}")]
    except (
        ValueError,
        RecursionError,
        MemoryError,
    ) as error:  # a zero byte; nesting that the compiler gives up on
        return [
            Mistake(
                file=str(file),
                key="",
                given=f"Python cannot compile it: {str(error) or 'it nests too deeply'}",
            )
        ]
    return []
