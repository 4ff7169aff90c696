"""How does a plugin's code become a module, under a time limit, and how does it go away again?

Every plugin is loaded by path, the bundled ones too: there is one way, and it is the authors' way. Its directory is a
package of its own with a name that no other plugin can have, so ``from .client import Client`` works and nothing lands
on ``sys.path``.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import re
import signal
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from typing import TYPE_CHECKING

from rookery.protocol import page as layout

from .border import PluginFailed, call_guarded
from .compat.bot_imports import refuse_bot_imports
from .discovery import CODE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType, ModuleType

    from .discovery import Candidate

PREFIX = "rookery_plugin_"

REPEAT = 0.05
"""Seconds until an import that swallowed its interruption is interrupted again."""

_IMPORTED: set[str] = set()
"""Names of plugins of which there is, or was, something in ``sys.modules``."""

_ESCAPES = {"_": "__", ".": "_d", "-": "_h"}
_LETTERS = {escape[1]: letter for letter, escape in _ESCAPES.items()}


def module_name_of(plugin_id: str) -> str:
    """The module of a plugin; different plugins never share one: ``a.b_c`` and ``a.b-c`` are different too."""
    return PREFIX + "".join(_ESCAPES.get(letter, letter) for letter in plugin_id)


def plugin_id_of(module_name: str) -> str:
    """The plugin that a module, or a neighbour of it, belongs to; "" for any other module."""
    if not module_name.startswith(PREFIX):
        return ""
    escaped = module_name.removeprefix(PREFIX).partition(".")[0]
    return re.sub("_([_dh])", lambda found: _LETTERS[found[1]], escaped)


class ImportTakesTooLong(BaseException):
    """Raised inside a plugin's import by the alarm. Not an ``Exception``, or ``except Exception`` would swallow it."""


def import_plugin(candidate: Candidate, *, time_limit: float) -> ModuleType:
    """Run a plugin's ``plugin.py``. Must be called in the main thread; blocks it.

    Args:
        time_limit: Seconds.

    Raises:
        PluginFailed: The code raised anything at all, ``SystemExit`` included, or did not come back in time. Nothing of
            it is left in ``sys.modules``.
    """
    name = module_name_of(candidate.plugin_id)
    purge_modules(name)
    spec = _spec_of(name, candidate.path)
    module = importlib.util.module_from_spec(spec)
    _IMPORTED.add(name)
    sys.modules[name] = module
    # The same file under the name that its neighbours would import it by: `from .plugin import X` runs it once.
    sys.modules[f"{name}.plugin"] = module
    try:
        with _alarm(time_limit) as interruptions, _original_path(candidate):
            call_guarded(candidate.plugin_id, _run_code, spec, module, phase=layout.Phase.IMPORT)
    except PluginFailed as failure:
        purge_modules(name)
        if interruptions and not isinstance(failure.__cause__, ImportTakesTooLong):
            # What it made of the interruption is not what is wrong with it.
            text = f"{interruptions[0]}; interrupted, it raised {failure.reason}"
            raise PluginFailed(text, failure.traceback_text) from failure.__cause__
        raise
    return module


def purge_modules(name: str) -> dict[str, ModuleType]:
    """Forget a plugin's module and its neighbours, so that the next import reads the files; return them."""
    if name not in _IMPORTED:
        return {}  # looking through all names costs a forked runner the pages that they lie on
    importlib.invalidate_caches()
    names = [known for known in sys.modules if known == name or known.startswith(f"{name}.")]
    modules = {known: sys.modules.pop(known) for known in names}
    for module in modules.values():
        _forget_bytecode(module)
    return modules


def _forget_bytecode(module: ModuleType) -> None:
    """Python trusts its cache when time (in whole seconds) and size agree: too little for a file that is being edited."""
    cached = getattr(module, "__cached__", None)
    if isinstance(cached, str):
        with contextlib.suppress(OSError):
            os.unlink(cached)


def _spec_of(name: str, directory: Path) -> ModuleSpec:
    path = str(directory / CODE_NAME)
    spec = importlib.util.spec_from_file_location(
        name, path, loader=SourceFileLoader(name, path), submodule_search_locations=[str(directory)]
    )
    assert spec is not None, "there is always a spec where the loader is given"
    return spec


def _run_code(spec: ModuleSpec, module: ModuleType) -> None:
    assert spec.loader is not None
    spec.loader.exec_module(module)


@contextlib.contextmanager
def _alarm(time_limit: float) -> Iterator[list[ImportTakesTooLong]]:
    """Interrupt the plugin's code when the time is over, again and again until it leaves; gives the interruptions."""
    interruptions: list[ImportTakesTooLong] = []

    def interrupt(_: int, frame: FrameType | None) -> None:
        if _is_in_plugin_code(frame):
            interruptions[:] = [ImportTakesTooLong(f"importing it took longer than {time_limit:g} s")]
            raise interruptions[0]

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, time_limit, REPEAT)
    try:
        yield interruptions
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _is_in_plugin_code(frame: FrameType | None) -> bool:
    """Whether an exception raised now lands in the plugin: below ``_run_code``, and not in the middle of our own code
    that the plugin called (a log entry half written); the alarm comes again."""
    depth = 0
    while frame is not None and frame.f_code is not _run_code.__code__:
        if _is_ours(frame):
            return False
        frame = frame.f_back
        depth += 1
    return frame is not None and depth > 0


def _is_ours(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__", "")
    return isinstance(name, str) and name.startswith(("rookery.runner.", "rookery.protocol."))


@contextlib.contextmanager
def _original_path(candidate: Candidate) -> Iterator[None]:
    """Original plugins may import their neighbours' directories absolutely while they are imported."""
    parent = str(candidate.path.parent)
    if not candidate.manifest.is_native:
        refuse_bot_imports()
    if candidate.manifest.is_native or parent in sys.path:
        yield
        return
    sys.path.insert(0, parent)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(parent)
