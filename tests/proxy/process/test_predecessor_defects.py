"""For each defect of the Go predecessor that this proxy could have, the tests that it would fail."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

# What the predecessor did, and which tests would tell.
DEFECTS: dict[str, tuple[str, ...]] = {
    "D1: after a restart it dropped sessions that went on": (
        "test_restart.test_twenty_sessions_go_on_after_a_kill",
    ),
    "D2: it broke compressed streams and could not read compressed requests": (
        "test_transparency.test_events_come_through_while_the_provider_still_thinks",
        "test_transparency.test_a_stream_is_on_record_as_text_whatever_packed_it",
        "test_transparency.test_bodies_arrive_as_sent_and_are_logged_unpacked",
    ),
    "D3: it died with streams in flight": (
        "test_life.test_calls_that_run_end_well_within_the_grace_time",
        "test_scale.test_sigterm_with_streams_open_cuts_and_logs_each",
    ),
    "D4: a call that broke off had no response on record": (
        "test_broken_calls.test_an_upstream_that_ends_before_it_answers_is_a_bad_gateway",
        "test_broken_calls.test_a_client_that_leaves_ends_the_call_upstream",
    ),
    "D5: a stream that broke off ended well for the client": (
        "test_broken_calls.test_an_answer_that_breaks_off_never_ends_well",
        "test_upstream.test_a_body_whose_framing_breaks_ends_in_an_error",
    ),
    "D6: one open file a session, for ever": (
        "test_life.test_a_thousand_sessions_leave_few_files_open",
        "test_scale.test_memory_does_not_follow_the_calls",
    ),
    "D7: parallel calls ended the process": (
        "test_sdks.test_parallel_calls_of_one_session_are_each_on_record",
    ),
    "D8: of a JWT it showed nearly all": (
        "test_redact.test_a_secret_shows_a_known_prefix_and_at_most_four_characters",
        "test_secrets.test_no_secret_is_written_anywhere",
    ),
    "D9: most secret headers and all of the response's were logged": (
        "test_redact.test_secret_headers_are_masked_by_name",
        "test_secrets.test_no_secret_is_written_anywhere",
    ),
    "D10: it was an open relay, also for web pages": (
        "test_routing.test_other_hosts_are_forbidden",
        "test_broken_calls.test_a_web_page_is_refused",
        "test_admission.test_other_names_are_not_served_so_that_rebinding_fails",
        "test_resolver.test_no_name_leads_to_metadata_and_none_of_a_suffix_to_this_machine",
    ),
    "D11: paths led out of the log folder, and %2F was lost": (
        "test_routing.test_what_is_no_route_is_a_bad_request",
        "test_transparency.test_path_and_query_arrive_as_sent",
        "test_fuzz.test_odd_requests_do_no_harm",
    ),
    "D12: it followed redirects, keys and all": ("test_transparency.test_the_answer_is_the_providers",),
    "D14: a WebSocket hung": (
        "test_websocket.test_each_response_of_a_connection_is_a_pair_and_all_bytes_are_as_they_were_sent",
        "test_websocket.test_an_upgrade_that_the_upstream_refuses_is_answered_as_it_answers",
    ),
    "D15: what was no event stream was held back": (
        "test_transparency.test_a_body_is_passed_on_while_it_still_comes",
        "test_transcript.test_streams_are_logged_in_chunks_and_all_else_whole",
    ),
    "D16: the time to the first byte began at the header": (
        "test_transcript.test_a_response_tells_what_the_provider_said_and_when",
    ),
    "D18: the log stood in the way of the call": ("test_load.test_a_slow_disk_slows_no_call",),
    "D19: hop-by-hop headers went on": (
        "test_transparency.test_hop_by_hop_headers_and_those_of_the_proxy_do_not_arrive",
    ),
    "D20: it did not know today's Claude Code": ("test_clients.test_bodies_that_name_a_session",),
    "D21: nor Codex, nor a chain of responses": (
        "test_clients.test_headers_that_name_a_session",
        "test_clients.test_what_is_made_anew_for_each_call_or_shared_by_all_is_no_session",
        "test_restart.test_a_chain_of_responses_goes_on_after_a_kill",
    ),
    "D22: /v1 was missing or too much": (
        "test_routing.test_oauth_calls_go_to_chatgpt_without_a_version",
        "test_routing.test_api_key_calls_go_to_openai_with_a_version",
    ),
    "D23: most paths were no conversation, and a GET made a session": (
        "test_routing.test_a_conversation_is_told_by_the_end_of_its_path",
        "test_routing.test_only_a_post_is_a_conversation",
    ),
    "D24: parallel calls of a session lost updates": (
        "test_sdks.test_parallel_calls_of_one_session_are_each_on_record",
    ),
    "no fork was ever written": ("test_restart.test_one_edited_turn_gives_one_fork",),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_has_tests_that_would_tell(defect: str) -> None:
    for test in DEFECTS[defect]:
        module, _, name = test.partition(".")
        bodies = [ast.parse(path.read_text()).body for path in TESTS.rglob(f"{module}.py")]
        assert name in {each.name for body in bodies for each in body if isinstance(each, ast.FunctionDef)}
