"""Does a shard get the isolation that it must have, or nothing?"""

from __future__ import annotations

from itertools import product

import attrs
import pytest

from rookery.supervisor.profiles import Isolation, Means, Reached, Wish, decide_isolation

WHOLE = Means(landlock=7, bubblewrap="/usr/bin/bwrap")
NO_BUBBLEWRAP = Means(landlock=7, no_bubblewrap="bwrap is not installed: install the package bubblewrap")
NOTHING = Means(no_landlock="no kernel", no_seccomp="no library", no_bubblewrap="no program")


def wish(isolation: Isolation, **more: object) -> Wish:
    return Wish(isolation=isolation, **more)  # type: ignore[arg-type]  # as the fields are


def test_a_machine_that_has_everything_gives_what_is_wished() -> None:
    """And says by what."""
    found = [decide_isolation(wish(each), WHOLE) for each in Isolation]

    assert found == [
        Reached(profile=Isolation.PROCESS, mechanisms=()),
        Reached(profile=Isolation.CONFINED, mechanisms=("landlock 7", "seccomp")),
        Reached(profile=Isolation.SANDBOX, mechanisms=("bubblewrap", "landlock 7", "seccomp")),
    ]


def test_a_sandbox_without_bubblewrap_is_confined_and_says_so() -> None:
    """Where neither network nor processes are wanted: files, network and other processes are out of reach all the same."""
    found = decide_isolation(wish(Isolation.SANDBOX), NO_BUBBLEWRAP)

    assert found == Reached(profile=Isolation.CONFINED, mechanisms=("landlock 7", "seccomp"))


@pytest.mark.parametrize(("key", "field"), [("network", "network"), ("allow_subprocess", "subprocesses")])
def test_a_sandbox_that_needs_more_is_refused_without_bubblewrap(key: str, field: str) -> None:
    """It names what is missing, how it is had, and which setting keeps the rest from being enough."""
    found = decide_isolation(wish(Isolation.SANDBOX, **{field: True}), NO_BUBBLEWRAP)

    assert found == (
        "bubblewrap: bwrap is not installed: install the package bubblewrap. landlock and seccomp alone: not enough with"
        f" {key} = true"
    )


def test_processes_need_a_kernel_that_keeps_signals_in() -> None:
    """Without a namespace the filter can let a runner signal nobody or everybody."""
    found = decide_isolation(wish(Isolation.CONFINED, subprocesses=True), attrs.evolve(WHOLE, landlock=5))

    assert isinstance(found, str)
    assert "version 6" in found
    assert "allow_subprocess = false" in found


def test_a_fallback_that_was_named_is_taken_and_said() -> None:
    """Nothing is weakened in silence."""
    found = decide_isolation(wish(Isolation.SANDBOX, fallback=Isolation.PROCESS), NOTHING)

    assert found == Reached(profile=Isolation.PROCESS, mechanisms=(), is_weaker=True)


def test_a_fallback_that_is_not_there_either_is_refused() -> None:
    """With the reasons of both."""
    found = decide_isolation(wish(Isolation.SANDBOX, fallback=Isolation.CONFINED), NOTHING)

    assert found == "bubblewrap: no program. landlock: no kernel; nor is the fallback: landlock: no kernel"


def test_nothing_is_ever_less_than_what_was_wished_or_allowed() -> None:
    """Over all wishes and all that a machine may lack."""
    machines = [
        Means(
            landlock=version,
            no_landlock="no kernel",
            no_seccomp=no_seccomp,
            bubblewrap=program,
            no_bubblewrap="no program",
        )
        for version, no_seccomp, program in product(
            (0, 1, 5, 6, 7), ("", "no library"), ("", "/usr/bin/bwrap")
        )
    ]
    wishes = [
        wish(isolation, fallback=fallback, network=network, subprocesses=subprocesses)
        for isolation, fallback, network, subprocesses in product(
            Isolation, (None, *Isolation), (True, False), (True, False)
        )
    ]
    for each, machine in product(wishes, machines):
        found = decide_isolation(each, machine)
        if isinstance(found, str):
            assert found
            continue
        wanted = each.fallback if found.is_weaker else each.isolation
        is_alone = not each.network and not each.subprocesses
        enough = {wanted, Isolation.CONFINED} if wanted is Isolation.SANDBOX and is_alone else {wanted}
        assert found.profile in enough, (each, machine)
        if found.profile is not Isolation.PROCESS:
            assert machine.confines
        if found.profile is Isolation.SANDBOX:
            assert machine.bubblewrap
