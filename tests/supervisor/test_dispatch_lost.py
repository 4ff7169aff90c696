"""Is every call that was lost told by name, and no other?"""

from __future__ import annotations

import trio
from trio.testing import MockClock

from rookery.protocol import PLUGIN_EMIT_EVENT
from rookery.supervisor.call import Call
from rookery.supervisor.counters import Counters
from rookery.supervisor.dispatch import Dispatcher
from rookery.supervisor.fate import DispatchFailed, Fate
from tests.doubles.fake_links import FakeLink
from tests.doubles.stage import open_stage


async def test_a_lost_call_is_told_with_the_reason(autojump_clock: MockClock) -> None:
    """Its runner died under it, or never came in time; a handler that fails is an error and no loss."""
    lost: list[tuple[str, Fate]] = []

    def note(call: Call, failure: DispatchFailed) -> None:
        lost.append((call.component.name, failure.fate))

    async with open_stage("one") as stage:
        handler = stage.interceptor("p.a", "sees", {"success": False}, shard="one")
        dispatcher = Dispatcher(Counters(), on_lost=note)
        dispatcher.add_shard("one", max_inflight=64, queue_limit=100)
        link = FakeLink()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(dispatcher.run)

            dispatcher.open_shard("one", link)  # type: ignore[arg-type]
            for _ in range(2):
                dispatcher.submit(
                    handler, PLUGIN_EMIT_EVENT, {}, lambda _: None, deadline=trio.current_time() + 5
                )
            link.sent[0].on_done({"success": False})
            link.die()
            dispatcher.close_shard("one")
            dispatcher.submit(
                handler, PLUGIN_EMIT_EVENT, {}, lambda _: None, deadline=trio.current_time() + 5
            )
            await dispatcher.wait_idle()
            nursery.cancel_scope.cancel()

    assert lost == [("sees", Fate.RUNNER_LOST), ("sees", Fate.TIMEOUT)]
