"""Bodies through the writer and back through a reader of this file's own: all of them exactly."""

import hashlib
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import proxy.recording.delta.shortening as shortening_module
from proxy.content.redact.patterns import compile_patterns
from proxy.record.record import Bulk, History, Meta, Omitted, Request
from proxy.recording.delta.bases import FileState
from proxy.recording.delta.cuts import LONGEST_BETWEEN
from proxy.recording.delta.shortening import DEEPEST, Shortening

SESSION = "20261123-101500-a1b2c3d4"
LONG = "All happy families are alike; " * 12


def request(seq: int, body: bytes, parent: int = 0, session: str = SESSION) -> Request:
    bulk = Bulk("body", (orjson.dumps(body.decode()),), text=body)
    history = History(1, "00", parent) if parent else None
    return Request(
        Meta(1, "u@h", "h", session), "openai", seq, "POST", "/", {}, len(body), bulk, history=history
    )


def shortened(shortening: Shortening, one: Request, state: FileState = FileState()) -> Bulk:  # noqa: B008 - frozen
    body = shortening.shorten(one, state).body
    assert isinstance(body, Bulk)
    return body


@dataclass
class Reader:
    """Puts bodies together again, and checks every hash."""

    bodies: dict[int, bytes] = field(default_factory=dict)
    deltas: dict[int, dict[str, Any]] = field(default_factory=dict)
    size: int = 0

    def read(self, written: Request) -> bytes:
        assert isinstance(written.body, Bulk)
        encoded = b"".join(written.body.encoded)
        self.size += len(encoded)
        body = self._body(written, orjson.loads(encoded))
        self.bodies[written.seq] = body
        return body

    def _body(self, written: Request, value: Any) -> bytes:
        if isinstance(value, str):
            return value.encode()
        self.deltas[written.seq] = value
        base = self.bodies[value["base"]]
        pieces = [
            each.encode() if isinstance(each, str) else base[each[0] : each[0] + each[1]]
            for each in value["pieces"]
        ]
        body = b"".join(pieces)
        assert len(body) == value["size"]
        assert hashlib.sha256(body).hexdigest() == value["sha256"]
        return body

    def depth(self, seq: int) -> int:
        return 1 + self.depth(self.deltas[seq]["base"]) if seq in self.deltas else 0


def conversation(messages: Iterable[str], **fields: Any) -> bytes:
    told: list[dict[str, Any]] = [
        {"role": ("user", "assistant")[at % 2], "content": [{"type": "text", "text": text}]}
        for at, text in enumerate(messages)
    ]
    for each in told[-2:]:
        each["content"][0]["cache_control"] = {"type": "ephemeral"}
    tools = [{"name": f"tool{at}", "description": f"{at} {LONG}"} for at in range(8)]
    return orjson.dumps({"model": "m", "messages": told, "system": LONG * 3, "tools": tools} | fields)


def texts(count: int, size: int = 400, seed: int = 1) -> list[str]:
    chance = random.Random(seed)  # noqa: S311 - texts need not be secret
    return [f"{at} " + "".join(chance.choices('abc "\\\néß🙂', k=size)) for at in range(count)]


def test_a_call_that_goes_on_is_told_by_what_is_new() -> None:
    told = texts(9)
    shortening, reader = Shortening(), Reader()
    for seq, turns in enumerate((1, 3, 5), 1):
        body = conversation(told[:turns])

        assert reader.read(shortening.shorten(request(seq, body, seq - 1), FileState())) == body
    assert list(reader.deltas) == [2, 3]
    assert [each["base"] for each in reader.deltas.values()] == [1, 2]
    news = "".join(each for each in reader.deltas[3]["pieces"] if isinstance(each, str))
    assert all(orjson.dumps(text)[1:-1].decode() in news for text in told[3:5])
    assert all(orjson.dumps(text)[1:-1].decode() not in news for text in told[:3])


