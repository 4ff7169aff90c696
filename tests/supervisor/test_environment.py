"""A file of requirements that cannot be used keeps one shard from starting, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.supervisor.environment import Built, NotBuilt


def test_requirements_that_are_no_text_are_not_ready(tmp_path: Path) -> None:
    """Their shard waits for the installer, which says what is wrong with them."""
    requirements = tmp_path / "requirements.txt"
    requirements.write_bytes(b"\xff\xfe")
    built = Built(requirements, tmp_path / "environments")

    assert not built.is_ready
    with pytest.raises(OSError, match=r"requirements\.txt"):
        built.command()


async def test_requirements_that_are_not_there_are_told(tmp_path: Path) -> None:
    """With the name of the file."""
    built = Built(tmp_path / "requirements.txt", tmp_path / "environments")

    assert not built.is_ready
    with pytest.raises(NotBuilt, match=r"requirements\.txt"):
        await built.build()
