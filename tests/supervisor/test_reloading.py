"""Orders to reload are carried out one after the other; what nobody has begun is not ordered twice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from rookery.supervisor.reload_result import ReloadResult
from rookery.supervisor.reloading import Reloading


class SlowReloading(Reloading):
    """Notes what it begins, and ends nothing before it may."""

    def __init__(self) -> None:
        host: Any = SimpleNamespace(is_stopping=False, shards={})
        super().__init__(host)
        self.begun: list[tuple[str, ...]] = []
        self.may_end = trio.Event()

    async def _work(self, order: Any) -> ReloadResult:
        self.begun.append(order.plugin_ids)
        await self.may_end.wait()
        return ReloadResult(requested=order.plugin_ids)


async def test_who_gives_up_and_orders_again_fills_no_queue(autojump_clock: MockClock) -> None:
    """Whoever orders what waits already waits with it, and gets what comes of it."""
    reloading = SlowReloading()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reloading.run)
        for _ in range(50):
            with trio.move_on_after(0.01):
                await reloading.reload(["p.a"], "again")
        results: list[ReloadResult] = []

        async def wait(plugin_id: str) -> None:
            results.append(await reloading.reload([plugin_id], "again"))

        nursery.start_soon(wait, "p.a")
        nursery.start_soon(wait, "p.a")
        nursery.start_soon(wait, "p.b")
        await wait_all_tasks_blocked()
        reloading.may_end.set()
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert sorted(reloading.begun) == [("p.a",), ("p.a",), ("p.b",)]
    assert sorted(result.requested for result in results) == [("p.a",), ("p.a",), ("p.b",)]


async def test_what_a_watcher_orders_is_no_order_of_a_person(autojump_clock: MockClock) -> None:
    """A person grants what newer code asks for, a saved file does not: neither stands for the other."""
    reloading = SlowReloading()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reloading.run)
        nursery.start_soon(reloading.reload, ["p.z"], "manual")
        await wait_all_tasks_blocked()
        for reason in ("file_watcher", "manual", "manual"):
            nursery.start_soon(reloading.reload, ["p.a"], reason)
        await wait_all_tasks_blocked()
        reloading.may_end.set()
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert reloading.begun == [("p.z",), ("p.a",), ("p.a",)]
