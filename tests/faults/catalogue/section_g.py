"""Section G: time and the host."""

from __future__ import annotations

WHERE: dict[str, tuple[str, ...]] = {
    "G1": ("tests/faults/test_g_surroundings.py::test_the_wall_clock_decides_nothing",),
    "G2": (
        "tests/faults/test_surroundings_of_a_life.py::test_a_host_that_stands_still_kills_nobody",
        "tests/supervisor/test_awake.py::test_a_host_that_stood_still_counts_one_period",
    ),
    "G3": (
        "tests/whole/test_run.py::test_sigterm_stops_in_order",
        "tests/whole/test_service.py::test_a_shell_that_ignores_its_children_does_no_harm",
        "tests/supervisor/test_host_checks.py::test_an_embedder_that_has_changed_a_signal_is_told",
    ),
    "G4": ("tests/whole/test_service.py::test_the_host_may_be_process_1",),
    "G5": (
        "tests/supervisor/test_process.py::test_no_signal_goes_to_a_number_that_is_no_longer_ours",
        "tests/supervisor/test_runs.py::test_a_process_that_is_not_proved_to_be_it_lives",
    ),
    "G6": ("tests/faults/test_orphans.py::test_no_runner_outlives_a_host_that_is_killed",),
    "G7": ("tests/whole/test_service.py::test_a_service_manager_hears_of_the_whole_life",),
    "G8": (
        "tests/faults/test_orphans.py::test_the_next_host_ends_the_daemons_of_one_that_was_killed",
        "tests/supervisor/test_runs.py::test_a_broken_file_is_removed",
    ),
}

NOT_HERE: dict[str, str] = {}
