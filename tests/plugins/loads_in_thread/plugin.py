"""A plugin with a plain on_load that asks for more time."""

from __future__ import annotations

import time

from rookery.runner import Plugin


class LoadsInThread(Plugin):
    def on_load(self) -> None:  # type: ignore[override]  # a plain function runs in a thread
        self.ctx.extend_loading(5.0)
        time.sleep(0.6)
