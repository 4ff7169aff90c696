"""A plugin's code becomes a module of its own, in time, or leaves no trace."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rookery.protocol import AssignedPlugin, Manifest
from rookery.runner.border import PluginFailed
from rookery.runner.discovery import Candidate
from rookery.runner.loader import import_plugin, module_name_of, purge_modules


@pytest.fixture
def candidate(tmp_path: Path) -> Iterator[Candidate]:
    """A plugin without code yet."""
    manifest = Manifest(plugin_id="test.loader", version="1.0.0", name="Loader")
    yield Candidate(manifest=manifest, path=tmp_path, assigned=AssignedPlugin(plugin_id="test.loader"))
    purge_modules(module_name_of("test.loader"))


def _write(candidate: Candidate, text: str, name: str = "plugin.py") -> None:
    (candidate.path / name).write_text(text)


def test_no_two_plugins_share_a_module() -> None:
    """Ids that differ in one sign only are different modules, and none lies inside of another."""
    ids = ["a.b_c", "a.b-c", "a.b.c", "a_b.c", "a_b-c", "a_d.b", "a.b", "a__b.c", "a._b.c"]

    names = {module_name_of(plugin_id) for plugin_id in ids}

    assert len(names) == len(ids)
    assert all(name.isidentifier() for name in names)


def test_a_neighbour_may_import_the_plugin_itself(candidate: Candidate) -> None:
    """The module runs once, under both of its names."""
    _write(candidate, "runs = []\nruns.append(1)\nfrom .other import found\n")
    _write(candidate, "from .plugin import runs as found\n", "other.py")

    module = import_plugin(candidate, time_limit=5.0)

    assert module.found is module.runs
    assert module.runs == [1]


def test_nothing_of_a_failed_import_is_left(candidate: Candidate) -> None:
    """Its neighbours are forgotten too, or a reload would find the old ones."""
    _write(candidate, "from . import other\nraise ValueError('no')\n")
    _write(candidate, "", "other.py")

    with pytest.raises(PluginFailed, match=r"ValueError: no \(plugin.py line 2\)"):
        import_plugin(candidate, time_limit=5.0)

    assert [name for name in sys.modules if name.startswith(module_name_of("test.loader"))] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        pytest.param("while True:\n    pass\n", id="a loop"),
        pytest.param("import time\ntime.sleep(3600)\n", id="a wait"),
        pytest.param("import threading\nthreading.Lock().acquire() and None\n"
                     "lock = threading.Lock()\nlock.acquire()\nlock.acquire()\n", id="a dead-lock"),
        pytest.param("try:\n    while True: pass\nexcept BaseException:\n    pass\nwhile True: pass\n", id="a swallower"),
        pytest.param("try:\n    while True: pass\nexcept BaseException:\n    raise KeyError('x')\n", id="a disguise"),
    ],
)  # fmt: skip
def test_an_import_that_does_not_come_back_is_interrupted(candidate: Candidate, code: str) -> None:
    """Soon after its time; the reason says so whatever the plugin made of the interruption; the alarm is off again."""
    _write(candidate, code)
    before = signal.getsignal(signal.SIGALRM)
    started = time.monotonic()

    with pytest.raises(PluginFailed, match=r"importing it took longer than 0\.3 s"):
        import_plugin(candidate, time_limit=0.3)

    assert time.monotonic() - started < 5.0
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


@pytest.mark.slow
def test_our_own_code_is_not_interrupted_half_way(candidate: Candidate) -> None:
    """A log entry that the plugin writes while its time runs out is whole; the alarm comes back for the plugin."""
    _write(candidate, "from rookery.runner.lines import Lines\nseen = []\n"
                      "def emit(_, text):\n    seen.append(text)\n"
                      "while True:\n    Lines(emit).feed('a', b'x' * 100 + b'\\n')\n")  # fmt: skip

    with pytest.raises(PluginFailed, match=r"importing it took longer than 0\.05 s"):
        import_plugin(candidate, time_limit=0.05)


def test_an_original_plugin_sees_the_directory_of_its_neighbours(tmp_path: Path) -> None:
    """Only while it is imported, as original plugins expect it; one of ours never."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "plugin.py").write_text("import sys\npath = list(sys.path)\n")

    seen = []
    for is_native in (True, False):
        manifest = Manifest(plugin_id="test.one", version="1.0.0", name="One", is_native=is_native)
        candidate = Candidate(
            manifest=manifest, path=tmp_path / "one", assigned=AssignedPlugin(plugin_id="test.one")
        )
        seen.append(str(tmp_path) in import_plugin(candidate, time_limit=5.0).path)
    purge_modules(module_name_of("test.one"))

    assert seen == [False, True]
    assert str(tmp_path) not in sys.path
