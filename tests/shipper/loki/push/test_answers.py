import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.entry import DropReason
from shipper.loki.push.answers import (
    Meaning,
    is_own_failure,
    line_limit_in,
    meaning_of,
    rate_limit_in,
    refusals_in,
    verify_after,
    wait_after,
)
from shipper.loki.push.push import Answer, Silence

TOO_LONG = (
    "max entry size '262144' bytes exceeded for stream '{app=\"x\"}' while adding an entry with length"
    " '300000' bytes"
)
TENANT = (
    "ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec) while attempting to ingest"
    " '12' lines totaling '6000000' bytes, reduce log volume or contact your Loki administrator"
)
STREAM = (
    "Per stream rate limit exceeded (limit: 3MB/sec) while attempting to ingest for stream '{app=\"x\"}'"
    " totaling 15MB, consider splitting a stream via additional labels"
)
BEHIND = "entry with timestamp 2026-11-23 10:00:00 +0000 UTC ignored, reason: 'entry too far behind, ...'"


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (Answer(204), Meaning.DELIVERED),
        (Answer(200), Meaning.HOLD),
        (Answer(202), Meaning.HOLD),
        (Answer(260, "ingestion blocked"), Meaning.HOLD),
        (Answer(301), Meaning.HOLD),
        (Answer(400, "a gateway's own words"), Meaning.HOLD),
        (Answer(400, TOO_LONG), Meaning.REFUSED),
        (Answer(400, BEHIND), Meaning.REFUSED),
        (Answer(400, "entry has timestamp too old: 1, oldest acceptable timestamp is: 2"), Meaning.REFUSED),
        (Answer(400, "stream '{}' ... this feature is disallowed"), Meaning.NO_METADATA),
        (Answer(401, "no org id"), Meaning.HOLD),
        (Answer(403), Meaning.HOLD),
        (Answer(404), Meaning.HOLD),
        (Answer(408), Meaning.HOLD),
        (Answer(413), Meaning.TOO_LARGE),
        (Answer(422), Meaning.HOLD),
        (Answer(429, TENANT), Meaning.TENANT_LIMIT),
        (Answer(429, "maximum active stream limit exceeded"), Meaning.STREAM_COUNT),
        (Answer(429, STREAM), Meaning.STREAM_LIMIT),
        (
            Answer(500, "rpc error: code = ResourceExhausted desc = grpc: received message larger than max"),
            Meaning.TOO_LARGE,
        ),
        (Answer(500, "empty ring"), Meaning.NOT_SENT),
        (Answer(500, "Ingester is shutting down"), Meaning.NOT_SENT),
        (Answer(500, "context deadline exceeded"), Meaning.UNKNOWN),
        (Answer(502), Meaning.UNKNOWN),
        (Answer(503), Meaning.UNKNOWN),
        (Answer(silence=Silence.UNREACHABLE), Meaning.NOT_SENT),
        (Answer(silence=Silence.TIMEOUT), Meaning.UNKNOWN),
        (Answer(silence=Silence.BROKEN), Meaning.UNKNOWN),
    ],
)
def test_each_answer_has_one_meaning(answer: Answer, meaning: Meaning) -> None:
    assert meaning_of(answer) is meaning


@given(st.integers(100, 599), st.text())
def test_only_204_is_delivered(status: int, text: str) -> None:
    assert (meaning_of(Answer(status, text)) is Meaning.DELIVERED) == (status == 204)


def test_a_refusal_is_read_out_of_a_text_that_names_several() -> None:
    assert refusals_in(TOO_LONG + "\n" + BEHIND) == {DropReason.LINE_TOO_LONG, DropReason.TOO_FAR_BEHIND}


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        (TENANT, 4194304.0),
        (STREAM, 3.0 * (1 << 20)),
        ("(limit: 512KB/sec)", 512.0 * 1024),
        ("no figure", None),
    ],
)
def test_the_printed_rate_limit_is_read(text: str, limit: float | None) -> None:
    assert rate_limit_in(text) == limit


def test_the_printed_line_limit_is_read() -> None:
    assert line_limit_in(TOO_LONG) == 262_144
    assert line_limit_in("max entry size unknown") is None


def test_waiting_doubles_from_a_tenth_of_a_second_to_ten_seconds() -> None:
    waits = [wait_after(attempt, jitter=0.0) for attempt in range(1, 10)]

    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_jitter_adds_up_to_a_quarter(attempt: int, jitter: float) -> None:
    plain = wait_after(attempt, jitter=0.0)

    assert plain <= wait_after(attempt, jitter) < plain * 1.25 + 1e-9


def test_a_gateways_wish_is_honoured_within_reason() -> None:
    assert wait_after(1, 0.0, retry_after=7.0) == 7.0
    assert wait_after(1, 0.0, retry_after=86_400.0) == 300.0


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (Answer(silence=Silence.TIMEOUT), 10.0),
        (Answer(silence=Silence.BROKEN), 10.0),
        (Answer(silence=Silence.UNREACHABLE), 0.0),
        (Answer(504), 10.0),
        (Answer(524), 10.0),
        (Answer(499), 10.0),
        (Answer(200), 10.0),
        (Answer(202, "accepted"), 10.0),
        (Answer(204), 0.0),
        (Answer(260, "ingestion blocked"), 0.0),
        (Answer(403), 0.0),
        (Answer(500, "context deadline exceeded"), 10.0),
        (Answer(502), 10.0),
        (Answer(503, "service unavailable"), 10.0),
        (Answer(500, "<html>Internal Server Error</html>"), 10.0),
        (Answer(408), 10.0),
        (Answer(503, "no healthy upstream"), 0.0),
        (Answer(500, "rpc error: code = Unavailable desc = connection refused"), 0.0),
        (Answer(500, "empty ring"), 0.0),
    ],
)
def test_loki_is_asked_once_it_can_have_finished(answer: Answer, seconds: float) -> None:
    assert verify_after(answer) == seconds


def test_the_time_to_settle_doubles_to_eighty_seconds() -> None:
    assert [verify_after(Answer(504), verify_backoff) for verify_backoff in (1, 3, 4, 10_000)] == [
        20.0,
        80.0,
        80.0,
        80.0,
    ]
    assert verify_after(Answer(500, "internal"), 3) == 0.0
    assert verify_after(Answer(503), 3) == 10.0, "a gateway that answers at once queues nothing"


@pytest.mark.parametrize(
    ("answer", "own"),
    [
        (Answer(500, "rpc error: code = Unavailable desc = connection refused"), True),
        (Answer(503, "rpc error: code = Unavailable desc = connection refused"), True),
        (Answer(500, "context canceled"), True),
        (Answer(500, "empty ring"), False),
        (Answer(500, "<html>Internal Server Error</html>"), False),
        (Answer(502, "bad gateway"), False),
        (Answer(429, "ingestion rate limit exceeded"), False),
    ],
)
def test_lokis_own_failures_are_told_from_those_of_what_is_before_it(
    answer: Answer,
    own: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert is_own_failure(answer) is own
