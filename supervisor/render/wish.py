"""What does a plugin want a picture of, and is that within reason?"""

from __future__ import annotations

from enum import StrEnum

import attrs


class WaitUntil(StrEnum):
    """When a page counts as shown, in the words of the protocol."""

    LOAD = "load"
    """It has loaded all that it names."""
    DOM = "domcontentloaded"
    """Its text was read."""
    IDLE = "networkidle"
    """Nothing was loaded for half a second."""
    COMMIT = "commit"
    """At once."""


EVENTS = {WaitUntil.LOAD: "load", WaitUntil.DOM: "DOMContentLoaded", WaitUntil.IDLE: "networkIdle"}
"""What a browser calls them."""

MAX_HTML_CHARS = 8 * 1024 * 1024
MAX_SIDE = 16_384
"""Pixels of a picture's side; browsers draw no larger ones."""

MAX_PIXELS = 40_000_000
"""Of a picture: they take four bytes each, several times over."""

MAX_SCALE = 8.0


@attrs.frozen(kw_only=True)
class Wish:
    """One picture."""

    html: str
    selector: str = "body"
    width: int = 900
    """Of the window, in pixels of the page, as ``height``."""
    height: int = 500
    scale: float = 2.0
    """Pixels of the picture for one of the page."""
    full_page: bool = False
    transparent: bool = False
    """Where the page has no background, the picture has none."""
    wait_until: WaitUntil = WaitUntil.LOAD
    wait_for: str = ""
    """A selector that has to be there; "" for none."""
    pause: float = 0.0
    """Seconds before the picture is taken."""
    allow_network: bool = False


@attrs.frozen(kw_only=True)
class Area:
    """A part of a page, in its pixels."""

    x: float
    y: float
    width: float
    height: float

    def complaint(self, scale: float) -> str:
        """Why no picture can be made of it; "" when one can."""
        if self.width < 1 or self.height < 1:
            return f"it is {self.width:g} x {self.height:g} pixels large"
        width, height = self.width * scale, self.height * scale
        if max(width, height) > MAX_SIDE:
            return (
                f"a picture of it would be {width:.0f} x {height:.0f} pixels, more than {MAX_SIDE} on a side"
            )
        if width * height > MAX_PIXELS:
            return f"a picture of it would have {width * height:.0f} pixels, more than {MAX_PIXELS}"
        return ""


@attrs.frozen(kw_only=True)
class Picture:
    """A PNG."""

    data: bytes = attrs.field(repr=False)
    width: int
    height: int
    seconds: float
    """That it took."""
