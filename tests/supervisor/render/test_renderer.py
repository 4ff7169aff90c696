"""Is a browser there when a picture is wanted, gone when it is not, and is nobody left waiting for one that fails?

Real processes that speak as a browser does; no browser is needed.
"""

from __future__ import annotations

import json
import os
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from rookery.supervisor.custody import Custody, open_custody
from rookery.supervisor.render import browser as browsers
from rookery.supervisor.render.failure import RenderFailed, RenderKind
from rookery.supervisor.render.renderer import Renderer
from rookery.supervisor.render.settings import RenderSettings
from rookery.supervisor.render.wish import Picture, Wish
from tests.doubles.browsers import read_png, write_browser

pytestmark = pytest.mark.slow

PATIENCE = 20.0


class Studio:
    """A renderer over a program that stands in for a browser."""

    def __init__(self, renderer: Renderer, directory: Path) -> None:
        self.renderer = renderer
        self.directory = directory

    async def render(self, html: str = "x", *, timeout: float = PATIENCE, **wish: Any) -> Picture:
        return await self.renderer.render(Wish(html=html, **wish), timeout=timeout)

    async def failure(self, html: str = "x", *, timeout: float = PATIENCE, **wish: Any) -> RenderFailed:
        with pytest.raises(RenderFailed) as caught:
            await self.render(html, timeout=timeout, **wish)
        return caught.value

    @property
    def starts(self) -> list[tuple[int, list[str], list[str]]]:
        """Process id, arguments and environment of each browser that was started."""
        path = self.directory / "starts"
        lines = path.read_text().splitlines() if path.exists() else []
        return [tuple(json.loads(line)) for line in lines]

    async def wait_gone(self, pid: int) -> None:
        with trio.fail_after(PATIENCE):
            while Path(f"/proc/{pid}").exists():
                await trio.sleep(0.01)  # a real process on the real clock


@asynccontextmanager
async def _open(
    custody: Custody, directory: Path, mode: str = "works", **settings: Any
) -> AsyncIterator[Studio]:
    executable = str(write_browser(directory, mode))
    chosen = RenderSettings(**{"executable": executable, **settings})
    renderer = Renderer(chosen, custody.spawn, directory / "render")
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(renderer.run)
            yield Studio(renderer, directory)
            nursery.cancel_scope.cancel()


Opener = Callable[..., Any]


@pytest.fixture
async def open_studio(tmp_path: Path, state_dir: Path) -> AsyncIterator[Opener]:
    async with open_custody(state_dir) as custody, trio.open_nursery() as nursery:
        nursery.start_soon(custody.run)

        def open_studio(mode: str = "works", **settings: Any) -> Any:
            return _open(custody, tmp_path, mode, **settings)

        yield open_studio
        nursery.cancel_scope.cancel()


