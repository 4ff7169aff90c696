"""Who asks for it finds what the handlers of an event made of it lately; nobody else pays."""

from __future__ import annotations

import attrs
from trio.testing import MockClock

from rookery.protocol import with_text
from rookery.supervisor.event_history import MAX_KEPT
from tests.doubles.stage import chat, open_stage


async def test_it_is_off_until_it_is_turned_on(autojump_clock: MockClock) -> None:
    """And per type."""
    async with open_stage("one") as stage:
        stage.interceptor("p.a", "first", {})
        history = stage.events.history
        history.enable("on_start")

        await stage.events.dispatch("on_message", chat())

        assert (history.get("on_message"), history.get("on_start")) == ((), ())
        assert (history.is_on("on_message"), history.is_on("on_start")) == (False, True)


async def test_every_handler_leaves_a_record(autojump_clock: MockClock) -> None:
    """Interceptors and those that only see it; what they said, and why they have said nothing."""
    async with open_stage("one", timeout=1.0) as stage:
        changed = {"modified_message": with_text(chat(), "new"), "custom_result": 7}
        stage.interceptor("p.a", "changes", changed)
        stage.interceptor("p.b", "late")
        stage.interceptor("p.c", "fails", {"success": False})
        stage.watcher("p.d", "sees")
        stage.events.history.enable("on_message")

        await stage.events.dispatch("on_message", chat())
        await stage.settle()

        records = {each.handler: each for each in stage.events.history.get("on_message")}
        assert list(records) == ["p.a.changes", "p.b.late", "p.c.fails", "p.d.sees"]
        assert (records["p.a.changes"].changed, records["p.a.changes"].custom_result) == (True, 7)
        assert (records["p.b.late"].success, records["p.b.late"].error[:8]) == (False, "timeout:")
        assert (records["p.c.fails"].success, records["p.c.fails"].error) == (False, "")
        assert (records["p.d.sees"].success, records["p.d.sees"].shard) == (True, "one")


async def test_the_newest_hundred_are_kept(autojump_clock: MockClock) -> None:
    """What is handed out is no part of it; clearing keeps it on, disabling does not."""
    async with open_stage("one") as stage:
        stage.interceptor("p.a", "stops", {"continue_processing": False})
        history = stage.events.history
        history.enable("on_message")

        for _ in range(MAX_KEPT + 5):
            await stage.events.dispatch("on_message", chat())
        kept = history.get("on_message")
        history.clear()
        await stage.events.dispatch("on_message", chat())
        after = history.get("on_message")
        history.disable("on_message")
        history.enable("on_message")

        assert (len(kept), len(after), len(history.get("on_message"))) == (MAX_KEPT, 1, 0)
        assert [attrs.asdict(each)["continues"] for each in kept] == [False] * MAX_KEPT
        assert kept[0].at <= kept[-1].at
