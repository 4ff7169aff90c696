"""Section F: plugins, poison, policy."""

from __future__ import annotations

WHERE: dict[str, tuple[str, ...]] = {
    "F1": (
        "tests/faults/test_f_poison.py::test_a_plugin_that_crashes_on_each_call_is_isolated_and_then_kept_out",
    ),
    "F2": ("tests/faults/test_f_poison.py::test_an_event_that_crashes_everybody_is_the_one_to_blame",),
    "F3": ("tests/faults/test_f_poison.py::test_one_bad_import_among_thirty_costs_two_restarts",),
    "F4": ("tests/supervisor/test_quarantine.py::test_what_follows_from_the_charges",),
    "F5": ("tests/faults/test_f_poison.py::test_most_plugins_of_a_shard_are_never_taken_out_of_it",),
    "F6": (
        "tests/supervisor/test_quarantine.py::test_evidence_is_weighed",
        "tests/runner/test_process_page.py::test_a_spoiled_page_stops_nothing",
    ),
    "F7": (
        "tests/faults/test_f_poison.py::test_a_plugin_that_is_still_bad_after_its_quarantine_is_kept_out_for_longer",
    ),
    "F8": ("tests/faults/test_f_poison.py::test_another_version_of_a_plugin_begins_anew",),
    "F9": (
        "tests/faults/test_surroundings_of_a_life.py::test_a_chain_goes_on_behind_one_that_dies",
        "tests/supervisor/test_hooks.py::test_what_a_shard_that_is_down_means",
        "tests/supervisor/test_hooks.py::test_a_hook_that_waits_is_answered_when_the_shard_is_back",
    ),
    "F10": ("tests/faults/test_g_surroundings.py::test_plugins_that_call_each_other_for_ever_end",),
    "F11": (
        "tests/whole/test_library.py::test_a_killed_runner_is_back_and_calls_wait_for_it",
        "tests/whole/test_groups.py::test_those_behind_a_dead_one_are_restarted_in_order",
    ),
    "F12": (
        "tests/runner/test_process_duties.py::test_a_plugin_that_takes_the_dumps_away_harms_only_the_dumps",
    ),
    "F13": (
        "tests/runner/test_process_duties.py::test_loops_of_a_plugin_in_threads_of_its_own_are_its_own_affair",
    ),
    "F14": ("tests/faults/test_f_poison.py::test_waiting_calls_follow_a_plugin_into_its_own_shard",),
    "F15": ("tests/supervisor/test_config_policies.py::test_one_bad_policy_refuses_the_whole_file",),
}

NOT_HERE: dict[str, str] = {}
