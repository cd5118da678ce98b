from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from shipper.config import LokiSettings
from shipper.loki.connect import connect
from shipper.loki.query.client import LokiReader
from shipper.loki.query.query import AskAgainError, CannotAskError, Query, TooMuchError
from shipper.loki.wire.address import query_url
from tests.fakes.loki import FakeLoki, Order
from tests.process import free_port

NOW = 1_795_435_200 * 1_000_000_000
QUESTION = Query('{app="llm-proxy"}', NOW - 1000, NOW + 1000, 10)
PATH = "/query_range"
Read = Callable[..., LokiReader]


@pytest.fixture
def loki() -> Iterator[FakeLoki]:
    with FakeLoki(clock=lambda: NOW) as running:
        yield running


@pytest.fixture
def reader(loki: FakeLoki) -> Iterator[Read]:
    """``reader(tenant_id="team")`` reads as configured."""
    with ExitStack() as clients:

        def configured(**settings: Any) -> LokiReader:
            chosen = LokiSettings(**{"url": loki.push_url, **settings})
            return LokiReader(clients.enter_context(connect(chosen)), chosen.url)

        yield configured


def push(loki: FakeLoki, line: str, headers: dict[str, str] | None = None) -> None:
    values = [[str(NOW), line, {"offset": "5"}]]
    body = {"streams": [{"stream": {"app": "llm-proxy"}, "values": values}]}
    assert httpx.post(loki.push_url, json=body, headers=headers).status_code == 204


@pytest.mark.parametrize(
    ("push_url", "expected"),
    [
        ("http://loki:3100/loki/api/v1/push", "http://loki:3100/loki/api/v1/query_range"),
        ("http://loki:3100/loki/api/v1/push/", "http://loki:3100/loki/api/v1/query_range"),
        ("https://u:p@host/a/loki/api/v1/push?k=v#f", "https://u:p@host/a/loki/api/v1/query_range?k=v"),
        ("http://loki:3100/api/prom/push", "http://loki:3100/loki/api/v1/query_range"),
        ("http://gateway/push", "http://gateway/query_range"),
        ("http://gateway/write", ""),
        ("http://gateway", ""),
    ],
)
def test_the_query_address_follows_from_the_push_address(push_url: str, expected: str) -> None:
    assert query_url(push_url) == expected


def test_an_answer_has_lines_labels_and_metadata(reader: Read, loki: FakeLoki) -> None:
    push(loki, "grüße")

    (row,) = reader().ask(QUESTION)

    assert (row.timestamp, row.line) == (NOW, "grüße")
    assert row.fields["app"] == "llm-proxy"
    assert row.fields["offset"] == "5"


def test_a_question_goes_to_the_tenant_with_the_token(reader: Read, loki: FakeLoki) -> None:
    loki.limit(auth_enabled=True, bearer="secret")
    push(loki, "x", {"X-Scope-OrgID": "team", "Authorization": "Bearer secret"})

    asked = reader(tenant_id="team", auth_token="secret")
    elsewhere = reader(tenant_id="other", auth_token="secret")

    assert len(asked.ask(QUESTION)) == 1
    assert elsewhere.ask(QUESTION) == []


def test_a_renewed_token_is_taken_from_its_file_at_once(reader: Read, loki: FakeLoki, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")
    loki.limit(bearer="old")
    asked = reader(auth_token_file=str(file))
    asked.ask(QUESTION)
    loki.limit(bearer="new")
    file.write_text("new\n")

    assert asked.ask(QUESTION) == []


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405, 422])
def test_a_loki_that_may_not_be_asked_is_told_from_one_that_is_in_trouble(
    reader: Read, loki: FakeLoki, status: int
) -> None:
    loki.order(Order(status=status, body="no", path=PATH))

    with pytest.raises(CannotAskError):
        reader().ask(QUESTION)


def test_a_page_in_place_of_an_answer_means_that_loki_cannot_be_asked(reader: Read, loki: FakeLoki) -> None:
    loki.order(Order(status=200, body="<html>Log in</html>", path=PATH))

    with pytest.raises(CannotAskError, match="no answer of Loki's query API"):
        reader().ask(QUESTION)


def test_an_address_that_is_no_push_endpoint_cannot_be_asked(reader: Read) -> None:
    with pytest.raises(CannotAskError, match="does not end in /push"):
        reader(url="http://gateway/write").ask(QUESTION)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_trouble_inside_loki_may_pass(reader: Read, loki: FakeLoki, status: int) -> None:
    loki.order(Order(status=status, body="later", path=PATH))

    with pytest.raises(AskAgainError, match=f"{status}: later"):
        reader().ask(QUESTION)


@pytest.mark.parametrize("fault", ["reset", "close"])
def test_a_broken_connection_may_be_made_again(reader: Read, loki: FakeLoki, fault: Any) -> None:
    loki.order(Order(fault=fault, path=PATH))

    with pytest.raises(AskAgainError):
        reader().ask(QUESTION)


def test_a_token_that_no_request_can_carry_is_told_without_the_token(reader: Read) -> None:
    with pytest.raises(CannotAskError, match="no request can carry") as caught:
        reader(auth_token="secret\r\nX-Other: 1").ask(QUESTION)

    assert "cret" not in str(caught.value)


def test_silence_may_pass(reader: Read) -> None:
    with pytest.raises(AskAgainError):
        reader(url=f"http://127.0.0.1:{free_port()}/push").ask(QUESTION)


def test_too_large_an_answer_is_an_error_of_its_own(reader: Read, loki: FakeLoki) -> None:
    push(loki, "x" * 2000)
    loki.limit(grpc_server_max_recv_msg_size=1000)

    with pytest.raises(TooMuchError):
        reader().ask(QUESTION)


def test_more_rows_than_this_loki_allows_are_too_much(reader: Read, loki: FakeLoki) -> None:
    loki.limit(max_entries_limit_per_query=5)

    with pytest.raises(TooMuchError):
        reader().ask(QUESTION)
