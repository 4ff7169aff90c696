"""How does one page become one picture?

The page is answered to the browser as if it came from an address that is nowhere, so that it loads as every page does and
has an origin of its own. Whatever it wants to load is asked of the host first, which refuses it unless the network is
allowed, and then still everything that is no ``http``. A browser for pages without network has no way out besides that.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio

from .devtools import OVER
from .failure import RenderFailed, RenderKind
from .wish import EVENTS, Area, Picture, WaitUntil

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .devtools import DevTools
    from .wish import Wish

ADDRESS = "http://page.invalid/"
"""``invalid`` is a name that never is one."""

INLINE = ("data:", "blob:", "about:")
"""What a page loads from itself."""

PNG_HEAD = b"\x89PNG\r\n\x1a\n"

CLOSE_TIMEOUT = 2.0

_HEADERS = [{"name": "Content-Type", "value": "text/html; charset=utf-8"}]

_FIND = """
(selector) => {
  const found = document.querySelector(selector);
  if (!found) return null;
  const box = found.getBoundingClientRect();
  return [box.x + window.scrollX, box.y + window.scrollY, box.width, box.height];
}
"""

_AWAIT = """
(selector) => new Promise(resolve => {
  const look = () => document.querySelector(selector) ? resolve(true) : setTimeout(look, 20);
  look();
})
"""


class _Loading:
    """What a page loads, and how far it has come. Told by the browser's events.

    Args:
        nursery: Where its requests are answered.
    """

    def __init__(self, devtools: DevTools, session: str, wish: Wish, nursery: trio.Nursery) -> None:
        self._devtools = devtools
        self._session = session
        self._wish = wish
        self._nursery = nursery
        self._frame = ""
        self._is_answered = False
        self._reached = {name: trio.Event() for name in EVENTS.values()}
        self.why_over = ""
        """Why it will never be shown; "" as long as it may."""

    def hear(self, method: str, told: dict[str, Any]) -> None:
        if method == "Fetch.requestPaused":
            self._nursery.start_soon(self._answer, told)
        elif method == "Page.lifecycleEvent" and self._is_answered and told.get("frameId") == self._frame:
            event = self._reached.get(str(told.get("name")))
            if event is not None:
                event.set()
        elif method in ("Inspector.targetCrashed", OVER):
            self.why_over = (
                self._devtools.why_over or "the page has crashed the part of the browser that showed it"
            )
            self._nursery.cancel_scope.cancel()
        elif method == "Page.javascriptDialogOpening":
            self._nursery.start_soon(self._close_dialog)

    async def wait(self) -> None:
        """Wait until the page counts as shown."""
        if self._wish.wait_until is not WaitUntil.COMMIT:
            await self._reached[EVENTS[self._wish.wait_until]].wait()

    def begin(self, frame: str) -> None:
        """The main frame is this one."""
        self._frame = frame

    async def _answer(self, told: dict[str, Any]) -> None:
        identifier, request = told.get("requestId"), told.get("request")
        address = request.get("url") if isinstance(request, dict) else ""
        if address == ADDRESS and not self._is_answered:
            self._is_answered = True
            body = base64.b64encode(self._wish.html.encode("utf-8", "replace")).decode()
            await self._devtools.tell(
                "Fetch.fulfillRequest",
                self._session,
                requestId=identifier,
                responseCode=200,
                responseHeaders=_HEADERS,
                body=body,
            )
        elif isinstance(address, str) and self._may_load(address):
            await self._devtools.tell("Fetch.continueRequest", self._session, requestId=identifier)
        else:
            # Aborted, a page that wants to go elsewhere stays what it is; blocked, it would become the browser's own words.
            reason = "Aborted" if told.get("resourceType") == "Document" else "BlockedByClient"
            await self._devtools.tell(
                "Fetch.failRequest", self._session, requestId=identifier, errorReason=reason
            )

    async def _close_dialog(self) -> None:
        await self._devtools.tell("Page.handleJavaScriptDialog", self._session, accept=False)

    def _may_load(self, address: str) -> bool:
        if address.startswith(INLINE):
            return True
        return self._wish.allow_network and address.startswith(("http://", "https://"))


async def take_picture(devtools: DevTools, wish: Wish) -> Picture:
    """Show a page and take its picture.

    Raises:
        RenderFailed: There is none.
    """
    began = trio.current_time()
    failure, data = None, b""
    async with _open_target(devtools, wish) as session:
        async with trio.open_nursery() as nursery:
            loading = _Loading(devtools, session, wish, nursery)
            try:
                devtools.listen(session, loading.hear)
                data = await _draw(devtools, session, wish, loading)
            except RenderFailed as error:
                failure = error
            finally:
                devtools.forget(session)
            nursery.cancel_scope.cancel()
        if loading.why_over:
            raise RenderFailed(RenderKind.UNAVAILABLE, loading.why_over)
        if failure is not None:
            raise failure
    width, height = _size_of(data)
    return Picture(data=data, width=width, height=height, seconds=trio.current_time() - began)


@asynccontextmanager
async def _open_target(devtools: DevTools, wish: Wish) -> AsyncIterator[str]:
    """A window of its own, with nothing in it of any other: neither cookies nor a cache."""
    context = str(
        (await devtools.ask("Target.createBrowserContext", disposeOnDetach=True))["browserContextId"]
    )
    try:
        target = await devtools.ask(
            "Target.createTarget",
            url="about:blank",
            browserContextId=context,
            width=wish.width,
            height=wish.height,
        )
        attached = await devtools.ask(
            "Target.attachToTarget", targetId=part(target, "targetId"), flatten=True
        )
        yield part(attached, "sessionId")
    finally:
        with trio.move_on_after(CLOSE_TIMEOUT, shield=True):
            await devtools.tell("Target.disposeBrowserContext", "", browserContextId=context)


async def _draw(devtools: DevTools, session: str, wish: Wish, loading: _Loading) -> bytes:
    await devtools.ask("Inspector.enable", session)
    await devtools.ask("Page.enable", session)
    await devtools.ask("Page.setLifecycleEventsEnabled", session, enabled=True)
    await devtools.ask("Fetch.enable", session, patterns=[{"urlPattern": "*"}])
    await devtools.ask("Browser.setDownloadBehavior", "", behavior="deny")
    await devtools.ask(
        "Emulation.setDeviceMetricsOverride",
        session,
        width=wish.width,
        height=wish.height,
        deviceScaleFactor=wish.scale,
        mobile=False,
    )
    if wish.transparent:
        clear = {"r": 0, "g": 0, "b": 0, "a": 0}
        await devtools.ask("Emulation.setDefaultBackgroundColorOverride", session, color=clear)
    tree = await devtools.ask("Page.getFrameTree", session)
    frame = part(tree, "frameTree", "frame", "id")
    loading.begin(frame)
    moved = await devtools.ask("Page.navigate", session, url=ADDRESS)
    if moved.get("errorText"):
        raise RenderFailed(RenderKind.REFUSED, f"the page cannot be shown: {moved['errorText']!s:.200}")
    await loading.wait()
    world = await devtools.ask("Page.createIsolatedWorld", session, frameId=frame)
    context = world.get("executionContextId")
    if wish.wait_for:
        await _evaluate(devtools, session, context, _AWAIT, wish.wait_for)
    await trio.sleep(wish.pause)
    area = await _area_of(devtools, session, context, wish)
    complaint = area.complaint(wish.scale)
    if complaint:
        what = "the page" if wish.full_page else f"{wish.selector!r:.100}"
        raise RenderFailed(RenderKind.REFUSED, f"{what} cannot be drawn: {complaint}")
    shot = await devtools.ask(
        "Page.captureScreenshot",
        session,
        format="png",
        captureBeyondViewport=True,
        clip={"x": area.x, "y": area.y, "width": area.width, "height": area.height, "scale": 1},
    )
    return _decode(shot.get("data"))


async def _area_of(devtools: DevTools, session: str, context: Any, wish: Wish) -> Area:
    if wish.full_page:
        metrics = await devtools.ask("Page.getLayoutMetrics", session)
        size = metrics.get("cssContentSize")
        sides = [size.get("width"), size.get("height")] if isinstance(size, dict) else []
        numbers = [float(each) for each in sides if isinstance(each, (int, float))]
        if len(numbers) != 2:
            raise RenderFailed(RenderKind.UNAVAILABLE, "the browser does not say how large the page is")
        return Area(x=0.0, y=0.0, width=numbers[0], height=numbers[1])
    box = await _evaluate(devtools, session, context, _FIND, wish.selector)
    if not isinstance(box, list) or len(box) != 4 or not all(type(each) in (int, float) for each in box):
        raise RenderFailed(
            RenderKind.REFUSED, f"nothing on the page fits the selector {wish.selector!r:.100}"
        )
    x, y, width, height = (float(each) for each in box)
    return Area(x=x, y=y, width=width, height=height)


async def _evaluate(devtools: DevTools, session: str, context: Any, function: str, argument: str) -> Any:
    """What a function of the host's own, out of the page's reach, says of the page."""
    told = await devtools.ask(
        "Runtime.evaluate",
        session,
        expression=f"({function})({json.dumps(argument)})",
        contextId=context,
        awaitPromise=True,
        returnByValue=True,
    )
    if "exceptionDetails" in told:
        raise RenderFailed(RenderKind.REFUSED, f"{argument!r:.100} is no selector")
    result = told.get("result")
    return result.get("value") if isinstance(result, dict) else None


def part(answer: dict[str, Any], *keys: str) -> str:
    """A text inside of an answer.

    Raises:
        RenderFailed: It is not there.
    """
    found: Any = answer
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, str) or not found:
        raise RenderFailed(RenderKind.UNAVAILABLE, f"the browser's answer has no {'.'.join(keys)}")
    return found


def _decode(data: object) -> bytes:
    try:
        picture = base64.b64decode(data, validate=True) if isinstance(data, str) else b""
    except (binascii.Error, ValueError):
        picture = b""
    if not picture.startswith(PNG_HEAD):
        raise RenderFailed(RenderKind.UNAVAILABLE, "the browser's answer is no picture")
    return picture


def _size_of(png: bytes) -> tuple[int, int]:
    """As its head says; 0 for one that is cut off."""
    if len(png) < 24:
        return 0, 0
    width, height = struct.unpack(">II", png[16:24])
    return int(width), int(height)
