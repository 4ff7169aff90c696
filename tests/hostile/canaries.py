"""What is there to be stolen and spoilt, and is it as it was?

Planted in the host's own process and its directories, looked at after every attack, put right again where an attack that no
profile forbids has changed it.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import secrets
import signal
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from .attacks.kernel_calls import LIBC, call

VOLATILE = ("store.db", "run.lock", "control.sock", "audit.jsonl")
"""Of the state directory: their content is the host's to change, their owner and their place are not."""

OURS = ("store.db-wal", "store.db-shm", "runs", "crashes", "log", "plugins", "environments", "render")
"""Names of the state directory that come and go."""

SHARED = ("/tmp", "/var/tmp", "/dev/shm")


@attrs.frozen
class File:
    """A file as it has to be."""

    mode: int
    owner: int
    inode: int
    changed: int
    labels: tuple[str, ...]
    content: bytes | None
    """None where it may change."""

    @classmethod
    def at(cls, path: Path, *, volatile: bool = False) -> File:
        found = path.lstat()
        is_file = path.is_file() and not path.is_symlink()
        content = None if volatile or not is_file else path.read_bytes()
        return cls(
            found.st_mode,
            found.st_uid,
            found.st_ino if volatile else 0,
            found.st_mtime_ns if content is not None else 0,
            () if path.is_symlink() else tuple(os.listxattr(path)),
            content,
        )

    def restore(self, path: Path) -> None:
        if self.content is None:
            os.chmod(path, self.mode & 0o7777)
            return
        path.unlink(missing_ok=True)
        path.write_bytes(self.content)
        os.chmod(path, self.mode & 0o7777)
        os.utime(path, ns=(self.changed, self.changed))


