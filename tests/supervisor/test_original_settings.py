"""What cannot go together with a runner of the original kind is told before anything is started, and what it is is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rookery.supervisor.cli import run_command_line
from rookery.supervisor.errors import ConfigError
from rookery.supervisor.planning import make_plan, shard_settings
from rookery.supervisor.start_mode import StartMode
from tests.doubles.deployments import load, write_config, write_plugin
from tests.whole.sdk_plugins import MANIFEST

SHARD = """
[[shard]]
name = "old"
plugins = ["a.one"]
runner = ["python", "-m", "src.plugin_runtime.runner.runner_main"]
"""


def write_sdk_plugin(directory: Path, plugin_id: str = "a.one") -> None:
    path = directory / "plugins" / plugin_id
    path.mkdir(parents=True)
    (path / "_manifest.json").write_text(json.dumps({**MANIFEST, "id": plugin_id}))
    (path / "plugin.py").write_text("")


def mistakes(directory: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        make_plan(*load(directory, text))
    return "\n".join(mistake.explain() for mistake in caught.value.mistakes)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('python = "/bin/sh"', "shard.old.python"),
        ('requirements = "rookery.toml"', "shard.old.requirements"),
        ('start = "zygote"', "shard.old.start"),
        ('runtime = "asyncio"', "shard.old.runtime"),
        ("terminal = true", "shard.old.terminal"),
        ('runner_directory = "nowhere"', "there is no such directory"),
        ('runner = [""]', "shard.old.runner[0]"),
    ],
)
def test_a_setting_that_means_nothing_to_it_is_a_mistake(tmp_path: Path, line: str, told: str) -> None:
    """Each with the key and a way out."""
    write_sdk_plugin(tmp_path)
    text = SHARD if "runner =" not in line else SHARD.replace(SHARD.splitlines()[-1], "")

    assert told in mistakes(tmp_path, text + line)


def test_a_directory_without_a_runner_is_a_mistake(tmp_path: Path) -> None:
    """It would be passed over in silence."""
    text = '[[shard]]\nname = "old"\nplugins = ["a.one"]\nrunner_directory = "."'
    write_sdk_plugin(tmp_path)

    assert "shard.old.runner_directory" in mistakes(tmp_path, text)


def test_a_plugin_of_rookery_has_no_place_there(tmp_path: Path) -> None:
    """An original runner knows ``_manifest.json`` alone."""
    write_plugin(tmp_path, "a.one")

    told = mistakes(tmp_path, SHARD)

    assert "an original runner for a.one, which has a plugin.toml" in told


def test_values_over_a_file_that_it_reads_itself_are_a_mistake(tmp_path: Path) -> None:
    """It would never see them."""
    write_sdk_plugin(tmp_path)

    assert 'plugins."a.one".config' in mistakes(tmp_path, f'{SHARD}[plugins."a.one".config]\ngreeting = 1\n')


def test_it_is_always_spawned_and_takes_named_plugins_only(tmp_path: Path) -> None:
    """Whatever the deployment says of starting; and a policy puts nothing there, which might be a native one."""
    write_sdk_plugin(tmp_path)
    write_plugin(tmp_path, "a.two")
    text = f'rookery.start = "zygote"\n[placement]\npolicy = "spread"\nshards = 1\n{SHARD}'

    settings, catalog = load(tmp_path, text)
    plan = make_plan(settings, catalog)

    starts = {shard.name: shard.start for shard in shard_settings(settings, plan)}
    assert starts == {"old": StartMode.SPAWN, "shard-1": StartMode.ZYGOTE}
    assert plan.plugins_of("old") == ("a.one",)


@pytest.mark.parametrize("place", ['plugins = ["a.one"]', ""], ids=["by the shard", "by the plugin"])
def test_the_sdk_need_not_be_installed_here(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The original runner has one of its own."""
    monkeypatch.setattr("rookery.supervisor.catalog.installed_sdk", lambda: "")
    write_sdk_plugin(tmp_path)
    text = SHARD.replace('plugins = ["a.one"]', place) + '[plugins."a.one"]\nshard = "old"\n'

    _, catalog = load(tmp_path, text)
    _, others = load(tmp_path, text.replace("\nrunner =", "\n# "))

    assert catalog.mistakes == ()
    assert "the SDK, which is not installed" in str(others.mistakes)


def test_the_plan_shows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a line of its own."""
    write_sdk_plugin(tmp_path)
    path = write_config(tmp_path, f'rookery.plugin_dirs = ["plugins"]\n{SHARD}')

    code = run_command_line(["plan", str(path)])

    told = "old has a runner of the original kind: python -m src.plugin_runtime.runner.runner_main"
    assert (code, told in capsys.readouterr().out.splitlines()) == (0, True)
