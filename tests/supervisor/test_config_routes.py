"""What a file says about routes and gateways is read whole, and every mistake is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.supervisor.catalog import find_plugins
from rookery.supervisor.config import read_config
from rookery.supervisor.platform.routes import Direction, Route, route_key


def _read(directory: Path, text: str) -> tuple[tuple[Route, ...], list[str]]:
    path = directory / "rookery.toml"
    path.write_text(text)
    read = read_config(path, environ={"HOME": "/home/u"})
    return read.settings.routes, [mistake.explain() for mistake in read.mistakes]


def test_routes_are_read(tmp_path: Path) -> None:
    """Platforms small, in the order of the file."""
    routes, mistakes = _read(
        tmp_path,
        """
        [[route]]
        platform = "QQ"
        account_id = "10000"
        gateways = ["rookery.onebot", "my.bridge:qq"]

        [[route]]
        platform = "*"
        broadcast = true
        direction = "send"
        """,
    )

    assert mistakes == []
    assert routes == (
        Route(key=route_key("qq", "10000"), gateways=("rookery.onebot", "my.bridge:qq")),
        Route(key=route_key("*"), broadcast=True, direction=Direction.SEND),
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("[route]\nplatform = 'a'", "two brackets", id="one bracket"),
        pytest.param("[[route]]\ngateways = ['a.b']", "route[0].platform: got nothing", id="no platform"),
        pytest.param("[[route]]\nplatform = ' '\ngateways = ['a.b']", "route[0].platform: got ' '", id="blank"),
        pytest.param("[[route]]\nplatform = 'a'", "route[0].gateways: got no gateway", id="says nothing"),
        pytest.param("[[route]]\nplatform = 'a'\ngateways = ['b']", "route[0].gateways[0]: got 'b'", id="no plugin"),
        pytest.param(
            "[[route]]\nplatform = 'a'\ngateways = ['a.b']\ndirection = 'sent'",
            "did you mean 'send'?",
            id="a wrong direction",
        ),
        pytest.param(
            "[[route]]\nplatform = 'a'\ngateways = ['a.b']\nbroadcast = true\ndirection = 'receive'",
            "route[0].broadcast: true, and the route only receives",
            id="a broadcast that receives",
        ),
        pytest.param(
            "[[route]]\nplatform = 'a'\ngateways = ['a.b']\n[[route]]\nplatform = 'A'\ngateways = ['a.c']",
            "route[1]: a second route for sending with the key a:*:*; the first is route[0]",
            id="two for one key",
        ),
        pytest.param("[[route]]\nplatform = 'a'\ngateway = 'a.b'\nbroadcast = true", "did you mean 'gateways'?", id="typo"),
        pytest.param("[[route]]\nplatform = '" + "a" * 600 + "'\nbroadcast = true", "has 600 characters", id="too long"),
        pytest.param("[gateways]\nchat_policy = 'none.toml'", "there is no such file", id="no policy there"),
        pytest.param("[gateways]\nchat_policy = ''", "gateways.chat_policy: got '', expected a path", id="no path"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, line: str) -> None:
    """Once."""
    _, mistakes = _read(tmp_path, text)

    assert len(mistakes) == 1, mistakes
    assert line in mistakes[0]


def test_one_key_may_have_a_route_for_each_direction(tmp_path: Path) -> None:
    """They do not contradict each other."""
    text = "".join(
        f"[[route]]\nplatform = 'a'\ngateways = ['a.b']\ndirection = '{way}'\n" for way in ("send", "receive")
    )

    assert _read(tmp_path, text)[1] == []


def test_the_mistakes_of_a_chat_policy_are_found_with_those_of_the_deployment(tmp_path: Path) -> None:
    """Under the name of its own file."""
    (tmp_path / "chats.toml").write_text("[defaults.group]\nids = 5\n")
    (tmp_path / "rookery.toml").write_text("[gateways]\nchat_policy = 'chats.toml'\n")

    read = read_config(tmp_path / "rookery.toml", environ={"HOME": "/home/u"})

    assert read.settings.chat_policy == tmp_path / "chats.toml"
    (mistake,) = read.mistakes
    assert (mistake.file, mistake.key) == (str(tmp_path / "chats.toml"), "defaults.group.ids")


def test_a_gateway_whose_plugin_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    """Or is switched off: messages would have no way out, and nobody would know why."""
    (tmp_path / "rookery.toml").write_text(
        "[rookery]\nbundled = ['rookery.irc', 'rookery.console']\n"
        "[plugins.'rookery.console']\nenabled = false\n"
        "[[route]]\nplatform = 'irc'\ngateways = ['rookery.irk', 'rookery.irc:irc', 'rookery.console']\n"
    )
    settings = read_config(tmp_path / "rookery.toml", environ={"HOME": "/home/u"}).settings

    told = [mistake.explain() for mistake in find_plugins(settings).mistakes]

    assert told == [
        "route[0].gateways[0]: 'rookery.irk', and there is no such plugin; did you mean 'rookery.irc'?",
        "route[0].gateways[2]: 'rookery.console', and its plugin is switched off",
    ]
