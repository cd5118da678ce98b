"""The Loki over real sockets: guards, orders, and what it tells of itself."""

import gzip
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests import clock
from tests.fakes.loki import FakeLoki, Order
from tests.process import Running, eventually

BODY = {
    "streams": [{"stream": {"app": "a"}, "values": [[str(clock.NOW + n), f"line {n}"] for n in range(3)]}]
}


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=10) as client:
        yield client


def push(http: httpx.Client, loki: FakeLoki, **more: Any) -> httpx.Response:
    return http.post(loki.push_url, json=BODY, **more)


def test_a_good_push_is_204_with_an_empty_body(http: httpx.Client, fake_loki: FakeLoki) -> None:
    answer = push(http, fake_loki)
    assert (answer.status_code, answer.content) == (204, b"")
    assert fake_loki.lines() == ["line 0", "line 1", "line 2"]


def test_only_posts_are_pushes(http: httpx.Client, fake_loki: FakeLoki) -> None:
    assert http.get(fake_loki.push_url).status_code == 405


def test_todays_json_on_the_old_path_stores_nothing(http: httpx.Client, fake_loki: FakeLoki) -> None:
    assert http.post(f"{fake_loki.url}/api/prom/push", json=BODY).status_code == 204
    assert fake_loki.lines() == []


def test_chunked_uploads_work(http: httpx.Client, fake_loki: FakeLoki) -> None:
    body = gzip.compress(httpx.Request("POST", "http://x", json=BODY).content)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    sent = http.post(
        fake_loki.push_url, content=(body[n : n + 7] for n in range(0, len(body), 7)), headers=headers
    )
    assert sent.status_code == 204
    assert len(fake_loki.lines()) == 3


@pytest.mark.parametrize(
    ("tenant", "status", "text"),
    [
        ("", 401, "no org id"),
        ("a/b", 400, "unsupported character"),
        ("x" * 151, 400, ""),
        ("team-1", 204, ""),
    ],
)
def test_tenancy(http: httpx.Client, tenant: str, status: int, text: str) -> None:
    with FakeLoki(auth_enabled=True) as loki:
        answer = push(http, loki, headers={"X-Scope-OrgID": tenant} if tenant else {})
        assert answer.status_code == status
        assert text in answer.text
        assert {kept.tenant for kept in loki.entries()} == ({tenant} if status == 204 else set())


def test_without_tenancy_the_header_means_nothing(http: httpx.Client, fake_loki: FakeLoki) -> None:
    push(http, fake_loki, headers={"X-Scope-OrgID": "a/b"})
    assert {kept.tenant for kept in fake_loki.entries()} == {"fake"}


def test_a_guarded_loki(http: httpx.Client) -> None:
    with FakeLoki(bearer="s3cret") as loki:
        assert push(http, loki).status_code == 401
        assert push(http, loki, headers={"Authorization": "Bearer s3cret"}).status_code == 204
        assert http.get(f"{loki.url}/ready").status_code == 200
        assert http.get(f"{loki.url}/loki/api/v1/labels").status_code == 401
    with FakeLoki(basic="user:pass") as loki:
        assert push(http, loki).status_code == 401
        assert push(http, loki, auth=("user", "pass")).status_code == 204


def test_an_ordered_status_stores_nothing_unless_told(http: httpx.Client, fake_loki: FakeLoki) -> None:
    fake_loki.order(Order(status=503, body="later", headers=(("Retry-After", "7"),)))
    answer = push(http, fake_loki)
    assert (answer.status_code, answer.text, answer.headers["Retry-After"]) == (503, "later", "7")
    assert fake_loki.lines() == []
    fake_loki.order(Order(status=500, stored=True))
    assert push(http, fake_loki).status_code == 500
    assert len(fake_loki.lines()) == 3
    assert push(http, fake_loki).status_code == 204


@pytest.mark.parametrize(("stored", "lines"), [(False, 0), (True, 3)])
def test_a_reset_before_or_after_the_push_took_effect(
    http: httpx.Client, fake_loki: FakeLoki, *, stored: bool, lines: int
) -> None:
    fake_loki.order(Order(fault="reset", stored=stored))
    with pytest.raises(httpx.ReadError):
        push(http, fake_loki)
    assert len(fake_loki.lines()) == lines
    assert fake_loki.pushes[-1].status == 0


def test_a_reset_before_the_body_is_read(http: httpx.Client, fake_loki: FakeLoki) -> None:
    fake_loki.order(Order(fault="reset", early=True))
    with pytest.raises(httpx.TransportError):
        http.post(fake_loki.push_url, content=bytes(50_000_000), headers={"Content-Type": "application/json"})
    assert push(http, fake_loki).status_code == 204


