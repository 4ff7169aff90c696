"""Section E: the protocol, and a hostile peer."""

from __future__ import annotations

WHERE: dict[str, tuple[str, ...]] = {
    "E1": (
        "tests/faults/test_e_hostile.py::test_what_breaks_a_rule_ends_its_runner_alone",
        "tests/supervisor/test_health.py::test_half_a_frame_is_waited_for_five_seconds",
    ),
    "E2": (
        "tests/faults/test_e_hostile.py::test_what_breaks_a_rule_ends_its_runner_alone",
        "tests/supervisor/test_health.py::test_half_a_frame_is_waited_for_five_seconds",
    ),
    "E3": (
        "tests/faults/test_e_hostile.py::test_what_breaks_a_rule_ends_its_runner_alone",
        "tests/faults/test_runner_faults.py::test_garbage",
        "tests/protocol/test_framing.py::test_a_bad_length_is_refused_with_its_header",
    ),
    "E4": (
        "tests/faults/test_e_hostile.py::test_what_breaks_a_rule_ends_its_runner_alone",
        "tests/protocol/test_bad_frames.py::test_a_claim_of_4_gib_in_each_header_costs_nothing_either",
    ),
    "E5": (
        "tests/faults/test_e_hostile.py::test_what_breaks_a_rule_ends_its_runner_alone",
        "tests/protocol/test_full_frames.py::test_a_frame_full_of_containers_is_refused",
        "tests/protocol/test_full_frames.py::test_a_peer_that_sends_one_has_broken_a_rule",
    ),
    "E6": (
        "tests/faults/test_e_hostile.py::test_what_breaks_a_rule_ends_its_runner_alone",
        "tests/protocol/test_bad_frames.py::test_a_bad_body_ends_the_stream_with_a_reason",
        "tests/protocol/test_bad_frames.py::test_deep_nesting_that_msgpack_still_reads_is_no_reason_to_fail",
    ),
    "E7": (
        "tests/faults/test_e_hostile.py::test_what_breaks_a_rule_ends_its_runner_alone",
        "tests/protocol/test_bad_frames.py::test_keys_whose_hashes_collide_are_never_hashed",
    ),
    "E8": (
        "tests/faults/test_e_hostile.py::test_what_breaks_a_rule_ends_its_runner_alone",
        "tests/protocol/test_bad_frames.py::test_a_bad_body_ends_the_stream_with_a_reason",
    ),
    "E10": (
        "tests/faults/test_e_hostile.py::test_what_breaks_a_rule_ends_its_runner_alone",
        "tests/protocol/test_session_greeting.py::test_a_second_hello_ends_the_stream",
    ),
    "E13": (
        "tests/faults/test_e_hostile.py::test_what_breaks_a_rule_ends_its_runner_alone",
        "tests/supervisor/test_health.py::test_a_hundred_strange_answers_a_minute_are_too_many",
        "tests/protocol/test_session.py::test_late_and_unknown_answers_are_counted_and_dropped",
    ),
    "E14": (
        "tests/faults/test_e_hostile.py::test_forged_answers_reach_nobody",
        "tests/protocol/test_session.py::test_late_and_unknown_answers_are_counted_and_dropped",
    ),
    "E15": (
        "tests/faults/test_e_hostile.py::test_forged_answers_reach_nobody",
        "tests/protocol/test_session.py::test_late_and_unknown_answers_are_counted_and_dropped",
    ),
    "E16": (
        "tests/faults/test_e_hostile.py::test_forged_answers_reach_nobody",
        "tests/protocol/test_session.py::test_late_and_unknown_answers_are_counted_and_dropped",
    ),
    "E17": (
        "tests/faults/test_e_hostile.py::test_what_breaks_a_rule_ends_its_runner_alone",
        "tests/faults/test_e_registrations.py::test_who_names_another_plugin_is_killed_and_changes_nothing_of_it",
        "tests/supervisor/test_traffic.py::test_a_runner_that_names_a_foreign_plugin_is_accused",
        "tests/supervisor/test_incarnation.py::test_an_accused_runner_is_killed_and_its_requests_are_refused",
    ),
    "E18": (
        "tests/faults/test_e_hostile.py::test_forged_answers_reach_nobody",
        "tests/protocol/test_session.py::test_late_and_unknown_answers_are_counted_and_dropped",
    ),
    "E19": (
        "tests/faults/test_runner_faults.py::test_a_runner_that_stops_reading",
        "tests/protocol/test_link_stream.py::test_a_peer_that_never_reads_is_bounded",
        "tests/supervisor/test_health_writes.py::test_a_runner_that_reads_too_slowly_is_killed",
        "tests/hostile/test_wire.py::test_what_breaks_a_rule_is_ended_for_it",
    ),
    "E20": (
        "tests/faults/test_e_hostile.py::test_what_breaks_a_rule_ends_its_runner_alone",
        "tests/faults/test_e_hostile.py::test_a_flood_of_what_needs_no_answer_costs_its_own_shard",
        "tests/protocol/test_session_greeting.py::test_a_peer_that_floods_is_stopped",
        "tests/hostile/test_wire.py::test_who_says_too_much_is_not_listened_to",
    ),
    "E21": ("tests/runner/test_process_duties.py::test_a_result_that_cannot_be_sent_is_an_answer",),
    "E22": (
        "tests/runner/test_process_duties.py::test_a_result_that_cannot_be_sent_is_an_answer",
        "tests/protocol/test_bad_frames.py::test_an_oversized_claim_ends_the_stream",
    ),
    "E23": (
        "tests/faults/test_runner_faults.py::test_a_closed_socket_and_a_life_after_it",
        "tests/protocol/test_link_stream.py::test_a_peer_that_says_no_more_has_gone",
        "tests/protocol/test_link_stream.py::test_a_peer_that_hears_no_more_has_gone",
    ),
    "E24": (
        "tests/faults/test_runner_faults.py::test_a_grandchild_that_keeps_the_socket",
        "tests/faults/test_orphans.py::test_a_daemon_of_a_plugin_dies_with_its_runner",
    ),
    "E25": (
        "tests/faults/test_e_hostile.py::test_what_breaks_a_rule_ends_its_runner_alone",
        "tests/protocol/test_bad_frames.py::test_a_frame_cut_anywhere_waits_for_its_rest",
        "tests/protocol/test_bad_frames.py::test_a_bad_body_ends_the_stream_with_a_reason",
    ),
    "E26": (
        "tests/faults/test_runner_faults.py::test_a_bad_hello",
        "tests/supervisor/test_arrival.py::test_a_bad_hello_is_refused_with_its_reason_and_twice_is_the_end",
        "tests/supervisor/test_arrival.py::test_the_hello_is_answered_with_the_assignment_and_known_features",
    ),
    "E28": ("tests/supervisor/test_arrival.py::test_more_time_than_a_start_may_take_is_not_given",),
    "E29": ("tests/protocol/test_link.py::test_a_cancelled_run_settles_everything_and_closes_the_socket",),
    "E30": (
        "tests/faults/test_e_hostile.py::test_a_connection_of_a_few_kilobytes_at_a_time_changes_nothing",
        "tests/properties/test_stream.py::test_any_cut_of_a_stream_gives_the_same_events_answers_and_state",
        "tests/protocol/test_framing.py::test_a_stream_byte_by_byte_gives_the_same_frames",
        "tests/protocol/test_link_stream.py::test_a_reset_is_the_same_as_going",
    ),
}

NOT_HERE: dict[str, str] = {
    "E9": "the host listens nowhere: a runner is who holds the inherited end of a socketpair, and there is no token to be wrong, old or used twice",
    "E11": "the host listens nowhere: a runner is who holds the inherited end of a socketpair, and there is no token to be wrong, old or used twice",
    "E12": "the host listens nowhere: a runner is who holds the inherited end of a socketpair, and there is no token to be wrong, old or used twice",
    "E27": "a beat is a number in shared memory that is read once a second: ten thousand of them cost the host nothing",
}
