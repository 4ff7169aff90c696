"""A configuration becomes valid settings, or the list of everything that is wrong with it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from rookery.sharding import Policy
from rookery.supervisor.config import OnUnavailable, Settings, load_settings, read_config
from rookery.supervisor.errors import ConfigError
from rookery.supervisor.restart import RestartMode
from tests.doubles.deployments import ENVIRON, write_config

EXAMPLES = Path(__file__).parents[2] / "examples"


def mistakes_in(directory: Path, text: str) -> list[str]:
    """The lines for a configuration's mistakes, without its path."""
    read = read_config(write_config(directory, text), environ=ENVIRON)
    return [mistake.explain() for mistake in read.mistakes]


def test_an_empty_file_is_a_deployment(tmp_path: Path) -> None:
    """Every key is optional."""
    directory = tmp_path / "bot"
    directory.mkdir()

    settings = load_settings(write_config(directory, ""), environ=ENVIRON)

    assert settings.name == "bot"
    assert settings.path == directory / "rookery.toml"
    assert settings.state_dir.is_relative_to("/state/rookery")
    assert settings.command_prefix == "!"
    assert settings.placement.policy is Policy.EXPLICIT
    assert (settings.plugin_dirs, settings.bundled, settings.shards, dict(settings.plugins)) == (
        (),
        (),
        (),
        {},
    )


def test_every_key_arrives(tmp_path: Path) -> None:
    """What the file says is what the settings have."""
    text = """
    [rookery]
    name = "bot"
    state_dir = "state"
    plugin_dirs = ["plugins", "/abs", "~/mine"]
    bundled = ["rookery.irc"]
    command_prefix = "/"
    log_level = "debug"
    [placement]
    policy = "spread"
    shards = 3
    keep_dependencies_together = false
    [[shard]]
    name = "games"
    plugins = ["a.dice"]
    trust = "untrusted"
    capacity = 3
    terminal = true
    max_inflight = 1
    queue_limit = 2
    thread_limit = 3
    restart = { mode = "transient", burst_limit = 1 }
    timeouts = { hello = 1, drain = 0 }
    [plugins."a.dice"]
    shard = "games"
    enabled = false
    trust = "untrusted"
    weight = 2
    config = { seed = "x", when = 1979-05-27 }
    capabilities = ["database.*"]
    together_with = ["a.b"]
    separate_from = ["a.c"]
    [pipeline]
    max_inflight = 4
    dedupe_ttl = 5
    dedupe_keys = 6
    dispatch_timeout = 7
    on_unavailable = "skip"
    """

    settings = load_settings(write_config(tmp_path, text), environ=ENVIRON)

    assert settings.name == "bot"
    assert settings.state_dir == tmp_path / "state"
    assert settings.plugin_dirs == (tmp_path / "plugins", Path("/abs"), Path("~/mine").expanduser())
    assert (settings.bundled, settings.command_prefix) == (("rookery.irc",), "/")
    assert settings.log_level == logging.DEBUG
    placement, [shard], dice, pipeline = (
        settings.placement, settings.shards, settings.plugin("a.dice"), settings.pipeline,
    )  # fmt: skip
    assert (placement.policy, placement.shards, placement.keep_dependencies_together) == (
        Policy.SPREAD,
        3,
        False,
    )
    assert (shard.name, shard.plugins, shard.trust, shard.capacity) == (
        "games",
        ("a.dice",),
        "untrusted",
        3.0,
    )
    assert (shard.terminal, shard.max_inflight, shard.queue_limit, shard.thread_limit) == (True, 1, 2, 3)
    assert (shard.restart.mode, shard.restart.burst_limit) == (RestartMode.TRANSIENT, 1)
    assert (shard.timeouts.hello, shard.timeouts.drain, shard.timeouts.load) == (1.0, 0.0, 30.0)
    assert (dice.shard, dice.enabled, dice.trust, dice.weight) == ("games", False, "untrusted", 2.0)
    assert dice.config["seed"] == "x"
    assert (dice.together_with, dice.separate_from) == (("a.b",), ("a.c",))
    assert settings.grants == {"a.dice": ("database.*",)}
    assert (pipeline.max_inflight, pipeline.dedupe_ttl, pipeline.dedupe_keys) == (4, 5.0, 6)
    assert (pipeline.dispatch_timeout, pipeline.on_unavailable) == (7.0, OnUnavailable.SKIP)


