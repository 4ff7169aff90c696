"""How do the commands that talk to a running bot find it and say that they could not? Loads no event loop."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..control_client import AskFailed, NotRunning, ask
from ..state_directory import find_state_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_F = TypeVar("_F", bound="Callable[..., Any]")

LONG = 600.0
"""Seconds that a command waits for a shard to come to rest."""


def host_options(function: _F) -> _F:
    """The options that say which bot is meant."""
    config = click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path),
        default="rookery.toml",
        show_default=True,
        help="The configuration that the bot runs with, or its directory.",
    )
    state = click.option(
        "--state", type=click.Path(path_type=Path), metavar="DIR", help="Look there, whatever CONFIG says."
    )
    return config(state(function))


def find_host(config: Path, state: Path | None) -> Path:
    """The state directory of the bot that is meant.

    Raises:
        click.ClickException: The configuration cannot be read.
    """
    if state is not None:
        return state
    try:
        return find_state_dir(config, os.environ)
    except OSError as error:
        advice = "give the configuration it runs with, or --state DIR"
        raise click.ClickException(f"{config} cannot be read: {error.strerror}; {advice}") from None
    except ValueError as error:
        raise click.ClickException(f"{config}: {error}") from None


@contextmanager
def told(state_dir: Path) -> Iterator[None]:
    """Whatever goes wrong with the conversation is one line."""
    try:
        yield
    except NotRunning as error:
        raise click.ClickException(f"no bot is running with its state in {state_dir} ({error})") from None
    except AskFailed as error:
        raise click.ClickException(f"the bot with its state in {state_dir}: {error}") from None


def ask_host(
    config: Path, state: Path | None, command: str, *, timeout: float = 5.0, **arguments: Any
) -> Any:
    """Ask the bot that is meant.

    Raises:
        click.ClickException: It is not there, or its answer is an error.
    """
    state_dir = find_host(config, state)
    with told(state_dir):
        return ask(state_dir, command, timeout=timeout, **arguments)
