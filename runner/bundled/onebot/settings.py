"""What does the client have to know before it can start?"""

from __future__ import annotations

import attrs

from rookery.runner import Backoff


@attrs.frozen(kw_only=True)
class Dial:
    """We connect to the platform."""

    url: str
    """``ws://HOST:PORT/PATH`` or ``wss://…``."""
    ca_file: str = ""
    """Certificates to trust instead of the system's; "" for the system's."""


@attrs.frozen(kw_only=True)
class Listen:
    """The platform connects to us."""

    host: str
    port: int
    path: str
    """"" takes every path."""


@attrs.frozen(kw_only=True)
class Settings:
    """One deployment's wishes, checked. Times are seconds."""

    way: Dial | Listen
    token: str = attrs.field(default="", repr=False)
    """What each side shows the other; "" for none."""
    platform: str = "qq"
    account: str = ""
    """The account that it has to be; "" takes what the platform says."""
    send_as_text: bool = False
    """Messages go out as texts with codes in them and not as lists."""
    quote: bool = False
    """Answers show the message that they answer."""
    notices: bool = True
    """Notices become messages with ``is_notify``."""
    requests: bool = True
    """Requests too."""
    action_timeout: float = 15.0
    """For the answer to an action."""
    send_wait: float = 10.0
    """For a connection, when there is none."""
    rate: float = 5.0
    """Messages a second; 0 is without a limit."""
    burst: int = 10
    backoff: Backoff = attrs.Factory(lambda: Backoff(1.0, 60.0))
    ping_interval: float = 20.0
    """Silence after which the other side is asked for a sign of life; it has as long to give one."""
    max_frame_bytes: int = 8 * 1024 * 1024
    """A longer frame ends the connection."""

    @property
    def place(self) -> str:
        """Where the platform is, for people."""
        if isinstance(self.way, Dial):
            return self.way.url
        return f"port {self.way.port} of {self.way.host}"
