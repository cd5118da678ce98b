"""``make pictures``: the pictures of the README, from a real run of some minutes with an outage in it.

Starts the proxy and the shipper between a provider and a Loki of its own, makes calls as a few coding agents
do, takes Loki away for a while, and pictures the page and ``llm-loki-ship status`` as they are at the end.
"""

import argparse
import contextlib
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
from playwright.sync_api import ViewportSize, sync_playwright
from rich.console import Console
from rich.text import Text

from tests.fakes.loki import FakeLoki, Order
from tests.fakes.provider import FakeProvider
from tests.process import clean_environment, command_line, running

_PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
_LOKI_PORT, _PROXY_PORT, _HEALTH_PORT = 3100, 12071, 12072
_AGENTS = 5
_COLUMNS = 100
# What of the page is seen without scrolling.
_SCREEN: ViewportSize = {"width": 1080, "height": 860}
_HEALTH = f"http://127.0.0.1:{_HEALTH_PORT}"
# Rich's own frame loads a typeface from elsewhere; a picture has to stand alone.
_FONT_FACES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def main() -> int:
    """Make all pictures and return the exit code."""
    parser = argparse.ArgumentParser(prog="pictures", description="Pictures of a real run.")
    parser.add_argument("--minutes", type=float, default=15.0, help="how long the run is")
    seconds = parser.parse_args().minutes * 60
    _PICTURES.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pictures-")))
        loki = stack.enter_context(FakeLoki(port=_LOKI_PORT))
        provider = stack.enter_context(FakeProvider())
        upstream = provider.url.removeprefix("http://")
        stack.enter_context(running("llm-proxy", "serve", f"--upstreams={upstream}", home=home))
        flags = ("--loki-enabled", f"--loki-url={loki.push_url}", "--loki-batch-wait=2s")
        shipper = stack.enter_context(running("llm-loki-ship", "run", *flags, home=home))
        shipper.wait_for("shipper.listening")
        _live(f"http://127.0.0.1:{_PROXY_PORT}/anthropic/{upstream}/v1/messages", loki, seconds)
        _picture_page()
        _picture_terminal(home)
    return 0


def _live(url: str, loki: FakeLoki, seconds: float) -> None:
    """Make calls for so long; Loki is away for a sixth of that time, past the middle."""
    end = time.monotonic() + seconds
    over = threading.Event()
    agents = [threading.Thread(target=_call, args=(url, each, over)) for each in range(_AGENTS)]
    for each in agents:
        each.start()
    over.wait(max(0.0, end - seconds * 0.45 - time.monotonic()))
    loki.order(Order(status=503, body="no healthy upstream", times=0))
    over.wait(seconds / 6)
    loki.clear_orders()
    over.wait(max(0.0, end - time.monotonic()))
    over.set()
    for each in agents:
        each.join()


def _call(url: str, number: int, over: threading.Event) -> None:
    """Talk as an agent does: each call sends all that was said before; now and then all begins anew."""
    rng = random.Random(number)  # noqa: S311 - no secret
    said: list[dict[str, str]] = []
    session = 0
    with httpx.Client(timeout=30, trust_env=False) as client:
        while not over.wait(rng.uniform(0.5, 3) * (1.4 + math.sin(time.monotonic() / 60))):
            if len(said) > rng.randrange(20, 60):
                said, session = [], session + 1
            words = " ".join(rng.choices(("file", "test", "return", "import", "read", "done"), k=200))
            said += [{"role": "user", "content": words}]
            headers = {"x-claude-code-session-id": f"agent-{number}-{session}"}
            body = {"model": "claude-sonnet-5-5", "max_tokens": 256, "messages": said}
            answer = client.post(url, json=body, headers=headers).json()
            said += [{"role": "assistant", "content": answer["content"][0]["text"]}]


def _picture_page() -> None:
    """Take the page in the light and in the dark."""
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("no Chromium here: install Debian's package chromium")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport=_SCREEN, color_scheme=scheme, device_scale_factor=1.25)
            page.goto(_HEALTH)
            page.screenshot(path=_PICTURES / f"page-{scheme}.png")
        browser.close()


def _picture_terminal(home: Path) -> None:
    """Let ``status`` write to a terminal, and draw what it wrote."""
    ours, its = os.openpty()
    environment = {"COLUMNS": str(_COLUMNS), "TERM": "xterm-256color"}
    command = command_line("llm-loki-ship", "status")
    process = subprocess.Popen(
        command, cwd=home, env=clean_environment(home, environment), stdout=its, stderr=its
    )
    os.close(its)
    written = b""
    # The far end of a terminal that was closed is an error on Linux.
    with contextlib.suppress(OSError):
        while data := os.read(ours, 65536):
            written += data
    process.wait()
    os.close(ours)
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=_COLUMNS, file=nowhere)
        console.print(Text.assemble(("$ ", "dim"), "llm-loki-ship status"))
        console.print(Text.from_ansi(written.decode().replace("\r\n", "\n")), end="")
    drawn = console.export_svg(title="llm-loki-ship status")
    (_PICTURES / "terminal.svg").write_text(_FONT_FACES.sub("", drawn))


if __name__ == "__main__":
    sys.exit(main())