def test_the_tail_of_a_body_is_found_where_it_has_moved() -> None:
    shortening, reader = Shortening(), Reader()
    bodies = [conversation(texts(1)), conversation(texts(3), max_tokens=9)]
    for seq, body in enumerate(bodies, 1):
        reader.read(shortening.shorten(request(seq, body, seq - 1), FileState()))

    assert reader.size < len(bodies[0]) * 1.2 + len(bodies[1]) - len(bodies[0]) + 1000


@pytest.mark.parametrize(
    "body",
    [
        Omitted(9, "", "queue_full"),
        Bulk("body", (b'"AA=="',), base64=True),
        Bulk("body", (b'"short"',), text=b"short"),
        Bulk("body", (b'"long"',), text=b"x" * ((8 << 20) + 1)),
    ],
)
def test_what_is_no_text_in_memory_or_short_or_above_8_mib_stays_as_it_is(body: Bulk | Omitted) -> None:
    shortening = Shortening()
    one = Request(Meta(1, "u@h", "h", SESSION), "openai", 1, "POST", "/", {}, 9, body)

    assert shortening.shorten(one, FileState()) is one
    assert shortening.shorten(one, FileState()) is one
    assert shortening.memory == 0


def test_each_of_several_histories_in_a_session_finds_its_own() -> None:
    shortening, reader = Shortening(), Reader()
    agents = [texts(40, seed=seed) for seed in range(5)]
    latest = dict.fromkeys(range(5), 0)
    seq = 0
    for turns in range(1, 40, 2):
        for agent, told in enumerate(agents):
            seq += 1
            body = conversation(told[:turns])
            written = shortening.shorten(request(seq, body, latest[agent]), FileState())
            assert reader.read(written) == body
            assert turns == 1 or seq in reader.deltas
            latest[agent] = seq


def test_a_request_without_a_parent_is_told_by_what_has_most_in_common() -> None:
    shortening, reader = Shortening(), Reader()
    main, other = conversation(texts(30)), conversation(texts(2, seed=7), tools=[], model="n")
    aside = conversation([*texts(30), "and what is this?", LONG])
    for seq, body in enumerate((main, other, aside, main), 1):
        assert reader.read(shortening.shorten(request(seq, body), FileState())) == body

    assert {seq: each["base"] for seq, each in reader.deltas.items()} == {3: 1, 4: 1}


def test_a_subagent_is_told_by_the_tools_that_it_shares() -> None:
    shortening, reader = Shortening(), Reader()
    tools = [{"name": f"tool{at}", "description": f"{at} {LONG}"} for at in range(30)]
    main = conversation(texts(4), tools=tools)
    agent = conversation(texts(1, seed=5), system="You search.", tools=tools)
    for seq, body in enumerate((main, agent), 1):
        assert reader.read(shortening.shorten(request(seq, body), FileState())) == body

    assert list(reader.deltas) == [2]


def test_every_file_begins_with_a_whole_body() -> None:
    shortening = Shortening()
    body = conversation(texts(5))
    for session in ("20261123-101500-00000001", "20261123-101500-00000002"):
        assert shortened(shortening, request(1, body, session=session)).field == "body"


@pytest.mark.parametrize(
    ("states", "whole"),
    [
        ([FileState(), FileState()], False),
        ([FileState(), FileState(7, 900)], False),
        ([FileState(7, 900), FileState(7, 950)], False),
        ([FileState(7, 900), FileState(8, 950)], True),
        ([FileState(7, 900), FileState(7, 100)], True),
        ([FileState(7, 900), FileState()], True),
    ],
)
def test_a_file_that_is_gone_or_another_or_shorter_begins_again(
    states: list[FileState], *, whole: bool
) -> None:
    shortening = Shortening()
    body = conversation(texts(5))
    fields = [shortened(shortening, request(seq, body), state).field for seq, state in enumerate(states, 1)]

    assert fields == ["body", "body" if whole else "body_delta"]


