"""What a plugin asked for first is remembered over restarts; what it asks for beyond waits until somebody approves it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import groupby
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from rookery.supervisor.approvals import Approvals
from rookery.supervisor.errors import UsageError


def opened(directory: Path) -> Approvals:
    return Approvals(directory / "approvals.json")


@asynccontextmanager
async def written(directory: Path) -> AsyncIterator[Approvals]:
    """Those of a host that runs."""
    approvals = opened(directory)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(approvals.run)
        yield approvals
        nursery.cancel_scope.cancel()


def test_what_a_plugin_asks_for_first_is_approved(tmp_path: Path) -> None:
    """And stays so, whatever its manifest says when it comes again."""
    opened(tmp_path).admit({"a.b": ("send.text",), "a.c": ()})

    again = opened(tmp_path)
    again.admit({"a.b": ("send.text", "config.get"), "a.d": ("llm.*",)})

    assert again.of("a.b") == {"send.text"}
    assert again.held("a.b", ("send.text", "config.get", "config.get")) == ("config.get",)
    assert (again.held("a.c", ("config.get",)), again.held("a.d", ("llm.*",))) == (("config.get",), ())
    assert (again.knows("a.c"), again.knows("a.x")) == (True, False)


@pytest.mark.parametrize(
    ("approved", "asked", "held"),
    [
        pytest.param("send.*", "send.text", (), id="one of a family"),
        pytest.param("*", "send.*", (), id="a family of all"),
        pytest.param("send.text", "send.*", ("send.*",), id="the family of one"),
        pytest.param("send.*", "*", ("*",), id="all"),
    ],
)
def test_what_is_asked_for_in_other_words_is_not_more(
    tmp_path: Path, approved: str, asked: str, held: tuple[str, ...]
) -> None:
    """A narrower pattern needs nobody, a wider one does."""
    approvals = opened(tmp_path)
    approvals.admit({"a.b": (approved,)})

    assert approvals.held("a.b", (asked,)) == held


def test_an_operator_approves_some_or_all(tmp_path: Path) -> None:
    """By name, and with none everything; it is there after a restart."""
    approvals = opened(tmp_path)
    approvals.admit({"a.b": ()})
    asked = ("send.text", "config.get", "llm.embed")

    one = approvals.approve("a.b", asked, ["config.get"])
    left = opened(tmp_path).held("a.b", asked)
    rest = approvals.approve("a.b", asked)

    assert (one, left) == (("config.get",), ("send.text", "llm.embed"))
    assert rest == ("send.text", "llm.embed")
    assert approvals.approve("a.b", asked) == ()
    assert opened(tmp_path).held("a.b", asked) == ()


async def test_what_a_plugin_offers_first_is_approved_over_restarts(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """By its first registration, also for a plugin that was let in by an older host; later ones are held to it."""
    (tmp_path / "approvals.json").write_text('{"a.b": ["send.text"]}')
    async with written(tmp_path) as approvals:
        first = approvals.offer("a.b", {"listen.events"})
        approvals.offer("a.c", ())

    async with written(tmp_path) as again:
        later = again.offer("a.b", {"listen.events", "change.hooks"})
        other = again.offer("a.c", {"listen.events"})

    found = opened(tmp_path)
    assert (first, later, other) == (frozenset(), {"change.hooks"}, {"listen.events"})
    assert found.held("a.b", ("send.text",)) == ("change.hooks",)
    assert (found.offered("a.b"), found.offered("a.x")) == (("change.hooks", "listen.events"), ())
    assert found.of("a.b") == {"send.text", "listen.events"}
    assert found.held("a.c", ()) == ("listen.events",)


async def test_what_is_offered_and_approved_meanwhile_is_both_kept(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The operator's word is written at once, and nothing of it is lost when the rest is."""
    async with written(tmp_path) as approvals:
        approvals.admit({"a.b": ()})
        approvals.offer("a.b", ())
        approvals.offer("a.b", {"listen.events", "gateway.irc"})
        approvals.approve("a.b", (), ["gateway.irc"])
        at_once = opened(tmp_path).of("a.b")

    assert at_once == {"gateway.irc"}
    assert opened(tmp_path).of("a.b") == {"gateway.irc"}
    assert opened(tmp_path).held("a.b", ()) == ("listen.events",)


async def test_a_runner_that_offers_ever_something_else_makes_no_flood_of_writes(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Once a second; the last of it is written at the end."""
    files = []
    opened(tmp_path).admit({"a.b": ()})
    async with written(tmp_path) as approvals:
        for number in range(100):
            approvals.offer("a.b", {f"gateway.p{number}"})
            await trio.sleep(0.05)
            files.append((tmp_path / "approvals.json").stat().st_ino)

    assert len(list(groupby(files))) <= 6
    assert opened(tmp_path).offered("a.b") == ("gateway.p99",)


async def test_what_cannot_be_written_is_told_and_holds(
    tmp_path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk ends no bot."""
    approvals = Approvals(tmp_path / "gone" / "approvals.json")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(approvals.run)
        approvals.offer("a.b", ())
        await trio.sleep(2.0)
        nursery.cancel_scope.cancel()

    assert "cannot be written to" in caplog.text
    assert approvals.offer("a.b", {"listen.events"}) == {"listen.events"}


def test_a_name_that_is_not_held_back_is_a_mistake(tmp_path: Path) -> None:
    """With the nearest one."""
    approvals = opened(tmp_path)
    approvals.admit({"a.b": ()})

    with pytest.raises(UsageError, match=r"'send\.txt' of a\.b is not held back; did you mean 'send\.text'"):
        approvals.approve("a.b", ("send.text",), ["send.txt"])

    assert approvals.of("a.b") == frozenset()


DAMAGED = ("", "{", "[]", '{"a.b": 5}', '{"a.b": [5]}', '{"a.b": {"approved": []}}', "\udcff")


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_file_approves_nothing(tmp_path: Path, text: str) -> None:
    """To begin anew would approve what the manifests ask for now."""
    (tmp_path / "approvals.json").write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(UsageError, match=r"approvals.json says what plugins may ask for"):
        opened(tmp_path)


def test_a_file_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    """What holds is what the file says."""
    approvals = Approvals(tmp_path / "gone" / "approvals.json")

    with pytest.raises(UsageError, match="cannot be written"):
        approvals.admit({"a.b": ("send.text",)})

    assert not approvals.knows("a.b")


def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    """As everything in the state directory."""
    opened(tmp_path).admit({"a.b": ()})

    assert (tmp_path / "approvals.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["approvals.json"]
