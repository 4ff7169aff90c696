"""A door is imports, `__all__` and a docstring that maps the folder, nothing else."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys

import pytest

from tests.architecture.source import FOLDERS, ROOT, imports_of, parse

# The command line lives behind the supervisor's door, and `rookery status` answers without importing trio. So this one
# door may resolve its names on first use: imports for the type checker, plus a module-level __getattr__.
LAZY_DOORS = {"supervisor"}


def _is_door_statement(node: ast.stmt, *, lazy: bool) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom():
            return True
        case ast.Expr(value=ast.Constant(value=str())):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]) | ast.AnnAssign(target=ast.Name(id="__all__")):
            return True
        case ast.Assign(targets=[ast.Name(id="__getattr__" | "__dir__")]):
            return lazy
        case ast.FunctionDef(name="__getattr__" | "__dir__"):
            return lazy and len(node.body) <= 6
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=[]):
            return lazy and all(_is_door_statement(child, lazy=False) for child in node.body)
    return False


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_door_holds_imports_and_names_only(folder: str) -> None:
    """No logic hides in the __init__.py of the four packages."""
    tree = parse(ROOT / folder / "__init__.py")

    strangers = [node.lineno for node in tree.body if not _is_door_statement(node, lazy=folder in LAZY_DOORS)]

    assert ast.get_docstring(tree), "a door begins with a docstring that maps the folder"
    assert not strangers, (
        f"{folder}/__init__.py has more than imports, __all__ and a docstring at lines {strangers}"
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_door_names_everything_it_opens(folder: str) -> None:
    """__all__ is what the door imports from its folder, each name once, and each name resolves."""
    module = importlib.import_module(f"rookery.{folder}")
    imported = {found.name for found in imports_of(ROOT / folder / "__init__.py") if found.relative}

    names = getattr(module, "__all__", [])

    assert len(set(names)) == len(names), (
        f"twice in __all__: {sorted({n for n in names if names.count(n) > 1})}"
    )
    assert [name for name in names if not hasattr(module, name)] == []
    assert {name for name in imported if not name.startswith("_")} == set(names)


@pytest.mark.slow
def test_the_command_line_starts_without_trio() -> None:
    """Whatever asks a running bot answers at once: what it imports stays light."""
    commands = ("status", "logs", "restart", "stop", "start", "release", "events")
    modules = ["rookery.supervisor.cli", *(f"rookery.supervisor.cli.{name}" for name in commands)]
    program = f"import sys, {', '.join(modules)}; print(*{{'trio', 'msgpack', 'rich'}} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []
