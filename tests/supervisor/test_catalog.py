"""Every plugin of a deployment is found, wherever it comes from, with all its mistakes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rookery.supervisor.catalog import Source, find_bundled, find_plugins
from rookery.supervisor.config import load_settings
from tests.doubles.deployments import ENVIRON, load, write_config, write_plugin


def test_plugins_of_a_directory_are_found(tmp_path: Path) -> None:
    """All of them, by id; what is no plugin is passed over."""
    write_plugin(tmp_path, "b.two", folder="first")
    one = write_plugin(tmp_path, "a.one", folder="second")
    (tmp_path / "plugins" / "notes").mkdir()

    _, catalog = load(tmp_path, "")

    assert list(catalog.plugins) == ["a.one", "b.two"]
    assert (catalog.plugins["a.one"].path, catalog.plugins["a.one"].source) == (one, Source.DIRECTORY)
    assert (catalog.mistakes, catalog.broken) == ((), frozenset())


def test_bundled_plugins_are_found_when_they_are_named(tmp_path: Path) -> None:
    """One that does not exist is answered with those that do."""
    _, catalog = load(tmp_path, 'rookery.bundled = ["rookery.console", "rookery.ircc"]')

    assert list(catalog.plugins) == ["rookery.console"]
    assert catalog.plugins["rookery.console"].source is Source.BUNDLED
    assert [mistake.explain() for mistake in catalog.mistakes] == [
        "rookery.bundled: got 'rookery.ircc', which does not come with rookery, expected one of 'rookery.console', "
        "'rookery.irc', 'rookery.onebot', 'rookery.replay'; did you mean 'rookery.irc'?"
    ]


@pytest.mark.slow
def test_bundled_plugins_are_found_without_importing_the_runner() -> None:
    """The supervisor never imports it, not even by asking where it is."""
    program = (
        "import sys; from rookery.supervisor.catalog import find_bundled; print(sorted(find_bundled())); "
        "print([name for name in sys.modules if name.startswith('rookery.runner')])"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == [
        "['rookery.console', 'rookery.irc', 'rookery.onebot', 'rookery.replay']",
        "[]",
    ]


def test_bundled_directories_have_code() -> None:
    """What is found is a plugin."""
    assert all((path / "plugin.py").is_file() for path in find_bundled().values())


def test_two_plugins_with_one_id_are_a_mistake_with_both_paths(tmp_path: Path) -> None:
    """The first one keeps the name."""
    first = write_plugin(tmp_path, "a.dice", folder="one")
    second = write_plugin(tmp_path, "a.dice", folder="two")

    _, catalog = load(tmp_path, "")

    [mistake] = catalog.mistakes
    assert mistake.file == str(second / "plugin.toml")
    assert str(first) in mistake.given
    assert catalog.plugins["a.dice"].path == first


def test_one_plugin_by_two_ways_is_one_plugin(tmp_path: Path) -> None:
    """A directory of plugins and one plugin of it may both be named."""
    write_plugin(tmp_path, "a.dice")
    config = write_config(tmp_path, 'rookery.plugin_dirs = ["plugins", "plugins/a.dice"]')

    catalog = find_plugins(load_settings(config, environ=ENVIRON))

    assert list(catalog.plugins) == ["a.dice"]
    assert catalog.mistakes == ()


def test_a_directory_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    """With the path as it was understood, and the key that has it."""
    (tmp_path / "file").touch()
    config = write_config(tmp_path, 'rookery.plugin_dirs = ["nowhere", "file"]')

    catalog = find_plugins(load_settings(config, environ=ENVIRON))

    assert [(mistake.file, mistake.key, mistake.given) for mistake in catalog.mistakes] == [
        (str(config), "rookery.plugin_dirs", f"{tmp_path}/nowhere, where there is nothing"),
        (str(config), "rookery.plugin_dirs", f"{tmp_path}/file, where there is a file"),
    ]


def test_code_without_a_manifest_is_a_mistake(tmp_path: Path) -> None:
    """Somebody forgot something."""
    path = write_plugin(tmp_path, "a.dice")
    (path / "plugin.toml").unlink()

    _, catalog = load(tmp_path, "")

    [mistake] = catalog.mistakes
    assert (mistake.file, mistake.given) == (str(path), "a plugin.py without a plugin.toml beside it")


def test_the_mistakes_of_all_plugins_come_at_once(tmp_path: Path) -> None:
    """Manifests and dependencies, and code apart, since it is no obstacle to a plan; what is broken keeps its name."""
    write_plugin(tmp_path, "a.one", version="x")
    write_plugin(tmp_path, "a.two", code="def")
    write_plugin(tmp_path, "a.three", dependencies=["a.four"])

    settings, _ = load(tmp_path, "")

    catalog = find_plugins(settings, with_code=True)

    assert [mistake.file.removeprefix(f"{tmp_path}/plugins/") for mistake in catalog.mistakes] == [
        "a.one/plugin.toml", "a.three/plugin.toml",
    ]  # fmt: skip
    assert [mistake.file.removeprefix(f"{tmp_path}/plugins/") for mistake in catalog.code_mistakes] == [
        "a.two/plugin.py"
    ]
    assert catalog.broken == {"a.one"}


def test_a_disabled_plugin_may_be_broken(tmp_path: Path) -> None:
    """That is how one waits for its author."""
    write_plugin(tmp_path, "a.one", version="x")
    write_plugin(tmp_path, "a.two", code="def", dependencies=["no.where"])

    _, catalog = load(tmp_path, '[plugins."a.one"]\nenabled = false\n[plugins."a.two"]\nenabled = false')

    assert catalog.mistakes == ()


def test_a_dependency_on_a_disabled_plugin_is_a_mistake(tmp_path: Path) -> None:
    """The plugin that needs it is told."""
    write_plugin(tmp_path, "a.one", dependencies=["a.two"])
    write_plugin(tmp_path, "a.two")

    _, catalog = load(tmp_path, '[plugins."a.two"]\nenabled = false')

    assert [mistake.given for mistake in catalog.mistakes] == ["'a.two', which is disabled"]


class TestEntryPoints:
    """Plugins of other distributions."""

    @pytest.fixture
    def site(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A directory of distributions, with one that has the plugin a.dice."""
        site = tmp_path / "site"
        package = write_plugin(tmp_path, "a.dice", code="raise SystemExit\n")
        site.mkdir()
        package.rename(site / "dice_package")
        (site / "dice_package" / "__init__.py").write_text("raise SystemExit\n")
        metadata = site / "dice-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: dice\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text("[rookery.plugins]\na.dice = dice_package\n")
        monkeypatch.syspath_prepend(site)
        return site

    def test_one_that_is_named_is_found_without_an_import(self, site: Path, tmp_path: Path) -> None:
        """Its package would end the process."""
        _, catalog = load(tmp_path, '[[shard]]\nname = "games"\nplugins = ["a.dice"]')

        assert catalog.mistakes == ()
        assert catalog.plugins["a.dice"].path == site / "dice_package"
        assert catalog.plugins["a.dice"].source is Source.ENTRY_POINT

    def test_one_that_nobody_names_stays_out(self, site: Path, tmp_path: Path) -> None:
        """What happens to be installed does not join a bot."""
        _, catalog = load(tmp_path, "")

        assert dict(catalog.plugins) == {}

    @pytest.mark.parametrize(
        ("entry", "told"),
        [
            ("no_such_package", "'no_such_package', which is no package with a directory"),
            ("dice_package.inner", "'dice_package.inner', which is no package with a directory"),
            ("other_package", "which has no plugin.toml"),
        ],
    )
    def test_one_that_leads_nowhere_is_a_mistake(
        self, entry: str, told: str, site: Path, tmp_path: Path
    ) -> None:
        """Told with the distribution that has it."""
        (site / "other_package").mkdir()
        (site / "other_package" / "__init__.py").touch()
        text = f"[rookery.plugins]\na.dice = {entry}\n"
        (site / "dice-1.0.dist-info" / "entry_points.txt").write_text(text)

        _, catalog = load(tmp_path, '[plugins."a.dice"]')

        [mistake] = catalog.mistakes
        assert mistake.file == "distribution dice"
        assert told in mistake.given

    def test_one_with_another_name_is_a_mistake(self, site: Path, tmp_path: Path) -> None:
        """The entry and the manifest have to agree."""
        text = "[rookery.plugins]\na.karma = dice_package\n"
        (site / "dice-1.0.dist-info" / "entry_points.txt").write_text(text)

        _, catalog = load(tmp_path, '[plugins."a.karma"]')

        assert [mistake.given for mistake in catalog.mistakes] == ["a plugin that calls itself 'a.dice'"]
