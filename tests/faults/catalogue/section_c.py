"""Section C: hangs and starvation."""

from __future__ import annotations

WHERE: dict[str, tuple[str, ...]] = {
    "C1": (
        "tests/faults/test_c_idle.py::test_an_idle_runner_that_is_stopped_is_continued",
        "tests/faults/test_runner_faults.py::test_a_stopped_process_leaves",
        "tests/supervisor/test_suspicion.py::test_a_stopped_runner_is_continued_once",
        "tests/supervisor/test_health.py::test_a_stopped_process_is_continued_once_and_killed_at_five_seconds",
    ),
    "C2": ("tests/faults/test_real_runner.py::test_a_short_silence_costs_nothing",),
    "C3": ("tests/faults/test_real_runner.py::test_a_blocked_loop_is_named_while_it_blocks",),
    "C4": (
        "tests/faults/test_a_life.py::test_a_plugin_that_holds_the_interpreter_is_named",
        "tests/faults/test_c_idle.py::test_what_hangs_while_nothing_is_asked_is_found",
    ),
    "C5": (
        "tests/faults/test_surroundings_of_a_life.py::test_a_loop_that_sleeps_is_named_and_replaced",
        "tests/faults/test_c_idle.py::test_what_hangs_while_nothing_is_asked_is_found",
        "tests/supervisor/test_health.py::test_a_blocked_loop_is_suspect_after_three_seconds_and_killed_after_fifteen",
    ),
    "C6": ("tests/faults/test_a_life.py::test_a_handler_that_never_ends_costs_its_own_call",),
    "C7": (
        "tests/runner/test_process_duties.py::test_a_handler_that_ignores_its_cancellation_is_answered_for",
        "tests/runner/test_process_page.py::test_nine_handlers_that_ignore_their_cancellation_have_the_runner_replaced",
    ),
    "C8": (
        "tests/supervisor/test_arrival.py::test_more_time_than_a_start_may_take_is_not_given",
        "tests/faults/test_runner_faults.py::test_hanging_while_loading",
    ),
    "C9": (
        "tests/faults/test_e_hostile.py::test_what_breaks_a_rule_ends_its_runner_alone",
        "tests/supervisor/test_arrival.py::test_ready_twice_is_a_broken_rule",
        "tests/protocol/test_session_greeting.py::test_nothing_crosses_before_the_hello_is_answered",
    ),
    "C10": (
        "tests/faults/test_e_hostile.py::test_beats_do_not_save_a_runner_that_reads_nothing",
        "tests/supervisor/test_health.py::test_a_runner_that_beats_and_takes_nothing_is_killed",
    ),
    "C11": ("tests/faults/test_a_life.py::test_a_handler_that_never_ends_costs_its_own_call",),
    "C12": ("tests/faults/test_g_surroundings.py::test_a_busy_machine_kills_nobody",),
    "C13": (
        "tests/faults/test_surroundings_of_a_life.py::test_a_host_that_stands_still_kills_nobody",
        "tests/supervisor/test_watchdog.py::test_a_blocked_host_ages_nobody",
        "tests/supervisor/test_awake.py::test_a_host_that_stood_still_counts_one_period",
    ),
    "C14": (
        "tests/supervisor/test_burial.py::test_a_lost_runner_may_run_everything_yet",
        "tests/supervisor/test_incarnation.py::test_a_process_that_the_kernel_keeps_is_left_behind",
    ),
    "C15": (
        "tests/faults/test_surroundings_of_a_life.py::test_a_debugger_may_hold_a_runner",
        "tests/supervisor/test_health.py::test_a_debugger_is_respected_for_ever",
    ),
    "C16": ("tests/faults/test_real_runner.py::test_a_short_silence_costs_nothing",),
    "C17": ("tests/faults/test_a_life.py::test_a_crowd_of_tasks_is_slow_and_alive",),
}

NOT_HERE: dict[str, str] = {}
