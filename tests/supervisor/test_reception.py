"""A reception lets in the runner that was started, once, and nobody else."""

from __future__ import annotations

import os
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from rookery.supervisor.reception import Reception, comes_from

STRANGER = """
import socket, sys
link = socket.socket(socket.AF_UNIX)
link.connect(sys.argv[1])
print(link.recv(1))
"""


@pytest.fixture
def reception(state_dir: Path, tmp_path: Path) -> Iterator[Reception]:
    (tmp_path / "one").mkdir()
    made = Reception(state_dir / "originals" / "games.1", {"a.one": str(tmp_path / "one")})
    yield made
    made.close()


def test_nobody_else_can_open_it(reception: Reception) -> None:
    """The directory keeps others out, and so does the socket."""
    assert stat.S_IMODE(reception.address.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(reception.address.stat().st_mode) == 0o600


def test_a_token_holds_once(reception: Reception) -> None:
    """Neither a wrong one nor a second use of the right one is let in, nor anything after a wrong one."""
    token = reception.token

    assert len(bytes.fromhex(token)) == 32
    assert reception.admits(token)
    assert not reception.admits(token)
    assert not reception.admits("")


@pytest.mark.parametrize("wrong", ["", "0" * 64, "\ud800", "ä"])
def test_a_wrong_token_ends_all_attempts(reception: Reception, wrong: str) -> None:
    """Also such as have no form in UTF-8; there is no second guess."""
    token = reception.token

    assert not reception.admits(wrong)
    assert not reception.admits(token)


async def test_the_connection_takes_the_place_of_another(reception: Reception) -> None:
    """The number stays; what was there is closed, and nobody is let in from then on."""
    before, other = socket.socketpair()
    with before, other, socket.socket(socket.AF_UNIX) as runner:
        number = before.fileno()
        runner.connect(str(reception.address))
        await reception.receive(before, os.getpid(), lambda _: None)
        runner.sendall(b"hello")

        assert (before.fileno(), before.recv(9)) == (number, b"hello")
        assert not os.get_inheritable(number)
        assert other.recv(1) == b""
        assert not reception.address.exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has connected in this way")
async def test_a_stranger_is_turned_away(reception: Reception) -> None:
    """A process that does not come from the one that was started is not read; the right one still comes in."""
    strangers: list[int] = []
    ours, other = socket.socketpair()
    other.close()
    with ours, socket.socket(socket.AF_UNIX) as runner:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reception.receive, ours, os.getpid(), strangers.append)
            # In a session of its own, and not below this process: its starter ends at once.
            command = f"import os,sys\nif os.fork(): os._exit(0)\nos.setsid()\n{STRANGER}"
            ended = await trio.run_process(
                [sys.executable, "-c", command, str(reception.address)],
                capture_stdout=True,
                start_new_session=True,
            )
            runner.connect(str(reception.address))

    assert ended.stdout.strip() == b"b''"
    assert len(strangers) == 1
    assert not comes_from(strangers[0], os.getpid())


def test_it_is_where_a_socket_has_room(tmp_path: Path) -> None:
    """A state directory may lie deep; then it is made among the temporary files."""
    deep = tmp_path / ("d" * 90)
    reception = Reception(deep / "games.1", {})

    assert reception.address.parent != deep / "games.1"
    assert stat.S_IMODE(reception.address.parent.stat().st_mode) == 0o700
    reception.close()
    assert not reception.address.parent.exists()


def test_what_an_earlier_host_has_left_goes(state_dir: Path, tmp_path: Path) -> None:
    """Of this shard, and of no other; plugins that are linked there are not touched."""
    plugin = tmp_path / "data"
    plugin.mkdir()
    (plugin / "plugin.py").touch()
    for name in ("games.7", "games-b.7"):
        (state_dir / "originals" / name).mkdir(parents=True)
    (state_dir / "originals" / "games.7" / "link").symlink_to(plugin)

    reception = Reception(state_dir / "originals" / "games.1", {"a.data": str(plugin)})

    assert sorted(path.name for path in (state_dir / "originals").iterdir()) == ["games-b.7", "games.1"]
    assert (reception.root / "a.data" / "plugin.py").exists()  # `data` is a name that is passed over
    reception.close()
    assert (plugin / "plugin.py").exists()
