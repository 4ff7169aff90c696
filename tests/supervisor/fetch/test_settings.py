"""What an operator writes about fetching: read whole, a plugin's keys in place of the deployment's, mistakes with a place."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.supervisor.config import load_settings
from rookery.supervisor.errors import ConfigError
from rookery.supervisor.settings import Settings
from tests.doubles.deployments import ENVIRON, write_config


def read(directory: Path, text: str) -> Settings:
    return load_settings(write_config(directory, text), environ=ENVIRON)


def test_a_plugins_own_keys_stand_in_place_of_the_deployments(tmp_path: Path) -> None:
    """Those that are written there; the others stay."""
    settings = read(
        tmp_path,
        '[fetch]\nhosts = ["a.test"]\nmax_answer = "1M"\ntimeout = 3\n'
        '[plugins."x.y".fetch]\nhosts = ["*.b.test"]\nrate = 0.1\n[plugins."x.z"]\nenabled = false\n',
    )

    own, other = settings.plugin("x.y").fetch, settings.plugin("x.z").fetch
    assert own is not None
    assert (own.hosts, own.rate, own.max_answer, own.timeout) == (("*.b.test",), 0.1, 2**20, 3.0)
    assert other is None
    assert settings.fetch.hosts == ("a.test",)


def test_nothing_is_fetched_where_nothing_is_said(tmp_path: Path) -> None:
    """And reading is all that is allowed where only hosts are."""
    settings = read(tmp_path, "")

    assert (settings.fetch.hosts, settings.fetch.private_hosts) == ((), ())
    assert settings.fetch.methods == ("GET", "HEAD")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param('[fetch]\nhosts = ["https://a.test/x"]', "fetch.hosts[0]: got 'https://a.test/x', expected a host",
                     id="an address in place of a host"),
        pytest.param('[fetch]\nprivate_hosts = ["*.local"]', "expected a host without a '*'", id="a star for private ones"),
        pytest.param('[fetch]\nmethods = ["get"]', "expected a method such as 'GET'", id="small letters"),
        pytest.param("[fetch]\nrate = 0", "expected a number above 0", id="no rate"),
        pytest.param('[fetch]\nmax_answer = "1MB"', "expected a size", id="no size"),
        pytest.param('[plugins."x.y".fetch]\nhost = []', 'plugins."x.y".fetch.host: got an unknown key', id="a slip"),
        pytest.param('[plugins."x.y"]\nfetch = 5', "expected a table", id="no table"),
    ],
)  # fmt: skip
def test_a_mistake_says_what_to_write(tmp_path: Path, text: str, words: str) -> None:
    """Before anything runs."""
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)

    assert words in str(caught.value)
