"""A file that a plugin has put there is read, or refused, and never waited for."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from rookery.protocol import MANIFEST_NAMES
from rookery.supervisor.config_edit import read_text
from rookery.supervisor.errors import UsageError
from rookery.supervisor.foreign_file import read_foreign, read_foreign_end
from rookery.supervisor.plugin_directory import read_plugin
from rookery.supervisor.powers import own_config


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    """Also through a link, and also an empty one."""
    (tmp_path / "real").write_bytes(b"a = 1\n")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "empty").touch()

    assert read_foreign(tmp_path / "link") == b"a = 1\n"
    assert read_foreign(tmp_path / "empty") == b""


@pytest.mark.parametrize("kind", ["pipe", "device", "directory"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    """A pipe without a writer would keep the host waiting, a device would fill it."""
    path = tmp_path / "config.toml"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()

    for read in (read_foreign, partial(read_foreign_end, most=10)):
        with pytest.raises(OSError, match="no regular file"):
            read(path)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    """No more of it is read than may be."""
    path = tmp_path / "config.toml"
    path.write_bytes(b"#" * 11)

    with pytest.raises(OSError, match="more than 10 bytes"):
        read_foreign(path, 10)


@pytest.mark.parametrize(("text", "end"), [(b"abcdef", b"def"), (b"abc", b"abc"), (b"a", b"a"), (b"", b"")])
def test_the_end_of_a_file_is_read_alone(tmp_path: Path, text: bytes, end: bytes) -> None:
    """Or the whole, where it is no more than that."""
    (tmp_path / "said").write_bytes(text)

    assert read_foreign_end(tmp_path / "said", 3) == end


def test_a_plugin_that_puts_a_pipe_in_the_place_of_its_files_stops_nobody(tmp_path: Path) -> None:
    """Its configuration is asked for, edited, and its manifest read, in the host's loop."""
    os.mkfifo(tmp_path / "config.toml")
    os.mkfifo(tmp_path / MANIFEST_NAMES[0])

    own, found = own_config(tmp_path), read_plugin(tmp_path, tmp_path / MANIFEST_NAMES[0])

    assert own == {}
    assert "no regular file" in str(found.mistakes[0])
    with pytest.raises(UsageError, match="no regular file"):
        read_text(tmp_path / "config.toml")
