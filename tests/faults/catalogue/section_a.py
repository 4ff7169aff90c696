"""Section A: a life, and a kill at each of its points."""

from __future__ import annotations

WHERE: dict[str, tuple[str, ...]] = {
    "A2": ("tests/faults/test_runner_faults.py::test_killed_before_its_hello",),
    "A3": ("tests/faults/test_a_life.py::test_killed_at_a_step_of_its_start",),
    "A4": (
        "tests/faults/test_runner_faults.py::test_killed_while_loading",
        "tests/runner/test_process_page.py::test_a_death_in_an_import_leaves_its_phase",
        "tests/runner/test_process_page.py::test_a_death_outside_of_calls_leaves_its_phase",
    ),
    "A5": ("tests/faults/test_a_life.py::test_killed_at_a_step_of_its_start",),
    "A6": ("tests/faults/test_runner_faults.py::test_killed_while_idle",),
    "A7": (
        "tests/faults/test_real_runner.py::test_what_waits_behind_a_crash_had_not_begun",
        "tests/supervisor/test_dispatch_fate.py::test_what_had_not_begun_runs_once_in_the_next_runner",
    ),
    "A8": (
        "tests/faults/test_real_runner.py::test_what_waits_behind_a_crash_had_not_begun",
        "tests/runner/test_process_page.py::test_what_waits_in_a_lane_has_not_begun",
    ),
    "A9": ("tests/faults/test_a_life.py::test_killed_before_or_after_a_handlers_work",),
    "A10": (
        "tests/faults/test_runner_faults.py::test_killed_in_the_middle_of_a_request",
        "tests/runner/test_process_page.py::test_a_death_in_a_handler_leaves_the_call",
        "tests/faults/test_f_poison.py::test_a_kill_from_outside_is_charged_to_nobody",
    ),
    "A11": ("tests/faults/test_a_life.py::test_killed_before_or_after_a_handlers_work",),
    "A12": ("tests/faults/test_runner_faults.py::test_half_an_answer_is_none",),
    "A13": (
        "tests/faults/test_surroundings_of_a_life.py::test_what_was_said_before_the_end_counts",
        "tests/supervisor/test_incarnation.py::test_last_words_count",
        "tests/protocol/test_link.py::test_an_answer_written_before_the_end_still_counts",
    ),
    "A14": (
        "tests/faults/test_surroundings_of_a_life.py::test_a_death_in_the_middle_of_an_orderly_restart_counts_for_nothing",
        "tests/supervisor/test_incarnation.py::test_a_runner_that_dies_while_it_drains_was_stopped",
    ),
    "A15": ("tests/faults/test_a_life.py::test_killed_while_it_leaves",),
    "A16": (
        "tests/faults/test_surroundings_of_a_life.py::test_orders_are_heard_while_a_shard_waits",
        "tests/supervisor/test_shard_orders.py::test_a_start_and_a_stop_work_at_once_while_nothing_runs",
    ),
    "A17": (  # the zygote is what stands by
        "tests/faults/test_a_zygote.py::test_killed_it_takes_nobody_along_and_is_replaced",
        "tests/faults/test_a_zygote.py::test_stopped_it_delays_a_start_by_half_a_second_at_most",
        "tests/faults/test_a_zygote.py::test_killed_with_an_order_in_hand",
    ),
    "A21": (
        "tests/faults/test_orphans.py::test_no_runner_outlives_a_host_that_is_killed",
        "tests/faults/test_orphans.py::test_the_next_host_ends_the_daemons_of_one_that_was_killed",
    ),
    "A22": (
        "tests/faults/test_f_poison.py::test_most_shards_dying_at_once_is_nobodys_fault",
        "tests/supervisor/test_group.py::test_so_many_start_at_once",
    ),
    "A23": (
        "tests/faults/test_surroundings_of_a_life.py::test_any_orders_and_kills_end_in_what_was_wanted_last",
        "tests/supervisor/test_shard_orders.py::test_any_orders_end_in_the_wanted_state",
        "tests/supervisor/test_shard.py::test_starts_and_stops_at_any_moment_end_where_they_should",
    ),
    "A24": (
        "tests/faults/test_surroundings_of_a_life.py::test_orders_are_heard_while_a_shard_waits",
        "tests/supervisor/test_shard_orders.py::test_a_start_and_a_stop_work_at_once_while_nothing_runs",
    ),
}

NOT_HERE: dict[str, str] = {
    "A1": "a process is known to the host only after its exec; one that fails there is the test of an interpreter that is not there",
    "A18": "a shard has one generation at a time: a reload drains and starts again",
    "A19": "a shard has one generation at a time: a reload drains and starts again",
    "A20": "a shard has one generation at a time: a reload drains and starts again",
}
