"""What happens to a host whose plugin attacks? It lets each attack be made, and looks afterwards whether all is as before.

Started with the file that describes the stage, as the user that runs the bot. Tells what came of each attack in a line of JSON.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, TextIO

import trio

from rookery.protocol import build_message
from rookery.supervisor import DispatchFailed, Fate, Supervisor, load_settings, open_supervisor
from rookery.supervisor.shard_state import ShardState
from rookery.supervisor.state_directory import APPROVALS_FILE

from .attacks import all_rows
from .attacks.row import Row
from .canaries import Canaries
from .services import Services

ANSWER = 5.0
"""Seconds for a bystander to say that it lives, on a machine that others use."""

SLOW = 0.75
"""Seconds from which on a bystander's answer is noted as slow."""

REPLACED = 20.0

Result = dict[str, Any]


class Performance:
    """A host on its stage, and the books of what happens."""

    def __init__(
        self,
        stage: dict[str, Any],
        supervisor: Supervisor,
        canaries: Canaries,
        services: Services,
        out: TextIO,
    ) -> None:
        self._stage, self._supervisor, self._out = stage, supervisor, out
        self._canaries, self._services = canaries, services
        self._bystanders: dict[str, int] = {}

    async def begin(self) -> None:
        """Everybody is there, and everything is as it should be."""
        for name in ("sibling", "neighbour"):
            self._bystanders[name] = self._stage[name] = await self._supervisor.invoke(f"test.{name}", "ping")
        pids = {name: self._supervisor.shards[name].pid for name in ("sibling", "neighbour")}
        self._stage.update({f"{name}_pid": pid for name, pid in pids.items()})
        self._bystanders = {name: pid for name, pid in pids.items() if pid is not None}
        self._stage.update(
            self._bystanders
        )  # in a process name space of its own a runner is wrong about its number
        await self._wait_approved()
        self._canaries.remember()
        self._services.take_heard()

    async def _wait_approved(self) -> None:
        """Until what the plugins offer is written down: from then on that file is nobody's to change."""
        path = Path(self._stage["state"], APPROVALS_FILE)
        if not path.exists():
            return  # all of them are trusted
        with trio.fail_after(REPLACED):
            while not all(type(row) is dict for row in json.loads(path.read_bytes()).values()):
                await trio.sleep(0.01)  # a thread on the real clock

    async def perform(self, row: Row) -> None:
        """One attack, and its aftermath."""
        started = time.monotonic()
        letter, evidence = "", ""
        for act in range(row.acts):
            if act:
                await self._replace()
            letter, evidence = await self._attack(row, act)
        seen = await self._look()
        if row.restart and self._stage["profile"] != "plain":
            begun = time.monotonic()
            if letter != "died":
                self._supervisor.restart_shard("attacker")
            took = await self._wait_replaced(begun)
            if took > row.restart:
                seen.append(f"its runner was replaced after {took:.1f} s, not within {row.restart:g}")
            seen += await self._look()
        elif row.fresh or letter in ("died", "silent"):
            await self._replace()
        self._tell(
            name=row.name, letter=letter, evidence=evidence, seen=seen, took=time.monotonic() - started
        )

    def _tell(self, **result: Any) -> None:
        self._out.write(json.dumps(result) + "\n")
        self._out.flush()

    async def _attack(self, row: Row, act: int) -> tuple[str, str]:
        stage = {**self._stage, "act": act}
        if stage["profile"] == "plain":
            return await trio.to_thread.run_sync(functools.partial(_attack_plainly, row, stage))
        self._incarnation = self._supervisor.shards["attacker"].incarnation
        try:
            letter, evidence = await self._supervisor.invoke(
                "test.attacker", "attack", {"name": row.name, "stage": stage}, timeout=row.seconds
            )
        except DispatchFailed as failed:
            if failed.fate in (Fate.RUNNER_LOST, Fate.HUNG):
                return "died", str(failed)
            return ("silent" if failed.fate is Fate.TIMEOUT else "bug"), str(failed)
        return letter, evidence

    async def _replace(self) -> None:
        if self._stage["profile"] == "plain":
            return
        begun = time.monotonic()
        shard = self._supervisor.shards["attacker"]
        if shard.state.value is ShardState.READY and shard.incarnation == self._incarnation:
            self._supervisor.restart_shard("attacker")
        await self._wait_replaced(begun)

    async def _wait_replaced(self, begun: float) -> float:
        """Until the next runner is there; how long it took since."""
        shard = self._supervisor.shards["attacker"]
        with trio.fail_after(REPLACED):
            while shard.incarnation == self._incarnation or shard.state.value is not ShardState.READY:
                await trio.sleep(0.01)  # a real process on the real clock
        return time.monotonic() - begun

    async def _look(self) -> list[str]:
        """Whatever is not as before the attack."""
        seen = []
        for name, pid in self._bystanders.items():
            shard = self._supervisor.shards[name]
            asked = time.monotonic()
            try:
                await self._supervisor.invoke(f"test.{name}", "ping", timeout=ANSWER)
            except DispatchFailed as failed:
                seen.append(f"{name} does not answer: {failed}")
            if shard.pid != pid:
                seen.append(f"{name} has lost its runner")
                self._bystanders[name] = self._stage[name] = shard.pid or 0
            if (took := time.monotonic() - asked) > SLOW:
                seen.append(f"{name} has answered after {took:.2f} s")
        return seen + self._canaries.find_changes() + self._services.take_heard()


