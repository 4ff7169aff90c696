"""What a deployment says is checked before anything is opened, and the message says what to do."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.runner import PluginConfigError
from rookery.runner.bundled.onebot.config import OneBotConfig, settings_of
from rookery.runner.bundled.onebot.errors import BadSettings
from rookery.runner.bundled.onebot.pace import Pace
from rookery.runner.bundled.onebot.settings import Dial, Listen


def test_the_defaults_connect_to_this_machine() -> None:
    """Without a word from the operator."""
    settings = settings_of(OneBotConfig())

    assert settings.way == Dial(url="ws://127.0.0.1:3001/")
    assert (settings.platform, settings.place) == ("qq", "ws://127.0.0.1:3001/")


def test_a_token_is_in_no_log() -> None:
    """A settings value that is printed hides it."""
    settings = settings_of(OneBotConfig(access_token="geheim"))

    assert settings.token == "geheim"
    assert "geheim" not in repr(settings)


def test_the_other_direction_listens() -> None:
    """On this machine, or anywhere with a token."""
    here = settings_of(OneBotConfig(direction="reverse", port=0, path="/ws", platform=" QQ "))
    anywhere = settings_of(OneBotConfig(direction="reverse", host="0.0.0.0", access_token="x"))

    assert (here.way, here.platform) == (Listen(host="127.0.0.1", port=0, path="/ws"), "qq")
    assert isinstance(anywhere.way, Listen)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"url": "http://x"}, "url is 'http://x', expected ws://HOST"),
        ({"url": "ws://"}, "expected ws://HOST"),
        ({"url": "ws://foo..bar:3001/"}, "expected ws://HOST"),
        ({"url": "ws://x:99999"}, "expected ws://HOST"),
        ({"url": "ws://me:secret@x/"}, "use access_token"),
        ({"reconnect_min": 9.0, "reconnect_max": 1.0}, "reconnect_min is 9 s"),
        ({"platform": " "}, "platform is empty"),
        ({"access_token": "a b"}, "printable ASCII"),
        ({"access_token": "sécret"}, "printable ASCII"),
        ({"direction": "reverse", "host": "0.0.0.0"}, "set access_token, or host to 127.0.0.1"),
        ({"direction": "reverse", "host": "example.org"}, "there is no access_token"),
        ({"direction": "reverse", "path": "ws"}, "begins with '/'"),
    ],
)
def test_what_contradicts_itself_is_refused(values: dict[str, Any], words: str) -> None:
    """With what to do about it; the secret is never repeated."""
    with pytest.raises(BadSettings) as caught:
        settings_of(OneBotConfig(**values))

    assert words in str(caught.value)
    assert "secret" not in str(caught.value).replace("access_token", "")


@pytest.mark.parametrize(
    "values",
    [{"direction": "both"}, {"port": 70000}, {"send_burst": 0}, {"max_frame_mib": 1000.0}, {"ur": "x"}],
)
def test_a_value_out_of_its_range_is_refused(values: dict[str, Any]) -> None:
    """As for every plugin."""
    with pytest.raises(PluginConfigError):
        OneBotConfig(**values)


def test_the_pace_lets_a_burst_go_and_then_a_steady_number() -> None:
    """Each turn is later than the one before; whoever comes late does not wait."""
    pace = Pace(rate=10.0, burst=3)

    assert [round(pace.take(0.0), 3) for _ in range(5)] == [0.0, 0.0, 0.0, 0.1, 0.2]
    assert pace.take(100.0) == 0.0
    assert Pace(rate=0.0, burst=1).take(0.0) == 0.0
