"""How a runner starts is said for a deployment and for a shard, and never against a shard's trust."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.supervisor.config import read_config
from rookery.supervisor.start_mode import DEFAULT_START, StartMode, resolve
from tests.doubles.deployments import write_config

AUTO, ZYGOTE, SPAWN = StartMode


@pytest.mark.parametrize(
    ("shard", "deployment", "trust", "holds"),
    [
        (AUTO, AUTO, "trusted", DEFAULT_START),
        (AUTO, ZYGOTE, "trusted", ZYGOTE),
        (AUTO, SPAWN, "trusted", SPAWN),
        (AUTO, ZYGOTE, "untrusted", SPAWN),
        (AUTO, ZYGOTE, "friends", SPAWN),
        (SPAWN, ZYGOTE, "trusted", SPAWN),
        (ZYGOTE, SPAWN, "trusted", ZYGOTE),
    ],
)
def test_the_shard_says_it_first_then_its_trust_then_the_deployment(
    shard: StartMode, deployment: StartMode, trust: str, holds: StartMode
) -> None:
    """What nobody has said is the default."""
    assert resolve(shard, deployment, trust) is holds


@pytest.mark.parametrize("trust", ["untrusted", "friends"])
def test_a_shard_that_is_not_trusted_cannot_ask_for_a_zygote(tmp_path: Path, trust: str) -> None:
    """The mistake says why, and what to do."""
    text = f"[[shard]]\nname = 'a'\ntrust = '{trust}'\nstart = 'zygote'"

    [mistake] = read_config(write_config(tmp_path, text)).mistakes

    assert mistake.key == "shard.a.start"
    assert f"'zygote' with trust '{trust}'" in mistake.given
    assert "seed of their hashes" in mistake.given
    assert mistake.advice == "set start to 'spawn', or leave it out"


def test_a_word_that_is_none_is_refused(tmp_path: Path) -> None:
    """In both places."""
    text = "[rookery]\nstart = 'fork'\n[[shard]]\nname = 'a'\nstart = 'zygot'"

    mistakes = read_config(write_config(tmp_path, text)).mistakes

    assert [mistake.key for mistake in mistakes] == ["rookery.start", "shard.a.start"]
