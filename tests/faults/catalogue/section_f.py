"""Section F: plugins, poison, policy."""

from __future__ import annotations

_POISON = "tests/faults/test_f_poison.py::"

WHERE: dict[str, tuple[str, ...]] = {
    "F1": (f"{_POISON}test_a_plugin_that_crashes_on_each_call_is_isolated_and_then_kept_out",),
    "F2": (f"{_POISON}test_an_event_that_crashes_everybody_is_the_one_to_blame",),
    "F3": (f"{_POISON}test_one_bad_import_among_thirty_costs_two_restarts",),
    "F4": ("tests/supervisor/test_quarantine.py::test_what_follows_from_the_charges",),
    "F5": (f"{_POISON}test_most_plugins_of_a_shard_are_never_taken_out_of_it",),
    "F6": (
        "tests/supervisor/test_quarantine.py::test_evidence_is_weighed",
        "tests/runner/test_process_page.py::test_a_spoiled_page_stops_nothing",
    ),
    "F7": (f"{_POISON}test_a_plugin_that_is_still_bad_after_its_quarantine_is_kept_out_for_longer",),
    "F14": (f"{_POISON}test_waiting_calls_follow_a_plugin_into_its_own_shard",),
}

NOT_HERE: dict[str, str] = {}
