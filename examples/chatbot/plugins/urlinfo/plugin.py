"""Says what an address points to. A plain function: it runs in a thread and may block there."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from rookery.runner import Field, Message, Plugin, PluginConfig, event_handler

URL = re.compile(r"https?://[^\s<>\"']+")


class UrlConfig(PluginConfig):
    most: int = Field(3, "How many addresses of one message are explained.", ge=1)


class UrlInfo(Plugin[UrlConfig]):
    @event_handler("on_message")
    def explain(self, message: Message) -> str | None:
        addresses = URL.findall(message.text)[: self.config.most]
        return "\n".join(map(describe, addresses)) or None  # a returned text is sent as the reply


def describe(address: str) -> str:
    try:
        parts = urlsplit(address.rstrip(".,;:!?)"))
        host = parts.hostname or "nowhere"
    except ValueError:
        return f"{address} is not an address that I can read."
    place = parts.path.rstrip("/").rpartition("/")[2]
    fields = len(parse_qs(parts.query))
    what = f"{place!r} on {host}" if place else f"the front page of {host}"
    return f"{what}, {parts.scheme}" + (f", {fields} fields" if fields else "")
