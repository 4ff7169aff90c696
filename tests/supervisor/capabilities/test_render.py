"""What does a plugin get that wants a picture of a page, in the words of protocol 1.0.0?"""

from __future__ import annotations

import base64
from typing import Any

import attrs
import pytest
import trio

from rookery.supervisor.capabilities import CapabilityTable, register_render
from rookery.supervisor.grants import Grants
from rookery.supervisor.render.failure import RenderFailed, RenderKind
from rookery.supervisor.render.settings import RenderSettings
from rookery.supervisor.render.wish import MAX_HTML_CHARS, Picture, WaitUntil, Wish
from tests.doubles.capability_calls import Caller


@attrs.define
class FakeRenderer:
    """Writes down what it is asked for."""

    settings: RenderSettings = attrs.Factory(RenderSettings)
    failure: RenderFailed | None = None
    asked: list[tuple[Wish, float]] = attrs.Factory(list)

    async def render(self, wish: Wish, *, timeout: float) -> Picture:
        self.asked.append((wish, timeout))
        if self.failure is not None:
            raise self.failure
        return Picture(data=b"png", width=20, height=10, seconds=0.1234)


@pytest.fixture
def renderer() -> FakeRenderer:
    return FakeRenderer()


@pytest.fixture
async def caller(renderer: FakeRenderer, nursery: trio.Nursery) -> Caller:
    grants = Grants()
    grants.grant("a.b", ["render.*"], None)
    table = CapabilityTable(grants)
    register_render(table, renderer)  # type: ignore[arg-type]
    await nursery.start(table.run)
    return Caller(table)


async def test_a_picture_has_the_keys_of_the_protocol(caller: Caller, renderer: FakeRenderer) -> None:
    """And a page without further words has the protocol's defaults."""
    answer = await caller.ask("render.html2png", {"html": "<p>hi"})

    assert answer == {
        "success": True,
        "result": {
            "image_base64": base64.b64encode(b"png").decode(),
            "mime_type": "image/png",
            "width": 20,
            "height": 10,
            "render_ms": 123,
        },
    }
    ((wish, timeout),) = renderer.asked
    assert wish == Wish(html="<p>hi", selector="body", width=900, height=500, scale=2.0)
    assert 0 < timeout <= 29.75


async def test_everything_that_may_be_said_arrives(caller: Caller, renderer: FakeRenderer) -> None:
    """In the protocol's words and units."""
    args = {
        "html": "x",
        "selector": "#card",
        "viewport": {"width": 300, "height": 200.0},
        "device_scale_factor": 1,
        "full_page": True,
        "omit_background": True,
        "wait_until": "NetworkIdle",
        "wait_for_selector": ".done",
        "wait_for_timeout_ms": 250,
        "render_timeout_ms": 5_000,
        "allow_network": True,
    }

    await caller.ask("render.html2png", args)

    assert renderer.asked == [
        (
            Wish(
                html="x",
                selector="#card",
                width=300,
                height=200,
                scale=1.0,
                full_page=True,
                transparent=True,
                wait_until=WaitUntil.IDLE,
                wait_for=".done",
                pause=0.25,
                allow_network=True,
            ),
            5.0,
        )
    ]


@pytest.mark.parametrize(
    ("args", "timeout_ms", "most"),
    [
        pytest.param({"timeout_ms": 2000}, 30_000, 2.0, id="its old name"),
        pytest.param({"render_timeout_ms": 0}, 30_000, 29.75, id="the host's own, and the caller's is less"),
        pytest.param({"render_timeout_ms": 60_000}, 1_000, 0.75, id="never more than the caller waits"),
    ],
)
async def test_a_picture_has_so_long(
    caller: Caller, renderer: FakeRenderer, args: dict[str, Any], timeout_ms: int, most: float
) -> None:
    """What it says, what the host allows, and what its caller waits."""
    await caller.ask("render.html2png", {"html": "x", **args}, timeout_ms=timeout_ms)

    assert most - 0.5 < renderer.asked[0][1] <= most


async def test_a_failure_is_said_in_the_result(caller: Caller, renderer: FakeRenderer) -> None:
    """With its kind."""
    renderer.failure = RenderFailed(RenderKind.NOT_CONFIGURED, "there is no browser")

    answer = await caller.ask("render.html2png", {"html": "x"})

    assert answer == {"success": False, "error": "there is no browser", "kind": "not configured"}


@pytest.mark.parametrize(
    ("args", "argument"),
    [
        ({}, "html"),
        ({"html": 3}, "html"),
        ({"html": "x" * (MAX_HTML_CHARS + 1)}, "html"),
        ({"viewport": 3}, "viewport"),
        ({"viewport": {"width": 0}}, "viewport.width"),
        ({"viewport": {"height": 99_999}}, "viewport.height"),
        ({"device_scale_factor": 0}, "device_scale_factor"),
        ({"device_scale_factor": 99}, "device_scale_factor"),
        ({"full_page": "yes"}, "full_page"),
        ({"wait_until": "later"}, "wait_until"),
        ({"wait_for_timeout_ms": -1}, "wait_for_timeout_ms"),
        ({"wait_for_timeout_ms": 10**9}, "wait_for_timeout_ms"),
        ({"render_timeout_ms": "1"}, "render_timeout_ms"),
    ],
)
async def test_a_mistake_names_its_argument(
    caller: Caller, renderer: FakeRenderer, args: dict[str, Any], argument: str
) -> None:
    """And nothing is drawn."""
    told = args if "html" in args or not args else {"html": "x", **args}

    answer = await caller.ask("render.html2png", told)

    assert answer["success"] is False
    assert argument in answer["error"]
    assert renderer.asked == []
