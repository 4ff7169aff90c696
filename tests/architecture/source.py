"""Which source files does the repository have, and what do they import?"""

from __future__ import annotations

import ast
import functools
import os
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]
FOLDERS = ("protocol", "sharding", "runner", "supervisor")
# Not ours; besides everything that starts with a dot.
SKIPPED = {"build", "dist", "venv", "node_modules", "__pycache__"}


@attrs.frozen
class Import:
    """One imported module or name, as an absolute dotted path."""

    line: int
    module: str
    """What follows `from` or `import`: `rookery.protocol.codec`, `trio`."""
    name: str
    """The imported name of a `from` import; empty for a plain import."""
    relative: bool
    type_only: bool
    """Under `if TYPE_CHECKING`: never executed."""

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]


def files_under(*folders: str, suffixes: tuple[str, ...] | None = (".py",)) -> list[Path]:
    """All files of the repository's folders with one of the suffixes (None: any), sorted."""
    return sorted(
        path
        for folder in folders
        for path in _walk(ROOT / folder)
        if suffixes is None or path.suffix in suffixes
    )


def _walk(folder: Path) -> Iterator[Path]:
    for directory, directories, names in os.walk(folder):
        directories[:] = [
            name
            for name in directories
            if name not in SKIPPED and not name.startswith(".") and not name.endswith(".egg-info")
        ]
        yield from (Path(directory, name) for name in names)


def place_of(path: Path) -> str:
    """The path as people write it: `supervisor/restart.py`."""
    return path.relative_to(ROOT).as_posix()


@functools.cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=place_of(path))


def imports_of(path: Path) -> list[Import]:
    """Every import of a file, nested ones too, relative ones resolved."""
    return list(_imports_in(parse(path), path, type_only=False))


def _imports_in(node: ast.AST, path: Path, *, type_only: bool) -> Iterator[Import]:
    if isinstance(node, ast.If) and _is_type_checking(node.test):
        for child in node.body:
            yield from _imports_in(child, path, type_only=True)
        for child in node.orelse:
            yield from _imports_in(child, path, type_only=type_only)
    elif isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(node.lineno, alias.name, "", relative=False, type_only=type_only)
    elif isinstance(node, ast.ImportFrom):
        module = _resolve(node, path)
        for alias in node.names:
            yield Import(node.lineno, module, alias.name, relative=node.level > 0, type_only=type_only)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _imports_in(child, path, type_only=type_only)


def _is_type_checking(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in (getattr(test, "id", ""), getattr(test, "attr", ""))


def _resolve(node: ast.ImportFrom, path: Path) -> str:
    if node.level == 0:
        return node.module or ""
    package = ["rookery", *path.relative_to(ROOT).parent.parts]
    kept = package[: len(package) - node.level + 1]
    return ".".join([*kept, *([node.module] if node.module else [])])


def file_of(module: str) -> Path | None:
    """The file of a dotted module of rookery; None when there is none."""
    stem = ROOT.joinpath(*module.split(".")[1:])
    candidates = (stem.with_suffix(".py"), stem / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)
