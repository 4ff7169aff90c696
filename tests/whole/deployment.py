"""How a test drives the real command line: a deployment directory, real processes, and a count of what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import trio

EXAMPLE = Path(__file__).parents[2] / "examples" / "chatbot" / "rookery.toml"
PLUGINS = EXAMPLE.parent / "plugins"
COMMAND = (sys.executable, "-m", "rookery.supervisor.cli")


@attrs.frozen
class Finished:
    """What one run of the command line printed."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


def environment(state: Path) -> dict[str, str]:
    """The environment of a user whose state lies in ``state``."""
    return {**os.environ, "XDG_STATE_HOME": str(state), "NO_COLOR": "1"}


async def rookery(*arguments: str | Path, state: Path, stdin: bytes = b"", timeout: float = 90.0) -> Finished:
    """Run the command line to its end."""
    with trio.fail_after(timeout):
        done = await trio.run_process(
            [*COMMAND, *map(str, arguments)],
            stdin=stdin,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env=environment(state),
            start_new_session=True,
        )
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


async def replay(
    config: Path, recording: Path, *, state: Path, timeout: float = 90.0
) -> tuple[dict[str, Any], list[dict[str, Any]], Finished]:
    """Replay a recording; the summary, the replies and what was printed."""
    output, summary = state / "replies.jsonl", state / "summary.json"
    output.unlink(missing_ok=True)
    summary.unlink(missing_ok=True)
    done = await rookery(
        "replay", config, recording, "--rate", "max", "--output", output, "--summary", summary,
        state=state, timeout=timeout,
    )  # fmt: skip
    assert summary.exists(), f"no summary was written: {done}"
    replies = [json.loads(line) for line in output.read_text().splitlines()] if output.exists() else []
    return json.loads(summary.read_text()), replies, done


def write_recording(path: Path, lines: list[tuple[str, str, str]]) -> Path:
    """A recording of ``(chat, user, text)``, a second apart."""
    with path.open("w") as file:
        for second, (chat, user, text) in enumerate(lines):
            time = f"2026-01-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
            record = {"platform": "irc", "chat": chat, "user": user, "time": time, "text": text}
            file.write(json.dumps(record) + "\n")
    return path


def runner_pids() -> list[int]:
    """Every process on this machine that is a runner started below this test's temporary directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            mine = os.environ["TMPDIR"].encode() in (entry / "environ").read_bytes()
        except OSError:
            continue
        if mine and b"rookery.runner" in command:
            found.append(int(entry.name))
    return found


def kill(pid: int) -> None:
    """``kill -9`` that does not mind when the process has just ended by itself."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def start(*arguments: str | Path, state: Path, **streams: Any) -> subprocess.Popen[bytes]:
    """Start the command line and go on; the caller ends it."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)], env=environment(state), start_new_session=True, **streams
    )
