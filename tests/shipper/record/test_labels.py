from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.record.envelope import Envelope, envelope_of_record
from shipper.record.labels import labels_of, metadata_of

MIB = 1 << 20


def metadata(*, session: str = "from-the-file", **fields: Any) -> dict[str, str]:
    pairs = metadata_of(envelope_of_record(fields), session, 99)
    assert pairs == tuple(sorted(pairs))
    return dict(pairs)


def test_the_labels_are_those_and_no_others() -> None:
    envelope = envelope_of_record(
        {"type": "response", "_meta": {"machine": "u@h"}, "model": "claude", "seq": 5}
    )

    assert labels_of(envelope, "anthropic", "production", {}) == (
        ("app", "llm-proxy"),
        ("environment", "production"),
        ("log_type", "response"),
        ("machine", "u@h"),
        ("provider", "anthropic"),
    )


def test_static_labels_stand_beside_ours_and_never_in_their_place() -> None:
    static = {"team": "a", "app": "theirs", "machine": "theirs"}
    labels = dict(labels_of(envelope_of_record({}), "openai", "test", static))

    assert (labels["team"], labels["app"], labels["machine"]) == ("a", "llm-proxy", "unknown")


@pytest.mark.parametrize("machine", [None, "", 5, ["u@h"]])
def test_a_label_without_a_value_is_unknown(machine: Any) -> None:
    labels = dict(labels_of(envelope_of_record({"_meta": {"machine": machine}}), "", "", {}))

    assert (labels["machine"], labels["provider"], labels["environment"]) == ("unknown",) * 3


def test_a_label_is_valid_and_bounded() -> None:
    labels = dict(
        labels_of(envelope_of_record({"_meta": {"machine": "ä\ud83d" * MIB}}), "openai", "test", {})
    )

    assert labels["machine"].encode()[:3] == "ä?".encode()
    assert len(labels["machine"].encode()) <= 256


def test_what_has_many_values_goes_to_the_metadata() -> None:
    found = metadata(
        type="response",
        _meta={"session": "s-1", "request_id": "r-1"},
        seq=7,
        model="claude",
        stream=True,
        status=200,
        stop_reason="end_turn",
        usage={
            "input_tokens": 1,
            "output_tokens": 2,
            "cache_read_input_tokens": 3,
            "cache_creation_input_tokens": 4,
            "cache_creation_5m_tokens": 3,
            "cache_creation_1h_tokens": 1,
            "reasoning_tokens": 2,
            "cost": 0.00125,
            "other": 5,
        },
        timing={"ttfb_ms": 10, "total_ms": 20},
        tool_calls=[{"id": "1", "name": "Bash"}, {"id": "2", "name": "Read"}],
    )

    assert found == {
        "level": "info",
        "session": "s-1",
        "offset": "99",
        "request_id": "r-1",
        "seq": "7",
        "model": "claude",
        "stream": "true",
        "status": "200",
        "stop_reason": "end_turn",
        "input_tokens": "1",
        "output_tokens": "2",
        "cache_read_input_tokens": "3",
        "cache_creation_input_tokens": "4",
        "cache_creation_5m_tokens": "3",
        "cache_creation_1h_tokens": "1",
        "reasoning_tokens": "2",
        "cost": "0.00125",
        "ttfb_ms": "10",
        "total_ms": "20",
        "tool_count": "2",
        "tools": "Bash,Read",
    }


def test_a_line_that_tells_nothing_has_a_level_and_its_place() -> None:
    assert metadata() == {"level": "info", "session": "from-the-file", "offset": "99"}


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({"status": 200}, "info"),
        ({"status": 399}, "info"),
        ({"status": 400}, "error"),
        ({"status": 529}, "error"),
        ({"status": 0}, "info"),
        ({"status": 0, "error": {"kind": "client_gone"}}, "error"),
        ({"status": 200, "error": "text"}, "error"),
        ({"error": None}, "info"),
        ({"error": ""}, "info"),
        ({"status": "500"}, "info"),
        ({"status": True}, "info"),
        ({"status": [500]}, "info"),
    ],
)
def test_the_level_follows_from_status_and_error(fields: dict[str, Any], level: str) -> None:
    assert metadata(**fields)["level"] == level


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([{"name": "Bash"}, "Read", 5, None, {"name": 5}, {}, []], {"tool_count": "2", "tools": "Bash,Read"}),
        ([], {}),
        ([5], {}),
        ({"name": "Bash"}, {}),
        ("Bash", {}),
        (None, {}),
    ],
)
def test_tools_are_counted_and_joined(calls: Any, expected: dict[str, str]) -> None:
    found = metadata(tool_calls=calls)

    assert {name: value for name, value in found.items() if name.startswith("tool")} == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        (1.5, "1.5"),
        (False, "false"),
        ("x", "x"),
        (None, None),
        ([1], None),
        ({"a": 1}, None),
        ("", None),
    ],
)
def test_only_plain_values_are_metadata(value: Any, text: str | None) -> None:
    assert metadata(seq=value).get("seq") == text


def test_an_unknown_type_is_told_where_it_is_no_label() -> None:
    assert metadata(type="tool_result")["type"] == "tool_result"
    assert "type" not in metadata(type="request")


def test_a_value_is_cut_on_a_border_of_characters() -> None:
    assert metadata(model="x" + "ä" * 1000)["model"] == "x" + "ä" * 511


def test_a_lone_surrogate_is_replaced() -> None:
    assert metadata(model="a\ud83db")["model"] == "a?b"


def test_many_large_values_stay_below_the_bound() -> None:
    large = "v" * MIB
    names = ("model", "stop_reason", "seq", "stream", "status", "type")
    tokens = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    found = metadata(
        **dict.fromkeys(names, large),
        _meta={"session": large, "request_id": large},
        timing={"ttfb_ms": large, "total_ms": large},
        usage=dict.fromkeys(tokens, large),
        tool_calls=[large],
    )

    assert sum(len(name) + len(value.encode()) for name, value in found.items()) <= 16 * 1024
    assert max(len(value.encode()) for value in found.values()) <= 1024
    assert len(found) == 18


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=1500),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from(Envelope.__struct_encode_fields__), anything), st.text(st.characters())
)
def test_any_envelope_has_metadata_and_labels_that_loki_takes(fields: dict[str, Any], session: str) -> None:
    found = metadata(session=session, **fields)
    labels = labels_of(envelope_of_record(fields), "openai", "test", {})

    for value in (*found.values(), *dict(labels).values()):
        assert value
        assert len(value.encode()) <= 1024
