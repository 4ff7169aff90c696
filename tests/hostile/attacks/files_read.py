"""Can a plugin read what is not its own: secrets, the database, other plugins' data, the operator's home?"""

from __future__ import annotations

import ctypes
import os
import sqlite3
import struct
from pathlib import Path

from .kernel_calls import LIBC, call
from .row import Absent, Stage, Stopped, attack

LANDLOCK = "Landlock names what may be read; in the sandbox the rest is not there"


def _find(path: str | Path, secret: str) -> str:
    """What was read, when the secret is in it."""
    content = Path(path).read_bytes()
    if secret.encode() not in content:
        raise Stopped(f"{len(content)} bytes, and no secret in them")
    return f"{path}: {secret}"


def _search(paths: list[str], secret: str) -> str:
    """The first of some paths that has the secret; else what the last of them met."""
    met = "nothing to look at"
    for path in paths:
        try:
            return _find(path, secret)
        except (OSError, Stopped) as error:
            met = f"{path}: {error}"
    raise Stopped(met)


@attack("R", "R", "-", "-", LANDLOCK)
def read_secrets_file(stage: Stage) -> str:
    """The file beside the configuration that has the bot's keys."""
    return _find(stage["secrets"], stage["secret"]["file"])


@attack("R", "R", "-", "-", LANDLOCK)
def read_configuration(stage: Stage) -> str:
    """The deployment's own rookery.toml."""
    return _find(stage["config"], stage["secret"]["config"])


@attack("R", "R", "-", "-", LANDLOCK)
def read_database(stage: Stage) -> str:
    """The bytes of the store, and of its write-ahead log."""
    return _search([stage["store"], f"{stage['store']}-wal"], stage["secret"]["store"])


