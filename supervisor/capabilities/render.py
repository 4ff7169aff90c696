"""``render.html2png``: a plugin writes a page and gets a picture of it.

What goes wrong is said in the result, ``{success: false, error}``, with ``kind`` beside it.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import trio

from rookery.protocol import BadPayload

from ..render.failure import RenderFailed
from ..render.wish import MAX_HTML_CHARS, MAX_SCALE, MAX_SIDE, WaitUntil, Wish
from . import arguments

if TYPE_CHECKING:
    from ..render.renderer import Renderer
    from .request import CapabilityRequest
    from .table import CapabilityTable

MARGIN = 0.25
"""Seconds that the caller keeps to hear what went wrong."""

MAX_PAUSE_MS = 60_000


def register_render(table: CapabilityTable, renderer: Renderer) -> None:
    """Add ``render.html2png``."""

    async def html2png(request: CapabilityRequest) -> dict[str, Any]:
        wish = read_wish(request.args)
        left = request.deadline - trio.current_time() - MARGIN
        try:
            picture = await renderer.render(
                wish, timeout=max(0.0, min(_timeout(request.args, renderer), left))
            )
        except RenderFailed as failure:
            return {"success": False, "error": str(failure), "kind": failure.kind.value}
        result = {
            "image_base64": base64.b64encode(picture.data).decode(),
            "mime_type": "image/png",
            "width": picture.width,
            "height": picture.height,
            "render_ms": round(picture.seconds * 1000),
        }
        return {"success": True, "result": result}

    table.register("render.html2png", html2png, says_mistakes=True)


def read_wish(args: dict[str, Any]) -> Wish:
    """What a plugin wants.

    Raises:
        BadPayload: It is not as it has to be.
    """
    html = arguments.text(args, "html")
    if len(html) > MAX_HTML_CHARS:
        raise BadPayload(f"must have at most {MAX_HTML_CHARS} characters, got {len(html)}", "html")
    viewport = arguments.mapping(args, "viewport", default={})
    return Wish(
        html=html,
        selector=arguments.optional_text(args, "selector") or "body",
        width=_side(viewport, "width", 900),
        height=_side(viewport, "height", 500),
        scale=_scale(args),
        full_page=arguments.flag(args, "full_page"),
        transparent=arguments.flag(args, "omit_background"),
        wait_until=_wait_until(args),
        wait_for=arguments.optional_text(args, "wait_for_selector"),
        pause=_milliseconds(args, "wait_for_timeout_ms", MAX_PAUSE_MS) / 1000,
        allow_network=arguments.flag(args, "allow_network"),
    )


def _timeout(args: dict[str, Any], renderer: Renderer) -> float:
    name = "render_timeout_ms" if args.get("render_timeout_ms") is not None else "timeout_ms"
    return _milliseconds(args, name, 600_000) / 1000 or renderer.settings.timeout


def _side(viewport: dict[str, Any], name: str, default: int) -> int:
    try:
        side = arguments.integer(viewport, name, default, at_least=1)
    except BadPayload as mistake:
        raise BadPayload(mistake.message, f"viewport.{name}") from None
    if side > MAX_SIDE:
        raise BadPayload(f"must be at most {MAX_SIDE}, got {side}", f"viewport.{name}")
    return side


def _scale(args: dict[str, Any]) -> float:
    scale = arguments.number(args, "device_scale_factor", default=2.0)
    if not 0.1 <= scale <= MAX_SCALE:
        raise BadPayload(f"must be a number from 0.1 to {MAX_SCALE:g}, got {scale:g}", "device_scale_factor")
    return scale


def _wait_until(args: dict[str, Any]) -> WaitUntil:
    text = arguments.optional_text(args, "wait_until", default=WaitUntil.LOAD.value).strip().lower()
    try:
        return WaitUntil(text)
    except ValueError:
        raise BadPayload(f"must be one of {', '.join(WaitUntil)}, got {text!r:.50}", "wait_until") from None


def _milliseconds(args: dict[str, Any], name: str, most: int) -> float:
    value = arguments.number(args, name, default=0.0)
    if not 0 <= value <= most:
        raise BadPayload(f"must be milliseconds from 0 to {most}, got {value:g}", name)
    return value
