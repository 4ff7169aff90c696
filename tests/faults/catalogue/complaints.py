"""Does the catalogue of faults name tests that exist, and every fault once?"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from tests.faults.catalogue import FAULTS, NOT_HERE, WHERE

ROOT = Path(__file__).parents[3]


def complaints() -> list[str]:
    """What is wrong with it, a line each; nothing is run."""
    found = [f"{fault}: has no test and no reason for that" for fault in FAULTS if not _is_told(fault)]
    found += [f"{fault}: there is no such fault" for fault in {*WHERE, *NOT_HERE} - set(FAULTS)]
    found += [f"{fault}: has tests and a reason for none" for fault in WHERE.keys() & NOT_HERE.keys()]
    for fault, tests in WHERE.items():
        found += [f"{fault}: there is no {test}" for test in tests if not _exists(test)]
    return sorted(found)


def _is_told(fault: str) -> bool:
    return bool(WHERE.get(fault)) or bool(NOT_HERE.get(fault, "").strip())


def _exists(test: str) -> bool:
    place, _, name = test.partition("::")
    path = ROOT / place
    return path.is_file() and name in _tests_of(path)


@cache
def _tests_of(path: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{each.name}" for each in node.body if _is_test(each)}
        elif _is_test(node):
            found.add(node.name)  # type: ignore[attr-defined]  # a function
    return frozenset(found)


def _is_test(node: ast.AST) -> bool:
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_")
