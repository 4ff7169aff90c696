"""How is a deployment set up to be attacked, under which user, and what came of each attack?

A theatre is a directory below /tmp that everybody may enter, since a shard may be a user of its own; its files belong to the
user that runs the host. Started by root, the host is root's or that of a number that is no account's, so that signals to
"everything of this user" and limits of processes by user meet nobody else. Started by anybody else it is his own.
"""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from .installation import copy_for, find_interpreter, install, site_of

HERE = Path(__file__).parent
PATIENCE = 200.0
"""Seconds for all attacks under one profile, on a machine that others use."""

FIRST_FREE = 58_000
PROCESSES = 240
"""Of the user that nobody else is: enough for a host, and few enough that a fork bomb meets the limit."""


class NoStage(Exception):
    """This machine cannot have that stage; the reason is the text."""


@attrs.frozen(kw_only=True)
class Outcome:
    """What came of one attack."""

    letter: str
    """R, L, -, or absent, died, silent, bug."""
    evidence: str
    seen: tuple[str, ...]
    """What was not as before, as the host saw it."""
    took: float


@attrs.frozen
class Theatre:
    """A deployment on its stage."""

    root: Path
    uid: int
    python: Path
    nonce: str
    users: frozenset[int]
    """Those that nobody else on this machine is."""

    def start(self, module: str, *arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
        """Run one of the programs of this suite as the user that runs the bot."""
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.root / "home"),
            "TMPDIR": str(self.root / "tmp"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "BOT_SERVICE_KEY": f"canary-environ-{self.nonce}",
            "HTTPS_PROXY": f"http://bot:canary-proxy-{self.nonce}@127.0.0.1:1",
        }
        other = {} if self.uid == os.getuid() else {"user": self.uid, "group": self.uid, "extra_groups": []}
        return subprocess.Popen(
            [self.python, "-P", "-m", module, str(self.root / "stage.json"), *arguments],
            env=environment, cwd=self.root, start_new_session=True, stdin=subprocess.DEVNULL, **other, **streams,
        )  # fmt: skip

    def perform(self, names: Sequence[str]) -> dict[str, Outcome]:
        """Make these attacks, each once, in this order."""
        with (self.root / "host.log").open("wb") as log:
            host = self.start("hostile.host", *names, stdout=log, stderr=log)
            try:
                host.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                host.send_signal(signal.SIGABRT)  # its handler tells where it was
            finally:
                host.kill()
                host.wait()
        results = self.results()
        if results.pop("", None) is None:
            log_text = (self.root / "host.log").read_text(errors="replace")[-6000:]
            raise AssertionError(
                f"the host came to no end; the last attack was {list(results)[-1:]}:\n{log_text}"
            )
        return results

    def results(self) -> dict[str, Outcome]:
        """What was told so far; with the name "" when all was told."""
        path = self.root / "results.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return {
            line["name"]: Outcome(
                letter=line["letter"],
                evidence=line.get("evidence", ""),
                seen=tuple(line.get("seen", ())),
                took=line.get("took", 0.0),
            )
            for line in lines
        }

    def processes(self) -> dict[int, str]:
        """Every process of the machine that came from this stage, and what it is called."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                name = (entry / "comm").read_text(errors="replace")
                state = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
                owner = entry.stat().st_uid
            except OSError:
                continue
            is_ours = str(self.root) in command or name.strip() == self.nonce[:15]
            if state != "Z" and (is_ours or owner in self.users):
                found[int(entry.name)] = f"{name.strip()}: {command.strip()[:100]}"
        return found

    def wait_alone(self, seconds: float = 3.0) -> dict[int, str]:
        """What of it still runs after so long; {} as soon as nothing does."""
        end = time.monotonic() + seconds
        while (found := self.processes()) and time.monotonic() < end:
            time.sleep(0.02)  # processes that nobody here is the parent of
        return found


class Playhouse:
    """Makes theatres, with one installation for each user. Everything is gone when it is closed."""

    def __init__(self) -> None:
        self._place = Path(tempfile.mkdtemp(prefix="rkh-", dir="/tmp"))
        self._place.chmod(0o755)
        self._installed: dict[int, Path] = {}

    def close(self) -> None:
        shutil.rmtree(self._place)

    @contextmanager
    def open_theatre(self, profile: str, uid: int) -> Iterator[Theatre]:
        """A stage for one host. What it leaves is ended.

        Raises:
            NoInterpreter: There is none that others could run.
        """
        root = Path(tempfile.mkdtemp(prefix=f"{profile}-", dir=self._place))
        root.chmod(0o755)
        python = self._install(uid)
        nonce, users = f"h{secrets.token_hex(7)}", _own_users(uid)
        for name in ("home", "bot", "public", "tmp", "state"):
            (root / name).mkdir(mode=0o755)
        (root / "state").chmod(0o700)
        _write_plugins(root / "bot" / "plugins")
        stage = {
            "root": str(root),
            "profile": profile,
            "nonce": nonce,
            "site": str(site_of(python.parent.parent)),
            "state": str(root / "state"),
            "store": str(root / "state" / "store.db"),
            "control": str(root / "state" / "control.sock"),
            "audit": str(root / "state" / "audit.jsonl"),
            "own_code": str(root / "bot" / "plugins" / "test.attacker" / "plugin.py"),
            "sibling_code": str(root / "bot" / "plugins" / "test.sibling" / "plugin.py"),
            "sibling_data": str(root / "state" / "plugins" / "test.sibling" / "kept.txt"),
            "neighbour_data": str(root / "state" / "plugins" / "test.neighbour" / "kept.txt"),
            "setuid_program": "",
            "nproc": PROCESSES if uid >= FIRST_FREE else 0,
            "uids": f'uid_range = "{users[0]}-{users[-1]}"' if uid == 0 else "",
        }
        if os.getuid() == 0:
            stage["setuid_program"] = _make_setuid_program(root)
        (root / "stage.json").write_text(json.dumps(stage))
        for name in ("home", "bot", "tmp", "state", "public"):
            _give(root / name, uid)
        os.chown(root, uid, uid) if os.getuid() == 0 else None
        theatre = Theatre(root, uid, python, nonce, frozenset(users))
        try:
            yield theatre
        finally:
            for pid in theatre.processes():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            theatre.wait_alone()

    def _install(self, uid: int) -> Path:
        if not self._installed:
            self._installed[-1] = install(self._place / "original", find_interpreter())
        if uid not in self._installed:
            self._installed[uid] = copy_for(self._place / f"venv-{uid}", self._place / "original", uid)
        return self._installed[uid]


def _write_plugins(place: Path) -> None:
    for name, code in (("attacker", "attacker"), ("sibling", "sibling"), ("neighbour", "sibling")):
        plugin = place / f"test.{name}"
        shutil.copytree(HERE / "plugins" / code, plugin, ignore=shutil.ignore_patterns("__pycache__"))
        (plugin / "plugin.toml").write_text(f'[plugin]\nid = "test.{name}"\nversion = "1.0.0"\n')
    shutil.copytree(
        HERE / "attacks", place / "test.attacker" / "attacks", ignore=shutil.ignore_patterns("__pycache__")
    )


def _make_setuid_program(root: Path) -> str:
    """`id`, as root, whoever starts it."""
    program = root / "id"
    shutil.copy("/usr/bin/id", program)
    program.chmod(0o4755)
    return str(program)


def _give(place: Path, uid: int) -> None:
    if os.getuid() != uid:
        for path in (place, *place.rglob("*")):
            os.chown(path, uid, uid, follow_symlinks=False)


def free_uid() -> int:
    """A number that is no account's and no process's.

    Raises:
        NoStage: Only root can become somebody else.
    """
    if os.getuid() != 0:
        raise NoStage("only root can start a host as somebody else")
    taken = {each.pw_uid for each in pwd.getpwall()}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                taken.add(entry.stat().st_uid)
            except OSError:
                continue  # it has just ended
    first = FIRST_FREE + secrets.randbelow(1000)
    return next(uid for uid in range(first, first + 1000) if uid not in taken)


def _own_users(uid: int) -> range:
    """Those of the stage: the host's own, where that is nobody else's, or those that a host of root's gives to its shards."""
    if uid != 0:
        return range(uid, uid + (uid >= FIRST_FREE))
    first = FIRST_FREE + 2000 + 8 * secrets.randbelow(100)
    return range(first, first + 8)
