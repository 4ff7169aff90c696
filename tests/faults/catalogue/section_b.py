"""Section B: odd exits."""

from __future__ import annotations

WHERE: dict[str, tuple[str, ...]] = {
    "B1": ("tests/runner/test_process_duties.py::test_the_worst_that_a_handler_raises_is_an_answer",),
    "B2": ("tests/runner/test_process_duties.py::test_the_worst_that_a_handler_raises_is_an_answer",),
    "B3": (
        "tests/runner/test_process_page.py::test_a_death_in_a_handler_leaves_the_call",
        "tests/faults/test_runner_faults.py::test_half_an_answer_is_none",
    ),
    "B4": ("tests/runner/test_process_page.py::test_a_death_in_a_handler_leaves_the_call",),
    "B5": ("tests/runner/test_process_duties.py::test_the_worst_that_a_handler_raises_is_an_answer",),
    "B6": ("tests/faults/test_g_surroundings.py::test_a_stack_that_is_too_deep_costs_a_runner_at_most",),
    "B7": (
        "tests/faults/test_surroundings_of_a_life.py::test_an_exit_code_is_heard",
        "tests/supervisor/test_shard.py::test_some_exit_codes_are_believed_at_once",
    ),
    "B8": ("tests/faults/test_a_life.py::test_another_program_in_its_place_is_ended",),
    "B9": (
        "tests/runner/test_process_page.py::test_a_forked_child_that_comes_back_ends_without_a_word",
        "tests/supervisor/test_arrival.py::test_another_process_cannot_speak_for_it",
    ),
    "B10": (
        "tests/faults/test_orphans.py::test_a_daemon_of_a_plugin_dies_with_its_runner",
        "tests/supervisor/test_custody.py::test_a_daemon_dies_with_its_runner_and_is_reaped",
    ),
    "B11": ("tests/faults/test_a_life.py::test_a_thread_does_not_keep_a_runner",),
    "B12": (
        "tests/runner/test_process_duties.py::test_an_exception_in_a_plugins_thread_is_its_log_and_nothing_else",
    ),
    "B13": (
        "tests/runner/test_process_duties.py::test_an_exit_function_that_hangs_does_not_keep_the_process",
    ),
    "B14": ("tests/faults/test_runner_faults.py::test_ignoring_requests_and_sigterm",),
    "B15": ("tests/faults/test_a_life.py::test_a_runner_may_walk_away",),
    "B16": ("tests/faults/test_orphans.py::test_a_plugin_that_kills_its_group_kills_its_runner_only",),
}

NOT_HERE: dict[str, str] = {}
