"""How a runner is told to start, by a host of ours and by an original one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rookery.runner.start import VARIABLES, BadStart, read_start


def test_a_host_of_ours_hands_over_descriptors() -> None:
    """Link, lifeline, output; nothing else is needed."""
    read, write = os.pipe()
    try:
        start = read_start(
            ["--link-fd", str(read), "--lifeline-fd", str(write), "--output-fds", f"{read},{write}"], {}
        )
    finally:
        os.close(read)
        os.close(write)

    assert (start.link_fd, start.lifeline_fd, start.output_fds) == (read, write, (read, write))


def test_the_variables_of_the_protocol_are_taken_out_of_the_environment() -> None:
    """All of them, whatever they say; others stay."""
    environ = {**dict.fromkeys(VARIABLES, "x"), "HOME": "/home"}
    environ["MAIBOT_PLUGIN_DIRS"] = os.pathsep.join(["/a", " ", "/b "])
    environ["MAIBOT_EXTERNAL_PLUGIN_IDS"] = '{"a.b": "1.0.0"}'
    environ["MAIBOT_BLOCKED_PLUGIN_REASONS"] = "[1]"

    start = read_start([], environ)

    assert environ == {"HOME": "/home"}
    assert (start.address, start.token, start.type_filter) == ("x", "x", "x")
    assert start.plugin_dirs == (Path("/a"), Path("/b"))
    assert start.external == {"a.b": "1.0.0"}
    assert start.blocked == {}
    assert start.remarks == (
        "MAIBOT_BLOCKED_PLUGIN_REASONS is ignored: it must be a JSON object of texts, got '[1]'",
    )


def test_an_argument_that_is_given_as_one_word_is_read() -> None:
    """As parsers of arguments do."""
    assert read_start(["--link-fd=0"], {}).link_fd == 0


def test_half_of_what_is_needed_names_the_other_half() -> None:
    """The message says which variable is missing."""
    with pytest.raises(BadStart, match="neither --link-fd nor MAIBOT_SESSION_TOKEN: "):
        read_start([], {"MAIBOT_IPC_ADDRESS": "/x"})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("1", "must be two descriptors like 5,6", id="only one"),
        pytest.param("1,x", "must be the number of a descriptor, got 'x'", id="no number"),
        pytest.param("1,98", "descriptor 98 is not open", id="not open"),
    ],
)
def test_wrong_output_descriptors(value: str, expected: str) -> None:
    """What was given and what is expected."""
    with pytest.raises(BadStart, match=expected):
        read_start(["--link-fd", "0", "--output-fds", value], {})


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["--link-fd"], "argument --link-fd: expected one argument", id="a value is missing"),
        pytest.param(["--link", "0"], "unrecognized arguments: --link 0", id="an abbreviation"),
        pytest.param(["--page-fd", "-1"], "argument --page-fd: ", id="a negative number"),
    ],
)
def test_wrong_arguments_are_named(arguments: list[str], expected: str) -> None:
    """Though usual ones are read without the parser that knows how to say it."""
    with pytest.raises(BadStart, match=expected):
        read_start(arguments, {})


def test_the_arguments_are_explained_to_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    """With the meaning of each."""
    with pytest.raises(SystemExit) as left:
        read_start(["--help"], {})

    assert left.value.code == 0
    assert "--page-fd FD" in capsys.readouterr().out
