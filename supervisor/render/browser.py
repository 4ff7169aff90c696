"""How does one browser start, and how is it sure to be gone with all that belongs to it?"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import trio

from ..foreign_file import read_foreign_end
from ..isolation import child_environment
from ..process import Launch, Process
from .devtools import DevTools
from .failure import RenderFailed, RenderKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from .settings import RenderSettings

NAMES = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("chromium-headless-shell", "chrome-headless-shell", "microsoft-edge"),
)
"""What browsers are called that can be used, the likeliest first."""

START_TIMEOUT = 20.0
END_TIMEOUT = 3.0
"""Seconds that a killed browser may take to be gone."""

SAID = 2000
"""Bytes of what it has said last that an error shows."""

_SETTLE = """
import fcntl, os, sys
reading, writing = (fcntl.fcntl(int(text), fcntl.F_DUPFD, 10) for text in sys.argv[1:3])
os.dup2(reading, 3)
os.dup2(writing, 4)
os.closerange(5, max(reading, writing) + 1)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""A browser wants its pipes under the numbers 3 and 4, which may be others' here."""

_ARGUMENTS = (
    *("--headless", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check"),
    *("--disable-background-networking", "--disable-component-update", "--disable-default-apps"),
    *("--disable-extensions", "--disable-sync", "--disable-breakpad", "--disable-crash-reporter"),
    *("--disable-client-side-phishing-detection", "--disable-domain-reliability", "--no-pings"),
    *("--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars", "--mute-audio"),
    *("--disable-background-timer-throttling", "--disable-renderer-backgrounding"),
    *(
        "--password-store=basic",
        "--use-mock-keychain",
        "--disable-features=IsolateOrigins,site-per-process,Translate,MediaRouter,OptimizationHints",
    ),
)

_WITHOUT_NETWORK = (
    # Every name is unknown, every connection goes to a proxy that is not there, and nothing goes around it.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-server=socks5://127.0.0.1:1",
    "--proxy-bypass-list=<-loopback>",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--dns-prefetch-disable",
    "--disable-quic",
)


@attrs.define(eq=False)
class Browser:
    """One that runs.

    Attributes:
        pictures: That it was asked for.
        running: Pages that it shows now.
    """

    process: Process
    devtools: DevTools
    profile: Path
    has_network: bool
    pictures: int = 0
    running: int = 0
    is_retired: bool = False
    """It gets no more pages, and is ended when it shows none."""
    changed: trio.Event = attrs.field(factory=trio.Event)
    words: str = ""
    """The last that it has said, once it was looked at."""

    async def note_words(self) -> None:
        """Look at what it has said, before its files are gone."""
        found = "" if self.words else await trio.to_thread.run_sync(_words_of, self.profile)
        self.words = self.words or found  # another may have looked meanwhile, and the files be gone

    def tell(self) -> None:
        """Something about it is other than it was."""
        self.changed.set()

    @property
    def is_usable(self) -> bool:
        return not self.is_retired and not self.devtools.why_over

    async def end(self) -> None:
        """End it with everything that it has started, and remove its files."""
        with trio.CancelScope(shield=True):
            await self.devtools.close()
            self.process.kill()
            with trio.move_on_after(END_TIMEOUT):
                await self.process.wait_dead()
            self.process.sweep()
            self.process.abandon()
            await trio.to_thread.run_sync(remove, self.profile)


def find_executable(wanted: str | None) -> str:
    """The path of a browser.

    Raises:
        RenderFailed: There is none; the text says what to do.
    """
    found = next((path for name in ([wanted] if wanted else NAMES) if (path := shutil.which(name))), None)
    if found is not None:
        return found
    if wanted:
        text = f"render.executable is {wanted!r}, and there is no such program"
    else:
        text = 'there is no browser: install chromium, or say in [render] executable = "…" where one is'
    raise RenderFailed(RenderKind.NOT_CONFIGURED, text)


def start_browser(
    settings: RenderSettings,
    spawn: Callable[[Launch], Process],
    directory: Path,
    run: str,
    *,
    has_network: bool,
) -> Browser:
    """Start one. ``Browser.devtools.run`` and ``greet`` are the caller's to run. Blocks for a millisecond.

    Args:
        spawn: Starts a process by whose end everything ends that it has started.
        directory: Where it keeps its files; made when it is not there.
        run: What it is known by.

    Raises:
        RenderFailed: It does not start.
    """
    executable = find_executable(settings.executable)
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        profile = Path(tempfile.mkdtemp(dir=directory))
    except OSError as error:
        text = f"there is no room for the browser's files in {directory}: {error.strerror}"
        raise RenderFailed(RenderKind.UNAVAILABLE, text) from None
    with ExitStack() as on_failure, ExitStack() as always:
        on_failure.callback(remove, profile)
        to_browser, from_us = os.pipe()
        from_browser, to_us = os.pipe()
        for descriptor in (to_browser, to_us):
            always.callback(os.close, descriptor)
        for descriptor in (from_us, from_browser):
            on_failure.callback(os.close, descriptor)
        said = os.open(profile / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        always.callback(os.close, said)
        command = (*_command(executable, settings, profile, has_network=has_network),)
        launch = Launch(
            command=(sys.executable, "-ISc", _SETTLE, str(to_browser), str(to_us), *command),
            environment=_environment(profile),
            stdout=said,
            stderr=said,
            inherited=(to_browser, to_us),
            run=run,
        )
        try:
            process = spawn(launch)
        except OSError as error:
            text = f"{executable} cannot be started: {error.strerror}"
            raise RenderFailed(RenderKind.UNAVAILABLE, text) from None
        on_failure.pop_all()
    return Browser(process, DevTools(from_browser, from_us), profile, has_network)


async def greet(browser: Browser) -> None:
    """Wait until it answers. ``devtools.run`` has to run.

    Raises:
        RenderFailed: It does not, with what it has said.
    """
    try:
        with trio.fail_after(START_TIMEOUT):
            await browser.devtools.ask("Browser.getVersion")
    except trio.TooSlowError:
        await browser.note_words()
        text = f"the browser does not answer within {START_TIMEOUT:g} s{browser.words}"
        raise RenderFailed(RenderKind.UNAVAILABLE, text) from None
    except RenderFailed:
        await browser.note_words()
        text = f"the browser does not start{browser.words}"
        raise RenderFailed(RenderKind.NOT_CONFIGURED, text) from None


_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "FONTCONFIG_PATH")


def _command(
    executable: str, settings: RenderSettings, profile: Path, *, has_network: bool
) -> tuple[str, ...]:
    arguments = [executable, *_ARGUMENTS, f"--user-data-dir={profile / 'profile'}"]
    if not settings.sandbox:
        arguments.append("--no-sandbox")
    if not has_network:
        arguments += _WITHOUT_NETWORK
    return (*arguments, "about:blank")


def _environment(profile: Path) -> dict[str, str]:
    """What it needs of the host's, and a home of its own."""
    given = child_environment(os.environ)
    environment = {name: given[name] for name in _KEPT if name in given}
    environment |= dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), str(profile))
    return environment


def _words_of(profile: Path) -> str:
    """The last that it has said. The file is the browser's own to do with as it likes."""
    try:
        data = read_foreign_end(profile / "said", SAID)
    except OSError:
        return ""
    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines() if line.strip()]
    text = f": {' · '.join(lines[-3:])}" if lines else ""
    if "--no-sandbox" in text:
        text += " (run the host as another user than root, or set render.sandbox to false)"
    return text


def remove(profile: Path) -> None:
    """Remove a directory with all that is in it, as far as that is possible."""
    shutil.rmtree(profile, ignore_errors=True)
