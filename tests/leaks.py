"""What did a test leave behind: processes, descriptors, threads?

A snapshot is taken before the test and compared afterwards. Descriptors are compared by what they point to and not by
number, because a number that was closed and opened again is a different thing. Processes are looked for twice: as
children (a zombie counts, somebody forgot to reap it) and as orphans, which are recognised by the TMPDIR that the
test session gives to everything it starts, directly or not.
"""

from __future__ import annotations

import contextlib
import gc
import os
import re
import select
import signal
import sys
import threading
from collections import Counter
from pathlib import Path

import attrs

ORPHAN_GRACE = (
    3.0  # seconds: an orphan learns that its host is gone from a closed descriptor, shortly after the test
)
THREAD_GRACE = 1.0  # seconds for a thread that is already past its work to end

# Threads that outlive a test on purpose.
KNOWN_THREADS = (
    re.compile(r"Trio thread \d+"),  # idle in trio's cache for ten seconds; a busy one carries its job's name
)


@attrs.frozen
class Snapshot:
    """What existed at one moment."""

    descriptors: Counter[str]
    """What each open descriptor points to, with how many point to it."""
    children: frozenset[int]
    """Process ids of the direct children, zombies included."""
    processes: frozenset[int]
    """All process ids of the machine; empty where there is no /proc."""
    threads: frozenset[threading.Thread]


def take_snapshot() -> Snapshot:
    """Record what exists now."""
    return Snapshot(
        descriptors=_open_descriptors(),
        children=_children(),
        processes=_all_processes(),
        threads=frozenset(threading.enumerate()),
    )


def find_leaks(before: Snapshot, session_tmpdir: str) -> list[str]:
    """Name everything that exists now and did not exist `before`, one line each.

    Leaked processes are killed, so that they spoil one test and not the rest of the run.
    """
    return [
        *_leaked_children(before),
        *_leaked_orphans(before, session_tmpdir),
        *_leaked_threads(before),
        *_leaked_descriptors(before),
    ]


def _leaked_descriptors(before: Snapshot) -> list[str]:
    if not _open_descriptors() - before.descriptors:
        return []
    # Garbage in a cycle still holds its descriptor; collecting it raises ResourceWarning, which is its own failure.
    gc.collect()
    new = _open_descriptors() - before.descriptors
    return [f"descriptor left open: {target} (x{count})" for target, count in sorted(new.items())]


def _leaked_threads(before: Snapshot) -> list[str]:
    found = []
    for thread in set(threading.enumerate()) - before.threads:
        if any(known.fullmatch(thread.name) for known in KNOWN_THREADS):
            continue
        thread.join(THREAD_GRACE)
        if thread.is_alive() and not any(known.fullmatch(thread.name) for known in KNOWN_THREADS):
            found.append(f"thread left running: {thread.name!r}")
    return sorted(found)


def _leaked_children(before: Snapshot) -> list[str]:
    found = []
    for pid in sorted(_children() - before.children):
        found.append(f"child process left: {_describe(pid)}")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
    return found


def _leaked_orphans(before: Snapshot, session_tmpdir: str) -> list[str]:
    found = []
    for pid in sorted(_all_processes() - before.processes):
        if not _belongs_to_session(pid, session_tmpdir) or _ends_within(pid, ORPHAN_GRACE):
            continue
        found.append(f"orphan process left: {_describe(pid)}")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return found


def _open_descriptors() -> Counter[str]:
    directory = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    targets: Counter[str] = Counter()
    for name in os.listdir(directory):
        # OSError: the descriptor that listed the directory is in the list and closed by now.
        with contextlib.suppress(OSError):
            targets[_target(int(name))] += 1
    return targets


def _target(fd: int) -> str:
    if sys.platform == "linux":
        return os.readlink(f"/proc/self/fd/{fd}")
    status = os.fstat(fd)
    return f"device {status.st_dev} inode {status.st_ino} mode {status.st_mode:o}"


def _children() -> frozenset[int]:
    if sys.platform == "linux":
        return frozenset(pid for pid in _all_processes() if _parent(pid) == os.getpid())
    try:
        # Elsewhere a list of children would cost a `ps` for each test: only those that can be reaped are seen.
        pid, _ = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return frozenset()
    return frozenset({pid} if pid else ())


def _all_processes() -> frozenset[int]:
    if sys.platform != "linux":
        return frozenset()
    return frozenset(int(name) for name in os.listdir("/proc") if name.isdigit())


def _parent(pid: int) -> int | None:
    try:
        # The command name is in parentheses and may hold spaces and parentheses itself: split after the last one.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1])


def _belongs_to_session(pid: int, session_tmpdir: str) -> bool:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return f"TMPDIR={session_tmpdir}".encode() in environment


def _ends_within(pid: int, grace: float) -> bool:
    if sys.platform != "linux":
        return False
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        readable, _, _ = select.select([pidfd], [], [], grace)
    finally:
        os.close(pidfd)
    return bool(readable)


def _describe(pid: int) -> str:
    try:
        command = (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
        )
        # In parentheses its name, then its state.
        state = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0]
    except OSError:
        command, state = "", "Z"
    if state == "Z":
        return f"pid {pid} (ended, but never reaped)"
    # A child has no command line for a moment while its program is set up; Popen may return within it.
    return f"pid {pid} ({command or 'just started'})"
