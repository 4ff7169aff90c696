"""Four folders, one direction: supervisor → sharding → protocol ← runner; what decides touches no effect."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import attrs
import pytest

from tests.architecture.source import FOLDERS, ROOT, Import, file_of, files_under, imports_of, place_of


@attrs.frozen
class Layer:
    """What the files of one folder may import."""

    folders: frozenset[str]
    """Folders of rookery, by their door only."""
    libraries: frozenset[str]
    """Modules besides the standard library."""


LAYERS = {
    "protocol": Layer(frozenset(), frozenset({"attrs", "cattrs", "msgpack"})),
    "sharding": Layer(frozenset({"protocol"}), frozenset({"attrs"})),
    "runner": Layer(frozenset({"protocol"}), frozenset({"attrs", "cattrs", "packaging", "trio"})),
    "supervisor": Layer(
        frozenset({"protocol", "sharding"}),
        frozenset({"attrs", "cattrs", "click", "httpx", "packaging", "rich", "trio", "trio_util"}),
    ),
}

# Single files that may import more than their folder, and why.
EXTRA_LIBRARIES = {
    "runner/config_upgrade.py": {"tomlkit"},
    "runner/compat/sdk_context.py": {"maibot_sdk"},  # an extra, of those who have such plugins
    "supervisor/config_edit.py": {"tomlkit"},
    "supervisor/file_changes.py": {"watchfiles"},  # an extra
    "protocol/flusher.py": {"trio"},
    "protocol/link.py": {"trio"},
    "protocol/paced_reader.py": {"trio"},
    "protocol/reader.py": {"trio"},
    "protocol/slot.py": {"trio"},
    "runner/bundled/onebot/connection.py": {"websockets"},  # an extra of the one plugin that needs it
    "runner/bundled/onebot/client.py": {"websockets"},
    "runner/bundled/onebot/dialling.py": {"websockets"},
    "runner/bundled/onebot/listening.py": {"websockets"},
    "supervisor/platform/policy_edit.py": {"tomlkit"},  # keeps the comments of an operator's file
    "protocol/manifest.py": {"packaging"},  # version ranges; as pure as attrs
}

LOOPS = frozenset({"anyio", "asyncio", "outcome", "sniffio", "trio", "trio_util"})
EFFECTS = frozenset(
    {"concurrent", "logging", "multiprocessing", "os", "random", "secrets", "select", "selectors", "shutil"}
    | {"signal", "socket", "sqlite3", "subprocess", "tempfile", "threading", "time"}
)

# All of protocol and sharding decide; what is excepted does the effects for the rest.
PURE_FOLDERS = ("protocol", "sharding")
IMPURE_FILES = {
    "protocol/flusher.py",
    "protocol/link.py",
    "protocol/paced_reader.py",
    "protocol/reader.py",
    "protocol/slot.py",
}

# The deciding files of the other two. A file that does not exist yet is fine.
PURE_FILES = (
    "supervisor/api_table.py",
    "supervisor/autopsy.py",
    "supervisor/awake.py",
    "supervisor/bench_cases.py",
    "supervisor/bench_compare.py",
    "supervisor/bench_figures.py",
    "supervisor/bench_plot.py",
    "supervisor/bench_rows.py",
    "supervisor/bench_svg.py",
    "supervisor/breaker.py",
    "supervisor/changed_files.py",
    "supervisor/commands.py",
    "supervisor/component.py",
    "supervisor/component_grants.py",
    "supervisor/conversation.py",
    "supervisor/declaration.py",
    "supervisor/entitlement.py",
    "supervisor/escalation.py",
    "supervisor/exit_report.py",
    "supervisor/fate.py",
    "supervisor/fetch/addresses.py",
    "supervisor/fetch/allow_list.py",
    "supervisor/fetch/bucket.py",
    "supervisor/fetch/encoding.py",
    "supervisor/fetch/failure.py",
    "supervisor/fetch/settings.py",
    "supervisor/fetch/wish.py",
    "supervisor/give_up.py",
    "supervisor/grants.py",
    "supervisor/handler_index.py",
    "supervisor/hang.py",
    "supervisor/health.py",
    "supervisor/hook_catalogue.py",
    "supervisor/hook_spec.py",
    "supervisor/hook_specs.py",
    "supervisor/llm/config.py",
    "supervisor/llm/conversation.py",
    "supervisor/llm/failure.py",
    "supervisor/llm/openai.py",
    "supervisor/llm/settings.py",
    "supervisor/ordering.py",
    "supervisor/platform/accounts.py",
    "supervisor/platform/chat_policy.py",
    "supervisor/platform/dedupe.py",
    "supervisor/platform/inbound.py",
    "supervisor/platform/receipts.py",
    "supervisor/platform/routes.py",
    "supervisor/provider_table.py",
    "supervisor/quarantine.py",
    "supervisor/registry.py",
    "supervisor/render/failure.py",
    "supervisor/render/settings.py",
    "supervisor/render/wish.py",
    "supervisor/restart.py",
    "supervisor/shard_state.py",
    "supervisor/soak_plan.py",
    "supervisor/soak_rules.py",
    "supervisor/strategy.py",
    "supervisor/switches.py",
    "supervisor/tool_schema.py",
    "supervisor/trends.py",
    "supervisor/wear.py",
)


def _folder_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


def _is_bundled(path: Path) -> bool:
    return place_of(path).startswith("runner/bundled/")


def _pure_files() -> list[Path]:
    listed = [ROOT / name for name in PURE_FILES if (ROOT / name).is_file()]
    whole = [path for path in files_under(*PURE_FOLDERS) if place_of(path) not in IMPURE_FILES]
    return listed + whole


def _complaint_about(path: Path, found: Import) -> str | None:
    folder = _folder_of(path)
    if found.top == "rookery":
        return _complaint_about_rookery(path, folder, found)
    if found.top in FOLDERS:
        return f"imports the bare `{found.module}`, a second copy of `rookery.{found.module}`"
    allowed = LAYERS[folder].libraries | EXTRA_LIBRARIES.get(place_of(path), set())
    if found.top in sys.stdlib_module_names or found.top in allowed:
        return None
    return f"imports {found.module}, which {folder}/ may not; it may use {', '.join(sorted(allowed))}"


def _complaint_about_rookery(path: Path, folder: str, found: Import) -> str | None:
    _, target, *inner = [*found.module.split("."), ""]
    if found.relative and target == folder:
        return _complaint_about_neighbour(found)
    if found.relative:
        return f"leaves {folder}/ by a relative import of {found.module}"
    if target == folder:
        # A bundled gateway is a plugin: it is written against the authors' door like any other.
        if _is_bundled(path) and found.module == "rookery.runner":
            return None
        return f"imports {found.module} absolutely inside its own folder: import relatively from the file"
    if target not in LAYERS[folder].folders:
        return f"imports {found.module}, which {folder}/ may not"
    if inner[:-1]:
        return f"imports {found.module} past the door: import from rookery.{target}"
    return None


def _complaint_about_neighbour(found: Import) -> str | None:
    is_door = found.module.count(".") == 1
    if is_door and file_of(f"{found.module}.{found.name}") is None:
        return f"imports {found.name} from its own folder's door: import relatively from the file"
    return None


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_imports_only_what_its_layer_allows(folder: str) -> None:
    """The table of layers holds for every import, nested and type-only ones included."""
    complaints = [
        f"{place_of(path)}:{found.line} {complaint}"
        for path in files_under(folder)
        for found in imports_of(path)
        if (complaint := _complaint_about(path, found))
    ]

    assert not complaints, "\n".join(complaints)


def test_what_decides_touches_no_clock_no_loop_and_no_system() -> None:
    """Pure files import no effect, and no neighbour that does."""
    complaints = [complaint for path in _pure_files() for complaint in _impurities(path, seen=set())]

    assert not complaints, "\n".join(complaints)


def _impurities(path: Path, seen: set[Path]) -> list[str]:
    """Complaints about the executed imports of a file and of its neighbours, each file once."""
    seen.add(path)
    found = []
    for entry in imports_of(path):
        if entry.type_only:
            continue
        if entry.top in LOOPS | EFFECTS:
            found.append(
                f"{place_of(path)}:{entry.line} imports {entry.module}: take what it gives as an argument"
            )
        if entry.relative and (neighbour := _neighbour(entry)) and neighbour not in seen:
            inner = _impurities(neighbour, seen)
            found += [f"{place_of(path)}:{entry.line} imports a file that {text}" for text in inner]
    return found


def _neighbour(entry: Import) -> Path | None:
    path = file_of(f"{entry.module}.{entry.name}") or file_of(entry.module)
    # A door gathers the whole folder; what is behind it was judged at its own import.
    return None if path is None or path.name == "__init__.py" or place_of(path) in IMPURE_FILES else path


def test_no_exception_is_granted_in_vain() -> None:
    """A file that is excepted from its layer, or from being pure, does what it is excepted for; DESIGN.md names the latter."""
    loops = {
        place_of(path)
        for path in files_under(*PURE_FOLDERS)
        if any(found.top in LOOPS and not found.type_only for found in imports_of(path))
    }
    vain = {
        place: libraries
        for place, names in EXTRA_LIBRARIES.items()
        if (libraries := names - {found.top for found in imports_of(ROOT / place)})
    }
    (rule,) = [line for line in (ROOT / "DESIGN.md").read_text().splitlines() if "know an event loop" in line]

    assert loops == IMPURE_FILES
    assert vain == {}
    assert {f"protocol/{name}" for name in re.findall(r"`(\w+\.py)`", rule)} == IMPURE_FILES


def test_nothing_imports_the_folders_by_their_bare_names() -> None:
    """`import protocol` from the repository root makes a second copy of every class."""
    complaints = [
        f"{place_of(path)}:{found.line} imports the bare `{found.module}`"
        for path in files_under("tests", "examples", "benchmarks", "docs")
        if "syntax" not in place_of(path)  # a plugin that does not parse, on purpose
        for found in imports_of(path)
        if found.top in FOLDERS and not found.relative
    ]

    assert not complaints, "\n".join(complaints)
