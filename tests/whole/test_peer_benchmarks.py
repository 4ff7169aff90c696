"""Are the peers compared, the absent ones named, and is nothing left behind? Short runs: the figures are nobody's business."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the comparison reads Linux's /proc"),
]

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "peers" / "compare_peers.py"


def command(tmp_path: Path, peers: str, *options: str) -> list[str]:
    """One that finds no environment of any peer."""
    line = [sys.executable, str(PROGRAM), "--peers", peers, "--cache", str(tmp_path / "none")]
    return [*line, "--json", str(tmp_path / "result.json"), *options]


def compare(
    tmp_path: Path, peers: str, **environment: str
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """How a very short comparison ended, and its result."""
    done = subprocess.run(
        command(tmp_path, peers, "--repetitions", "2", "--seconds", "0.05"),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | environment,
    )
    result: dict[str, Any] = json.loads((tmp_path / "result.json").read_text())
    return done, result


def test_what_needs_no_installation_is_measured(tmp_path: Path) -> None:
    """rookery and the two peers of the standard library have all their figures, in each repetition."""
    done, result = compare(tmp_path, "rookery,rookery-plain,pipe,executor")

    assert done.returncode == 0, done.stderr
    assert all(
        line in done.stdout for line in ("\nraw ", "\nrookery ", "\nrookery-plain ", "\npipe ", "\nexecutor ")
    )
    rows = result["figures"]
    for peer in ("rookery", "rookery-plain", "pipe", "executor"):
        for figure in (
            "round trip p50, R0",
            "round trip p99, us",
            "time a call of 64, us",
            "CPU a call of 64, us",
        ):
            assert rows[f"{peer}: {figure}"]["measured"] == 2
            assert rows[f"{peer}: {figure}"]["min"] > 0
        assert set(result["peers"][peer]) == {"how", "spared", "version", "runtime", "lower_quartiles"}


def test_an_absent_peer_is_skipped_with_its_reason(tmp_path: Path) -> None:
    """Neither an environment nor a program that is missing stops the others, or goes unsaid."""
    done, result = compare(tmp_path, "pipe,grpc,node", PATH=str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert (
        f"grpc           skipped: not installed in {tmp_path / 'none'}: run once with --install"
        in done.stdout
    )
    assert "node           skipped: there is no `node` on this machine" in done.stdout
    assert result["peers"]["grpc"]["skipped"].startswith("not installed")
    assert result["figures"]["pipe: round trip p50, us"]["measured"] == 2


def test_a_peer_that_breaks_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    """What it said last is in the table, no figure of it is, and the exit code is not 0."""
    broken = tmp_path / "node"
    broken.write_text("#!/bin/sh\necho 'no such flag' >&2\nexit 3\n")
    broken.chmod(0o755)

    done, result = compare(tmp_path, "pipe,node", PATH=str(tmp_path))

    assert done.returncode == 1
    assert "node           FAILED: it ended, exit 3: no such flag" in done.stdout
    assert result["peers"]["node"]["failed"] == "it ended, exit 3: no such flag"
    assert result["figures"]["pipe: round trip p50, us"]["measured"] == 2
    assert not any(name.startswith("node") for name in result["figures"])


def test_a_name_that_is_nobodys_is_refused(tmp_path: Path) -> None:
    """Before anything is started, with the names that there are."""
    done = subprocess.run(
        command(tmp_path, "pipe,gprc"), check=False, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 1
    assert "unknown peer gprc; known are raw, rookery," in done.stderr


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 128 + signal.SIGINT), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_an_interrupted_comparison_leaves_no_process(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """In the middle of a long case: drivers, workers and runners are gone when it is (the check after each test looks)."""
    line = command(tmp_path, "rookery,pipe", "--seconds", "60")
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while (said := process.stderr.readline()) != "repetition 1 of 7\n":
            assert said, "it ended before it had begun"

        process.send_signal(number)
        said, _ = process.communicate(timeout=60)

    assert process.returncode == code
    assert said == ""
    assert not (tmp_path / "result.json").exists()
