"""Section D: resources."""

from __future__ import annotations

WHERE: dict[str, tuple[str, ...]] = {
    "D1": ("tests/supervisor/test_cgroup.py::test_a_real_group_ends_everything_in_it",),
    "D2": (
        "tests/faults/test_surroundings_of_a_life.py::test_memory_without_end_is_ended",
        "tests/supervisor/test_wear.py::test_the_soft_limit_asks_for_another_runner_and_the_hard_one_kills",
    ),
    "D3": (
        "tests/faults/test_surroundings_of_a_life.py::test_a_slow_leak_costs_no_call",
        "tests/supervisor/test_wear.py::test_the_soft_limit_asks_for_another_runner_and_the_hard_one_kills",
    ),
    "D4": ("tests/runner/test_process_duties.py::test_a_plugin_that_takes_all_descriptors_fails_alone",),
    "D5": (
        "tests/supervisor/test_custody.py::test_no_descriptor_is_an_error_with_nothing_left",
        "tests/supervisor/test_spare.py::test_what_is_lent_can_be_used_and_comes_back",
    ),
    "D6": ("tests/supervisor/test_cgroup.py::test_a_real_group_ends_everything_in_it",),
    "D7": ("tests/whole/test_service.py::test_a_full_disk_stops_no_log_reader_and_no_bot",),
    "D9": (
        "tests/runner/test_own_page.py::test_what_is_no_page_is_closed_and_written_nowhere",
        "tests/runner/test_process_page.py::test_without_a_page_each_start_is_said_first",
        "tests/supervisor/test_page.py::test_without_a_file_there_is_a_warning_and_no_page",
        "tests/supervisor/test_runs.py::test_one_that_cannot_be_written_is_said_once",
    ),
    "D10": (
        "tests/whole/test_service.py::test_a_flood_of_output_slows_nobody",
        "tests/faults/test_runner_faults.py::test_a_runner_of_another_make_can_print_without_end",
    ),
    "D11": (
        "tests/faults/test_surroundings_of_a_life.py::test_what_would_touch_a_terminal_does_not_come_through",
        "tests/supervisor/test_logs.py::test_what_would_touch_a_terminal_is_escaped",
        "tests/supervisor/test_logs.py::test_a_long_line_is_cut_and_says_so",
        "tests/supervisor/test_logs.py::test_raw_output_is_lines_under_the_best_known_name",
    ),
    "D12": (
        "tests/faults/test_a_life.py::test_a_runner_without_outputs_lives",
        "tests/supervisor/test_output.py::test_pumping_ends_with_the_last_writer",
    ),
    "D13": ("tests/supervisor/test_shard.py::test_a_start_that_fails_for_now_is_tried_again",),
    "D14": (
        "tests/supervisor/test_process.py::test_a_child_makes_no_core_and_opens_only_so_many_descriptors",
    ),
    "D15": ("tests/whole/test_bad_plugins.py::test_a_handler_that_blocks_its_loop_is_not_felt_next_door",),
}

NOT_HERE: dict[str, str] = {
    "D8": "no message is promised to survive its host yet, so there is no journal that could be full",
}
