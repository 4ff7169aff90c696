"""An operator hears of a grant that means nothing, and of a plugin that asks for more than it will get, before it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.supervisor.capabilities.catalogue import NAMES, OWN
from rookery.supervisor.checking import check_deployment
from tests.doubles.deployments import ENVIRON, write_config, write_plugin

SHARD = 'rookery.plugin_dirs = ["plugins"]\n[[shard]]\nname = "s"\nplugins = ["a.dice"]\n'


def warnings_in(directory: Path, text: str) -> list[str]:
    checked = check_deployment(write_config(directory, text), environ=ENVIRON)
    assert checked.mistakes == ()
    # Others are about isolation, and hang on who runs the test.
    return [each.explain() for each in checked.warnings if "isolation" not in each.key]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            '[grants.untrusted]\nallow = ["send.*", "send.txt"]',
            "grants.untrusted.allow[1]: 'send.txt', which is no capability of rookery's; did you mean 'send.text'?",
            id="a slip in a level",
        ),
        pytest.param(
            '[grants.untrusted]\nallow = ["confg.*"]', "did you mean 'config.*'?", id="a slip in a family"
        ),
        pytest.param(
            '[[shard]]\nname = "t"\ncapabilities = ["lisen.events"]',
            "shard.t.capabilities[0]: 'lisen.events', which is no capability of rookery's; did you mean 'listen.events'?",
            id="a slip in a shard",
        ),
        pytest.param(
            '[grants.untrusted]\nallow = ["shop.price"]',
            "it counts only if the program that embeds the bot offers it",
            id="a name of an application",
        ),
    ],
)
def test_a_name_that_nothing_has_is_told_with_the_nearest_one(tmp_path: Path, text: str, words: str) -> None:
    """No mistake: a program that embeds the host may offer what it likes."""
    write_plugin(tmp_path, "a.dice")

    [warning] = warnings_in(tmp_path, f"{SHARD}{text}")

    assert words in warning


def test_every_name_of_the_hosts_own_is_known(tmp_path: Path) -> None:
    """Names, families, all, and what components need."""
    write_plugin(tmp_path, "a.dice")
    names = sorted(
        {*NAMES, *OWN, "*", "send.*", "listen.*", "gateway.qq", "gateway.*", "provide.models", "change.hooks"}
    )

    assert warnings_in(tmp_path, f"{SHARD}[grants.untrusted]\nallow = {names}") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            'trust = "untrusted"\n',
            'grants.untrusted: a.dice asks in its manifest for "send.text", "config.get", which it is not granted; to grant'
            ' it, write [grants.untrusted] allow = ["send.text", "config.get"]',
            id="a level that nobody speaks of",
        ),
        pytest.param(
            'trust = "untrusted"\n[grants.untrusted]\nallow = ["send.*", "listen.events"]\n',
            'for "config.get", which it is not granted; to grant it, write [grants.untrusted] allow = ["listen.events",'
            ' "send.*", "config.get"]',
            id="a level that has a part",
        ),
        pytest.param(
            'trust = "untrusted"\ncapabilities = ["send.text"]\n[grants.untrusted]\nallow = ["*"]\n',
            'write "config.get" in capabilities of the [[shard]] with name = "s"',
            id="a shard that has less",
        ),
    ],
)
def test_what_a_plugin_asks_for_and_does_not_get_is_told(tmp_path: Path, text: str, words: str) -> None:
    """With the plugin, the capabilities, and the line to write."""
    write_plugin(tmp_path, "a.dice", capabilities=["send.text", "config.get"])

    [warning] = warnings_in(tmp_path, f"{SHARD}{text}")

    assert words in warning


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="a trusted plugin"),
        pytest.param('trust = "untrusted"\n[grants.untrusted]\nallow = ["*"]\n', id="a level that has all"),
        pytest.param(
            'trust = "untrusted"\n[plugins."a.dice"]\ncapabilities = ["send.text"]\n',
            id="a list of its own, which was somebody's decision",
        ),
    ],
)
def test_a_plugin_that_gets_what_it_is_meant_to_get_is_no_warning(tmp_path: Path, text: str) -> None:
    """Warnings that always come are read by nobody."""
    write_plugin(tmp_path, "a.dice", capabilities=["send.text", "config.get"])

    assert warnings_in(tmp_path, f"{SHARD}{text}") == []


@pytest.mark.parametrize(
    "own",
    ['capabilities = ["send.text"]', "calls_apis_of = ['*']", "fetch = {hosts = ['a.test']}"],
)
def test_neighbours_that_are_granted_different_things_are_told(tmp_path: Path, own: str) -> None:
    """They share a process; apart there is nothing to say."""
    for name in ("a.dice", "a.cards"):
        write_plugin(tmp_path, name, capabilities=["send.text"])
    grants = f'[plugins."a.dice"]\n{own}\n[grants.untrusted]\nallow = ["*"]\n'
    together = SHARD.replace('"a.dice"]', '"a.dice", "a.cards"]') + 'trust = "untrusted"\n'
    apart = f'{SHARD}trust = "untrusted"\n[[shard]]\nname = "t"\nplugins = ["a.cards"]\ntrust = "untrusted"\n'

    [warning] = warnings_in(tmp_path, together + grants)

    assert warning.startswith("shard.s: a.dice and its neighbours share a process")
    assert warnings_in(tmp_path, apart + grants) == []
