"""Silent calls through a NAT that forgets connections after 30 s."""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.proxy.nat import CLIENT, FORGOTTEN, KEPT, PROVIDER, Router

# Two minutes of waiting, and namespaces: LLM_PROXY_TEST_NAT=1, as root.
pytestmark = pytest.mark.skipif(not os.environ.get("LLM_PROXY_TEST_NAT"), reason="LLM_PROXY_TEST_NAT=1")

SILENT_SECONDS, FORGETS_AFTER = 120, 30
_CALLS = """
import json, socket, subprocess, sys, threading, time
log_dir, provider, *ports = sys.argv[1:]
upstreams = ",".join(f"http://{provider}:{port}" for port in ports)
main = "from proxy.commands.cli import main; main()"
proxy = subprocess.Popen([sys.executable, "-c", main, "serve", "--port", "12071",
    "--log-dir", log_dir, "--upstreams", upstreams, "--min-free", "0"], stderr=subprocess.DEVNULL)
told = {}
def call(port):
    for _ in range(100):
        try:
            client = socket.create_connection(("127.0.0.1", 12071), 300)
            break
        except OSError:
            time.sleep(0.1)
    began = time.monotonic()
    client.sendall(f"POST /anthropic/{provider}:{port}/v1/messages HTTP/1.1\\r\\nHost: localhost\\r\\n"
        "Content-Length: 2\\r\\n\\r\\n{}".encode())
    told[port] = [client.recv(1000).decode().split(" ")[1], time.monotonic() - began]
threads = [threading.Thread(target=call, args=(port,)) for port in ports]
for each in threads: each.start()
for each in threads: each.join()
proxy.terminate()
print(json.dumps(told))
"""


@pytest.mark.timeout(SILENT_SECONDS * 2)
def test_silent_calls_end_well_or_are_told(tmp_path: Path) -> None:
    with Router(FORGETS_AFTER) as router:
        provider = router.side(PROVIDER, "serve", str(SILENT_SECONDS))
        assert provider.stdout is not None
        assert provider.stdout.readline() == b"ready\n"
        words = (str(tmp_path / "logs"), PROVIDER, str(KEPT), str(FORGOTTEN))
        calls = router.side(CLIENT, sys.executable, "-c", _CALLS, *words)
        router.start()
        assert calls.stdout is not None
        told = json.loads(calls.stdout.read())

    (kept, kept_seconds), (forgotten, told_seconds) = told[str(KEPT)], told[str(FORGOTTEN)]
    assert (kept, kept_seconds > SILENT_SECONDS) == ("200", True)
    assert forgotten == "502"
    assert told_seconds < 90
    assert router.dropped