def test_a_file_that_was_never_seen_and_is_not_there_after_a_flush_begins_again() -> None:
    shortening = Shortening()
    body = conversation(texts(5))
    shortened(shortening, request(1, body))

    assert shortened(shortening, request(2, body)).field == "body_delta"
    shortening.flushed()
    assert shortened(shortening, request(3, body)).field == "body"


def test_after_records_were_lost_the_next_body_is_whole() -> None:
    shortening = Shortening()
    body = conversation(texts(5))
    shortening.shorten(request(1, body), FileState())
    shortening.forget(SESSION)

    assert shortened(shortening, request(2, body)).field == "body"


def test_what_is_mostly_new_is_whole() -> None:
    shortening, reader = Shortening(), Reader()
    for seq in range(1, 5):
        reader.read(shortening.shorten(request(seq, conversation(texts(40, seed=seq)), seq - 1), FileState()))

    assert not reader.deltas


def test_a_body_is_whole_once_the_deltas_before_it_add_up_to_it() -> None:
    shortening, reader = Shortening(), Reader()
    for seq in range(1, 20):
        told = [*texts(30), *texts(12, seed=seq)]
        reader.read(shortening.shorten(request(seq, conversation(told), seq - 1), FileState()))
    wholes = [seq for seq in range(1, 20) if seq not in reader.deltas]

    assert len(wholes) > 2
    for seq in reader.deltas:
        new, at = 0, seq
        while at in reader.deltas:
            new += sum(len(each.encode()) for each in reader.deltas[at]["pieces"] if isinstance(each, str))
            at = reader.deltas[at]["base"]
        grown = max(0, len(reader.bodies[seq]) - len(reader.bodies[at]))
        assert new - grown < len(reader.bodies[seq])


def test_a_file_grows_with_what_was_said_and_no_chain_is_long() -> None:
    turns = 50
    told = texts(8 * turns, 300)
    shortening, reader = Shortening(), Reader()
    sizes = []
    for seq in range(1, 4 * turns + 1):
        body = conversation(told[: 2 * seq - 1])
        assert reader.read(shortening.shorten(request(seq, body, seq - 1), FileState())) == body
        if seq % turns == 0:
            sizes.append(reader.size)
            assert reader.size < 3 * len(orjson.dumps(body.decode()))

    assert sizes[3] - sizes[2] < 1.3 * (sizes[2] - sizes[1])
    assert max(map(reader.depth, reader.bodies)) < 2 * turns


def test_a_chain_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortening_module, "_STRIDE", 1000)
    monkeypatch.setattr(shortening_module, "_STRIDE_BYTES", 1 << 30)
    shortening, reader = Shortening(), Reader()
    body = conversation(texts(80))
    for seq in range(1, DEEPEST + 9):
        body = body[:-1] + b" }"
        assert reader.read(shortening.shorten(request(seq, body, seq - 1), FileState())) == body

    assert max(map(reader.depth, reader.bodies)) == DEEPEST


def test_all_sessions_together_take_bounded_memory_and_the_latest_stay() -> None:
    shortening = Shortening(memory=100_000)
    body = conversation(texts(9))
    names = [f"20261123-101500-{number:08x}" for number in range(200)]
    for name in names:
        shortening.shorten(request(1, body, session=name), FileState())
        assert shortening.memory <= 100_000

    def field_of(name: str) -> str:
        return shortened(shortening, request(2, body, session=name)).field

    assert field_of(names[-1]) == "body_delta"
    assert field_of(names[0]) == "body"


def test_one_session_takes_bounded_memory() -> None:
    shortening = Shortening()
    body = conversation(texts(9))
    for seq in range(1, 300):
        shortening.shorten(request(seq, body[:-1] + b" " * seq + b"}", seq - 1), FileState())

    assert shortening.memory < 50_000


