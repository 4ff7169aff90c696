"""Is it told before anything runs which plugins will load, and why the others will not?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rookery.supervisor.cli import group
from rookery.supervisor.doctor import Diagnosis, bot_imports, examine
from tests.doubles.deployments import write_plugin
from tests.whole.sdk_plugins import MANIFEST


def write_original(directory: Path, plugin_id: str, code: str = "x = 1\n", **manifest: Any) -> Path:
    path = directory / "plugins" / plugin_id
    path.mkdir(parents=True)
    (path / "_manifest.json").write_text(json.dumps({**MANIFEST, "id": plugin_id, **manifest}))
    (path / "plugin.py").write_text(code)
    return path


def found_in(directory: Path, **versions: str) -> dict[str, Diagnosis]:
    told = {"host": "1.2.1", "sdk": "2.16.0", **versions}
    return {each.plugin_id or each.path.name: each for each in examine(directory / "plugins", **told)}


def test_what_is_in_order_loads(tmp_path: Path) -> None:
    """Native ones and those of the SDK."""
    write_plugin(tmp_path, "test.native")
    write_original(tmp_path, "test.sdk")

    found = found_in(tmp_path)

    assert [(each.plugin_id, each.kind, each.loads) for each in found.values()] == [
        ("test.native", "native", True),
        ("test.sdk", "sdk", True),
    ]


def test_each_reason_is_told(tmp_path: Path) -> None:
    """Versions, packages, other plugins, syntax, old manifests, code of a bot, two of one id, no manifest at all."""
    write_original(
        tmp_path, "test.old_bot", host_application={"min_version": "0.1.0", "max_version": "0.9.0"}
    )
    write_original(tmp_path, "test.old_sdk", sdk={"min_version": "1.0.0", "max_version": "1.9.0"})
    write_original(
        tmp_path,
        "test.needs",
        dependencies=[
            {"type": "plugin", "id": "test.absent", "version_spec": ">=1.0"},
            {"type": "python_package", "name": "no-such-package-anywhere", "version_spec": ">=2"},
        ],
    )
    write_original(tmp_path, "test.syntax", code="def f(:\n")
    write_original(tmp_path, "test.v1", manifest_version=1)
    write_original(tmp_path, "test.bot", code="from src.common.logger import get_logger\n")
    write_plugin(tmp_path, "test.twin")
    write_plugin(tmp_path, "test.twin", folder="the_other_twin")
    (tmp_path / "plugins" / "bare").mkdir()
    (tmp_path / "plugins" / "bare" / "plugin.py").touch()

    found = {each.path.name: each for each in examine(tmp_path / "plugins", host="1.2.1", sdk="2.16.0")}

    told = {name: " | ".join(each.reasons) for name, each in found.items()}
    assert not any(each.loads for each in found.values())
    assert "0.1.0 to 0.9.0" in told["test.old_bot"]
    assert "1.0.0 to 1.9.0" in told["test.old_sdk"]
    assert "test.absent" in told["test.needs"]
    assert "pip install 'no-such-package-anywhere>=2'" in told["test.needs"]
    assert "line 1" in told["test.syntax"]
    assert "manifest_version" in told["test.v1"]
    assert "imports src.common.logger" in told["test.bot"]
    assert "the_other_twin" in told["test.twin"]
    assert "no manifest" in told["bare"]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import src.a\n", [(1, "src.a", False)]),
        ("from src import b\n", [(1, "src", False)]),
        ("from .src import b\nimport srcs\n", []),
        ("try:\n    import src.a\nexcept ImportError:\n    pass\n", [(2, "src.a", True)]),
        ("def f():\n    import src.a\n", [(2, "src.a", True)]),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import src.a\n", []),
    ],
)
def test_where_code_of_a_bot_is_imported(
    tmp_path: Path, code: str, found: list[tuple[int, str, bool]]
) -> None:
    """At once it is a reason, later or in a try it is a note, for a type checker it is nothing."""
    file = tmp_path / "plugin.py"
    file.write_text(code)

    assert list(bot_imports(file)) == found


def test_the_command_says_it_in_lines_and_by_its_exit_code(tmp_path: Path) -> None:
    """A table for people, JSON for programs."""
    write_plugin(tmp_path, "test.good")
    good = CliRunner().invoke(group, ["doctor", "plugins", str(tmp_path / "plugins")])
    write_original(tmp_path, "test.bad", code="import src\n")
    bad = CliRunner().invoke(group, ["doctor", "plugins", str(tmp_path / "plugins"), "--json"])
    (tmp_path / "empty").mkdir()
    none = CliRunner().invoke(group, ["doctor", "plugins", str(tmp_path / "empty")])

    assert (good.exit_code, bad.exit_code, none.exit_code) == (0, 1, 1)
    assert "loads  test.good 1.0.0 (native)" in good.output
    assert [each["loads"] for each in json.loads(bad.output)] == [False, True]
    assert "there is no plugin in" in none.output