@pytest.mark.parametrize("example", ["chatbot", "irc"])
def test_the_examples_are_valid(example: str) -> None:
    """A directory stands for the rookery.toml in it."""
    settings = load_settings(EXAMPLES / example, environ=ENVIRON)

    assert settings.name == example


def test_a_plugin_that_nobody_speaks_of_has_the_defaults() -> None:
    """Asking is always allowed."""
    settings = Settings(path=Path("/x"), name="x", state_dir=Path("/s"))

    assert settings.plugin("a.b").enabled
    assert settings.plugin("a.b").capabilities is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("[pipline]", "pipline: got an unknown key, expected one of 'bot', 'fetch', 'gateways', 'grants', 'group', 'llm', "
                     "'pipeline', 'placement', 'plugins', 'render', 'rookery', 'route' or 1 more; did you mean 'pipeline'?", id="an unknown section"),
        pytest.param("rookery = 3", "rookery: got 3, expected a table", id="no section"),
        pytest.param("[rookery]\nname = true", "rookery.name: got true, expected a file name of at most 64 characters",
                     id="a boolean for a text"),
        pytest.param('[rookery]\nname = "a/b"', "rookery.name: got 'a/b', expected a file name of at most 64 characters",
                     id="a name that is a path"),
        pytest.param('[rookery]\nplugin_dirs = "plugins"',
                     "rookery.plugin_dirs: got 'plugins', expected a list of texts; write ['plugins']",
                     id="a text for a list"),
        pytest.param('[rookery]\nname = ".."', "rookery.name: got '..', expected a file name of at most 64 characters",
                     id="a name that is another directory"),
        pytest.param('[rookery]\nplugin_dirs = ["~no_such_user/x"]', "rookery.plugin_dirs[0]: got '~no_such_user/x', "
                     "expected a path; a ~ in front is somebody's home", id="the home of nobody"),
        pytest.param('[rookery]\nplugin_dirs = ["a", ""]', "rookery.plugin_dirs[1]: got '', expected a path; a ~ in front is "
                     "somebody's home", id="an empty path"),
        pytest.param('[rookery]\nstate_dir = "a\\u0000"', "rookery.state_dir: got 'a\\x00', expected a path; a ~ in front is "
                     "somebody's home", id="a zero byte in a path"),
        pytest.param("[rookery]\nbundled = [3]", "rookery.bundled[0]: got 3, expected a text in quotes", id="a number in a list"),
        pytest.param('[rookery]\nlog_level = "inof"', "rookery.log_level: got 'inof', expected one of 'debug', 'error', "
                     "'info', 'warning'; did you mean 'info'?", id="an unknown word"),
        pytest.param("[placement]\nshards = true", "placement.shards: got true, expected a whole number from 0 to 256",
                     id="a boolean is no number"),
        pytest.param("[placement]\nshards = 2", "placement.shards: 2 with policy 'explicit', which uses no shards of that "
                     "kind; set policy to one of 'pack', 'spread', 'trust'", id="shards without a policy for them"),
        pytest.param("[shard]\nname = 'a'", "shard: got {'name': 'a'}, expected a section [[shard]] for each shard; "
                     "write [[shard]], with two brackets", id="one bracket"),
        pytest.param("[[shard]]", "shard[0].name: got nothing, expected at most 32 of a-z, 0-9, '_' and '-', a letter or "
                     "digit first", id="a shard without a name"),
        pytest.param("[[shard]]\nname = 'a'\n[[shard]]\nname = 'a'",
                     "shard.a: got a second [[shard]] with the name 'a', expected a name of its own for each",
                     id="two shards of one name"),
        pytest.param("[[shard]]\nname = 'a'\nterminal = true\n[[shard]]\nname = 'b'\nterminal = true",
                     "shard.b.terminal: got true, and shard 'a' has the terminal already, expected true for one shard at most",
                     id="two terminals"),
        pytest.param("[[shard]]\nname = 'a'\ncapacity = -1", "shard.a.capacity: got -1, expected a number above 0",
                     id="a negative capacity"),
        pytest.param("[[shard]]\nname = 'a'\nqueue_limit = 1.5",
                     "shard.a.queue_limit: got 1.5, expected a whole number from 1 up", id="half a number"),
        pytest.param("[[shard]]\nname = 'a'\nterminal = 'true'",
                     "shard.a.terminal: got 'true', expected true or false; take the quotes away", id="a quoted boolean"),
        pytest.param("[[shard]]\nname = 'a'\nplugins = ['a.b', 'dice']",
                     "shard.a.plugins[1]: got 'dice', expected a plugin's id, two or more words joined by '.' or '-', "
                     "such as 'author.plugin'", id="a name that is no id"),
        pytest.param("[[shard]]\nname = 'a'\nrestart.burst_limit = -1",
                     "shard.a.restart.burst_limit: got -1, expected a whole number from 0 up", id="a nested key"),
        pytest.param("[[shard]]\nname = 'a'\ntimeouts.drain = 100",
                     "shard.a.timeouts.drain: got 100, which is 107 s with term_grace (5) and kill_wait (2), expected at most "
                     "30 s in all: service managers kill the whole host soon after; lower drain to 23",
                     id="keys that do not go together"),
        pytest.param("[plugins.chatbot.dice]\nweight = 1",
                     "plugins.\"chatbot\": got a section for no plugin, expected a plugin's id, two or more words joined "
                     "by '.' or '-', such as 'author.plugin'; write the id in quotes: [plugins.\"chatbot.dice\"]",
                     id="an id without quotes"),
        pytest.param("plugins = 3", 'plugins: got 3, expected a section [plugins."ID"] for each plugin', id="no plugins"),
        pytest.param("[plugins.'a.b']\nweight = inf", 'plugins."a.b".weight: got inf, expected a number from 0 up',
                     id="an infinite weight"),
        pytest.param("[plugins.'a.b'.config]\nx = 99999999999999999999",
                     'plugins."a.b".config: something that cannot be sent to a runner: a int cannot be sent: '
                     "99999999999999999999", id="a value too large for the wire"),
    ],
)  # fmt: skip
def test_a_mistake_says_where_what_and_what_instead(text: str, line: str, tmp_path: Path) -> None:
    """One line for each mistake, and no other line."""
    assert mistakes_in(tmp_path, text) == [line]


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    """Nobody has to correct one to see the next; `load_settings` raises them together."""
    text = "[rookery]\nname = 1\nbundled = 2\n[pipeline]\ndedupe_ttl = -1\n[[shard]]\nname = 'A'\n[[shard]]\nplugins = 1"
    config = write_config(tmp_path, text)

    with pytest.raises(ConfigError) as caught:
        load_settings(config, environ=ENVIRON)

    keys = {mistake.key for mistake in caught.value.mistakes}
    assert keys == {
        "rookery.name", "rookery.bundled", "pipeline.dedupe_ttl", "shard[0].name", "shard[1].plugins", "shard[1].name",
    }  # fmt: skip
    assert {mistake.file for mistake in caught.value.mistakes} == {str(config)}


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    """Editors of Windows write one, and nobody sees it."""
    (tmp_path / "rookery.toml").write_bytes(b'\xef\xbb\xbf[rookery]\r\nname = "bot"\r\n')

    assert load_settings(tmp_path, environ=ENVIRON).name == "bot"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        pytest.param(
            b"[rookery]\nname = \n", "line 2, column 8: this is not TOML: Invalid value", id="no TOML"
        ),
        pytest.param(b"x = [1,", "end of document: this is not TOML: Invalid value", id="an open list"),
        pytest.param(
            b"\n# \xff", "line 2: got bytes that are not UTF-8, expected text in UTF-8", id="no UTF-8"
        ),
        pytest.param(b"x = " + b"[" * 5000, "lists or tables nest too deeply to be read", id="too deep"),
    ],
)
def test_what_cannot_be_parsed_is_one_mistake(data: bytes, line: str, tmp_path: Path) -> None:
    """With the line and the column that the parser stopped at."""
    (tmp_path / "rookery.toml").write_bytes(data)

    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path, environ=ENVIRON)

    [mistake] = caught.value.mistakes
    assert mistake.explain() == line


def test_a_missing_file_says_what_was_looked_for(tmp_path: Path) -> None:
    """A directory without a rookery.toml is the usual reason."""
    with pytest.raises(ConfigError, match=r"rookery\.toml: there is no such file"):
        load_settings(tmp_path, environ=ENVIRON)


def test_a_state_directory_too_deep_for_a_socket_is_a_mistake(tmp_path: Path) -> None:
    """Found before anything is started, with the way out."""
    text = f'[rookery]\nstate_dir = "/{"x" * 120}"'

    [line] = mistakes_in(tmp_path, text)

    assert line.startswith("rookery.state_dir: got a path of 134 bytes for the control socket")
    assert line.endswith("set rookery.state_dir to a shorter path")
