"""What follows for a group and its host, decided without either."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.supervisor.escalation import AfterGivingUp, Job, decide_escalation, decide_jobs
from rookery.supervisor.strategy import AutoShutdown, GroupSettings, Significance

REQUIRED = Significance.REQUIRED


@given(st.lists(st.floats(0.0, 400.0), max_size=30), st.integers(0, 5))
def test_a_group_is_restarted_only_so_often_within_its_window(steps: list[float], limit: int) -> None:
    """In no window of 300 s more than the limit; what is too much ends the host."""
    settings = GroupSettings(restart_limit=limit)
    counted: tuple[float, ...] = ()
    restarts: list[float] = []
    now = 0.0

    for step in steps:
        now += step
        found = decide_escalation(settings, REQUIRED, counted, now, is_permanent=False)
        counted = found.restarts
        within = sum(moment > now - settings.restart_window for moment in restarts)
        if found.step is AfterGivingUp.RESTART_GROUP:
            restarts.append(now)
            assert within < limit
        else:
            assert found.step is AfterGivingUp.END_HOST
            assert within == limit


@pytest.mark.parametrize("significance", [Significance.OPTIONAL, Significance.ONE_SHOT])
@given(is_permanent=st.booleans())
def test_what_is_not_required_takes_nobody_along(significance: Significance, is_permanent: bool) -> None:
    """However often and for whatever reason it is given up."""
    found = decide_escalation(
        GroupSettings(restart_limit=0), significance, (1.0, 2.0), 3.0, is_permanent=is_permanent
    )

    assert found.step is AfterGivingUp.NOTHING


def test_a_failure_for_good_ends_the_host_at_once() -> None:
    """No restart of the group could help."""
    found = decide_escalation(GroupSettings(), REQUIRED, (), 0.0, is_permanent=True)

    assert found.step is AfterGivingUp.END_HOST


OPEN, DONE, FAIL = Job.OPEN, Job.DONE, Job.FAILED


@pytest.mark.parametrize(
    ("rule", "jobs", "ended", "follows"),
    [
        pytest.param(AutoShutdown.NEVER, (DONE, DONE), DONE, OPEN, id="nobody asked for an end"),
        pytest.param(AutoShutdown.ANY_SIGNIFICANT, (DONE, OPEN), DONE, DONE, id="the first one is enough"),
        pytest.param(
            AutoShutdown.ANY_SIGNIFICANT, (FAIL, OPEN), FAIL, FAIL, id="the first one, and it failed"
        ),
        pytest.param(AutoShutdown.ALL_SIGNIFICANT, (DONE, OPEN), DONE, OPEN, id="one is left"),
        pytest.param(AutoShutdown.ALL_SIGNIFICANT, (DONE, DONE), DONE, DONE, id="all are done"),
        pytest.param(AutoShutdown.ALL_SIGNIFICANT, (FAIL, DONE), DONE, FAIL, id="one of all failed"),
        pytest.param(AutoShutdown.ALL_SIGNIFICANT, (FAIL, OPEN), FAIL, OPEN, id="one failed and one is left"),
    ],
)
def test_jobs_end_the_host_as_the_rule_says(
    rule: AutoShutdown, jobs: tuple[Job, ...], ended: Job, follows: Job
) -> None:
    """As a success only when it was one."""
    assert decide_jobs(rule, jobs, ended) is follows
