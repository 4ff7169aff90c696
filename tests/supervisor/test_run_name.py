"""What the processes of a runner are known by."""

from __future__ import annotations

from rookery.supervisor.run_name import RunNames, boot_id


def test_a_name_leads_back_to_its_run() -> None:
    """For the host that gave it."""
    names = RunNames()

    assert names.run_of(names.cookie_of("games-2.17")) == "games-2.17"
    assert names.cookie_of("a.1").startswith(f"{boot_id()}:a:1:")


def test_another_hosts_names_mean_nothing() -> None:
    """Also when both are in one process and have a shard of the same name."""
    ours, theirs = RunNames(), RunNames()

    assert ours.run_of(theirs.cookie_of("a.1")) == ""
    for text in ("", ":", "::", ":::", "nonsense"):
        assert ours.run_of(text) == ""
