"""Does a deployment that goes without a shortcut do what one does that has them all?

The same handlers get the same events and hooks with all shortcuts, without each of them, and without any. What comes out,
what was counted, what each handler saw and in which order each plugin worked have to be equal.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from rookery.protocol import Shortcut
from rookery.supervisor import ConfigError, load_settings
from tests.whole.host import Deployment
from tests.whole.segment_conducts import direct
from tests.whole.segment_plays import PLUGINS, play_event, play_hook, play_with

pytestmark = pytest.mark.slow

PLAYS = 8
"""Of each kind; in one of them some handlers take longer than they may."""

_whole: list[dict[str, Any]] = []
"""What came of all plays with all shortcuts."""


async def _play(directory: Path, state: Path, without: tuple[str, ...]) -> list[dict[str, Any]]:
    deployment = Deployment(directory, state)
    for shard in set(PLUGINS.values()):
        deployment.tables[shard] = f"without = {[str(each) for each in without]}"
    found = []
    async with play_with(deployment) as playing:
        chance = random.Random("shortcuts")
        for number in range(PLAYS):
            for kind, play in (("event", play_event), ("hook", play_hook)):
                own = [actor for actor in playing.actors if actor.kind == kind]
                conducts = direct(chance, own, chance.choice([0.15, 0.4, 0.8]))
                if number:
                    conducts = {name: conduct for name, conduct in conducts.items() if conduct != "overrun"}
                found.append(await play(playing.supervisor, conducts, f"chat {number % 3}"))
        links = [shard.link for shard in playing.supervisor.shards.values()]
        assert all(
            link is not None and link.session.is_compact is ("compact" not in without) for link in links
        )
    return found


@pytest.mark.parametrize("without", [*Shortcut, None], ids=lambda each: str(each) if each else "any")
async def test_nothing_but_the_clock_tells_a_shortcut(
    tmp_path: Path, state_dir: Path, without: Shortcut | None
) -> None:
    """Results, fates, counters and effects of every play are those of a deployment with all of them."""
    if not _whole:
        (tmp_path / "whole").mkdir()
        _whole.extend(await _play(tmp_path / "whole", state_dir / "whole", ()))
    (tmp_path / "part").mkdir()

    found = await _play(tmp_path / "part", state_dir / "part", (without,) if without else tuple(Shortcut))

    for number, (part, whole) in enumerate(zip(found, _whole, strict=True)):
        differing = {key: (part[key], whole[key]) for key in whole if part[key] != whole[key]}
        assert not differing, number


WHERE = """
    @tool(description="The task that its first step is made in.")
    async def task(self) -> str:
        return trio.lowlevel.current_task().name

    @tool(description="Which of the runner's files its thread is in.")
    def files(self) -> list[str]:
        import sys

        frame, found = sys._getframe(1), []
        while frame is not None:
            found.append(frame.f_code.co_qualname)
            frame = frame.f_back
        return found
"""


@pytest.mark.parametrize("is_without", [False, True])
async def test_a_shortcut_is_gone_without(tmp_path: Path, state_dir: Path, is_without: bool) -> None:
    """On both sides: else the comparison above would hold for a list that nobody reads."""
    deployment = Deployment(tmp_path, state_dir)
    deployment.plugin("one", "tells", WHERE)
    if is_without:
        deployment.tables["one"] = f"without = {[str(each) for each in Shortcut]}"

    async with deployment.run() as supervisor:
        link, gate = supervisor.shard("one").link, supervisor.parts.dispatcher.gate_of("one")
        assert link is not None
        has = {
            Shortcut.SEGMENTS: gate.takes_segments,
            Shortcut.GROUPS: gate.keeps_groups,
            Shortcut.COMPACT: link.session.is_compact,
            Shortcut.ORDERED: gate.orders,
            Shortcut.STARTED: "started" in supervisor.shard("one").features,
            Shortcut.BEATS: "beats" in supervisor.shard("one").features,
            Shortcut.BATCHES: link.is_batching,
            Shortcut.FRAMES: link.session.is_quick,
            Shortcut.HERE: await supervisor.invoke("test.tells", "task") == "reader",
            Shortcut.THREADS: "_Worker._work" in await supervisor.invoke("test.tells", "files"),
        }

    assert has == dict.fromkeys(Shortcut, not is_without)


async def test_a_shortcut_that_nobody_knows_is_told(tmp_path: Path, state_dir: Path) -> None:
    """With the line, and with those that there are."""
    deployment = Deployment(tmp_path, state_dir)
    deployment.plugin("one", "tells", WHERE)
    deployment.tables["one"] = 'without = ["segmnets"]'

    with pytest.raises(ConfigError) as caught:
        load_settings(deployment.write())

    assert "without" in str(caught.value)
    assert "'segmnets'" in str(caught.value)
    assert "segments" in str(caught.value)
