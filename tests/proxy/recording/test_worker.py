import logging
from pathlib import Path

import orjson

from groundwork.eventlog import EventLog
from proxy.record.chunk import Pieces
from proxy.record.journal import Journal
from proxy.record.record import Response
from proxy.recording.capture import Capture, RequestEnd, ResponseEnd
from proxy.recording.transcript import Policy
from proxy.recording.worker import Writer

WALL = 1_795_428_900_000_000_000
QUESTION = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "a"}]})


class Failing(Journal):
    """A journal that cannot take a response."""

    def log_response(self, response: Response) -> None:
        raise ValueError(response.seq)


def test_a_record_that_cannot_be_written_ends_no_other(tmp_path: Path) -> None:
    writer = Writer(Failing(tmp_path), Policy("u@h"), tmp_path, 0, EventLog(logging.getLogger("test")))
    writer.open()
    for number in range(2):
        call = Capture(f"r{number}", "anthropic", "h", "POST", "/v1/messages", "", (), 1, WALL, status=200)
        call.request.size = len(QUESTION)
        writer.take(RequestEnd(call, Pieces([QUESTION], [1], len(QUESTION)), WALL + 10 * number, 0))
        writer.take(ResponseEnd(call, Pieces([], [], 0), WALL + 10 * number + 5, 2, None))
    writer.close()

    assert (writer.counters.records_written, writer.counters.records_lost) == (4, 2)
