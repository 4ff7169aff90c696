"""Whatever ends a command is told in one clear line and an exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from rookery.protocol import RookeryError
from rookery.supervisor import cli
from rookery.supervisor.cli import COMMANDS, exit_code_of, group, main, run_command_line

PROGRAM = (sys.executable, "-m", "rookery.supervisor.cli")
EXAMPLE = Path(__file__).parents[3] / "examples" / "chatbot" / "rookery.toml"


def grouped(*errors: BaseException) -> BaseException:
    """As two nurseries would wrap them."""
    return BaseExceptionGroup("outer", [BaseExceptionGroup("inner", errors)])


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        pytest.param(RookeryError("no such shard"), 1, "rookery: no such shard\n", id="a user's mistake"),
        pytest.param(grouped(RookeryError("no such shard")), 1, "rookery: no such shard\n", id="the same in nurseries"),
        pytest.param(RookeryError("one\n  - two"), 1, "rookery: one\n  - two\n", id="a list"),
        pytest.param(RookeryError("evil \x1b[2J"), 1, "rookery: evil \\x1b[2J\n", id="control characters are shown"),
        pytest.param(click.ClickException("bad file"), 1, "rookery: bad file\n", id="an error of click"),
        pytest.param(SystemExit(3), 3, "", id="an exit code"),
        pytest.param(SystemExit(), 0, "", id="an exit without a code"),
        pytest.param(KeyboardInterrupt(), 130, "", id="Ctrl-C"),
        pytest.param(grouped(KeyboardInterrupt()), 130, "", id="Ctrl-C in nurseries"),
        pytest.param(click.Abort(), 130, "", id="Ctrl-C as click has it"),
        pytest.param(OSError(28, "No space left on device", "/x"), 1, "rookery: /x: No space left on device\n", id="a full disk"),
        pytest.param(BrokenPipeError(), 0, "", id="nobody reads any more"),
    ],
)  # fmt: skip
def test_an_end_is_told(
    error: BaseException, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback for what is no bug."""
    found = exit_code_of(error)

    assert found == code
    assert capsys.readouterr().err == told


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("boom"), grouped(ZeroDivisionError("boom"), RookeryError("x"))]
)
def test_a_bug_is_told_as_one(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    """With everything that helps to find it."""
    found = exit_code_of(error)

    told = capsys.readouterr().err
    assert found == 70
    assert "ZeroDivisionError: boom" in told
    assert told.endswith("rookery: this is a bug in rookery; please report it with the lines above\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["chekc"], "did you mean 'check'", id="an unknown command"),
        pytest.param(["check", "--jsn"], "did you mean '--json'", id="an unknown option"),
        pytest.param(["check", "a", "b"], "unexpected extra argument", id="too many arguments"),
        pytest.param(["new", "plugin"], "missing argument 'name'", id="too few"),
    ],
)
def test_a_wrong_argument_is_a_users_mistake(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, what is wrong, and where to read on."""
    code = run_command_line(arguments)

    err = capsys.readouterr().err
    assert code == 1
    assert told in err.lower()
    assert "--help' tells more" in err


def test_windows_is_refused_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is imported that Windows does not have."""
    code = run_command_line(["run", "x"], platform="win32")

    assert code == 1
    assert (
        capsys.readouterr().err == "rookery: this is Windows; rookery needs Linux or macOS (WSL is Linux)\n"
    )


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """The distribution's."""
    assert run_command_line(["--version"]) == 0
    assert capsys.readouterr().out.startswith("rookery, version ")


def test_help_lists_every_command_without_importing_any(capsys: pytest.CaptureFixture[str]) -> None:
    """In the order in which somebody needs them."""
    assert run_command_line(["--help"]) == 0

    words = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert [word for word in words if word in COMMANDS] == list(COMMANDS)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_teaches(name: str) -> None:
    """What it does and its exit codes; its short form is the one of the list."""
    command = group.get_command(click.Context(group), name)

    assert command is not None
    assert command.name == name
    assert command.short_help == COMMANDS[name]
    assert command.help is not None
    assert "Exit codes:" in command.help


def test_no_command_shows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    """It is a mistake, and the help is its answer."""
    assert run_command_line([]) == 1
    assert "A first bot:" in capsys.readouterr().err


def test_main_ends_the_process_with_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its arguments are those of the process when it is given none."""
    monkeypatch.setattr(sys, "argv", ["rookery", "--version"])

    with pytest.raises(SystemExit) as caught:
        main()

    assert caught.value.code == 0


def test_an_error_while_a_command_is_imported_is_a_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands that cannot be imported do not end in a bare traceback."""
    monkeypatch.setitem(cli.COMMANDS, "nothing", "Is not there.")

    assert run_command_line(["nothing"]) == 70
    assert "this is a bug in rookery" in capsys.readouterr().err


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error() -> None:
    """`rookery plan | head -1` is silent, whoever flushes last."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [*PROGRAM, "plan", str(EXAMPLE)], stdout=write, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(write)

    assert done.stderr == b""


@pytest.mark.slow
def test_a_name_that_the_locale_does_not_have_is_no_error(tmp_path: Path) -> None:
    """It is shown with its number."""
    config = tmp_path / "\u9ce5.toml"
    config.touch()
    environ = {**os.environ, "PYTHONIOENCODING": "latin-1"}

    done = subprocess.run(
        [*PROGRAM, "check", str(config)], env=environ, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u9ce5.toml: 0 plugins" in done.stdout


@pytest.mark.slow
def test_a_closed_standard_output_is_no_error() -> None:
    """As after `>&-` in a shell."""
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *PROGRAM, "check", str(EXAMPLE)],
        stderr=subprocess.PIPE,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.slow
def test_a_full_disk_is_told() -> None:
    """What could not be written was not written."""
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")

    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*PROGRAM, "check", str(EXAMPLE)], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert len({line.split(":")[0] for line in done.stderr.splitlines()}) == 1, done.stderr
