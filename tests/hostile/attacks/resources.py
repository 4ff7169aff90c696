"""How much of the machine can a plugin take: memory, processes, disk, processor, descriptors, output?

Each has a bound of its own, far below what would hurt a machine that others use: an attack that reaches it was not held.
"""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from pathlib import Path

from .memory import hold
from .row import Bounded, Stage, Stopped, attack

MIB = 1 << 20
FORKS, THREADS = 200, 400
MEMORY, SHARES = 640 * MIB, 4
DISK, FILES = 192 * MIB, 20_000
HOLD = 2.5
"""Seconds for which memory and processes are held: the host looks once a second."""


@attack(
    "R",
    "L",
    "-",
    "-",
    "no child can be made; else RLIMIT_NPROC, which root is not held to, the control group, and a count once a second",
    fresh=True,
    dies=True,
)
def fork_bomb(stage: Stage) -> str:
    """A child that makes children, two hundred of them."""
    made: list[int] = []
    met = ""
    try:
        while len(made) < FORKS:
            child = os.fork()
            if not child:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.alarm(5)
                signal.pause()
                os._exit(0)
            made.append(child)
    except OSError as error:
        met = str(error)
    if not met:
        time.sleep(HOLD)
    for child in made:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if not made:
        raise Stopped(met)
    if met:
        raise Bounded(f"{len(made)} children, then: {met}")
    return f"{len(made)} children"


@attack("R", "R", "-", "-", "no program can be started")
def start_a_program(stage: Stage) -> str:
    """The simplest child: /bin/sh."""
    child = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 7"], {})
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != 7:
        raise Stopped(f"it ended with {status}")
    return "it ran"


@attack(
    "R/L",
    "L",
    "L",
    "L",
    "threads count as processes: a limit for the shard's own user, or in the control group",
    fresh=True,
    dies=True,
)
def thread_bomb(stage: Stage) -> str:
    release, made = threading.Event(), []
    met = ""
    try:
        for _ in range(THREADS):
            thread = threading.Thread(target=release.wait, args=(20,), daemon=True)
            thread.start()
            made.append(thread)
    except RuntimeError as error:
        met = str(error)
    if not met:
        time.sleep(HOLD)
    release.set()
    for thread in made:
        thread.join(5)
    if met:
        raise Bounded(f"{len(made)} threads, then: {met}")
    return f"{len(made)} threads"


@attack("R", "L", "L", "L", "RLIMIT_FSIZE", fresh=True, dies=True, seconds=20)
def fill_disk_with_one_file(stage: Stage) -> str:
    """A file of two gigabytes. It has a hole instead of a content, which the limit is the same for."""
    path = Path(stage["data"], "much")
    made = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(made, b"x", 2 << 30)
    except OSError as error:
        raise Bounded(str(error)) from None
    finally:
        os.close(made)
        path.unlink()
    return "a file of two gigabytes"


@attack(
    "R",
    "R",
    "R",
    "R",
    "nothing counts what a plugin keeps in its directory: that is for a quota of the file system",
    fresh=True,
    dies=True,
    seconds=30,
)
def fill_disk_with_many_files(stage: Stage) -> str:
    """None of them large."""
    directory = Path(stage["data"], "many")
    directory.mkdir(exist_ok=True)
    size = 4 * MIB
    block, made = bytes(size), 0
    try:
        for number in range(DISK // size):
            (directory / str(number)).write_bytes(block)
            made += 1
        hold(stage)
    except OSError as error:
        raise Bounded(f"{made} files, then: {error}") from None
    finally:
        for path in directory.iterdir():
            path.unlink()
    return f"{made} files of {size // MIB} MiB"


@attack(
    "R",
    "R",
    "R",
    "R",
    "as above; in a sandbox a directory in memory, whose files cost the shard memory",
    fresh=True,
    dies=True,
    seconds=30,
)
def use_up_inodes(stage: Stage) -> str:
    """Files without content, each of which the kernel keeps in memory."""
    directory = Path(os.environ.get("TMPDIR", stage["data"]), f"{stage['nonce']}-empty")
    directory.mkdir(exist_ok=True)
    made = 0
    try:
        for number in range(FILES):
            os.close(os.open(directory / str(number), os.O_CREAT | os.O_WRONLY, 0o600))
            made += 1
    except OSError as error:
        raise Bounded(f"{made} files, then: {error}") from None
    finally:
        for entry in os.scandir(directory):
            os.unlink(entry.path)
        directory.rmdir()
    return f"{made} files"


@attack("R", "L", "L", "L", "it is nice, so others go first")
def hog_the_processors(stage: Stage) -> str:
    """All that there are, by threads that hold no lock of the interpreter's."""
    import hashlib

    end = time.monotonic() + 1.5

    def work() -> None:
        while time.monotonic() < end:
            hashlib.pbkdf2_hmac("sha256", b"x", b"y", 20_000)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    if niceness <= stage["host_nice"]:
        return f"as important as the host ({niceness})"
    raise Bounded(f"nice {niceness}, the host is {stage['host_nice']}")


@attack(".", "L", "L", "L", "a budget a second for the log, and the rest is dropped and counted", seconds=20)
def flood_output(stage: Stage) -> str:
    """Twenty megabytes of complaints."""
    line = b"x" * 1023 + b"\n"
    for _ in range(20 * 1024):
        os.write(2, line)
    raise Bounded("written; what the host keeps of it is the host's to say")


@attack("R", "L", "L", "L", "RLIMIT_NOFILE", fresh=True)
def use_up_descriptors(stage: Stage) -> str:
    """Its own first, then the machine's."""
    made: list[int] = []
    met = ""
    try:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        while len(made) < 4000:
            made.append(os.dup(2))
    except (OSError, ValueError) as error:
        met = str(error)
    finally:
        for each in made:
            os.close(each)
    if met:
        raise Bounded(f"{len(made)} descriptors, then: {met}")
    return f"{len(made)} descriptors"