@attack("R", "R", "-", "-", LANDLOCK)
def query_database(stage: Stage) -> str:
    """The store as sqlite opens it, for reading only."""
    try:
        store = sqlite3.connect(f"file:{stage['store']}?mode=ro", uri=True, timeout=1.0)
        try:
            tables = [row[0] for row in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        finally:
            store.close()
    except sqlite3.Error as error:
        raise Stopped(str(error)) from None
    return f"{len(tables)} tables"


@attack("R", "R", "-", "-", LANDLOCK)
def read_data_of_another_shard(stage: Stage) -> str:
    """What a trusted plugin keeps in its directory."""
    return _find(stage["sibling_data"], stage["secret"]["data"])


@attack("R", "R", "-", "-", LANDLOCK)
def read_data_of_an_equal(stage: Stage) -> str:
    """The same of a plugin in a shard of the same profile."""
    return _find(stage["neighbour_data"], stage["secret"]["equal"])


@attack("R", "R", "-", "-", LANDLOCK)
def read_configuration_of_another_plugin(stage: Stage) -> str:
    """The config.toml of the plugin next door, with a password."""
    return _find(Path(stage["sibling_code"]).parent / "config.toml", stage["secret"]["password"])


@attack("R", "R", "-", "-", LANDLOCK)
def read_ssh_key(stage: Stage) -> str:
    """The private key of whoever runs the bot."""
    return _find(stage["ssh_key"], stage["secret"]["ssh"])


@attack("R", "R", "-", "-", LANDLOCK)
def list_home(stage: Stage) -> str:
    """Which files the operator has."""
    names = os.listdir(stage["home"])
    if "notes.txt" not in names:
        raise Stopped(f"another home: {names}")
    return ", ".join(names)


@attack("R", "R", "-", "-", LANDLOCK)
def read_what_everybody_may(stage: Stage) -> str:
    """A file of the operator's that its mode lets everybody on the machine read."""
    return _find(stage["notes"], stage["secret"]["notes"])


@attack("R", "R", "-", "-", LANDLOCK)
def read_audit_record(stage: Stage) -> str:
    """The host's audit record: who said what to whom."""
    return _find(stage["audit"], stage["secret"]["audit"])


@attack("R", "R", "-", "-", "/proc/self/root leads to the same place as /")
def read_through_own_root(stage: Stage) -> str:
    return _search(
        [f"/proc/self/root{stage['secrets']}", f"/proc/thread-self/root{stage['secrets']}"],
        stage["secret"]["file"],
    )


@attack("R", "R", "-", "-", "following a link of another process needs the right to trace it")
def read_through_root_of_others(stage: Stage) -> str:
    """The file as the host, the parent, and the machine's first process see it."""
    pids = [stage["host"], stage["sibling"], os.getppid(), 1]
    return _search([f"/proc/{pid}/root{stage['secrets']}" for pid in pids], stage["secret"]["file"])


@attack("R/-", "R/-", "-", "-", "as above")
def read_through_directory_of_the_host(stage: Stage) -> str:
    """The host's working directory is that of the deployment."""
    return _search([f"/proc/{stage['host']}/cwd/secrets.toml"], stage["secret"]["file"])


@attack("R/-", "R/-", "-", "-", "as above")
def read_descriptors_of_the_host(stage: Stage) -> str:
    """Everything that the host has open, opened again."""
    directory = f"/proc/{stage['host']}/fd"
    paths = [f"{directory}/{name}" for name in os.listdir(directory)]
    files = [path for path in paths if os.path.isfile(path)]
    return _search(files, stage["secret"]["file"])


@attack(
    "-",
    "-",
    "-",
    "-",
    "a child gets the descriptors that it is given, whatever the host has marked as inheritable",
)
def use_inherited_descriptors(stage: Stage) -> str:
    """A file and a directory that the host left inheritable."""
    for number in range(3, 512):
        try:
            if stage["secret"]["file"].encode() in os.pread(number, 4096, 0):
                return f"descriptor {number} is the file"
        except OSError:
            pass
        try:
            inner = os.open("secrets.toml", os.O_RDONLY, dir_fd=number)
        except (OSError, NotImplementedError):
            continue
        found = os.read(inner, 4096)
        os.close(inner)
        if stage["secret"]["file"].encode() in found:
            return f"descriptor {number} is the directory"
    raise Stopped("no descriptor leads there")


@attack(
    "R",
    "R",
    "-",
    "-",
    "walking up from a directory of its own leads out of nothing: rules are by file, not by path",
)
def read_by_walking_up(stage: Stage) -> str:
    """`..` from the plugin's own directory, step by step by descriptor."""
    here = os.open(stage["data"], os.O_RDONLY | os.O_DIRECTORY)
    try:
        for _ in range(12):
            up = os.open("..", os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
            os.close(here)
            here = up
            try:
                found = os.open("bot/secrets.toml", os.O_RDONLY, dir_fd=here)
            except FileNotFoundError:
                continue
            content = os.read(found, 4096)
            os.close(found)
            if stage["secret"]["file"].encode() in content:
                return "found on the way up"
    finally:
        os.close(here)
    raise Stopped("the way up ends before")


@attack("R", "R", "-", "-", "a link is followed with the rights of whoever follows it")
def read_through_symlink(stage: Stage) -> str:
    """A link in its own directory to the secret."""
    link = Path(stage["data"], "innocent.txt")
    link.unlink(missing_ok=True)
    link.symlink_to(stage["secrets"])
    try:
        return _find(link, stage["secret"]["file"])
    finally:
        link.unlink()


@attack(
    "R", "R", "-", "-", "a second name in another directory needs a right there, and a file that one owns"
)
def read_through_hardlink(stage: Stage) -> str:
    """A second name for the secret, in its own directory."""
    link = Path(stage["data"], "innocent.bin")
    link.unlink(missing_ok=True)
    os.link(stage["secrets"], link)
    try:
        return _find(link, stage["secret"]["file"])
    finally:
        link.unlink()


@attack("-", "-", "-", "-", "what a shard can write is prepared by the host without following links", acts=2)
def have_the_host_open_a_link(stage: Stage) -> str:
    """Links in its own directories, which a host that gives files to the shard's user by path would give away."""
    data = Path(stage["data"])
    aims = {"link-file": stage["secrets"], "link-home": stage["home"], "link-store": stage["store"]}
    if stage["act"] == 0:
        for name, aim in aims.items():
            (data / name).unlink(missing_ok=True)
            (data / name).symlink_to(aim)
        raise Stopped("planted; the next runner looks")
    owners = {}
    for name, aim in aims.items():
        (data / name).unlink(missing_ok=True)
        try:
            owners[aim] = os.stat(aim).st_uid
        except OSError:
            continue
    ours = [aim for aim, owner in owners.items() if owner != stage["host_uid"]]
    if ours:
        return f"now of another user: {ours}"
    raise Stopped(f"nothing was given away: {len(owners)} looked at")


@attack("R/-", "R/-", "-", "-", "a capability that no shard has", optional=True)
def open_by_handle(stage: Stage) -> str:
    """The number of a file leads to it past every directory: the way out of many a container."""
    handle = bytes.fromhex(stage["handle"])
    if not handle:
        raise Absent("this file system gives no handles")
    buffer = ctypes.create_string_buffer(struct.pack("Ii", len(handle), stage["handle_type"]) + handle)
    place = os.open(stage["data"], os.O_RDONLY | os.O_DIRECTORY)
    try:
        found = call("open_by_handle_at", place, buffer, os.O_RDONLY)
    finally:
        os.close(place)
    content = os.read(found, 4096)
    os.close(found)
    if stage["secret"]["file"].encode() not in content:
        raise Stopped("another file")
    return "opened by its number"


@attack("R", "R", "R", "-", "Landlock lets everybody ask about a file whose directories they may pass")
def measure_secrets_file(stage: Stage) -> str:
    """How long a secret is, and when it was changed."""
    found = os.stat(stage["secrets"])
    return f"{found.st_size} bytes, changed at {found.st_mtime:.0f}"


@attack("R", "R", "-", "-", "inotify is not among the calls of a shard")
def watch_directory(stage: Stage) -> str:
    """Learn the names of files while the operator works with them."""
    descriptor = LIBC.inotify_init1(os.O_NONBLOCK)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    try:
        if LIBC.inotify_add_watch(descriptor, str(stage["diary"]).encode(), 0xFFF) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return "it is told of every name in the directory"
    finally:
        os.close(descriptor)


@attack("R", "R", "-", "-", "shared memory is a file; the sandbox has its own")
def read_shared_memory(stage: Stage) -> str:
    """What the host has put into /dev/shm."""
    return _find(stage["shm"], stage["secret"]["shm"])


@attack(
    "R",
    "R",
    "-",
    "-",
    "no call of System V is among those of a shard; the sandbox has a name space of its own",
    optional=True,
)
def read_system_v_memory(stage: Stage) -> str:
    """A segment that the host has made, by its key."""
    if not stage["sysv_key"]:
        raise Absent("this kernel has no shared memory of System V")
    segment = call("shmget", stage["sysv_key"], 0, 0)
    LIBC.shmat.restype = ctypes.c_void_p
    at = LIBC.shmat(segment, None, 0o10000)
    if at in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    content = ctypes.string_at(at, 64)
    LIBC.shmdt(ctypes.c_void_p(at))
    if stage["secret"]["sysv"].encode() not in content:
        raise Stopped("another segment")
    return "attached, and read"


@attack("R", "R", "-", "-", "as above", optional=True)
def read_message_queue(stage: Stage) -> str:
    """A POSIX queue of the host's, which is in no directory that Landlock sees."""
    if not stage["queue"]:
        raise Absent("this kernel has no message queues")
    found = call("mq_open", stage["queue"].encode(), os.O_RDONLY | os.O_NONBLOCK, 0, None)
    os.close(found)
    return "opened"
