from typing import Any

import orjson
import pytest

from shipper.loki.query.query import Row
from shipper.loki.query.response import rows_of

STREAM: dict[str, str] = {"app": "llm-proxy"}


def body(*streams: dict[str, Any]) -> bytes:
    return orjson.dumps({"status": "success", "data": {"resultType": "streams", "result": streams}})


def test_rows_of_all_streams_come_oldest_first() -> None:
    answer = body(
        {"stream": {"app": "b"}, "values": [["3", "c"], ["5", "e"]]},
        {"stream": {"app": "a"}, "values": [["4", "d"]]},
    )

    assert [(row.timestamp, row.line) for row in rows_of(answer)] == [(3, "c"), (4, "d"), (5, "e")]


@pytest.mark.parametrize(
    "answer",
    [
        body({"stream": STREAM, "values": [["1", "x", {"structuredMetadata": {"offset": "7"}}]]}),
        body(
            {"stream": STREAM, "values": [["1", "x", {"structuredMetadata": {"offset": "7"}, "parsed": {}}]]}
        ),
        body({"stream": {**STREAM, "offset": "7"}, "values": [["1", "x"]]}),
    ],
    ids=["apart", "with parsed fields", "flattened"],
)
def test_metadata_is_found_wherever_loki_puts_it(answer: bytes) -> None:
    assert rows_of(answer) == [Row(1, "x", {"app": "llm-proxy", "offset": "7"})]


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", b"{}", b"[]", b'{"data":{"result":[{"metric":{},"value":[1,"2"]}]}}', b"\xff"],
)
def test_what_is_no_answer_to_a_log_query_is_an_error(answer: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the reasons are the decoder's
        rows_of(answer)
