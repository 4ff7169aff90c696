"""How does a plugin have an address fetched by the host, which has the network that the plugin may not have itself?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs

from .capabilities import Family
from .errors import CapabilityFailed

FETCH_TIMEOUT = 20.0
"""Seconds for an answer; the host has a limit of its own, which is shorter as a rule."""

CAPABILITY = "http.fetch"


@attrs.frozen(kw_only=True)
class Fetched:
    """What a server has said."""

    status: int
    url: str
    """Of the answer, behind all redirects."""
    headers: Mapping[str, str] = attrs.Factory(dict)
    """By name in small letters; no cookies."""
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the status is one of success, 200 to 299."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as text, in the letters that its content type names, else UTF-8; what cannot be read is replaced."""
        _, _, charset = self.headers.get("content-type", "").lower().partition("charset=")
        name = charset.partition(";")[0].strip(" \"'") or "utf-8"
        try:
            return self.body.decode(name, "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: It is none.
        """
        return json.loads(self.body)


class Web(Family):
    """``ctx.http``: addresses of the web, as far as the operator has named their hosts; capability ``http.fetch``."""

    async def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: str | bytes | None = None,
        json_body: Any = None,
        timeout: float = FETCH_TIMEOUT,
    ) -> Fetched:
        """Ask for an address and return the answer, whatever its status; redirects are followed as the operator lets them.

        Args:
            headers: What the server is told besides; the host sends what belongs to the connection, and keeps no cookies.
            body: What is sent; a text goes as UTF-8.
            json_body: In its place, anything that JSON can hold.

        Raises:
            RemoteError: ``E_CAPABILITY_DENIED``: the operator has not named the host, or not granted the capability;
                ``E_BAD_PAYLOAD``: an argument is wrong.
            CapabilityFailed: There is no answer; ``kind`` says why, ``retry_after`` when to ask again.
        """
        told = dict(headers or {})
        if json_body is not None:
            body = json.dumps(json_body)
            if not any(name.lower() == "content-type" for name in told):
                told["Content-Type"] = "application/json"
        args: dict[str, Any] = {"url": url, "method": method, "headers": told}
        if body is not None:
            args["body"] = body
        answer = await self._ask_for(dict, CAPABILITY, "answer", **args, timeout=timeout)
        status, said = answer.get("status"), answer.get("body")
        if type(status) is not int or not isinstance(said, bytes):
            raise CapabilityFailed(CAPABILITY, "the host's answer has no status or no body")
        return Fetched(
            status=status,
            url=str(answer.get("url") or url),
            headers=dict(answer.get("headers") or {}),
            body=said,
        )
