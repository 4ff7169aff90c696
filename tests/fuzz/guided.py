"""The same targets under Atheris, which chooses inputs by the code that they reach; only where it is installed."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.fuzz.mutations import MAX_INPUT_BYTES
from tests.fuzz.search import Finding, try_input
from tests.fuzz.targets import TARGETS, Target


def is_available() -> bool:
    """True where Atheris can be imported."""
    return importlib.util.find_spec("atheris") is not None


def run(target: Target, seconds: float, seed: int) -> int:
    """Fuzz one target in a process of its own, which libFuzzer ends; return 1 when something was found, else 0."""
    with tempfile.TemporaryDirectory() as directory:
        for number, data in enumerate(target.seeds()):
            (Path(directory) / f"seed{number}").write_bytes(data)
        command = [
            sys.executable, "-m", "tests.fuzz.guided", target.name, directory,
            f"-max_total_time={max(1, int(seconds))}", f"-seed={seed}", f"-max_len={MAX_INPUT_BYTES}",
            "-print_final_stats=1", f"-artifact_prefix={directory}/",
        ]  # fmt: skip
        status = subprocess.run(command, check=False).returncode
    return 1 if status else 0


def _fuzz(name: str, arguments: list[str]) -> None:
    import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]  # not a dependency: whoever wants it installs it

    target = TARGETS[name]
    seeds = target.seeds()

    def try_one(data: bytes) -> None:
        finding: Finding | None = try_input(target, bytes(data))
        if finding is not None:
            sys.stdout.write(finding.told() + "\n")
            sys.stdout.flush()
            raise finding.error

    def mutate(data: bytes, max_size: int, number: int) -> Any:
        luck = random.Random(number)
        if luck.random() < 0.5:
            return atheris.Mutate(data, max_size)
        return target.mutate(luck, [bytes(data)] * 3 + [luck.choice(seeds)])[:max_size]

    atheris.instrument_all()
    atheris.Setup([sys.argv[0], *arguments], try_one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    _fuzz(sys.argv[1], sys.argv[2:])
