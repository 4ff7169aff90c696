"""Is nobody left waiting for a browser that does not listen?"""

from __future__ import annotations

import os

import pytest
import trio

from rookery.supervisor.render import devtools as tools
from rookery.supervisor.render.devtools import DevTools
from rookery.supervisor.render.failure import RenderFailed


async def test_a_browser_that_does_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is larger than a pipe: whoever says it cannot be stopped in the middle, and is not to wait for ever."""
    monkeypatch.setattr(tools, "SAY_TIMEOUT", 0.05)
    from_browser, _to_us = os.pipe()
    _to_browser, from_us = os.pipe()
    told = DevTools(from_browser, from_us)

    try:
        with trio.fail_after(30), pytest.raises(RenderFailed, match="does not listen"):
            await told.ask("Fetch.fulfillRequest", body="x" * 1_000_000)

        assert told.why_over
    finally:
        await told.close()
        os.close(_to_us)
        os.close(_to_browser)