async def test_a_picture_is_made_by_a_browser_that_is_kept(open_studio: Opener) -> None:
    """The second takes the same one. It has a home of its own, and nothing of the host's environment that it does not need."""
    async with open_studio() as studio:
        first = await studio.render()
        second = await studio.render()

        ((pid, arguments, environment),) = studio.starts
        assert studio.renderer.pids == {pid}

    await studio.wait_gone(pid)
    assert read_png(first.data) == read_png(second.data) == [[b"\xff\0\0\xff"] * 2]
    assert (first.width, first.height) == (2, 1)
    assert "--remote-debugging-pipe" in arguments
    assert set(environment) <= {
        *("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "FONTCONFIG_PATH", "HOME"),
        *("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "ROOKERY_RUN"),
    }


async def test_no_file_of_a_browser_is_left(open_studio: Opener, tmp_path: Path) -> None:
    """Neither its own, nor those of a host that was killed."""
    left = tmp_path / "render" / "old" / "profile"
    left.mkdir(parents=True)
    async with open_studio() as studio:
        await studio.render()

        (profile,) = (tmp_path / "render").iterdir()

    assert not left.exists()
    assert not profile.exists()


async def test_a_page_without_network_has_a_browser_without_one(open_studio: Opener) -> None:
    """Another than those that may have it, and no flag of a page changes that."""
    async with open_studio(allow_network=True) as studio:
        await studio.render()
        await studio.render(allow_network=True)
        (_, without, _), (_, with_network, _) = studio.starts

    assert "--host-resolver-rules=MAP * ~NOTFOUND" in without
    assert "--host-resolver-rules=MAP * ~NOTFOUND" not in with_network


async def test_a_browser_is_replaced_after_so_many_pictures(open_studio: Opener) -> None:
    """And the old one is gone."""
    async with open_studio(pictures_per_browser=2) as studio:
        for _ in range(5):
            await studio.render()
        pids = [pid for pid, *_ in studio.starts]

        assert len(pids) == 3
        await studio.wait_gone(pids[0])
        await studio.wait_gone(pids[1])


async def test_a_browser_that_nobody_needs_is_ended(open_studio: Opener) -> None:
    """The next picture starts another."""
    async with open_studio(idle=0.2) as studio:
        await studio.render()
        ((pid, *_),) = studio.starts
        await studio.wait_gone(pid)

        await studio.render()

        assert len(studio.starts) == 2


async def test_so_many_pages_are_shown_at_once(open_studio: Opener) -> None:
    """By one browser, which is started once however many want it first."""
    async with open_studio(max_concurrent=3) as studio, trio.open_nursery() as nursery:
        for _ in range(9):
            nursery.start_soon(studio.render)

    assert len(studio.starts) == 1


async def test_a_browser_that_dies_fails_its_pages_and_nobody_elses(open_studio: Opener) -> None:
    """They hear it at once, and the next page has another browser."""
    async with open_studio() as studio:
        failure = await studio.failure("dies")
        picture = await studio.render()

        assert len(studio.starts) == 2
    assert failure.kind is RenderKind.UNAVAILABLE
    assert picture.width == 2


async def test_a_page_that_does_not_end_ends_with_its_browser(open_studio: Opener) -> None:
    """It may go on for ever: what was left in the middle is not left running."""
    async with open_studio() as studio:
        failure = await studio.failure("hangs", timeout=0.5)
        ((pid, *_),) = studio.starts
        await studio.wait_gone(pid)
        picture = await studio.render()

    assert failure.kind is RenderKind.TIMEOUT
    assert "not drawn within 0.5 s" in str(failure)
    assert picture.width == 2


async def test_a_page_that_crashes_is_told(open_studio: Opener) -> None:
    """The browser itself goes on."""
    async with open_studio() as studio:
        failure = await studio.failure("crashes")
        await studio.render()

        assert len(studio.starts) == 1
    assert failure.kind is RenderKind.UNAVAILABLE
    assert "crashed" in str(failure)


async def test_nonsense_of_a_browser_is_passed_over(open_studio: Opener) -> None:
    """A page may have taken it over."""
    async with open_studio() as studio:
        assert (await studio.render("garbage")).width == 2


async def test_a_caller_that_goes_leaves_nothing_running(open_studio: Opener) -> None:
    """Its page goes, with the browser that shows it; the next has its turn."""
    async with open_studio(max_concurrent=1) as studio:
        with trio.move_on_after(0.7):
            await studio.render("hangs")
        await studio.render()

        assert len(studio.starts) <= 2


async def test_what_a_browser_leaves_behind_is_ended(open_studio: Opener, tmp_path: Path) -> None:
    """Also what has left its session."""
    async with open_studio("daemon") as studio:
        await studio.render()
        daemon = int((tmp_path / "daemon").read_text())

    await studio.wait_gone(daemon)


async def test_a_browser_that_does_not_start_says_why(open_studio: Opener) -> None:
    """In its own words, and with advice where there is some."""
    async with open_studio("refuses") as studio:
        failure = await studio.failure()

    assert failure.kind is RenderKind.NOT_CONFIGURED
    assert "cannot run as root" in str(failure)
    assert "set render.sandbox to false" in str(failure)


async def test_what_a_browser_has_said_is_read_beside_the_loop(
    open_studio: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its disk may be slow, and whoever has a message waits for nobody's disk."""
    readers = []

    def words_of(profile: Path) -> str:
        readers.append(threading.current_thread())
        return read(profile)

    read = browsers._words_of
    monkeypatch.setattr(browsers, "_words_of", words_of)
    async with open_studio("refuses") as studio:
        failure = await studio.failure()

    assert "cannot run as root" in str(failure)
    assert readers
    assert threading.current_thread() not in readers


def test_only_the_end_of_what_a_browser_has_said_is_read(tmp_path: Path) -> None:
    """However much it is: a page may have it complain for hours."""
    with (tmp_path / "said").open("wb") as file:
        file.truncate(1 << 30)
        file.seek(0, 2)
        file.write(b"\nlast words\n")

    tracemalloc.start()
    try:
        words = browsers._words_of(tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert words.endswith("last words")
    assert peak < 1 << 20


def test_a_pipe_in_the_place_of_what_a_browser_has_said_is_not_waited_for(tmp_path: Path) -> None:
    """It lies in the browser's own directory, and a page may have taken the browser over."""
    os.mkfifo(tmp_path / "said")
    with ThreadPoolExecutor() as pool:
        words = pool.submit(browsers._words_of, tmp_path)
        try:
            assert words.result(timeout=5.0) == ""
        finally:
            os.close(os.open(tmp_path / "said", os.O_RDWR))  # whoever waits at it goes on


async def test_a_browser_that_says_nothing_is_given_up(
    open_studio: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its time, and it is ended."""
    monkeypatch.setattr(browsers, "START_TIMEOUT", 0.3)
    async with open_studio("silent") as studio:
        failure = await studio.failure()

    assert failure.kind is RenderKind.UNAVAILABLE
    assert "does not answer within 0.3 s" in str(failure)


@pytest.mark.parametrize(
    ("executable", "text"),
    [
        ("/no/such/browser", "render.executable is '/no/such/browser'"),
        (None, "install chromium, or say in [render]"),
    ],
)
async def test_no_browser_is_told_with_what_to_do(
    open_studio: Opener, monkeypatch: pytest.MonkeyPatch, executable: str | None, text: str
) -> None:
    """Each time that a picture is wanted: it may be installed meanwhile."""
    monkeypatch.setenv("PATH", "/nowhere")
    async with open_studio(executable=executable) as studio:
        failure = await studio.failure()

    assert failure.kind is RenderKind.NOT_CONFIGURED
    assert text in str(failure)


def test_a_browser_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the operator names none, by what browsers are called."""
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert browsers.find_executable(None) == str(program)


async def test_a_network_that_the_operator_does_not_allow_is_refused(open_studio: Opener) -> None:
    """Before anything is started."""
    async with open_studio() as studio:
        failure = await studio.failure(allow_network=True)

    assert failure.kind is RenderKind.REFUSED
    assert "allow_network in [render]" in str(failure)
    assert studio.starts == []


@pytest.mark.parametrize("network", [False, True])
async def test_what_a_page_loads_is_asked_of_the_host(
    open_studio: Opener, tmp_path: Path, network: bool
) -> None:
    """What it holds itself it may load; http where it may have the network; files and all else never."""
    urls = {
        "data:text/plain,x": True,
        "blob:http://page.invalid/1": True,
        "http://example.com/": network,
        "https://example.com/": network,
        "http://page.invalid/": network,
        "file:///etc/passwd": False,
        "ftp://example.com/": False,
        "chrome://settings/": False,
        "FILE:///etc/passwd": False,
        "filesystem:http://page.invalid/x": False,
    }

    async with open_studio(allow_network=True) as studio:
        await studio.render(" ".join(["loads", *urls]), allow_network=network, pause=0.1)
        with trio.fail_after(PATIENCE):
            while len(_loads(tmp_path)) < len(urls):
                await trio.sleep(0.01)  # a real process on the real clock

    allowed = {
        f"q{number}": "continueRequest" if may else "failRequest" for number, may in enumerate(urls.values())
    }
    assert _loads(tmp_path) == allowed


def _loads(directory: Path) -> dict[str, str]:
    path = directory / "loads"
    lines = path.read_text().splitlines() if path.exists() else []
    return {line.partition(" ")[0]: line.partition(" ")[2] for line in lines}
