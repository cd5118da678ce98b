"""Which message of a WebSocket belongs to which response."""

import json
from typing import Any

import pytest

from proxy.content.dialects.openai.turns import Place, Turns, event_of


def event(kind: str, **more: Any) -> bytes:
    return json.dumps({"type": kind, **more}).encode()


def response(kind: str, known_as: str) -> bytes:
    return event(kind, response={"id": known_as})


def test_one_response_after_the_other_has_its_own_turn() -> None:
    turns = Turns(in_turn=True)

    assert turns.sent(event("response.create")) == Place(1, "request")
    assert turns.received(response("response.created", "r1")) == Place(1, "message")
    assert turns.received(event("response.output_text.delta", delta="x")) == Place(1, "message")
    assert turns.received(response("response.completed", "r1")) == Place(1, "end")
    assert turns.running == []
    assert turns.sent(event("response.create", previous_response_id="r1")) == Place(2, "request")
    assert turns.running == [2]


def test_what_comes_between_belongs_to_the_next_turn() -> None:
    turns = Turns(in_turn=False)

    assert turns.received(event("session.created")) == Place(1, "message")
    assert turns.sent(event("session.update")) == Place(1, "message")
    assert turns.sent(event("response.create")) == Place(1, "request")
    assert turns.sent(event("input_audio_buffer.append")) == Place(1, "message")
    assert turns.received(response("response.created", "r1")) == Place(1, "message")
    assert turns.received(response("response.done", "r1")) == Place(1, "end")
    assert turns.received(event("rate_limits.updated")) == Place(2, "message")


def test_a_response_that_nobody_asked_for_opens_a_turn() -> None:
    turns = Turns(in_turn=False)
    turns.sent(event("input_audio_buffer.append"))

    assert turns.received(response("response.created", "r1")) == Place(1, "opening")
    assert turns.received(event("response.output_audio.delta", response_id="r1")) == Place(1, "message")
    assert turns.received(response("response.done", "r1")) == Place(1, "end")


def test_responses_that_run_beside_each_other_are_told_apart_by_their_ids() -> None:
    turns = Turns(in_turn=False)
    turns.sent(event("response.create"))
    turns.sent(event("response.create"))
    turns.received(response("response.created", "r1"))
    turns.received(response("response.created", "r2"))

    assert turns.received(event("response.output_text.delta", response_id="r2")) == Place(2, "message")
    assert turns.received(response("response.done", "r1")) == Place(1, "end")
    assert turns.running == [2]


@pytest.mark.parametrize(("in_turn", "role"), [(True, "end"), (False, "message")])
def test_an_error_amid_a_response_ends_it_where_one_comes_after_the_other(
    *, in_turn: bool, role: str
) -> None:
    turns = Turns(in_turn=in_turn)
    turns.sent(event("response.create"))
    turns.received(response("response.created", "r1"))

    assert turns.received(event("error", error={"message": "no"})).role == role


def test_an_error_before_a_response_is_its_end() -> None:
    turns = Turns(in_turn=False)
    turns.sent(event("response.create"))

    assert turns.received(event("error", error={"message": "no"})) == Place(1, "end")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'{"type":"response.done","response":{"id":"r1"}}', ("response.done", "r1")),
        (b'{"event_id":"e","type":"x","response_id":"r2"}', ("x", "r2")),
        (b'{"response":{"type":"inner"}}', ("", "")),
        (b"\x00\x01", ("", "")),
        (b"[]", ("", "")),
        (
            b'{"type":"response.completed","response":{"id":"r1","output":"' + b"x" * 100_000,
            ("response.completed", "r1"),
        ),
        (b'{"type":"response.create","input":"' + b"x" * 100_000 + b'"}', ("response.create", "")),
    ],
)
def test_an_event_is_read_whole_or_by_its_beginning(data: bytes, found: tuple[str, str]) -> None:
    assert event_of(data) == found
