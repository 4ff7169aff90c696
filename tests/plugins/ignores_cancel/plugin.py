"""A plugin with a task that ignores its cancellation, and a thread that never ends."""

from __future__ import annotations

import threading

import trio

from rookery.runner import Plugin


class IgnoresCancel(Plugin):
    async def on_load(self) -> None:
        self.ctx.start_task(self._work)
        threading.Thread(target=threading.Event().wait).start()

    async def _work(self) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()
