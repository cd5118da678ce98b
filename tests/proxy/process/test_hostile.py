"""What strangers send cannot take the proxy down, nor other calls with it."""

from collections.abc import Callable
from pathlib import Path

from tests.process import Running
from tests.proxy.bombs import NAMES, bombs
from tests.proxy.served import Served, ask, new_key

# What a proxy may take at most, whatever it is sent.
MOST_BYTES = 300 << 20


def peak(process: Running) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def test_requests_that_unpack_to_too_much_are_on_record_packed(serve: Callable[..., Served]) -> None:
    served = serve()
    for name in NAMES:
        coding, packed = bombs()[name]
        key = new_key()
        headers = [("Content-Encoding", coding), ("X-Session-ID", key)]

        answer = ask(served.port, f"/anthropic/{served.upstream}/v1/messages", headers, packed)
        request, _ = served.call(key)

        assert answer.status
        assert served.health()["status"] == "ok"
        assert request["size"] == len(packed)
        assert request["body_encoding"] == "base64"
    assert peak(served.process) < MOST_BYTES
