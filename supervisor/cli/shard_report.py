"""What has become of a shard that an operator has given an order?"""

from __future__ import annotations

import sys
from typing import Any

import click

from ..exit_codes import EXIT_MISTAKE
from .terminal import printable


def report_shard(shard: dict[str, Any], *, no_wait: bool = False, wanted: str = "ready") -> None:
    """Print a line; end with 1 when the shard is not what was wanted."""
    name, state = shard["shard"], shard["state"]
    if state == "ready":
        text = f"{name} is ready, #{shard['incarnation']} (pid {shard['pid']})"
    else:
        text = f"{name} is {state}: {shard['reason']}" if shard["reason"] else f"{name} is {state}"
    click.echo(printable(text))
    for plugin_id, reason in shard["failed_plugins"].items():
        click.echo(printable(f"  {plugin_id} did not load: {reason}"))
    if not no_wait and state != wanted:
        sys.exit(EXIT_MISTAKE)