class Canaries:
    """Secrets, and a memory of how everything was.

    Attributes:
        secret: By what they are in; an attack that has one has been there.
    """

    def __init__(self, root: Path, nonce: str, site: Path, data: Path) -> None:
        self._root, self._nonce, self._site = root, nonce, site
        kinds = ("file", "config", "store", "data", "equal", "password", "ssh", "notes", "shm", "sysv", "key",
                 "argument", "audit", "memory", "service")  # fmt: skip
        self.secret = {kind: f"canary-{kind}-{secrets.token_hex(6)}" for kind in kinds}
        self.secret["environ"] = os.environ[
            "BOT_SERVICE_KEY"
        ]  # what a process was started with, the kernel shows
        self.secret["proxy"] = f"canary-proxy-{nonce}"
        self.secret["home"] = str(root / "home")
        self.signals = 0
        self._data = data

    def plant(self) -> dict[str, Any]:
        """Put them in their places; what an insider would know of it."""
        root, secret = self._root, self.secret
        bot, home = root / "bot", root / "home"
        _write(bot / "secrets.toml", f'key = "{secret["file"]}"\n', 0o600)
        _write(
            bot / "plugins" / "test.sibling" / "config.toml", f'password = "{secret["password"]}"\n', 0o600
        )
        _write(home / ".ssh" / "id_ed25519", f"-----BEGIN {secret['ssh']}\n", 0o600)
        _write(home / ".ssh" / "authorized_keys", "", 0o600)
        _write(home / ".bashrc", "# empty\n", 0o644)
        _write(home / "notes.txt", secret["notes"], 0o644)
        _write(home / "diary" / "today.txt", "", 0o644)
        _write(
            root / "state" / "audit.jsonl",
            json.dumps({"kind": "note", "text": secret["audit"]}) + "\n",
            0o600,
        )
        self._shm = Path("/dev/shm", f"rookery-{self._nonce}")
        _write(self._shm, secret["shm"], 0o600)
        self._memory = ctypes.create_string_buffer(secret["memory"].encode(), 64)
        self._descriptor = os.open(bot / "secrets.toml", os.O_RDONLY)
        os.set_inheritable(self._descriptor, True)
        os.set_inheritable(os.open(bot, os.O_RDONLY | os.O_DIRECTORY), True)
        signal.signal(signal.SIGUSR2, self._note_signal)
        return {
            "secrets": str(bot / "secrets.toml"),
            "config": str(bot / "rookery.toml"),
            "ssh_key": str(home / ".ssh" / "id_ed25519"),
            "home": str(home),
            "notes": str(home / "notes.txt"),
            "diary": str(home / "diary"),
            "shm": str(self._shm),
            "address": ctypes.addressof(self._memory),
            "descriptor": self._descriptor,
            "host": os.getpid(),
            "host_uid": os.getuid(),
            "host_nice": os.getpriority(os.PRIO_PROCESS, 0),
            "capabilities": _capabilities(),
            "secret": secret,
            **self._plant_in_kernel(),
            **_handle_of(bot / "secrets.toml"),
        }

    def _plant_in_kernel(self) -> dict[str, Any]:
        """Shared memory of System V, a message queue, a key: 0 or "" where this kernel has none."""
        key = secrets.randbelow(1 << 30) + 1
        self._segment = LIBC.shmget(key, 4096, 0o1600)
        if self._segment >= 0:
            LIBC.shmat.restype = ctypes.c_void_p
            at = LIBC.shmat(self._segment, None, 0)
            ctypes.memmove(at, self.secret["sysv"].encode(), len(self.secret["sysv"]))
            LIBC.shmdt(ctypes.c_void_p(at))
        else:
            key = 0
        queue = f"rookery-{self._nonce}"
        try:
            os.close(call("mq_open", queue.encode(), os.O_CREAT | os.O_RDWR, 0o600, None))
        except OSError:
            queue = ""
        self._queue = queue
        try:
            number = call(
                "add_key", b"user", queue.encode(), self.secret["key"].encode(), len(self.secret["key"]), -4
            )
        except OSError:
            number = 0
        return {"sysv_key": key, "queue": queue, "key": number}

    def take_away(self) -> None:
        """Everything that would outlive the host."""
        self._shm.unlink(missing_ok=True)
        if self._segment >= 0:
            LIBC.shmctl(self._segment, 0, None)
        if self._queue:
            call("mq_unlink", self._queue.encode())

    def _note_signal(self, number: int, frame: object) -> None:
        self.signals += 1

    # --- looking -----------------------------------------------------------------------------------------------

    def remember(self) -> None:
        """Everything is as it has to be now."""
        self._files = dict(self._look_at_files())
        self._process = self._look_at_process()

    def find_changes(self) -> list[str]:
        """What is not as it was, a line each; it is put right again."""
        found = [f"the host took {self.signals} signals"] if self.signals else []
        self.signals = 0
        now = dict(self._look_at_files())
        for path in sorted(now.keys() - self._files.keys(), reverse=True):  # what lies in a directory first
            found.append(f"{path} is new")
            path.unlink() if not path.is_dir() else path.rmdir()
        for path, was in sorted(self._files.items()):
            if now.get(path) != was:
                found.append(f"{path} is gone" if path not in now else f"{path} was changed")
                was.restore(path)
        if found:
            self._files = dict(self._look_at_files())
        return found + self._find_process_changes()

    def _look_at_files(self) -> Iterator[tuple[Path, File]]:
        for tree in (self._root / "bot", self._root / "home", self._root / "public"):
            for path in (tree, *tree.rglob("*")):
                yield path, File.at(path)
        for path in (self._site / "rookery" / "supervisor" / "errors.py", *self._site.glob("*.pth")):
            yield path, File.at(path)
        state = self._root / "state"
        for path in state.iterdir():
            if path.name not in OURS:
                yield path, File.at(path, volatile=True)
        for path in (state / "plugins").iterdir():
            if path != self._data:
                for inner in path.rglob("*"):
                    yield inner, File.at(inner)
        for directory in SHARED:
            for path in Path(directory).glob(f"{self._nonce}*"):
                yield path, File.at(path)

    def _look_at_process(self) -> dict[str, Any]:
        return {
            "descriptors": resource.getrlimit(resource.RLIMIT_NOFILE),
            "processors": os.sched_getaffinity(0),
            "policy": os.sched_getscheduler(0),
            "nice": os.getpriority(os.PRIO_PROCESS, 0),
            "score": Path("/proc/self/oom_score_adj").read_text(),
        }

    def _find_process_changes(self) -> list[str]:
        now = self._look_at_process()
        found = [
            f"the host's {key} is {now[key]}, not {was}"
            for key, was in self._process.items()
            if now[key] != was
        ]
        if found:
            resource.setrlimit(resource.RLIMIT_NOFILE, self._process["descriptors"])
            os.sched_setaffinity(0, self._process["processors"])
            if now["score"] != self._process["score"]:  # a host that cannot be traced may not write it itself
                Path("/proc/self/oom_score_adj").write_text(self._process["score"])
        return found


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def _capabilities() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith("CapEff"))


def _handle_of(path: Path) -> dict[str, Any]:
    """The number by which a file can be opened without its path."""
    described = ctypes.create_string_buffer(struct.pack("Ii", 128, 0).ljust(136, b"\0"), 136)
    mount = ctypes.c_int(0)
    try:
        call("name_to_handle_at", -100, str(path).encode(), described, ctypes.byref(mount), 0)
    except OSError:
        return {"handle": "", "handle_type": 0}
    size, kind = struct.unpack("Ii", described.raw[:8])
    return {"handle": described.raw[8 : 8 + size].hex(), "handle_type": kind}
