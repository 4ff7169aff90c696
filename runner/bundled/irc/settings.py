"""What does the client have to know before it can start?"""

from __future__ import annotations

import attrs

from rookery.runner import Backoff

from .registration import Identity


@attrs.frozen(kw_only=True)
class Endpoint:
    """Where the server is and how to reach it."""

    host: str
    port: int
    tls: bool = False
    ca_file: str = ""
    """Certificates to trust instead of the system's; empty for the system's."""
    verify: bool = True
    """Whether the certificate must be trusted and bear the host's name. Off only for experiments."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}{' (TLS)' if self.tls else ''}"


@attrs.frozen(kw_only=True)
class Settings:
    """One deployment's wishes, checked. Times are seconds."""

    endpoint: Endpoint
    identity: Identity
    channels: tuple[str, ...] = ()
    """To join on welcome, each with its key after a space if it has one."""
    flood_burst: float = 5.0
    """Lines that may go at once."""
    flood_rate: float = 2.0
    """Lines a second after that; 0 means without a limit."""
    backoff: Backoff = attrs.Factory(lambda: Backoff(1.0, 300.0))
    """How long to wait between attempts to connect."""
    ping_interval: float = 60.0
    """Silence after which the server is asked for a sign of life."""
    ping_patience: float = 30.0
    """Further silence after which it counts as gone."""
    send_wait: float = 10.0
    """How long an outgoing message waits for a connection before it fails."""

    @property
    def account(self) -> str:
        """The account by which the host knows this bot: it stays the same when a nick in use has to be varied."""
        return f"{self.identity.nick}@{self.endpoint.host}"
