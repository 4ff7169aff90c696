"""How does a runner introduce itself to its host?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .methods import RUNNER_HELLO
from .payloads import Hello, HelloAnswer
from .structure import structure, unstructure

if TYPE_CHECKING:
    from .link import Link


async def offer_hello(link: Link, hello: Hello, *, timeout: float | None = None) -> HelloAnswer:
    """Introduce a runner to its host and return the host's answer, accepted or not.

    Raises:
        RemoteError: The host refused the hello as such (another protocol).
        RequestTimedOut, ConnectionLost: It said nothing.
        BadPayload: Its answer has another shape.
    """
    return structure(await link.call(RUNNER_HELLO, unstructure(hello), timeout=timeout), HelloAnswer)
