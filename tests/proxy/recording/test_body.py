import gzip
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.record.record import Omitted
from proxy.recording import body as drafts
from proxy.recording.body import BodyDraft
from tests.proxy.bodies import FullSpool, MemorySpool, pieces, read_back


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "PARSED", 64)


def drafted(*data: bytes, coding: str = "", spool: MemorySpool | None = None) -> BodyDraft:
    draft = BodyDraft(coding, lambda: spool or MemorySpool())
    for each in data:
        draft.feed(pieces(each))
    return draft


def hide(text: str) -> tuple[str, int]:
    return text.replace("Falcon", "[redacted]"), text.count("Falcon")


def test_a_text_is_kept_as_it_is_and_hashed_as_it_came() -> None:
    draft = drafted(b'{"a":"caf', "é🚀".encode()[:3], "é🚀".encode()[3:], b'"}')
    whole = draft.whole()
    body, hits = draft.finish(whole, None)

    assert whole == '{"a":"café🚀"}'.encode()
    assert read_back(body) == '{"a":"café🚀"}'
    assert (hits, draft.sha256) == (0, hashlib.sha256('{"a":"café🚀"}'.encode()).hexdigest())


def test_a_packed_body_is_unpacked_for_the_log_and_hashed_as_it_came() -> None:
    packed = gzip.compress(b'{"a":1}')
    draft = drafted(packed[:9], packed[9:], coding="gzip")

    assert read_back(draft.finish(draft.whole(), None)[0]) == '{"a":1}'
    assert draft.sha256 == hashlib.sha256(packed).hexdigest()


@pytest.mark.parametrize("coding", ["gzip", "br", "compress"])
def test_a_body_that_cannot_be_unpacked_is_kept_as_it_came(coding: str) -> None:
    draft = drafted(b"\x00\x01 not packed", coding=coding)

    assert draft.whole() is None
    assert read_back(draft.finish(None, None)[0]) == b"\x00\x01 not packed"


@given(st.binary(max_size=300))
def test_any_bytes_come_back(data: bytes) -> None:
    draft = drafted(data)
    value = read_back(draft.finish(draft.whole(), None)[0])

    assert (value.encode() if isinstance(value, str) else value) == data


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("coding", ["", "gzip"])
def test_a_large_text_goes_through_a_spool_and_is_never_whole(coding: str) -> None:
    text = 'ÄÖÜ"\n' * 100
    data = gzip.compress(text.encode(), 0) if coding else text.encode()
    spool = MemorySpool()
    draft = drafted(data[:40], data[40:], coding=coding, spool=spool)

    assert draft.whole() is None
    assert spool.data == data
    assert read_back(draft.finish(None, None)[0]) == text
    assert spool.closed


@pytest.mark.usefixtures("small")
def test_large_bytes_go_through_a_spool_too() -> None:
    data = bytes(range(256)) * 3000
    spool = MemorySpool()
    draft = drafted(data, spool=spool)

    assert read_back(draft.finish(draft.whole(), None)[0]) == data
    assert spool.closed


@pytest.mark.usefixtures("small")
def test_a_spool_that_cannot_be_written_leaves_the_body_out() -> None:
    data = b"x" * 100
    spool = FullSpool()
    draft = drafted(data, b"y", spool=spool)

    assert draft.finish(draft.whole(), None)[0] == Omitted(
        101, hashlib.sha256(data + b"y").hexdigest(), "spool_failed"
    )
    assert spool.closed


@pytest.mark.slow
def test_a_small_body_that_unpacks_to_very_much_is_not_parsed() -> None:
    text = b"".join(b"%07d" % number + b"a" * 500 for number in range(40_000))
    draft = drafted(gzip.compress(text), coding="gzip")
    whole = draft.whole()
    body, _ = draft.finish(whole, None)

    assert whole is None
    assert len(read_back(body)) == len(text)


def test_patterns_are_masked_and_counted() -> None:
    draft = drafted(b"Falcon and Falcon")
    body, hits = draft.finish(draft.whole(), hide)

    assert (read_back(body), hits) == ("[redacted] and [redacted]", 2)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("data", [b"\xff\xfe", b"x" * 100])
def test_what_cannot_be_searched_is_left_out_where_patterns_are_set(data: bytes) -> None:
    draft = drafted(data)

    assert draft.finish(draft.whole(), hide)[0] == Omitted(
        len(data), hashlib.sha256(data).hexdigest(), "unmasked"
    )


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("size", "parsed"), [(10, True), (100, False)])
def test_a_body_left_out_by_policy_is_still_read_while_it_is_small(size: int, *, parsed: bool) -> None:
    draft = BodyDraft("", FullSpool, "log_bodies")
    draft.feed(pieces(b"x" * (size // 2), b"x" * (size // 2)))
    whole = draft.whole()

    assert (whole is not None) is parsed
    assert draft.finish(whole, None)[0] == Omitted(
        size, hashlib.sha256(b"x" * size).hexdigest(), "log_bodies"
    )
