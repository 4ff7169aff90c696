"""Files fit in a head and functions on a screen; names say one thing."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.architecture.source import FOLDERS, files_under, parse, place_of

MAX_FILE_LINES = 400  # the soft limit is 300
MAX_FUNCTION_LINES = 80  # the soft limit is below
LONG_FUNCTION_LINES = 40

DRAWERS = {"base", "common", "helper", "helpers", "manager", "misc", "types", "util", "utilities", "utils"}
EMPTY_WORDS = {"Manager", "Helper", "Util", "Utils", "Base", "Data", "Info"}


def _functions() -> Iterator[tuple[str, int]]:
    for path in files_under(*FOLDERS, "examples", "benchmarks"):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{place_of(path)}:{node.lineno} {node.name}", _length(node)


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its decorators and its docstring."""
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def test_no_file_is_over_four_hundred_lines() -> None:
    """A longer file holds two nouns: find the second and give it its own file."""
    lengths = {
        place_of(path): len(path.read_text("utf-8").splitlines())
        for path in files_under(*FOLDERS, "tests", "examples", "benchmarks")
    }

    assert {place: lines for place, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def test_no_function_is_over_eighty_lines(record_property: Callable[[str, object], None]) -> None:
    """Over forty is listed at the end of the run, over eighty fails."""
    lengths = dict(_functions())

    for place, lines in sorted(lengths.items()):
        if LONG_FUNCTION_LINES < lines <= MAX_FUNCTION_LINES:
            record_property("remark", f"{lines} lines, {LONG_FUNCTION_LINES} are plenty: {place}")

    assert {place: lines for place, lines in lengths.items() if lines > MAX_FUNCTION_LINES} == {}


def test_no_file_is_a_drawer() -> None:
    """A file is named for a noun of the domain; `utils` is the name of no noun."""
    paths = files_under(*FOLDERS, "tests", "examples", "benchmarks")

    named = {place_of(path) for path in paths if DRAWERS & {path.stem, *_folder_names(path)}}

    assert named == set()


def _folder_names(path: Path) -> list[str]:
    return place_of(path).split("/")[:-1]


def test_no_class_has_an_empty_word_in_its_name() -> None:
    """`Manager` and `Info` say nothing that the rest of the name does not say."""
    classes = {
        f"{place_of(path)}:{node.lineno} {node.name}"
        for path in files_under(*FOLDERS)
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ClassDef) and EMPTY_WORDS & set(re.findall(r"[A-Z][a-z0-9]*", node.name))
    }

    assert classes == set()