def test_a_hang_ends_with_the_client(http: httpx.Client, fake_loki: FakeLoki) -> None:
    fake_loki.order(Order(fault="hang", stored=True))
    with pytest.raises(httpx.ReadTimeout):
        push(http, fake_loki, timeout=httpx.Timeout(10, read=0.05))
    eventually(lambda: len(fake_loki.lines()) == 3)


def test_a_partial_push(http: httpx.Client, fake_loki: FakeLoki) -> None:
    fake_loki.order(Order(status=500, stored=True, first=2))
    push(http, fake_loki)
    assert fake_loki.lines() == ["line 0", "line 1"]


def test_an_order_for_pushes_that_hold_a_text_and_all_times(http: httpx.Client, fake_loki: FakeLoki) -> None:
    fake_loki.order(Order(status=500, containing="line 2", times=0))
    assert [push(http, fake_loki).status_code for _ in range(3)] == [500, 500, 500]
    other = {"streams": [{"stream": {"app": "a"}, "values": [[str(clock.NOW), "harmless"]]}]}
    assert http.post(fake_loki.push_url, json=other).status_code == 204
    fake_loki.clear_orders()
    assert push(http, fake_loki).status_code == 204


def test_orders_for_queries(http: httpx.Client, fake_loki: FakeLoki) -> None:
    fake_loki.order(Order(status=500, body="no", path="/query_range"))
    url, query = f"{fake_loki.url}/loki/api/v1/query_range", {"query": '{app="a"}'}
    assert [http.get(url, params=query).status_code for _ in range(2)] == [500, 200]


def test_down_refuses_and_up_has_all_that_was_stored(http: httpx.Client, fake_loki: FakeLoki) -> None:
    push(http, fake_loki)
    fake_loki.down()
    with pytest.raises(httpx.ConnectError):
        push(http, fake_loki)
    fake_loki.up()
    assert http.get(f"{fake_loki.url}/ready").text == "ready\n"
    assert len(fake_loki.lines()) == 3


def test_limits_change_while_it_runs(http: httpx.Client, fake_loki: FakeLoki) -> None:
    fake_loki.limit(max_line_size=5)
    assert "max entry size '5'" in push(http, fake_loki).text


def test_metrics_tell_what_answers_hide(http: httpx.Client, fake_loki: FakeLoki) -> None:
    push(http, fake_loki)
    fake_loki.limit(max_line_size=5)
    push(http, fake_loki)
    told = http.get(f"{fake_loki.url}/metrics").text
    assert 'loki_distributor_lines_received_total{tenant="fake"} 6\n' in told
    assert 'loki_discarded_samples_total{reason="line_too_long",tenant="fake"} 3\n' in told
    assert 'status_code="400",method="POST"} 1\n' in told


def test_config_tells_the_limits(http: httpx.Client, fake_loki: FakeLoki) -> None:
    told = http.get(f"{fake_loki.url}/config").text
    for line in ("  max_line_size: 256KB", "  max_query_length: 30d1h", "  reject_old_samples_max_age: 1w"):
        assert line in told.splitlines()


def test_a_process_is_ruled_through_its_control_paths(
    http: httpx.Client, start: Callable[..., Running]
) -> None:
    loki = start("fake-loki", "--limit", "max_line_size=7", "--limit", "shard_streams=false")
    url = loki.wait_for_line("listening on ")
    assert http.post(f"{url}/_fake/limits", json={"max_line_size": 100}).json()["max_line_size"] == 100
    assert http.post(f"{url}/_fake/script", json=[{"status": 503}]).json() == {"waiting": 1}
    assert http.post(f"{url}/_fake/script", json={"nonsense": 1}).status_code == 400
    assert [http.post(f"{url}/loki/api/v1/push", json=BODY).status_code for _ in range(2)] == [503, 204]
    assert [each["line"] for each in http.get(f"{url}/_fake/entries").json()] == [
        "line 0",
        "line 1",
        "line 2",
    ]
    assert http.get(f"{url}/_fake/state").json()["statuses"] == {"503": 1, "204": 1}
    assert loki.terminate() == 0


def test_a_wrong_limit_is_one_line(start: Callable[..., Running]) -> None:
    loki = start("fake-loki", "--limit", "max_line_size=many")
    assert loki.wait() == 1
    assert loki.stderr.startswith("fake loki: Expected `int`")


def test_what_a_push_was_is_remembered(http: httpx.Client, fake_loki: FakeLoki) -> None:
    push(http, fake_loki, headers={"X-Team": "core"})
    (seen,) = fake_loki.pushes
    assert (seen.status, seen.streams, seen.entries) == (204, 1, 3)
    assert ("X-Team", "core") in seen.headers
