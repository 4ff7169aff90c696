"""`rookery doctor isolation` says what a machine has, and tries a shard's own profile from inside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rookery.supervisor.cli.doctor import command
from rookery.supervisor.cli.doctor_isolation import profile_rows, proof_lines
from rookery.supervisor.isolation_proof import Attempt
from rookery.supervisor.profiles import Isolation, Means, Reached
from tests.doubles.confinement import need
from tests.doubles.deployments import write_config, write_plugin


def _doctor(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["isolation", *arguments])


def test_a_machine_without_anything_is_told_what_to_install() -> None:
    """A row for each profile."""
    rows = profile_rows(
        Means(no_landlock="no kernel", no_seccomp="no library", no_bubblewrap="install bubblewrap")
    )

    assert rows == {
        "process": (True, "nothing is needed; it is no security"),
        "confined": (False, "landlock: no kernel"),
        "sandbox": (
            False,
            "bubblewrap: install bubblewrap. landlock and seccomp alone: not enough with network = true",
        ),
    }


def test_a_breach_is_told_apart_from_what_was_never_promised() -> None:
    """And both from what was kept."""
    lines = proof_lines(
        "guests",
        Reached(profile=Isolation.CONFINED, mechanisms=("landlock 7", "seccomp")),
        (
            Attempt(name="read secret", reached="a token", is_promised=True),
            Attempt(name="connect by tcp", reached="a token", is_promised=False),
            Attempt(name="signal host", reached="", is_promised=True),
        ),
    )

    assert lines == [
        'shard "guests" has isolation confined (landlock 7, seccomp)',
        "",
        "REACHED  read secret: a token",
        "reached  connect by tcp: a token (not promised)",
        "kept     signal host",
        "",
        "1 of 2 promises are kept",
    ]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    write_plugin(
        tmp_path, "test.one", code="from rookery.runner import Plugin\n\n\nclass It(Plugin):\n    pass\n"
    )
    return write_config(
        tmp_path,
        f'[rookery]\nname = "t"\nplugin_dirs = ["plugins"]\nstate_dir = "{tmp_path / "state"}"\n'
        + "".join(
            f'[[shard]]\nname = "{isolation.value}"\nisolation = "{isolation.value}"\n'
            + ('plugins = ["test.one"]\n' if isolation is Isolation.SANDBOX else "")
            for isolation in Isolation
        ),
    )


@pytest.mark.slow
@pytest.mark.parametrize("isolation", [Isolation.CONFINED, Isolation.SANDBOX])
def test_a_real_profile_keeps_every_promise(tmp_path: Path, config: Path, isolation: Isolation) -> None:
    """From inside, on this machine, with a real probe and real canaries."""
    need(isolation)
    text = config.read_text("utf-8").replace('isolation = "sandbox"', f'isolation = "{isolation.value}"')
    config.write_text(text, "utf-8")

    result = _doctor(str(config), "--prove", "sandbox", "--json")

    found = json.loads(result.output)
    assert found["profile"] == isolation.value
    assert [each for each in found["attempts"] if each["reached"]] == []
    assert len(found["attempts"]) > 15
    assert result.exit_code == 0


@pytest.mark.slow
def test_a_process_is_no_sandbox_and_the_probe_shows_it(config: Path) -> None:
    """The hunt itself works: where nothing is kept, the canaries are found."""
    config.write_text(
        config.read_text("utf-8").replace('isolation = "sandbox"', 'isolation = "process"'), "utf-8"
    )

    result = _doctor(str(config), "--prove", "sandbox", "--json")

    reached = {each["name"] for each in json.loads(result.output)["attempts"] if each["reached"]}
    assert reached >= {
        "read secret",
        "write host config",
        "read arguments of sibling",
        "read environment of sibling",
        "signal sibling",
        "connect by tcp",
        "connect by path",
        "connect by abstract name",
        "start a process",
    }
    assert "read own environment" not in reached
    assert "find descriptors" not in reached
    assert result.exit_code == 0


def test_a_shard_that_is_not_there_is_told(config: Path) -> None:
    """With the nearest name."""
    result = _doctor(str(config), "--prove", "sandbx")

    assert result.exit_code == 1
    assert "there is no shard 'sandbx'" in result.output
    assert "sandbox" in result.output