def _attack_plainly(row: Row, stage: dict[str, Any]) -> tuple[str, str]:
    """By a child that inherits what the host has, as a host without isolation starts its runners."""
    told = json.dumps({**stage, "data": stage["data"], "name": row.name})
    command = [sys.executable, "-m", "hostile.plain"]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        out, err = child.communicate(told, timeout=row.seconds + 5)
    except subprocess.TimeoutExpired:
        return "silent", "it told nothing"
    finally:
        child.kill()
        child.communicate()
    if child.returncode < 0:
        return "died", f"signal {-child.returncode}"
    if not out.strip():
        return "bug", err[-2000:]
    letter, evidence = json.loads(out.strip().splitlines()[-1])
    return letter, evidence


async def perform_all(path: Path, names: list[str]) -> None:
    """The whole of it."""
    stage: dict[str, Any] = json.loads(path.read_text())
    root = Path(stage["root"])
    if stage["nproc"]:
        resource.setrlimit(resource.RLIMIT_NPROC, (stage["nproc"], stage["nproc"]))
    data = root / "state" / "plugins" / "test.attacker"
    canaries = Canaries(root, stage["nonce"], Path(stage["site"]), data)
    os.chdir(root / "bot")
    stage.update(canaries.plant())
    write_config(root, stage, canaries.secret)
    rows, results = all_rows(), (root / "results.jsonl").open("a")
    try:
        with results, Services(root, stage["nonce"], canaries.secret["service"]) as services:
            stage.update(services.addresses)
            settings = load_settings(root / "bot" / "rookery.toml")
            async with open_supervisor(settings, owns_process=True) as supervisor:
                await supervisor.wait_ready()
                _store_secret(supervisor, canaries.secret["store"])
                stage["data"] = str(data)
                data.mkdir(parents=True, exist_ok=True)
                performance = Performance(stage, supervisor, canaries, services, results)
                await performance.begin()
                for name in names:
                    await performance.perform(rows[name])
            results.write(json.dumps({"name": "", "letter": "end"}) + "\n")
    finally:
        canaries.take_away()


def _store_secret(supervisor: Supervisor, secret: str) -> None:
    message = build_message(
        message_id="m1", platform="test", user_id="u", user_name="u", group_id="c", text=secret, timestamp=0.0
    )
    supervisor.parts.store.save_message_nowait(message, "session", direction="in")


def write_config(root: Path, stage: dict[str, Any], secret: dict[str, str]) -> None:
    """The deployment that is attacked."""
    profile = stage["profile"]
    confined = PROFILE_LINES[profile]
    calm = (
        "[shard.restart]\nburst_limit = 1000\nsustained_limit = 1000\nbackoff_base = 0.05\nbackoff_max = 0.1\n"
        "[shard.quarantine]\ncrash_limit = 1000\nlong_crash_limit = 1000\n"
        "[shard.timeouts]\ndrain = 0.5\nterm_grace = 0.5\n"
        "[shard.health]\nbeat_timeout = 2\nack_timeout = 2\nhang_timeout = 4\nstopped_timeout = 1\n"
    )
    limits = '[shard.limits]\nrss_soft = 0\nrss_hard = "320 MiB"\nnofile = 512\npids = 64\n'
    shards = "".join(
        f'[[shard]]\nname = "{name}"\nplugins = ["test.{name}"]\n{lines}{calm}{limits}'
        for name, lines in (
            ("attacker", confined),
            ("neighbour", confined),
            ("sibling", PROFILE_LINES["process"]),
        )
    )
    text = f"""\
# {secret["config"]}
[rookery]
name = "hostile"
plugin_dirs = ["plugins"]
state_dir = "{stage["root"]}/state"
{stage["uids"]}
{shards}
[plugins."test.sibling".config]
keeps = "{secret["data"]}"
argument = "{secret["argument"]}"
[plugins."test.neighbour".config]
keeps = "{secret["equal"]}"
"""
    (root / "bot" / "rookery.toml").write_text(text)


PROFILE_LINES: dict[str, str] = {
    "plain": "",
    "process": "",
    "confined": 'trust = "untrusted"\nisolation = "confined"\n',
    "sandbox": 'trust = "untrusted"\nisolation = "sandbox"\n',
}
"""What makes a shard one of the profile."""

if __name__ == "__main__":
    trio.run(perform_all, Path(sys.argv[1]), sys.argv[2:])
