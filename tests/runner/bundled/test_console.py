"""The terminal is a chat: each line a message, each reply a line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from rookery.runner import PluginFailed
from rookery.runner.testing import run_plugin
from tests.runner.polling import wait_until

CONSOLE = Path(__file__).parents[3] / "runner" / "bundled" / "console"


@pytest.fixture
def terminal() -> Iterator[dict[str, int]]:
    """Both ends of what stands for a terminal: what is typed, and what is shown."""
    stdin, typed = os.pipe()
    shown, stdout = os.pipe()
    ends = {"stdin": stdin, "typed": typed, "shown": shown, "stdout": stdout}

    yield ends

    for descriptor in ends.values():
        try:
            os.close(descriptor)
        except OSError:
            pass  # the test has closed it


async def test_lines_become_messages_until_the_end(terminal: dict[str, int]) -> None:
    """Blank lines are nobody's words; the last line needs no line end; the end is reported."""
    os.write(terminal["typed"], "hello\n\n  \nwörld\r\nlast".encode())
    os.close(terminal["typed"])
    async with run_plugin(CONSOLE, config={"user": "ann"}, terminal=terminal) as plugin:
        await wait_until(lambda: plugin.host.gateways["console"]["metadata"] == {"finished": True})

    assert [message.text for message in plugin.routed] == ["hello", "wörld", "last"]
    assert {(message.user_name, message.session_id) for message in plugin.routed} == {
        ("ann", "console:group:console")
    }


async def test_replies_are_printed_without_tricks(terminal: dict[str, int]) -> None:
    """A message must not move the cursor."""
    async with run_plugin(CONSOLE, config={"user": "ann"}, terminal=terminal) as plugin:
        await plugin.deliver("console", "two\nlines \x1b[2J")
        os.close(terminal["typed"])
        await wait_until(lambda: plugin.host.gateways["console"]["metadata"] == {"finished": True})

    assert os.read(terminal["shown"], 1000) == b"two\nlines \\x1b[2J\n"


async def test_nothing_is_read_for_nobody(terminal: dict[str, int], caplog: pytest.LogCaptureFixture) -> None:
    """As in `rookery run CONFIG | head -1`: one line says so, and the input counts as ended."""
    os.close(terminal["shown"])
    async with run_plugin(CONSOLE, config={"user": "ann"}, terminal=terminal) as plugin:
        results = [await plugin.deliver("console", "hello") for _ in range(3)]
        await wait_until(lambda: plugin.host.gateways["console"]["metadata"] == {"finished": True})

    assert [result["success"] for result in results] == [False] * 3
    assert caplog.text.count("Broken pipe; nothing more is read") == 1


async def test_a_full_disk_is_told_once_and_does_not_end_the_chat(
    terminal: dict[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    """There may be room again for a later reply."""
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, terminal["stdout"])
    os.close(full)
    async with run_plugin(CONSOLE, config={"user": "ann"}, terminal=terminal) as plugin:
        for _ in range(3):
            await plugin.deliver("console", "hello")
        os.write(terminal["typed"], b"still there\n")
        await wait_until(lambda: len(plugin.routed) == 1)

        assert plugin.host.gateways["console"]["metadata"] == {"finished": False}

    assert caplog.text.count("the output cannot be written: No space left on device") == 1


async def test_without_a_terminal_it_says_what_to_write(caplog: pytest.LogCaptureFixture) -> None:
    """It loads, is no gateway, and fails every delivery."""
    async with run_plugin(CONSOLE) as plugin:
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(PluginFailed, match="this shard has no terminal to print to"):
            await plugin.deliver("console", "hello")

    assert "say terminal = true in its [[shard]] section" in caplog.text
    assert plugin.host.gateways == {}
