"""Can a plugin use what the kernel has for administrators, or for programs of which few are right: mounts, name spaces, modules?"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from pathlib import Path

from .kernel_calls import LIBC, call, child_result
from .row import Absent, Stage, Stopped, attack

FILTER = "the filter does not know the call"
CAPABILITY = "a capability that no shard has, and the filter does not know the call"
NEW_USER, NEW_UTS = 0x10000000, 0x04000000


@attack("R", "R", "-", "-", FILTER, optional=True)
def load_bpf(stage: Stage) -> str:
    """A map of the kernel's own machine, which an ordinary user gets where the kernel lets him."""
    attributes = ctypes.create_string_buffer(struct.pack("IIII", 2, 4, 8, 1).ljust(128, b"\0"))
    try:
        made = call("bpf", 0, attributes, 128)
    except PermissionError:
        if stage["profile"] == "plain":
            raise Absent("this kernel keeps it from ordinary users") from None
        raise
    os.close(made)
    return "a map in the kernel"


@attack("R", "R", "-", "-", FILTER, optional=True)
def set_up_io_uring(stage: Stage) -> str:
    """Calls that are made for it by the kernel, where no filter sees them."""
    try:
        ring = call("io_uring_setup", 2, ctypes.create_string_buffer(120))
    except OSError as error:
        if stage["profile"] == "plain":
            raise Absent(f"this kernel has none for him ({error.strerror})") from None
        raise
    os.close(ring)
    return "a ring"


@attack("R", "R", "-", "-", FILTER, optional=True)
def add_kernel_key(stage: Stage) -> str:
    """Something that outlives the process, where nobody looks."""
    key = call("add_key", b"user", stage["nonce"].encode(), b"owned", 5, -4)  # the user's keyring
    call("keyctl", 9, key, -4, 0, 0)  # unlink it again
    return f"key {key}"


@attack("R", "R", "-", "-", FILTER, optional=True)
def read_kernel_key(stage: Stage) -> str:
    """A secret that the host keeps in the keyring of its user."""
    if not stage["key"]:
        raise Absent("this kernel keeps no keys")
    found = ctypes.create_string_buffer(64)
    call("keyctl", 11, stage["key"], found, 64, 0)
    if stage["secret"]["key"].encode() not in found.raw:
        raise Stopped("another key")
    return "read"


@attack("R/-", "R/-", "-", "-", FILTER)
def watch_performance(stage: Stage) -> str:
    """Counters of every process on a processor: a clock for side channels."""
    attributes = ctypes.create_string_buffer(struct.pack("II", 1, 112).ljust(112, b"\0"))
    os.close(call("perf_event_open", attributes, -1, 0, -1, 0))
    return "a counter"


@attack("R", "R", "-", "-", FILTER, optional=True)
def handle_page_faults(stage: Stage) -> str:
    """Stop the kernel in the middle of a copy, for as long as one likes."""
    os.close(call("userfaultfd", 1))  # of user mode only, which needs no leave
    return "a handler"


@attack("R", "R", "-", "-", FILTER)
def make_anonymous_file(stage: Stage) -> str:
    """A file in no directory that no limit counts, to be filled or run."""
    os.close(call("memfd_create", b"innocent", 0))
    return "a file"


@attack("R", "R", "-", "-", FILTER)
def run_anonymous_file(stage: Stage) -> str:
    """A program that was never on a disk."""
    made = call("memfd_create", b"innocent", 0)
    try:
        os.write(made, Path("/bin/true").read_bytes())

        def run() -> str:
            call("execveat", made, b"", (ctypes.c_char_p * 2)(b"true", None), None, 0x1000)
            return ""

        child_result(run, 2.0)
    except OSError as error:
        if error.errno != 0:  # 0: it was executed, and so told nothing
            raise
    finally:
        os.close(made)
    return "it ran"


@attack(
    "R",
    "R",
    "-",
    "-",
    "the filter refuses every new name space; the sandbox has spent its own",
    optional=True,
)
def unshare_user(stage: Stage) -> str:
    """Be root in a name space of its own, where most holes of the kernel can be reached."""

    def enter() -> str:
        call("unshare", NEW_USER)
        return "root of its own"

    return child_result(enter)


@attack("R", "R", "-", "-", "as above", optional=True)
def clone_into_new_user(stage: Stage) -> str:
    """The same by the call that makes processes, whose flags a filter has to read."""
    child = call("clone", NEW_USER | 17, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return "root of its own"


@attack(
    "R",
    "R",
    "-",
    "-",
    "a filter cannot read what this call points to, so there is no such call",
    optional=True,
)
def clone3_into_new_user(stage: Stage) -> str:
    arguments = struct.pack("QQQQQQQQQQQ", NEW_USER, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
    child = call("clone3", ctypes.create_string_buffer(arguments), len(arguments))
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return "root of its own"


@attack("R", "R", "-", "-", FILTER)
def turn_off_layout_randomisation(stage: Stage) -> str:
    """For what it executes next."""
    before = call("personality", 0xFFFFFFFF)
    call("personality", before | 0x0040000)
    call("personality", before)
    return "turned off, and on again"


@attack("R", "R", "-", "-", "Landlock; in the sandbox the terminal is not there", witnessed=True)
def write_to_terminal(stage: Stage) -> str:
    """Whatever the operator is looking at, escape sequences included."""
    with open(stage["terminal"], "w") as terminal:
        terminal.write(f"{stage['nonce']}\n")
    return "written"


@attack("R", "R", "-", "-", "as above, and a session without a terminal", witnessed=True, optional=True)
def type_into_terminal(stage: Stage) -> str:
    """What the operator seems to have typed."""
    _type(os.open(stage["terminal"], os.O_RDWR), stage["nonce"])
    return "typed"


@attack("R", "R", "-", "-", "the filter refuses the request, on whatever terminal", optional=True)
def type_into_own_terminal(stage: Stage) -> str:
    """The request itself, on a terminal of its own making."""
    leader, follower = os.openpty()
    try:
        _type(follower, stage["nonce"])
    finally:
        os.close(leader)
    return "typed"


def _type(terminal: int, text: str) -> None:
    """On a terminal that becomes this session's for a moment: others than root may type into no other."""
    before = LIBC.signal(1, 1)  # letting it go again means SIGHUP
    try:
        fcntl.ioctl(terminal, 0x540E, 0)  # TIOCSCTTY
        for letter in f"{text}\n":
            fcntl.ioctl(terminal, 0x5412, letter.encode())  # TIOCSTI
    finally:
        LIBC.ioctl(terminal, 0x5422, 0)  # TIOCNOTTY
        os.close(terminal)
        LIBC.signal(1, ctypes.c_void_p(before))
