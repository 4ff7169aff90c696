"""Every file says what it is for, promises nothing without an issue, and swallows nothing unseen."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import attrs
import pytest

from tests.architecture.source import FOLDERS, ROOT, files_under, parse, place_of

TEXTS = (".py", ".md", ".toml", ".sql", ".sh", ".json", ".jsonl")

# A promise without an issue is forgotten. Spelt so that this file does not find itself.
PROMISE = re.compile(r"\b(?:TO" + r"DO(?!\(#\d+\))|FIX" + r"ME|X" + r"XX)\b")


@attrs.frozen
class Border:
    """A place where a failure of any kind may be caught."""

    handlers: int
    """How many broad handlers the file may have."""
    reason: str


BORDERS = {
    "runner/border.py": Border(
        3, "a component is somebody else's code: whatever it raises becomes its own failure"
    ),
    "runner/worker_threads.py": Border(
        1, "a plain function in a thread: what it raises is raised again in the loop"
    ),
    "runner/first_step.py": Border(
        2,
        "a component whose first step is made by hand, and what trio throws into it: as in runner/border.py",
    ),
    "runner/burst.py": Border(1, "many such components, one behind the other"),
    "runner/invoke.py": Border(1, "what a component has returned is packed, which may run code of its own"),
    "supervisor/store_writer.py": Border(
        1, "an operation may be the embedding host's code and must not harm the next"
    ),
    "supervisor/capabilities/table.py": Border(
        2, "an implementation may be the embedding host's code: its failure is the answer to one call"
    ),
    "supervisor/control.py": Border(
        1, "an operator's question must not end the host: a bug is its answer, and in the log"
    ),
    "supervisor/observers.py": Border(
        1, "an observer is the embedding host's code and must not stop the tree"
    ),
    "supervisor/asyncio_host.py": Border(
        1, "a call of the embedding program: what it raises belongs to who awaits it, not to the tree"
    ),
    "supervisor/platform/legacy.py": Border(
        1, "a sender is the embedding host's code: its failure is the receipt of one message"
    ),
    "supervisor/cli/__init__.py": Border(
        1, "the top of the command line: one clear line instead of a traceback"
    ),
}


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for path in files_under(*FOLDERS, "examples", "benchmarks"):
        yield place_of(path), parse(path)


def _broad_handlers(tree: ast.Module) -> Iterator[int]:
    """Lines that catch everything and do not raise it again."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and not _raises_again(node):
            yield node.lineno
        if (
            isinstance(node, ast.Call)
            and _last_name(node.func) == "suppress"
            and any(map(_is_broad, node.args))
        ):
            yield node.lineno


def _is_broad(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(_is_broad(element) for element in caught.elts)
    return caught is None or _last_name(caught) in (
        "Exception",
        "BaseException",
        "ExceptionGroup",
        "BaseExceptionGroup",
    )


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _last_name(node: ast.expr) -> str:
    return str(getattr(node, "attr", getattr(node, "id", "")))


def test_everything_is_caught_only_at_the_borders() -> None:
    """`except Exception` stands where somebody else's code is called, and nowhere else."""
    found = {place: lines for place, tree in _sources() if (lines := list(_broad_handlers(tree)))}

    strangers = {
        place: lines
        for place, lines in found.items()
        if place not in BORDERS or len(lines) > BORDERS[place].handlers
    }

    assert strangers == {}, f"call through one of the borders instead: {sorted(BORDERS)}"


@pytest.mark.parametrize(
    ("body", "caught"),
    [
        pytest.param("except Exception: pass", True, id="a broad handler"),
        pytest.param("except: pass", True, id="a bare handler"),
        pytest.param("except (OSError, BaseException): pass", True, id="a broad class in a tuple"),
        pytest.param("except* Exception: pass", True, id="a broad handler of groups"),
        pytest.param("except BaseException:\n  clean_up()\n  raise", False, id="clean up and raise again"),
        pytest.param("except OSError: pass", False, id="a narrow handler"),
    ],
)
def test_the_search_for_broad_handlers(body: str, caught: bool) -> None:
    """What counts as catching everything."""
    tree = ast.parse(f"try:\n  work()\n{body}")

    assert bool(list(_broad_handlers(tree))) is caught


def test_no_promise_is_without_an_issue() -> None:
    """A note for later carries the number of its issue."""
    paths = [
        *files_under(*FOLDERS, "tests", "examples", "benchmarks", "docs", suffixes=TEXTS),
        *(path for path in ROOT.iterdir() if path.suffix in TEXTS),
    ]

    promises = [
        f"{place_of(path)}:{number} {line.strip()[:80]}"
        for path in paths
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), start=1)
        if PROMISE.search(line)
    ]

    assert promises == []


def test_every_module_begins_with_what_it_answers() -> None:
    """The first line is a docstring; annotations are never evaluated at import."""
    mute = []
    for place, tree in _sources():
        if not ast.get_docstring(tree):
            mute.append(f"{place}: no docstring")
        if len(tree.body) > 1 and not _has_future_annotations(tree):
            mute.append(f"{place}: no `from __future__ import annotations`")

    assert mute == []


def _has_future_annotations(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and any(alias.name == "annotations" for alias in node.names)
        for node in tree.body
    )
