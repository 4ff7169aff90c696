"""Which browser shows a page, how many pages are shown at once, and when does a browser go?

One for pages without network and one for the others, each started when the first page wants it. It is replaced after so many
pictures, and ended when nobody has wanted one for a while, when it does not answer, and with the host.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio

from .browser import greet, remove, start_browser
from .failure import RenderFailed, RenderKind
from .page import take_picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..process import Launch, Process
    from .browser import Browser
    from .settings import RenderSettings
    from .wish import Picture, Wish

_LOG = logging.getLogger(__name__)


class Renderer:
    """Makes pictures.

    Args:
        spawn: Starts a process by whose end everything ends that it has started.
        directory: Where browsers keep their files while they run; nobody else's.
    """

    def __init__(self, settings: RenderSettings, spawn: Callable[[Launch], Process], directory: Path) -> None:
        self.settings = settings
        self._directory = directory
        self._spawn = spawn
        self._places = trio.CapacityLimiter(settings.max_concurrent)
        self._browsers: dict[bool, Browser] = {}
        """By whether they have a network."""
        self._starting = {True: trio.Lock(), False: trio.Lock()}
        self._nursery: trio.Nursery | None = None
        self._number = 0

    @property
    def pids(self) -> frozenset[int]:
        """The browsers that may be used now."""
        return frozenset(browser.process.pid for browser in self._browsers.values())

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep browsers, until cancelled; then all of them are gone."""
        if self._directory.exists():  # of a host that was killed
            await trio.to_thread.run_sync(remove, self._directory)
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            try:
                await trio.sleep_forever()
            finally:
                self._nursery = None

    async def render(self, wish: Wish, *, timeout: float) -> Picture:
        """Make one picture.

        Args:
            timeout: Seconds, from when it is its turn.

        Raises:
            RenderFailed: There is none.
        """
        if wish.allow_network and not self.settings.allow_network:
            text = "this host lets no page load anything from elsewhere: set allow_network in [render] to allow it"
            raise RenderFailed(RenderKind.REFUSED, text)
        async with self._places:
            try:
                with trio.fail_after(timeout):
                    return await self._render(wish)
            except trio.TooSlowError:
                text = f"the page was not drawn within {timeout:g} s"
                raise RenderFailed(RenderKind.TIMEOUT, text) from None

    async def _render(self, wish: Wish) -> Picture:
        browser = await self._browser(has_network=wish.allow_network)
        browser.pictures += 1
        browser.running += 1
        is_over = False
        try:
            picture = await take_picture(browser.devtools, wish)
            is_over = True
            return picture
        except RenderFailed:
            is_over = True
            raise
        finally:
            browser.running -= 1
            # A page that was left in the middle may go on for ever: it goes with its browser.
            if not is_over or browser.pictures >= self.settings.pictures_per_browser:
                self._retire(browser)
            browser.tell()

    async def _browser(self, *, has_network: bool) -> Browser:
        async with self._starting[has_network]:
            browser = self._browsers.get(has_network)
            if browser is not None and browser.is_usable:
                return browser
            if browser is not None:
                self._retire(browser)
            if self._nursery is None:
                raise RenderFailed(RenderKind.UNAVAILABLE, "the host is stopping")
            self._number += 1
            run = f"render@.{self._number}"
            browser = start_browser(self.settings, self._spawn, self._directory, run, has_network=has_network)
            self._nursery.start_soon(self._keep, browser, name=f"browser {browser.process.pid}")
            try:
                await greet(browser)
            except BaseException:
                self._retire(browser)
                raise
            self._browsers[has_network] = browser
            return browser

    def _retire(self, browser: Browser) -> None:
        browser.is_retired = True
        if self._browsers.get(browser.has_network) is browser:
            del self._browsers[browser.has_network]
        browser.tell()

    async def _keep(self, browser: Browser) -> None:
        """One browser's life, from when it was started."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch, browser, nursery.cancel_scope)
                await browser.devtools.run()
                await browser.note_words()
                _LOG.warning("browser %d has ended by itself", browser.process.pid)
                nursery.cancel_scope.cancel()
        finally:
            self._retire(browser)
            await browser.end()

    async def _watch(self, browser: Browser, scope: trio.CancelScope) -> None:
        """End it when it is retired and shows nothing, or has shown nothing for long."""
        while not (browser.is_retired and not browser.running):
            browser.changed = trio.Event()
            idle = self.settings.idle if not browser.running else float("inf")
            with trio.move_on_after(idle) as waited:
                await browser.changed.wait()
            if (
                waited.cancelled_caught
                and not browser.running
                and not self._starting[browser.has_network].locked()
            ):
                self._retire(browser)
        scope.cancel()
