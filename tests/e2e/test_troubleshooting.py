"""The table of docs/troubleshooting.md: a person reads each row's words in ``llm-loki-ship status``."""

import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import clock
from tests.e2e.certificates import authority
from tests.e2e.namespace import without_rights_of_root
from tests.e2e.stack import Start, start_shipper
from tests.e2e.test_networks import NO_HOST, listening
from tests.e2e.writer import Session, now_ns
from tests.fakes.loki import FakeLoki, Order
from tests.process import ROOT, eventually, free_port

_TABLE = "| last error | usual cause |"


@dataclass
class Case:
    """What is wrong: the answer of Loki, the address, the environment, or the lines themselves."""

    order: Order | None = None
    url: str = ""
    args: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    write: Callable[[Session], object] = lambda session: session.append_many(3)


def _locked(session: Session) -> None:
    session.append_many(3)
    session.path.chmod(0)


def _dead() -> str:
    return f"http://127.0.0.1:{free_port()}"


def _answer(status: int, text: str) -> Case:
    return Case(Order(status=status, body=text, times=0))


_LIMIT = "ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec) while attempting"
CASES: dict[str, Callable[[], Case]] = {
    "unreachable: ... Connection refused": lambda: Case(url=f"{_dead()}/loki/api/v1/push"),
    "unreachable: ... Name or service not known": lambda: Case(url=NO_HOST),
    "unreachable: ... WRONG_VERSION_NUMBER": lambda: Case(url="https"),
    "unreachable: ... CERTIFICATE_VERIFY_FAILED": lambda: Case(url="tls"),
    "unreachable: proxy http://": lambda: Case(url=NO_HOST, env={"HTTP_PROXY": _dead()}),
    "407": lambda: _answer(407, "authenticate"),
    "loki.ca_file = ... No such file": lambda: Case(args=("--loki-ca-file=/nowhere",)),
    "loki.url = ... expected": lambda: Case(url="ftp://loki/push"),
    "unreachable: a token or header holds what no request can carry": lambda: Case(
        env={"LLM_PROXY_LOKI_AUTH_TOKEN": "two\nlines"}
    ),
    "400: Client sent an HTTP request to an HTTPS server": lambda: _answer(
        400, "Client sent an HTTP request to an HTTPS server.\n"
    ),
    "401": lambda: _answer(401, "no org id\n"),
    "404": lambda: _answer(404, "404 page not found\n"),
    "429": lambda: _answer(429, _LIMIT),
    "timeout": lambda: Case(Order(fault="hang", times=0), args=("--loki-timeout=500ms",)),
    "503": lambda: _answer(503, "service unavailable"),
    "400: ... timestamp too old": lambda: Case(
        write=lambda session: [session.append(ts=now_ns() - 9 * clock.DAY + n) for n in range(3)]
    ),
    "not in Loki, and not sent again: ... too_old": lambda: Case(
        write=lambda session: [session.append(ts=now_ns() - days * clock.DAY) for days in (9, 0)]
    ),
    "ahead of Loki's clock, and waits": lambda: Case(
        write=lambda session: session.append(ts=now_ns() + clock.HOUR // 2)
    ),
    "cannot read a file or folder: ... Permission denied": lambda: Case(write=_locked),
}


def rows() -> list[str]:
    """Return the words of each row, without the backticks around them."""
    text = (ROOT / "docs" / "troubleshooting.md").read_text()
    table = text.partition(f"{_TABLE}\n|---|---|\n")[2].partition("\n\n")[0]
    return re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)


def test_each_row_has_a_case() -> None:
    assert rows() == list(CASES)


@pytest.mark.parametrize("words", CASES)
def test_a_person_reads_the_words_of_the_row(
    start: Start, fake_loki: FakeLoki, tmp_path: Path, words: str
) -> None:
    case, logs = CASES[words](), tmp_path / "logs"
    case.write(Session(logs))
    if case.order:
        fake_loki.order(case.order)
    with _address(case.url, fake_loki, tmp_path) as url:
        args = ("--loki-retry-max=1", *case.args)
        shipper = start_shipper(start, logs, url, *args, env=case.env, under=without_rights_of_root())
        eventually(lambda: shipper.health["status"] == "error", 40)
        port = urlsplit(shipper.url).port
        read = start(
            "llm-loki-ship",
            "status",
            f"--shipper-health-port={port}",
            f"--log-dir={logs}",
            env={"COLUMNS": "500"},
        )

        assert read.wait() == 1
    shown = " ".join(" ".join(read.stdout).split())
    assert all(each in shown for each in words.split(" ... ")), shown
    assert "Traceback" not in shipper.process.stderr


@contextmanager
def _address(kind: str, loki: FakeLoki, folder: Path) -> Iterator[str]:
    """Give an address: of the fake Loki, of a server by https that has no TLS, or of one that has it."""
    if kind == "https":
        with listening(lambda plain: plain.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
            yield f"https://127.0.0.1:{port}/loki/api/v1/push"
    elif kind == "tls":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(authority(folder).chain)
        with listening(lambda plain: context.wrap_socket(plain, server_side=True).close()) as port:
            yield f"https://127.0.0.1:{port}/loki/api/v1/push"
    else:
        yield kind or loki.push_url
