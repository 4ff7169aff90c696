"""What a profile does to a child."""

from __future__ import annotations

import pytest

from rookery.supervisor.isolation import child_environment, confine
from rookery.supervisor.process import Launch

LAUNCH = Launch(command=("python",), environment={}, stdout=1, stderr=2, inherited=())


def test_the_process_profile_changes_nothing() -> None:
    """A process of its own is what every child is."""
    assert confine(LAUNCH) == LAUNCH


def test_an_unknown_profile_is_refused() -> None:
    """Nobody is less isolated than they asked for."""
    with pytest.raises(ValueError, match="isolation profile is 'container', expected 'process'"):
        confine(LAUNCH, "container")


def test_the_hosts_own_variables_stay_with_it() -> None:
    """Settings, secrets and the token of another runner's connection."""
    given = {
        "PATH": "/bin",
        "TMPDIR": "/t",
        "PYTHONPATH": "/p",
        "ROOKERY_X": "1",
        "MAIBOT_SESSION_TOKEN": "2",
    }

    assert child_environment(given) == {"PATH": "/bin", "TMPDIR": "/t", "PYTHONPATH": "/p"}


def test_keys_of_services_reach_no_plugin_unless_its_operator_says_so() -> None:
    """What any program needs goes through; the rest by name, or by the beginning of one; the host's own never."""
    given = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "OPENAI_API_KEY": "secret",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "MY_SETTING": "1",
        "ROOKERY_X": "1",
    }

    assert child_environment(given) == {"PATH": "/bin", "LC_ALL": "C"}
    assert child_environment(given, ["MY_*"]) == {"PATH": "/bin", "LC_ALL": "C", "MY_SETTING": "1"}
    assert child_environment(given, ["*"]).keys() == given.keys() - {"ROOKERY_X"}
