"""What can a deployment say about its IRC gateway, and what follows from it?"""

from __future__ import annotations

from rookery.runner import Backoff, Field, PluginConfig

from .client import check
from .errors import CannotSay
from .registration import Identity
from .settings import Endpoint, Settings

PORT = 6667
TLS_PORT = 6697


class IrcConfig(PluginConfig):
    server: str = Field("127.0.0.1", "The name or address of the server.")
    port: int = Field(0, "Its port; 0 takes 6697 with TLS and 6667 without.", ge=0, le=65535)
    tls: bool = Field(False, "Whether to talk TLS.")
    tls_ca_file: str = Field("", "A PEM file with certificates to trust; empty trusts those of the system.")
    tls_verify: bool = Field(True, "Whether the server's certificate must be good. Off only for experiments.")
    nick: str = Field("rookery", "The bot's nick; underscores are added while it is in use.")
    user: str = Field("rookery", "The user name that the server shows before the host.")
    realname: str = Field("rookery", "The real name, any text.")
    password: str = Field("", "The server's own password (PASS); empty for none.")
    sasl_user: str = Field("", "The services account for SASL PLAIN; empty for none.")
    sasl_password: str = Field("", "Its password.")
    channels: list[str] = Field((), "Channels to join: '#name', or '#name key'.")
    flood_burst: int = Field(5, "Lines that may go at once.", ge=1)
    flood_rate: float = Field(2.0, "Lines a second after a burst; 0 sets no limit.", ge=0)
    reconnect_min: float = Field(1.0, "Seconds before the first new attempt to connect; it doubles.", ge=0.01)
    reconnect_max: float = Field(300.0, "Seconds that no wait between two attempts exceeds.", ge=0.01)
    ping_interval: float = Field(60.0, "Seconds of silence before the server is asked for life.", ge=0.1)
    ping_timeout: float = Field(30.0, "Seconds that it then has to answer.", ge=0.1)
    send_wait: float = Field(10.0, "Seconds that a reply waits for a connection before it fails.", ge=0)


def settings_of(config: IrcConfig) -> Settings:
    """What the client needs, checked.

    Raises:
        CannotSay: A value has no form on IRC, or two values contradict each other.
    """
    if bool(config.sasl_user) != bool(config.sasl_password):
        raise CannotSay("sasl_user and sasl_password need each other: give both or neither")
    if config.reconnect_min > config.reconnect_max:
        raise CannotSay(
            f"reconnect_min is {config.reconnect_min:g} s, more than reconnect_max with {config.reconnect_max:g} s"
        )
    settings = Settings(
        endpoint=Endpoint(
            host=config.server,
            port=config.port or (TLS_PORT if config.tls else PORT),
            tls=config.tls,
            ca_file=config.tls_ca_file,
            verify=config.tls_verify,
        ),
        identity=Identity(
            nick=config.nick,
            user=config.user,
            realname=config.realname,
            password=config.password,
            sasl_user=config.sasl_user,
            sasl_password=config.sasl_password,
        ),
        channels=tuple(config.channels),
        flood_burst=config.flood_burst,
        flood_rate=config.flood_rate,
        backoff=Backoff(config.reconnect_min, config.reconnect_max),
        ping_interval=config.ping_interval,
        ping_patience=config.ping_timeout,
        send_wait=config.send_wait,
    )
    check(settings)
    return settings
