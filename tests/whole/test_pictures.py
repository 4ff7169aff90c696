"""A plugin in a runner gets a picture, and after the host nothing of the browser is left.

The browser is a program that speaks as one does.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.doubles.browsers import write_browser
from tests.whole.host import Deployment

pytestmark = pytest.mark.slow

DRAWS = """
@tool(description="")
async def draw(self, html: str) -> object:
    try:
        return len(await self.ctx.render.html_to_png(html))
    except CapabilityFailed as failed:
        return [failed.kind, str(failed)]
"""


async def test_a_plugin_gets_a_picture(tmp_path: Path, state_dir: Path) -> None:
    """As bytes; the browser has ended with the host."""
    deployment = Deployment(tmp_path, state_dir)
    deployment.plugin("one", "draws", DRAWS, capabilities=["render.html2png"])
    deployment.more = f'[render]\nexecutable = "{write_browser(tmp_path)}"\n'
    async with deployment.run() as supervisor:
        size = await supervisor.invoke("test.draws", "draw", {"html": "<p>hi"})

    (start,) = (tmp_path / "starts").read_text().splitlines()
    assert size > 50
    assert not Path(f"/proc/{json.loads(start)[0]}").exists()


async def test_a_host_without_browser_says_how_to_have_one(tmp_path: Path, state_dir: Path) -> None:
    """It has started nothing, and pays nothing for what nobody uses."""
    deployment = Deployment(tmp_path, state_dir)
    deployment.plugin("one", "draws", DRAWS, capabilities=["render.html2png"])
    deployment.more = '[render]\nexecutable = "/no/such/browser"\n'
    async with deployment.run() as supervisor:
        answer = await supervisor.invoke("test.draws", "draw", {"html": "<p>hi"})

    assert answer[0] == "not configured"
    assert "render.executable is '/no/such/browser'" in answer[1]
