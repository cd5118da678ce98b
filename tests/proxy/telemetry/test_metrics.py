"""What the proxy counts, and how it tells it."""

import json
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from proxy.telemetry.health import Snapshot, report_of
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.prometheus import exposition
from proxy.wire.routing import PROVIDERS, parse_upstreams, resolve
from tests.process import eventually
from tests.proxy.served import Client, Served, ask, request_bytes

PATH = "/anthropic/{}/v1/messages"
Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def values(text: str) -> Values:
    """Read what ``/metrics`` says: values by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(read: Values, name: str, **labels: str) -> float:
    return read[f"llm_proxy_{name}", frozenset(labels.items())]


def scraped(served: Served) -> Values:
    answer = ask(served.port, "/metrics", method="GET")
    assert answer.status == 200
    return values(answer.body.decode())


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (200, "200"),
        (201, "2xx"),
        (304, "3xx"),
        (418, "4xx"),
        (429, "429"),
        (520, "5xx"),
        (529, "529"),
        (999, "other"),
        (0, "none"),
    ],
)
def test_a_request_counts_by_provider_and_by_a_status_of_a_closed_set(status: int, name: str) -> None:
    metrics = Metrics()
    before = dict(metrics.requests)

    metrics.ended("openai", status)

    assert metrics.requests == before | {("openai", name): 1}


def test_every_provider_that_a_call_can_have_is_counted_from_the_start() -> None:
    targets = {each: f"/{each}/provider.test/x".encode() for each in PROVIDERS if each != "chatgpt"}
    targets["chatgpt"] = b"/openai/chatgpt.com/x"
    routes = [resolve("POST", each, (), parse_upstreams(["provider.test"])) for each in targets.values()]

    assert [each.provider for each in routes] == list(targets)
    assert set(PROVIDERS) < {provider for provider, _ in Metrics().requests}


def test_what_a_client_or_a_stop_cut_is_no_failure_of_the_proxy() -> None:
    metrics = Metrics()
    metrics.failures.update(connect=1, upstream=2, client_gone=4, shutdown=8)
    metrics.ended("none", 403)
    metrics.ended("openai", 403)

    assert (metrics.failed, metrics.refused) == (3, 1)


def test_all_is_told_in_prometheus_format() -> None:
    metrics = Metrics(calls=3)
    metrics.ended("anthropic", 529)
    metrics.failures["connect"] += 2
    metrics.added.observe(0.0004)
    snapshot = Snapshot(
        "1.0",
        7.25,
        metrics,
        running=5,
        streams=4,
        failing=True,
        omitted=(("queue_full", 6),),
        records_missing=9,
        free_bytes=1 << 40,
    )

    read = values(exposition(snapshot).decode())

    assert value(read, "requests_total", provider="anthropic", status="529") == 1
    assert value(read, "failures_total", kind="connect") == 2
    assert value(read, "added_seconds_bucket", le="0.00025") == 0
    assert value(read, "added_seconds_bucket", le="0.0005") == 1
    assert value(read, "added_seconds_count") == 1
    assert value(read, "added_seconds_sum") == 0.0004
    assert (value(read, "status", status="ok"), value(read, "status", status="error")) == (0, 1)
    assert value(read, "bodies_omitted_total", reason="queue_full") == 6
    assert (value(read, "calls_running"), value(read, "streams_running")) == (5, 4)
    assert (value(read, "uptime_seconds"), value(read, "free_bytes")) == (7.25, 1 << 40)


def test_health_tells_the_same() -> None:
    metrics = Metrics(calls=3)
    metrics.failures["upstream"] += 1

    told = report_of(Snapshot("1.0", 7.2499, metrics, omitted=(("queue_full", 6), ("low_disk", 1))))

    assert (told["status"], told["calls"], told["calls_failed"], told["bodies_omitted"]) == ("ok", 3, 1, 7)


def test_a_running_proxy_counts_calls_by_what_became_of_them(served: Served) -> None:
    path = PATH.format(served.upstream)
    before = scraped(served)

    assert ask(served.port, path, [("x-fake", '{"status": 529}')], b"{}").status == 529
    assert ask(served.port, "/unheard-of/host/x").status == 400
    assert ask(served.port, PATH.format("127.0.0.1:1"), (), b"{}").status == 502

    def more(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    after = scraped(served)
    assert more("requests_total", provider="anthropic", status="529") == 1
    assert more("requests_total", provider="none", status="400") == 1
    assert more("requests_total", provider="anthropic", status="502") == 1
    assert more("failures_total", kind="connect") == 1
    assert more("added_seconds_count") == 1
    assert value(after, "free_bytes") > 0


def test_what_the_provider_takes_is_not_added_by_the_proxy(served: Served) -> None:
    before = value(scraped(served), "added_seconds_sum")
    began = time.monotonic()

    ask(served.port, PATH.format(served.upstream), [("x-fake", '{"delay": 0.3}')], b"{}")

    took = time.monotonic() - began
    assert 0 < value(scraped(served), "added_seconds_sum") - before < took - 0.3


def test_a_stream_that_flows_is_seen(served: Served) -> None:
    body = b'{"model": "m", "stream": true, "messages": []}'
    eventually(lambda: value(scraped(served), "streams_running") == 0)
    with Client(served.port) as client:
        order = [("x-fake", json.dumps({"fault": "hang"}))]
        client.send(request_bytes(PATH.format(served.upstream), order, body)).until(b"message_start")

        read = scraped(served)
        assert (value(read, "streams_running"), value(read, "calls_running")) == (1, 1)

    eventually(lambda: value(scraped(served), "calls_running") == 0)


def test_what_is_on_record_is_counted(served: Served) -> None:
    eventually(lambda: value(scraped(served), "journal_queue_bytes") == 0)
    before = scraped(served)

    ask(served.port, PATH.format(served.upstream), (), b"{}")

    def written() -> bool:
        after = scraped(served)
        names = ("sessions_total", "records_written_total")
        more = [value(after, each) - value(before, each) for each in names]
        return [*more, value(after, "journal_queue_items")] == [1, 3, 0]

    eventually(written, what="one session with three records")


def test_a_web_page_or_another_host_is_not_shown_the_metrics(served: Served) -> None:
    page = request_bytes("/metrics", [("Origin", "http://evil.test")], method="GET")
    rebound = request_bytes("/metrics", method="GET").replace(b"localhost", b"evil.test")

    for each in (page, rebound):
        with Client(served.port) as client:
            assert client.send(each).rest().status == 403
    assert ask(served.port, "/metrics", (), b"{}").status == 400
