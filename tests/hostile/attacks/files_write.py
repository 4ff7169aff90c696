"""Can a plugin write where it must not: other plugins, its own code, the host's files, what runs at the next start?"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from .row import Stage, Stopped, attack

LANDLOCK = "Landlock names what may be written; in the sandbox the rest is not there, or only to be read"


def _append(path: str | Path, text: str) -> str:
    with open(path, "a") as file:
        file.write(f"\n{text}\n")
    return f"{path} was written to"


@attack("R", "R", "-", "-", LANDLOCK, witnessed=True)
def write_code_of_another_plugin(stage: Stage) -> str:
    """What the plugin next door does from its next start on."""
    return _append(stage["sibling_code"], "# owned")


@attack("R", "R", "-", "-", LANDLOCK, witnessed=True)
def write_own_code(stage: Stage) -> str:
    """A plugin that changes its code is another one than was looked at."""
    return _append(stage["own_code"], "# owned")


@attack("R", "R", "-", "-", LANDLOCK, witnessed=True)
def plant_compiled_code(stage: Stage) -> str:
    """A cached module that is believed as long as its time stamp fits."""
    cache = Path(stage["sibling_code"]).parent / "__pycache__"
    cache.mkdir(exist_ok=True)
    planted = cache / f"{stage['nonce']}.pyc"
    planted.write_bytes(b"owned")
    return str(planted)


@attack("R", "R", "-", "-", LANDLOCK, witnessed=True)
def write_startup_files(stage: Stage) -> str:
    """What the operator's next shell runs."""
    return _append(Path(stage["home"], ".bashrc"), "# owned")


@attack("R", "R", "-", "-", LANDLOCK, witnessed=True)
def plant_ssh_key(stage: Stage) -> str:
    """Who may log in as the operator."""
    return _append(Path(stage["ssh_key"]).parent / "authorized_keys", "ssh-ed25519 AAAA owned")


@attack("R", "R", "-", "-", LANDLOCK, witnessed=True)
def write_configuration(stage: Stage) -> str:
    """Which profile the plugin has from the next start on."""
    return _append(stage["config"], "# owned")


@attack("R", "R", "-", "-", LANDLOCK, witnessed=True)
def plant_start_hook(stage: Stage) -> str:
    """A .pth in the host's environment runs in every interpreter that starts there, the host's next one too."""
    planted = Path(stage["site"], f"{stage['nonce']}.pth")
    planted.write_text("import os\n")
    return str(planted)


@attack("R", "R", "-", "-", LANDLOCK, witnessed=True)
def write_library(stage: Stage) -> str:
    """The code of rookery itself, as the host imports it."""
    return _append(Path(stage["site"], "rookery", "supervisor", "errors.py"), "# owned")


@attack("R", "R", "-", "-", LANDLOCK)
def rename_another_plugin(stage: Stage) -> str:
    """The directory of the plugin next door is away, and an own one takes its place."""
    theirs = Path(stage["sibling_code"]).parent
    aside = theirs.with_name(f"{theirs.name}-aside")
    theirs.rename(aside)
    aside.rename(theirs)
    return "moved, and moved back"


@attack("R", "R", "-", "-", LANDLOCK)
def replace_control_socket(stage: Stage) -> str:
    """The operator's next order goes to whoever is bound there."""
    socket, aside = Path(stage["control"]), Path(f"{stage['control']}.aside")
    socket.rename(aside)
    aside.rename(socket)
    return "moved, and moved back"


@attack("R", "R", "-", "-", LANDLOCK)
def forge_run_file(stage: Stage) -> str:
    """Files by which the next host finds what to kill."""
    directories = [each for each in Path(stage["state"], "runs").iterdir() if each.is_dir()]
    forged = directories[0] / "attacker.999"
    forged.write_text("{}")
    forged.unlink()
    return f"{forged} was made, and taken away"


@attack("R", "R", "-", "-", LANDLOCK)
def forge_audit_record(stage: Stage) -> str:
    """What is remembered of it."""
    with open(stage["audit"], "r+b") as file:
        content = file.read()
        file.seek(0)
        file.truncate()
        file.write(content)
    return "cut off, and written anew"


@attack("R", "R", "-", "-", LANDLOCK)
def lock_database(stage: Stage) -> str:
    """A lock that keeps the host from writing for as long as it likes."""
    try:
        store = sqlite3.connect(f"file:{stage['store']}?mode=rw", uri=True, timeout=1.0)
        try:
            store.execute("BEGIN IMMEDIATE")
            store.rollback()
        finally:
            store.close()
    except sqlite3.Error as error:
        raise Stopped(str(error)) from None
    return "locked, and let go"


@attack(
    "R",
    "R",
    "-",
    "-",
    "changing a mode or an owner is not Landlock's to judge: a filter refuses the calls outside of the sandbox",
    witnessed=True,
)
def change_mode_of_host_file(stage: Stage) -> str:
    """Everybody may read it, or the host itself no more."""
    os.chmod(stage["secrets"], 0o666)
    return "its mode is changed"


@attack("R", "R", "-", "-", "as above", witnessed=True)
def change_times_of_host_file(stage: Stage) -> str:
    """What was changed when, as builds and back-ups look at it."""
    os.utime(stage["notes"], (1, 1))
    return "it is of 1970"


@attack("R", "R", "-", "-", "as above", witnessed=True)
def label_host_file(stage: Stage) -> str:
    """An attribute beside the content."""
    os.setxattr(stage["notes"], "user.owned", b"1")
    return "it carries a label"


@attack("R", "R", "-", "-", "Landlock; the sandbox has a /tmp of its own", witnessed=True)
def leave_file_in_tmp(stage: Stage) -> str:
    """A name that another program of the machine is about to use."""
    planted = Path("/tmp", f"{stage['nonce']}.sh")
    planted.write_text("owned")
    return str(planted)


@attack("R", "R", "-", "-", "Landlock; the sandbox has a /dev/shm of its own", witnessed=True)
def leave_file_in_shared_memory(stage: Stage) -> str:
    planted = Path("/dev/shm", stage["nonce"])
    planted.write_text("owned")
    return str(planted)


@attack("R", "R", "-", "-", LANDLOCK, witnessed=True)
def leave_file_in_var_tmp(stage: Stage) -> str:
    planted = Path("/var/tmp", stage["nonce"])
    planted.write_text("owned")
    return str(planted)


@attack("R", "R", "-", "-", "a set-uid bit is refused, by whatever call it is asked for")
def make_setuid_file(stage: Stage) -> str:
    """A program that runs as this user, whoever starts it."""
    path = Path(stage["data"], "innocent.sh")
    path.write_text("#!/bin/sh\n")
    try:
        path.chmod(0o4755)
        return _setuid(path)
    finally:
        path.unlink()


def _setuid(path: Path) -> str:
    mode = path.stat().st_mode
    if not mode & 0o6000:
        raise Stopped(f"its mode is {mode:o}")
    return f"its mode is {mode:o}"


@attack("R", "R", "-", "-", "as above")
def create_setuid_file(stage: Stage) -> str:
    """The bit is there from the beginning: by open, by creat and by mknod."""
    met: list[str] = []
    for name, make in {
        "open": lambda path: os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o4755)),
        "mknod": lambda path: os.mknod(path, 0o104755),
    }.items():
        path = Path(stage["data"], f"innocent-{name}")
        path.unlink(missing_ok=True)
        try:
            make(str(path))
            return f"{name}: {_setuid(path)}"
        except (OSError, Stopped) as error:
            met.append(f"{name}: {error}")
        finally:
            path.unlink(missing_ok=True)
    raise Stopped("; ".join(met))
