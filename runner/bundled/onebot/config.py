"""What can a deployment say about its OneBot gateway, and what follows from it?"""

from __future__ import annotations

import ipaddress
from typing import Literal
from urllib.parse import urlsplit

from rookery.runner import Backoff, Field, PluginConfig

from .errors import BadSettings
from .settings import Dial, Listen, Settings

MIB = 1024 * 1024


class OneBotConfig(PluginConfig):
    direction: Literal["forward", "reverse"] = Field(
        "forward", "'forward': rookery connects to the platform; 'reverse': the platform connects to rookery."
    )
    url: str = Field("ws://127.0.0.1:3001/", "Forward: where the platform listens, ws:// or wss://.")
    tls_ca_file: str = Field("", "Forward: a PEM file with certificates to trust; empty trusts the system's.")
    host: str = Field("127.0.0.1", "Reverse: the address to listen at.")
    port: int = Field(8095, "Reverse: the port to listen at; 0 takes a free one.", ge=0, le=65535)
    path: str = Field("", "Reverse: the only path that is served, e.g. '/onebot/v11/ws'; empty serves all.")
    access_token: str = Field("", "The token that both sides know; empty for none.")
    platform: str = Field("qq", "What the platform is called in routes and sessions.")
    account_id: str = Field("", "The account that it has to be; empty takes any.")
    message_format: Literal["array", "string"] = Field("array", "How messages go out: lists, or CQ codes.")
    quote_replies: bool = Field(False, "Whether an answer shows the message that it answers.")
    notices: bool = Field(True, "Whether notices come in as messages with is_notify.")
    requests: bool = Field(True, "Whether requests come in as messages with is_notify.")
    action_timeout: float = Field(15.0, "Seconds that the platform has to answer an action.", ge=0.1)
    send_wait: float = Field(10.0, "Seconds that a message waits for a connection before it fails.", ge=0)
    send_rate: float = Field(5.0, "Messages a second after a burst; 0 sets no limit.", ge=0)
    send_burst: int = Field(10, "Messages that may go at once.", ge=1)
    reconnect_min: float = Field(1.0, "Seconds before the first new attempt to connect; it doubles.", ge=0.01)
    reconnect_max: float = Field(60.0, "Seconds that no wait between two attempts exceeds.", ge=0.01)
    ping_interval: float = Field(20.0, "Seconds of silence before the other side is asked for life.", ge=0.1)
    max_frame_mib: float = Field(8.0, "The longest frame that is read, in MiB.", ge=0.01, le=64)


def settings_of(config: OneBotConfig) -> Settings:
    """What the client needs, checked.

    Raises:
        BadSettings: Two values contradict each other, or one has no meaning.
    """
    if config.reconnect_min > config.reconnect_max:
        raise BadSettings(
            f"reconnect_min is {config.reconnect_min:g} s, more than reconnect_max with {config.reconnect_max:g} s"
        )
    if not config.platform.strip():
        raise BadSettings("platform is empty, expected a name such as 'qq'")
    _check_token(config.access_token)
    return Settings(
        way=_dial(config) if config.direction == "forward" else _listen(config),
        token=config.access_token,
        platform=config.platform.strip().lower(),
        account=config.account_id.strip(),
        send_as_text=config.message_format == "string",
        quote=config.quote_replies,
        notices=config.notices,
        requests=config.requests,
        action_timeout=config.action_timeout,
        send_wait=config.send_wait,
        rate=config.send_rate,
        burst=config.send_burst,
        backoff=Backoff(config.reconnect_min, config.reconnect_max),
        ping_interval=config.ping_interval,
        max_frame_bytes=int(config.max_frame_mib * MIB),
    )


def _check_token(token: str) -> None:
    """It travels in a header."""
    if not token.isascii() or not token.isprintable() or " " in token:
        raise BadSettings(
            "access_token has characters that no header can carry: use printable ASCII without blanks"
        )


def _dial(config: OneBotConfig) -> Dial:
    try:
        url = urlsplit(config.url)
        is_good = url.scheme in ("ws", "wss") and bool(url.hostname) and url.port != 0
        (url.hostname or "").encode("idna")
    except ValueError:  # a port that is none, or a name
        is_good = False
    if not is_good:
        raise BadSettings(f"url is {config.url!r}, expected ws://HOST:PORT/PATH or wss://HOST:PORT/PATH")
    if url.username or url.password:
        raise BadSettings("url has a user or a password in it, which would stand in logs: use access_token")
    return Dial(url=config.url, ca_file=config.tls_ca_file)


def _listen(config: OneBotConfig) -> Listen:
    if not config.access_token and not is_loopback(config.host):
        raise BadSettings(
            f"host is {config.host!r} and there is no access_token: anybody who reaches that address could speak for"
            " the platform; set access_token, or host to 127.0.0.1"
        )
    if config.path and not config.path.startswith("/"):
        raise BadSettings(f"path is {config.path!r}, expected one that begins with '/'")
    return Listen(host=config.host, port=config.port, path=config.path)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
