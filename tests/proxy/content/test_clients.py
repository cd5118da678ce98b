from typing import Any

import orjson
import pytest

from proxy.content.clients import identify

UUID = "4f1c2b7e-8d35-4d7b-a1b6-2f9a1c3d5e70"
OTHER = "99999999-8d35-4d7b-a1b6-2f9a1c3d5e70"
CLAUDE_CODE = orjson.dumps({"device_id": "d", "account_uuid": "", "session_id": UUID}).decode()


def key(document: dict[str, Any] | None = None, path: str = "/v1/messages", **headers: str) -> str:
    raw = [(name.replace("__", "-").encode(), value.encode()) for name, value in headers.items()]
    return identify(path, raw, document).key


@pytest.mark.parametrize(
    "name",
    [
        "X-Claude-Code-Session-Id",
        "x-claude-code-session-id",
        "session_id",
        "Session-Id",
        "thread-id",
        "thread_id",
        "X-Session-ID",
    ],
)
def test_headers_that_name_a_session(name: str) -> None:
    assert identify("/v1/messages", [(name.encode(), UUID.encode())], None).key == UUID


@pytest.mark.parametrize(
    "document",
    [
        {"metadata": {"user_id": CLAUDE_CODE}},
        {"metadata": {"user_id": f"user_0a1b_account__session_{UUID}"}},
        {"metadata": {"user_id": f"user_a_session_{OTHER}_session_{UUID}"}},
        {"metadata": {"session_id": UUID}},
        {"conversation": UUID},
        {"conversation": {"id": UUID}},
        {"prompt_cache_key": UUID},
    ],
)
def test_bodies_that_name_a_session(document: dict[str, Any]) -> None:
    assert key(document) == UUID


def test_a_thread_is_a_session() -> None:
    assert key(path="/v1/threads/thread_abc/runs") == "thread_abc"
    assert key(path="/v1/threads/runs") == ""


@pytest.mark.parametrize(
    ("document", "headers"),
    [
        ({"user": "jane"}, {}),
        ({"metadata": {"user_id": "jane"}}, {}),
        ({"metadata": {"user_id": "{not json"}}, {}),
        ({"metadata": {"user_id": "[1]"}}, {}),
        ({"metadata": {"user_id": '{"session_id": 7}'}}, {}),
        ({"metadata": {"user_id": 7}}, {}),
        ({"metadata": "x"}, {}),
        ({"conversation": {"id": ""}}, {}),
        ({"conversation": 7}, {}),
        ({}, {"X__Client__Request__Id": UUID}),
        ({}, {"x__request__id": UUID}),
        ({}, {"X__Session__ID": "two words"}),
        ({}, {"X__Session__ID": "x" * 256}),
        ({}, {"X__Session__ID": "sk-ant-api03-abcdefghijklmnop"}),
        ({"prompt_cache_key": UUID, "previous_response_id": "resp_1"}, {}),
        (None, {}),
    ],
)
def test_what_is_made_anew_for_each_call_or_shared_by_all_is_no_session(
    document: dict[str, Any] | None, headers: dict[str, str]
) -> None:
    assert key(document, **headers) == ""


def test_what_an_agent_sends_for_the_purpose_goes_before_what_the_api_defines() -> None:
    document = {
        "metadata": {"user_id": f"u_session_{OTHER}"},
        "prompt_cache_key": OTHER,
        "conversation": OTHER,
    }

    assert key(document, X__Claude__Code__Session__Id=UUID) == UUID
    assert key(document, X__Session__ID=UUID) == OTHER


def test_an_invalid_name_gives_way_to_the_next() -> None:
    assert key({"conversation": UUID}, session_id="no good") == UUID


def test_subagents_are_told() -> None:
    headers = [(b"X-Claude-Code-Agent-Id", b"agent-2"), (b"x-claude-code-parent-agent-id", b"agent-1")]
    client = identify("/v1/messages", headers, None)

    assert (client.agent, client.parent_agent) == ("agent-2", "agent-1")
