"""Can a plugin reach by a detour what the straight way is closed to: what it shares with the host, what an owner may do, what
was left open for it?
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from pathlib import Path

from .kernel_calls import LIBC, call
from .life import daemonize
from .row import Absent, Stage, Stopped, attack

OWNER = "Landlock does not judge what an owner does: the call does nothing there; in the sandbox the file can only be read"


@attack("R", "R", "-", "-", "a confined runner gets no variable that tells of the network it does not have")
def read_password_of_the_proxy(stage: Stage) -> str:
    """Variables that any program needs may hold one; so may those of the process that made the sandbox."""
    wanted = stage["secret"]["proxy"]
    met = []
    for pid in ("self", "1", str(os.getppid())):
        try:
            if wanted.encode() in Path(f"/proc/{pid}/environ").read_bytes():
                return f"in the environment of {pid}"
        except OSError as error:
            met.append(f"{pid}: {error.strerror}")
    if any(wanted in value for value in os.environ.values()):
        return "in its own environment"
    raise Stopped(f"in none of them ({'; '.join(met)})")


@attack("R", "R", "-", "-", "leases are not among the commands for descriptors")
def make_the_host_wait_in_open(stage: Stage) -> str:
    """A lease on a file that the host is about to read, its own manifest: `open` waits for most of a minute."""
    held = os.open(Path(stage["own_code"]).parent / "plugin.toml", os.O_RDONLY)
    try:
        fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    finally:
        os.close(held)
    return "held, and given back"


@attack("R", "R", "-", "-", OWNER, witnessed=True)
def change_mode_by_descriptor(stage: Stage) -> str:
    """Its own code, opened for reading, which it may."""
    opened = os.open(stage["own_code"], os.O_RDONLY)
    try:
        os.fchmod(opened, 0o666)
    finally:
        os.close(opened)
    return "everybody may write it now"


@attack("R", "R", "-", "-", OWNER, witnessed=True)
def change_times_by_descriptor(stage: Stage) -> str:
    """So that a compiled module of its own is believed."""
    opened = os.open(stage["own_code"], os.O_RDONLY)
    try:
        os.utime(opened, (1, 1))
    finally:
        os.close(opened)
    return "it is of 1970"


@attack("R", "R", "-", "-", "Landlock, from its third version on; before that the filter", witnessed=True)
def cut_off_by_path(stage: Stage) -> str:
    """`truncate` opens nothing."""
    os.truncate(stage["notes"], 0)
    return "it is empty"


@attack("R", "R", "-", "-", "as for any file", witnessed=True)
def delete_host_file(stage: Stage) -> str:
    os.unlink(stage["notes"])
    return "it is gone"


@attack("R", "R", "-", "-", "both directories have to be one's own", witnessed=True)
def put_a_file_in_its_place(stage: Stage) -> str:
    """A file of its own under the name of another's: nothing is written, only renamed."""
    own = Path(stage["data"], "replacement")
    own.write_text("owned")
    try:
        own.rename(stage["sibling_data"])
    finally:
        own.unlink(missing_ok=True)
    return "it is in its place"


@attack("R", "R", "-", "-", "the directory that its own lies in is not its own")
def swap_own_directory(stage: Stage) -> str:
    """A link in the place of its directory, which the host prepares before the next start."""
    own = Path(stage["data"])
    aside = own.with_name(f"{own.name}-aside")
    own.rename(aside)
    try:
        own.symlink_to(stage["home"])
        own.unlink()
    finally:
        aside.rename(own)
    return "swapped, and swapped back"


@attack("R", "R", "-", "-", "pairs of datagram sockets cannot be made", witnessed=True)
def send_by_a_pair(stage: Stage) -> str:
    """Sockets that are connected to each other, and send elsewhere all the same."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other:
        one.sendto(stage["nonce"].encode(), stage["unix_datagram"])
    return "sent"


@attack("-", "-", "-", "-", "what is left open names nothing that may be read")
def walk_from_what_is_open(stage: Stage) -> str:
    """Directories that are open for the confinement's own sake, as a way to their neighbours."""
    aims = [
        f"../{stage['host']}/environ",
        f"{stage['host']}/environ",
        "../secrets.toml",
        f"..{stage['secrets']}",
    ]
    looked = 0
    for number in range(3, 256):
        try:
            if not stat.S_ISDIR(os.fstat(number).st_mode):
                continue
        except OSError:
            continue
        looked += 1
        for aim in aims:
            try:
                inner = os.open(aim, os.O_RDONLY, dir_fd=number)
            except OSError:
                continue
            content = os.read(inner, 65536)
            os.close(inner)
            if stage["secret"]["environ"].encode() in content or stage["secret"]["file"].encode() in content:
                return f"{aim} from descriptor {number}"
    raise Stopped(f"{looked} directories are open, and lead nowhere")


@attack("R", "R", "-", "-", "a program may be started by no other way than as the runner is", optional=True)
def run_program_of_its_own(stage: Stage) -> str:
    """A script that it has written, as a child that shares its memory until then."""
    path = Path(stage["data"], "innocent")
    path.write_text("#!/bin/sh\nexit 7\n")
    path.chmod(0o700)
    try:
        child = os.posix_spawn(str(path), ["innocent"], {})
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        path.unlink()
    if status != 7:
        raise Stopped(f"it ended with {status}")
    return "it ran"


@attack("R", "R", "-", "-", "no file of the kernel's can be mapped as what it is not", optional=True)
def use_secret_memory(stage: Stage) -> str:
    """Memory that not even the host's administrator can look at, or see in a core."""
    try:
        os.close(call("memfd_secret", 0))
    except OSError as error:
        if stage["profile"] == "plain":
            raise Absent(f"this kernel has none ({error.strerror})") from None
        raise
    return "made"


@attack(
    ".",
    "-",
    "-",
    "-",
    "the host reads by what it has itself, and never waits in a read",
    restart=9.0,
    fresh=True,
)
def make_the_host_wait_in_read(stage: Stage) -> str:
    """Pipes that it shares with the host are made to wait, and a child keeps them from ever ending."""
    changed = 0
    for number in range(1, 64):
        try:
            if stat.S_ISFIFO(os.fstat(number).st_mode):
                os.set_blocking(number, True)
                changed += 1
        except OSError:
            continue
    try:
        daemonize(stage, lambda: LIBC.sleep(20))
    except OSError:
        pass  # then its own end is the end of the pipes
    raise Stopped(f"{changed} pipes wait; whether the host does is the host's to say")


@attack(
    ".",
    "-",
    "-",
    "-",
    "the page is the runner's to spoil: what the host reads there is checked",
    restart=9.0,
    fresh=True,
)
def take_the_page_away(stage: Stage) -> str:
    """The memory that it shares with its host is cut to nothing under the host's eyes."""
    for number in range(3, 64):
        try:
            is_page = "memfd:" in os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        if is_page:
            os.ftruncate(number, 0)
            raise Stopped("cut off; whether it matters is the host's to say")
    raise AssertionError("there is no page")
