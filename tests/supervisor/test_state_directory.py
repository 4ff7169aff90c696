"""Every command finds the same state directory, and deep ones can be talked to."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from rookery.supervisor.state_directory import control_address, find_state_dir, make_state_dir, state_dir_of


@pytest.mark.parametrize(
    ("configured", "environ", "expected"),
    [
        pytest.param(None, {"XDG_STATE_HOME": "/s"}, "/s/rookery/bot", id="the user's state home"),
        pytest.param(None, {"HOME": "/h"}, "/h/.local/state/rookery/bot", id="the default of the state home"),
        pytest.param(None, {"XDG_STATE_HOME": "s", "HOME": "/h"}, "/h/.local/state/rookery/bot", id="a relative state home is none"),
        pytest.param("state", {}, "/etc/bot/state", id="relative to the configuration"),
        pytest.param("../state", {}, "/etc/state", id="above the configuration"),
        pytest.param("/var/bot", {"XDG_STATE_HOME": "/s"}, "/var/bot", id="absolute"),
    ],
)  # fmt: skip
def test_the_state_directory(configured: str | None, environ: dict[str, str], expected: str) -> None:
    """What is configured wins over the environment."""
    found = state_dir_of(Path("/etc/bot/rookery.toml"), "bot", configured, environ)

    assert found == Path(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('[rookery]\nname = "bot"', "s/rookery/bot", id="by name"),
        pytest.param("[placement]", "s/rookery/here", id="by the directory's name"),
        pytest.param(
            '\ufeff[rookery]\r\nname = "bot"\r\n', "s/rookery/bot", id="written by an editor of Windows"
        ),
        pytest.param('[rookery]\nstate_dir = "x"', "here/x", id="configured"),
    ],
)
def test_a_configuration_is_read_for_its_state_alone(text: str, expected: str, tmp_path: Path) -> None:
    """The file and the directory that holds it lead to the same place."""
    config = tmp_path / "here" / "rookery.toml"
    config.parent.mkdir()
    config.write_text(text)
    environ = {"XDG_STATE_HOME": str(tmp_path / "s")}

    found = [find_state_dir(path, environ) for path in (config, config.parent)]

    assert found == [tmp_path / expected] * 2


@pytest.mark.parametrize(
    "text", ["rookery = 3", "[rookery]\nname = 3", "[rookery]\nstate_dir = [1]", "[rook"]
)
def test_a_configuration_that_cannot_be_read_says_why(text: str, tmp_path: Path) -> None:
    """Nothing but a ValueError comes out of a bad file."""
    (tmp_path / "rookery.toml").write_text(text)

    with pytest.raises(ValueError, match=r"\S"):
        find_state_dir(tmp_path, {})


def test_a_new_state_directory_is_private(tmp_path: Path) -> None:
    """Nobody else may look in; what exists keeps the permissions that its owner gave."""
    (tmp_path / "old").mkdir(mode=0o755)

    make_state_dir(tmp_path / "a" / "new")
    make_state_dir(tmp_path / "old")

    assert (tmp_path / "a" / "new").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "old").stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(sys.platform != "linux", reason="needs descriptors as files")
def test_a_deep_directory_has_a_usable_address(tmp_path: Path) -> None:
    """A path longer than a socket address may be is reached all the same."""
    deep = tmp_path / ("x" * 120)
    deep.mkdir()

    with socket.socket(socket.AF_UNIX) as sock, control_address(deep) as address:
        sock.bind(address)

    assert (deep / "control.sock").is_socket()
