"""Does a real Chromium draw what a page says, and load nothing that it may not?

Skipped where there is no browser. Real processes on the real clock.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from rookery.supervisor.custody import open_custody
from rookery.supervisor.render.browser import find_executable
from rookery.supervisor.render.failure import RenderFailed, RenderKind
from rookery.supervisor.render.renderer import Renderer
from rookery.supervisor.render.settings import RenderSettings
from rookery.supervisor.render.wish import Picture, WaitUntil, Wish
from tests.doubles.browsers import read_png
from tests.doubles.llm_server import LlmServer, http, open_llm_server

pytestmark = pytest.mark.slow

RED, GREEN, CLEAR = b"\xff\x00\x00", b"\x00\xff\x00", b"\x00\x00\x00\x00"


def _has_browser() -> bool:
    try:
        find_executable(None)
    except RenderFailed:
        return False
    return True


needs_browser = pytest.mark.skipif(not _has_browser(), reason="no Chromium on PATH: apt-get install chromium")


@pytest.fixture
async def renderer(state_dir: Path) -> AsyncIterator[Renderer]:
    """As root a browser does not shut its pages in."""
    settings = RenderSettings(sandbox=os.geteuid() != 0, allow_network=True, timeout=60.0)
    async with open_custody(state_dir) as custody, trio.open_nursery() as nursery:
        nursery.start_soon(custody.run)
        renderer = Renderer(settings, custody.spawn, state_dir / "render")
        await nursery.start(renderer.run)
        yield renderer
        nursery.cancel_scope.cancel()


async def _draw(renderer: Renderer, html: str, **wish: Any) -> Picture:
    return await renderer.render(Wish(html=html, **wish), timeout=60.0)


def _box(colour: str = "#f00", size: str = "width:20px;height:10px") -> str:
    return f"<style>*{{margin:0}}</style><div id=box style='{size};background:{colour}'></div>"


@needs_browser
async def test_a_page_is_drawn_as_it_says(renderer: Renderer) -> None:
    """The part that is wanted, as large as it is wanted; what scripts do to it counts."""
    box = await _draw(renderer, _box(), selector="#box", scale=1.0)
    large = await _draw(renderer, _box(), selector="#box", scale=3.0)
    late = "<script>setTimeout(() => { box.style.background = '#0f0'; box.className = 'done' }, 50)</script>"
    waited = await _draw(renderer, _box() + late, selector="#box", scale=1.0, wait_for=".done")
    whole = await _draw(renderer, _box(size="width:10px;height:700px"), full_page=True, scale=1.0, width=300)

    assert (box.width, box.height) == (20, 10)
    assert {pixel[:3] for row in read_png(box.data) for pixel in row} == {RED}
    assert (large.width, large.height) == (60, 30)
    assert {pixel[:3] for row in read_png(waited.data) for pixel in row} == {GREEN}
    assert (whole.width, whole.height) == (300, 700)


@needs_browser
async def test_each_moment_comes(renderer: Renderer) -> None:
    """Also for a page that loads something from itself; and where a page has no background, the picture has none."""
    heights = [
        (await _draw(renderer, _box() + "<img src='data:image/png;base64,x'>", wait_until=moment)).height
        for moment in WaitUntil
    ]
    clear = await _draw(
        renderer, "<div id=box style='width:8px;height:8px'>", selector="#box", transparent=True
    )

    assert all(heights)
    assert {pixel for row in read_png(clear.data) for pixel in row} == {CLEAR}


@needs_browser
async def test_a_page_that_cannot_be_drawn_is_refused(renderer: Renderer) -> None:
    """With what is wrong; the next page is drawn by the same browser."""
    for html, wish, text in (
        ("x", {"selector": "#none"}, "fits the selector '#none'"),
        ("x", {"selector": "###"}, "'###' is no selector"),
        (_box(size="height:99999px"), {"selector": "#box"}, "more than 16384 on a side"),
        (_box(size="width:0"), {"selector": "#box"}, "pixels large"),
        (
            "<script>window.alert('x'); while (document.title != 1) document.title = 1</script>",
            {"selector": "p"},
            "fits",
        ),
    ):
        with pytest.raises(RenderFailed) as caught:
            await _draw(renderer, html, **wish)
        assert caught.value.kind is RenderKind.REFUSED
        assert text in str(caught.value)
    pids = renderer.pids

    await _draw(renderer, "x")

    assert renderer.pids == pids


def _leaks(server: LlmServer, file: Path) -> str:
    """A page that tries every way out."""
    at = f"127.0.0.1:{server.port}"
    return f"""<style>* {{ margin: 0 }} @import url(http://{at}/style); body {{ background: url(http://{at}/back) }}</style>
<link rel=preload as=image href=http://{at}/preload><link rel=dns-prefetch href=//{at}><link rel=preconnect href=http://{at}>
<link rel=prefetch href=http://{at}/prefetch><link rel=icon href=http://{at}/icon>
<img src=http://{at}/img><script src=http://{at}/script></script><iframe src=http://{at}/frame></iframe>
<iframe src="file://{file}"></iframe><img src="file://{file}"><object data="file://{file}"></object>
<form id=form action=http://{at}/form method=post></form>
<div id=box style="width:20px;height:10px;background:#f00"></div>
<script>
fetch("http://{at}/fetch").then(() => box.style.background = "#0f0", () => 0);
fetch("file://{file}").then(() => box.style.background = "#0f0", () => 0);
navigator.sendBeacon("http://{at}/beacon", "x");
try {{ new WebSocket("ws://{at}/socket") }} catch (e) {{}}
try {{ new EventSource("http://{at}/events") }} catch (e) {{}}
try {{ new Worker("http://{at}/worker") }} catch (e) {{}}
try {{ window.open("http://{at}/open") }} catch (e) {{}}
try {{ new RTCPeerConnection({{iceServers: [{{urls: "stun:{at}"}}]}}).createDataChannel("x") }} catch (e) {{}}
</script>"""


@needs_browser
async def test_a_page_without_network_reaches_nothing(renderer: Renderer, tmp_path: Path) -> None:
    """Neither the machine that it is drawn on nor its files, by none of the ways that a page knows."""
    file = tmp_path / "secret.html"
    file.write_text("<body style='background:#0f0'>secret")
    async with open_llm_server() as server:
        server.usual = lambda _: http(200, b"x", Access_Control_Allow_Origin="*")

        picture = await _draw(renderer, _leaks(server, file), selector="#box", scale=1.0, pause=1.0)
        gone = await _draw(
            renderer,
            _box()
            + f"<script>setTimeout(() => location = 'http://127.0.0.1:{server.port}/gone', 10)</script>",
            selector="body",
            pause=0.5,
        )

        assert [asked.path for asked in server.asked] == []
        assert server.connections == 0
    assert {pixel[:3] for row in read_png(picture.data) for pixel in row} == {RED}
    assert gone.height > 0


@needs_browser
async def test_a_page_with_network_reaches_no_files(renderer: Renderer, tmp_path: Path) -> None:
    """Whatever it may load of the rest: newer browsers keep what is next to the machine from it too."""
    file = tmp_path / "secret.html"
    file.write_text("<body style='background:#0f0'>secret")
    async with open_llm_server() as server:
        server.usual = lambda _: http(200, b"")
        html = (
            _box()
            + f"""<img src=http://127.0.0.1:{server.port}/img><script>
        fetch("file://{file}").then(() => box.style.background = "#0f0", () => 0);</script>"""
        )

        picture = await _draw(renderer, html, selector="#box", scale=1.0, allow_network=True, pause=0.5)

        assert {asked.path for asked in server.asked} <= {"/img", "/favicon.ico"}
    assert {pixel[:3] for row in read_png(picture.data) for pixel in row} == {RED}


@needs_browser
async def test_pages_know_nothing_of_each_other(renderer: Renderer) -> None:
    """What one keeps, the next does not find: they may be different plugins'."""
    keep = "<script>document.cookie = 'a=1; max-age=999'; localStorage.a = 1</script>"
    look = """<script>
    if (document.cookie || localStorage.a) document.querySelector('#box').style.background = '#0f0'</script>"""

    await _draw(renderer, keep)
    picture = await _draw(renderer, _box() + look, selector="#box", scale=1.0)

    assert {pixel[:3] for row in read_png(picture.data) for pixel in row} == {RED}


@needs_browser
async def test_a_page_that_never_ends_is_given_up(renderer: Renderer) -> None:
    """Its browser goes with it, and all that belonged to it."""
    await _draw(renderer, "x")
    before = renderer.pids

    with pytest.raises(RenderFailed) as caught:
        await renderer.render(Wish(html="<script>while (true);</script>"), timeout=1.0)
    picture = await _draw(renderer, _box(), selector="#box", scale=1.0)

    assert caught.value.kind is RenderKind.TIMEOUT
    assert renderer.pids.isdisjoint(before)
    assert picture.width == 20
