"""Do the versions that an original plugin is written for include those that it gets here?

An original manifest names a closed range of the bot's versions and one of the SDK's. Here the bot's version is one that this
host stands in for. A bot that is only newer by its last number is let in, as the original does; an SDK has no such leniency.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from rookery.protocol import Manifest

EMULATED_HOST = "1.2.1"
"""The bot's version that public plugins are known to work with on this host."""

SDK = "maibot-plugin-sdk"


def installed_sdk() -> str:
    """Its version; "" when it is not installed."""
    try:
        return version(SDK)
    except PackageNotFoundError:
        return ""


def complaints_about_windows(manifest: Manifest, host: str, sdk: str | None) -> list[str]:
    """Why a plugin does not fit, a sentence each; nothing for a native one.

    Args:
        host: The bot's version that this host stands in for.
        sdk: The version of the SDK that is installed; "" when none is, ``None`` when it is a runner of the original kind that
            has one.
    """
    found = []
    window = manifest.host_application
    if window is not None and not fits_host(host, window.min_version, window.max_version):
        found.append(
            f"it is for bots of the versions {window.min_version} to {window.max_version}, and this host stands in for"
            f" {host}"
        )
    if sdk is None:
        return found
    window = manifest.sdk
    if not manifest.is_native and not sdk:
        found.append(f"it needs the SDK, which is not installed: pip install {SDK}")
    elif window is not None and not numbers(window.min_version) <= numbers(sdk) <= numbers(
        window.max_version
    ):
        found.append(
            f"it is for the SDK {window.min_version} to {window.max_version}, and {sdk} is installed: pip install"
            f" '{SDK}>={window.min_version},<={window.max_version}'"
        )
    return found


def fits_host(host: str, least: str, most: str) -> bool:
    """Whether a bot's version is in a range, or newer than it by its last number only."""
    own, low, high = numbers(host), numbers(least), numbers(most)
    return low <= own <= high or (own > high and own[:2] == high[:2])


def numbers(text: str) -> tuple[int, int, int]:
    """The first three numbers of a version, 0 where one is missing; what is no version is 0.0.0."""
    try:
        release = Version(text.partition("-snapshot.")[0]).release
    except InvalidVersion:
        return 0, 0, 0
    return tuple((*release, 0, 0, 0)[:3])  # type: ignore[return-value]  # three of them
