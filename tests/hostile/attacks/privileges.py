"""Can a plugin do what is root's: mounts, devices, modules, the machine's name, becoming root?"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import stat
from pathlib import Path

from .kernel_calls import call, child_result
from .row import Absent, Stage, Stopped, attack

CAPABILITY = "a capability that no shard has, and the filter does not know the call"
NEW_UTS = 0x04000000


@attack("R/-", "R/-", "-", "-", CAPABILITY)
def mount_file_system(stage: Stage) -> str:
    """Put something else in the place of a directory; it is taken away at once."""
    place = Path(stage["data"], "mountpoint")
    place.mkdir(exist_ok=True)
    call("mount", b"none", str(place).encode(), b"tmpfs", 0, None)
    call("umount2", str(place).encode(), 2)
    return "mounted, and unmounted"


@attack("R/-", "R/-", "-", "-", CAPABILITY)
def mount_by_the_new_calls(stage: Stage) -> str:
    """The calls of Linux 5.2 for the same."""
    os.close(call("fsopen", b"tmpfs", 0))
    return "a file system to be mounted"


@attack("R", "R", "-", "-", "the filter does not know the call", optional=True)
def copy_the_tree_of_mounts(stage: Stage) -> str:
    """A handle on a part of the tree, without leave."""
    os.close(call("open_tree", -100, b"/", 0x80000))
    return "a handle on /"


@attack("R/-", "R/-", "-", "-", CAPABILITY)
def unshare_as_root(stage: Stage) -> str:
    """A name space without being root in a new one."""
    call("unshare", NEW_UTS)
    return "a name space"


@attack("R/-", "R/-", "-", "-", CAPABILITY)
def change_root(stage: Stage) -> str:
    """The first step out of a home-made jail. Done to a child."""
    return child_result(lambda: str(call("chroot", b"/tmp")))


@attack("R/-", "R/-", "-", "-", CAPABILITY)
def make_device(stage: Stage) -> str:
    """A disk of its own making. Here it is /dev/zero."""
    path = Path(stage["data"], "innocent.dev")
    path.unlink(missing_ok=True)
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
    try:
        return f"read {len(path.open('rb', buffering=0).read(4))} bytes of it"
    finally:
        path.unlink()


@attack("R/-", "R/-", "-", "-", "Landlock, and mounts that can only be read")
def set_kernel_setting(stage: Stage) -> str:
    """What the kernel does for all. It is set to what it is."""
    path = Path("/proc/sys/vm/overcommit_ratio")
    path.write_text(path.read_text())
    return "set"


@attack("R/-", "R/-", "-", "-", CAPABILITY)
def rename_the_machine(stage: Stage) -> str:
    """To what it is called already."""
    name = socket.gethostname().encode()
    call("sethostname", name, len(name))
    return "renamed"


@attack("R/-", "R/-", "-", "-", CAPABILITY)
def read_kernel_log(stage: Stage) -> str:
    """Addresses, devices, what crashed."""
    buffer = ctypes.create_string_buffer(256)
    return f"{call('syslog', 3, buffer, 256)} bytes"


@attack("R/-", "R/-", "-", "-", CAPABILITY, optional=True)
def load_module(stage: Stage) -> str:
    """Code in the kernel. What is handed over is no module, and the kernel says so to those only who may load one."""
    arguments = ctypes.create_string_buffer(b"no module", 16), 9, b""
    try:
        return _refused_by_content("init_module", arguments, errno.ENOEXEC)
    except OSError as error:
        if error.errno == errno.ENOSYS and stage["profile"] == "plain":
            raise Absent("this kernel takes no modules") from None
        raise


@attack("R/-", "R/-", "-", "-", CAPABILITY)
def reboot_the_machine(stage: Stage) -> str:
    """With a wrong magic number, which the kernel says to those only who may."""
    return _refused_by_content("reboot", (1, 2, 0), errno.EINVAL)


@attack("R/-", "R/-", "-", "-", CAPABILITY, optional=True)
def swap_to_file(stage: Stage) -> str:
    return _refused_by_content("swapon", (b"/nonexistent", 0), errno.ENOENT)


def _refused_by_content(name: str, arguments: tuple[object, ...], sign: int) -> str:
    """Whether the kernel got as far as to look at what is wrong with the arguments."""
    try:
        call(name, *arguments)
    except OSError as error:
        if error.errno == sign:
            return f"leave was given, and only then was it said: {error.strerror}"
        raise
    return "done"


@attack("R", "R/-", "-", "-", "no_new_privs: no program gives more than one has")
def run_setuid_program(stage: Stage) -> str:
    """A program that is root, whoever starts it."""
    if not stage["setuid_program"]:
        raise Absent("there is no such program for this stage")
    import subprocess

    done = subprocess.run([stage["setuid_program"], "-u"], capture_output=True, text=True, timeout=5)
    if done.stdout.strip() != "0":
        raise Stopped(f"it ran as {done.stdout.strip() or done.stderr.strip()}")
    return "it ran as root"


@attack("R/-", "R/-", "-", "-", "the user of a shard has no way back")
def become_root(stage: Stage) -> str:
    """By every call that changes a user, and by the capability to."""
    for change in (
        lambda: os.setresuid(0, 0, 0),
        lambda: os.setreuid(0, 0),
        lambda: os.setuid(0),
        lambda: os.setgroups([0]),
    ):
        try:
            change()
        except OSError:
            continue
        if os.geteuid() == 0:
            return "it is root"
    raise Stopped(f"it stays {os.geteuid()}")