@pytest.mark.parametrize(
    "key", [lambda _piece: 0, lambda piece: len(piece) % 7, lambda piece: hash(bytes(piece[:200]))]
)
def test_keys_that_collide_are_noticed_and_the_body_is_whole(key: Callable[[memoryview], int]) -> None:
    shortening, reader = Shortening(key=key), Reader()
    told = texts(12)
    for seq in range(1, 6):
        changed = [text.replace("a", "c") if at % 2 else text for at, text in enumerate(told[: 2 * seq])]
        body = conversation(changed if seq % 2 else told[: 2 * seq])

        assert reader.read(shortening.shorten(request(seq, body, seq - 1), FileState())) == body


def test_a_pattern_hits_no_piece_even_where_one_begins_amid_a_word() -> None:
    mask = compile_patterns([r"\bid[0-9]{8}\b"])
    assert mask is not None
    shortening = Shortening(mask)
    long = "x" * LONGEST_BETWEEN
    before, after = f'{long}","{LONG}'.encode(), f'{long}id12345678","{LONG}'.encode()
    assert mask(after.decode())[1] == 0
    shortened(shortening, request(1, before))
    written = shortened(shortening, request(2, after))

    assert written.field == "body"
    assert shortened(Shortening(), request(1, before)).field == "body"


def test_what_a_body_begins_with_is_known_without_a_look_at_each_piece() -> None:
    looks: list[int] = []

    def key(piece: memoryview) -> int:
        looks.append(len(piece))
        return hash(piece)

    shortening, told = Shortening(key=key), texts(1000)
    bodies = [
        conversation(told),
        conversation([*told[:10], LONG, *told[11:]]),
        conversation([*told[:10], LONG, *told[11:], LONG]),
    ]
    fields, calls = [], []
    for seq, body in enumerate(bodies, 1):
        looks.clear()
        fields.append(shortened(shortening, request(seq, body, seq - 1)).field)
        calls.append(len(looks))

    assert fields == ["body", "body_delta", "body_delta"]
    assert calls[0] > 1000
    assert calls[2] < calls[0] / 8


PIECES = st.sampled_from(
    [
        LONG,
        LONG * 40,
        "é🙂" * 300,
        '"' * 301,
        "\\" * 303,
        r"\ud83d " * 100,
        '","content":"',
        '"},{"role":"user"}',
        "\x00\x7f\u2028" * 99,
        "x" * 20_000,
        "",
        "a",
    ]
)


@st.composite
def edits(draw: st.DrawFn) -> list[bytes]:
    """Bodies of which each is the one before, changed, or one of the earlier."""
    parts = draw(st.lists(PIECES, min_size=1, max_size=12))
    bodies = []
    for _ in range(draw(st.integers(2, 8))):
        at, end = sorted((draw(st.integers(0, len(parts))), draw(st.integers(0, len(parts)))))
        match draw(st.sampled_from(("append", "insert", "delete", "reverse", "double", "again", "other"))):
            case "append":
                parts = [*parts, draw(PIECES)]
            case "insert":
                parts = [*parts[:at], draw(st.text(max_size=300)), *parts[at:]]
            case "delete":
                parts = parts[:at] + parts[end:]
            case "reverse":
                parts = parts[::-1]
            case "double":
                parts = [*parts, *parts[at:end]]
            case "other":
                parts = draw(st.lists(PIECES, max_size=12))
        shape = draw(st.sampled_from(("json", "quoted", "bare")))
        bodies.append(
            {"json": orjson.dumps(parts), "quoted": '"'.join(parts).encode()}.get(
                shape, "".join(parts).encode()
            )
        )
    return bodies


@settings(max_examples=150, deadline=None)
@given(edits(), st.sampled_from([0, 1]), st.sampled_from([hash, len, lambda piece: sum(piece[:9])]))
def test_any_sequence_of_bodies_comes_back_exactly(
    bodies: list[bytes],
    linked: int,
    key: Callable[[memoryview], int],
) -> None:
    shortening, reader = Shortening(key=key), Reader()
    for seq, body in enumerate(bodies, 1):
        written = shortening.shorten(request(seq, body, linked * (seq - 1)), FileState())

        assert reader.read(written) == body
