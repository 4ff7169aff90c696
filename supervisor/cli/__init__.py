"""How does a command line become one command, and whatever ends it one clear line and an exit code?

The outermost border of the program: nothing above it hears of an error. A command's module is imported when the command
is used, so that `rookery status` does not pay for the event loop of `rookery run`.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
import traceback
from typing import TYPE_CHECKING

import click

from ..exit_codes import EXIT_BUG, EXIT_INTERRUPTED, EXIT_MISTAKE, EXIT_OK
from ..suggestion import suggest
from .terminal import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = "rookery"

CIRCUMSTANCES = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""What the system may say at any time: neither a user's mistake nor a bug, and no reason for a traceback."""

COMMANDS = {
    "new": "Write the first version of a plugin.",
    "check": "Find every mistake in a configuration and its plugins.",
    "doctor": "Say what will not work here, before anything runs.",
    "plan": "Show which plugin lives in which shard, and why.",
    "hooks": "List the hooks that a plugin may handle.",
    "run": "Run a bot.",
    "status": "Show what a running bot is doing.",
    "logs": "Show what shards and plugins write.",
    "grants": "Show what plugins get, and approve what they ask for.",
    "audit": "Show what plugins were allowed and denied.",
    "restart": "Put another runner in a shard.",
    "reload": "Have plugins run the code that is on the disk now.",
    "config": "Show and change what plugins are told.",
    "stop": "Stop a shard, or the bot.",
    "start": "Start a shard that was stopped or given up.",
    "release": "End the quarantine of a plugin.",
    "offline": "Take gateways off their platforms.",
    "online": "Bring gateways back to their platforms.",
    "chats": "Let a chat in, or keep it out.",
    "events": "Deal with events that ended their runners.",
    "replay": "Play recorded chat through a bot and say what came of it.",
    "soak": "Hurt runners for minutes under load, and check what must hold.",
    "bench": "Measure calls, events and hook chains on this machine.",
}
"""In the order in which somebody needs them; each is the `command` of the module of its name."""


class LazyGroup(click.Group):
    """Knows its commands by name and imports one when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"{__name__}.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with the command that was meant."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(
                f"there is no command {name!r}, only {', '.join(COMMANDS)}; {suggest(name, COMMANDS)}".rstrip(
                    "; "
                )
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`rookery COMMAND --help` tells what a command does, with an example and its exit codes.",
)
@click.version_option(package_name=PROGRAM, prog_name=PROGRAM)
def group() -> None:
    """Host a chat bot's plugins in several supervised runner processes.

    \b
    A first bot:
      rookery new plugin my.dice --dir plugins
      rookery check rookery.toml
      rookery run rookery.toml
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and end the process.

    Args:
        arguments: Those after the program's name; None takes them from the process.
    """
    sys.exit(run_command_line(sys.argv[1:] if arguments is None else list(arguments)))


def run_command_line(arguments: list[str], *, platform: str = sys.platform) -> int:
    """Run one command; the exit code."""
    if platform == "win32":
        _say(f"{PROGRAM}: this is Windows; rookery needs Linux or macOS (WSL is Linux)")
        return EXIT_MISTAKE
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A path or a name may have characters that the locale has not; they are no reason to end.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = group.main(arguments, prog_name=PROGRAM, standalone_mode=False)
        code = code if isinstance(code, int) else EXIT_OK
    except (
        BaseException
    ) as error:  # whatever it is, somebody sits in front of the terminal: told, never swallowed
        code = exit_code_of(error)
    return _flush(code)


def exit_code_of(error: BaseException) -> int:
    """Tell on standard error what ended a command."""
    if isinstance(error, BaseExceptionGroup) and (only := only_error_of(error)) is not None:
        return exit_code_of(only)
    match error:
        case SystemExit(code=int(code)):
            return code
        case SystemExit(code=None):
            return EXIT_OK
        case KeyboardInterrupt() | click.Abort():
            return EXIT_INTERRUPTED
        case BrokenPipeError():
            return EXIT_OK  # whoever read our output has seen enough
        case click.exceptions.NoArgsIsHelpError():
            _say(error.format_message())
            return EXIT_MISTAKE
        case click.UsageError():
            _say(f"{PROGRAM}: {error.format_message()}")
            if error.ctx is not None:
                _say(f"{error.ctx.get_usage()}\n'{error.ctx.command_path} --help' tells more")
            return EXIT_MISTAKE
        case OSError() if error.errno in CIRCUMSTANCES:
            where = f"{error.filename}: " if error.filename is not None else ""
            _say(f"{PROGRAM}: {where}{error.strerror}")
            return EXIT_MISTAKE
        case click.ClickException():
            _say(f"{PROGRAM}: {error.format_message()}")
            return EXIT_MISTAKE
    # Only now: what is behind the protocol's door takes longer to import than most commands to run.
    from rookery.protocol import RookeryError

    if isinstance(error, RookeryError):
        _say(f"{PROGRAM}: {error}")
        return EXIT_MISTAKE
    _say("".join(traceback.format_exception(error)).rstrip())
    _say(f"{PROGRAM}: this is a bug in rookery; please report it with the lines above")
    return EXIT_BUG


def only_error_of(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    """The error that a nursery wrapped, however many of them were around it; None when there are several."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        if len(error.exceptions) != 1:
            return None
        [error] = error.exceptions
    return error


def _say(text: str) -> None:
    """Print lines on standard error, whoever made them."""
    try:
        click.echo("\n".join(map(printable, text.splitlines())), err=True)
    except OSError:
        pass  # standard error is closed: the exit code has to do


def _flush(code: int) -> int:
    """Write out what is buffered, while an error can still be told."""
    if sys.stdout is None:  # the process was started without one
        return code
    try:
        sys.stdout.flush()
    except OSError as error:
        # The interpreter flushes once more when it ends, and would complain in its own way.
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        if not isinstance(error, BrokenPipeError):  # whoever read it has seen enough
            _say(f"{PROGRAM}: standard output cannot be written: {error.strerror}")
            return code or EXIT_MISTAKE
    return code
