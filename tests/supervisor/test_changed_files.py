"""A changed file means something to one plugin, or nothing to anybody."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from rookery.supervisor.changed_files import Meaning, is_of_interest, read_changes

ROOT = PurePath("/bot/plugins")
PLUGINS = {
    "a.one": ROOT / "one",
    "a.two": ROOT / "two",
    "a.inner": ROOT / "one" / "inner",
    "b.far": PurePath("/far"),
}


def read(*changed: str) -> Meaning:
    return read_changes(map(PurePath, changed), PLUGINS, [ROOT])


@pytest.mark.parametrize(
    ("path", "meaning"),
    [
        pytest.param("/bot/plugins/one/plugin.py", Meaning(code=("a.one",)), id="code"),
        pytest.param("/bot/plugins/one/deep/er/words.py", Meaning(code=("a.one",)), id="code below"),
        pytest.param(
            "/bot/plugins/one/inner/plugin.py", Meaning(code=("a.inner",)), id="a plugin within another"
        ),
        pytest.param("/far/plugin.py", Meaning(code=("b.far",)), id="a plugin elsewhere"),
        pytest.param("/bot/plugins/two/plugin.toml", Meaning(code=("a.two",)), id="a manifest"),
        pytest.param("/bot/plugins/two/_manifest.json", Meaning(code=("a.two",)), id="an original manifest"),
        pytest.param("/bot/plugins/two/config.toml", Meaning(config=("a.two",)), id="a configuration"),
        pytest.param("/bot/plugins/two/sub/config.toml", Meaning(), id="another file of this name"),
        pytest.param("/bot/plugins/two/words.json", Meaning(), id="data"),
        pytest.param("/bot/plugins/two/.plugin.py.swp", Meaning(), id="an editor's own file"),
        pytest.param("/bot/plugins/two/.config.toml.7.new", Meaning(), id="a file that is being written"),
        pytest.param("/bot/plugins/two/__pycache__/x.py", Meaning(), id="a cache"),
        pytest.param("/bot/plugins/new/plugin.toml", Meaning(new=(ROOT / "new",)), id="a new plugin"),
        pytest.param("/bot/plugins/new/plugin.py", Meaning(), id="code without a manifest"),
        pytest.param("/bot/plugins/x/y/plugin.toml", Meaning(), id="too deep for a plugin"),
        pytest.param("/elsewhere/plugin.py", Meaning(), id="nobody's"),
    ],
)
def test_what_a_change_means(path: str, meaning: Meaning) -> None:
    """The innermost directory of a plugin decides whose it is."""
    assert read(path) == meaning


def test_a_burst_is_one_meaning() -> None:
    """Each plugin once; one that is reloaded reads its configuration by that."""
    burst = read(
        "/bot/plugins/two/plugin.py",
        "/bot/plugins/one/config.toml",
        "/bot/plugins/two/config.toml",
        "/bot/plugins/two/words.py",
    )

    assert burst == Meaning(code=("a.two",), config=("a.one",))


def test_a_directory_whose_name_ends_like_code_is_no_interest() -> None:
    """Only what can be imported, declares or configures is."""
    assert not is_of_interest(PurePath("/x/.git/hooks.py"))
    assert is_of_interest(PurePath("/x/words.py"))
