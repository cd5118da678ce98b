"""Queries as the product and its papers use them: sections 4, 5 and 7 of the recorded facts."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.fakes.loki import FakeLoki
from tests.fakes.loki.times import NANOS

NOW = 1_760_000_000 * NANOS
HOUR = 3600 * NANOS
Ask = Callable[..., httpx.Response]


@pytest.fixture
def loki() -> Iterator[FakeLoki]:
    with FakeLoki(clock=lambda: NOW) as running:
        yield running


@pytest.fixture
def http(loki: FakeLoki) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=loki.url, trust_env=False) as client:
        yield client


def push(http: httpx.Client, *values: list[Any], **labels: str) -> None:
    streams = [{"stream": labels or {"app": "a"}, "values": list(values)}]
    assert http.post("/loki/api/v1/push", json={"streams": streams}).status_code == 204


def value(line: str, ago: int = 0, **metadata: str) -> list[Any]:
    return [str(NOW - ago), line, metadata]


@pytest.fixture
def ask(http: httpx.Client) -> Ask:
    def query_range(query: str, **more: Any) -> httpx.Response:
        headers = {"X-Loki-Response-Encoding-Flags": more.pop("flags", "")}
        window = {"start": NOW - HOUR, "end": NOW + 1}
        return http.get(
            "/loki/api/v1/query_range", params={"query": query, **window, **more}, headers=headers
        )

    return query_range


def lines(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each[1] for stream in answer.json()["data"]["result"] for each in stream["values"]]


JSON_LINE = '{"_meta":{"session":"S-1"},"n":5,"ok":true,"arr":[1,{"x":"y"}],"nothing":null,"1a":"z"}'


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('{app="a"}', ["one", "two"]),
        ('{app=~"a|b"}', ["one", "two", "three"]),
        ('{app=~".+", app!="a"}', ["three"]),
        ('{app=~".+", app!~"b"}', ["one", "two"]),
        ('{app="a"} |= "tw"', ["two"]),
        ('{app="a"} != "tw"', ["one"]),
        ('{app="a"} |~ "^o"', ["one"]),
        ('{app="a"} | session="1"', ["one"]),
        ('{app="a"} | session=~"1|2" | tokens > 5', ["two"]),
        ('{app="a"} | session="1" or session="2"', ["one", "two"]),
        ('{app="a"} | session="1", tokens=3', ["one"]),
        ('{app="a"} | line_format `{{ trunc 1 __line__ }}-{{.session}}`', ["o-1", "t-2"]),
        ('{app="a"} | line_format "{{ len __line__ }}"', ["3", "3"]),
        ('{app="a"} | line_format ""', ["", ""]),
        ('{session="1"}', []),
    ],
)
def test_log_queries(http: httpx.Client, ask: Ask, query: str, found: list[str]) -> None:
    push(http, value("one", session="1", tokens="3"), value("two", session="2", tokens="30"))
    push(http, value("three"), app="b")
    assert sorted(lines(ask(query))) == sorted(found)


@pytest.mark.parametrize(("count", "cut"), [(9, "import \ufffd\ufffd"), (11, "import \U0001f680"), (-1, "n")])
def test_trunc_counts_bytes(http: httpx.Client, ask: Ask, count: int, cut: str) -> None:
    push(http, value("import \U0001f680 return"))
    assert lines(ask(f'{{app="a"}} | line_format "{{{{ trunc {count} __line__ }}}}"')) == [cut]


@pytest.mark.parametrize(
    ("stage", "parsed"),
    [
        ("| json", {"_meta_session": "S-1", "n": "5", "ok": "true", "_1a": "z"}),
        (
            '| json sid="_meta.session", whole="arr", x="arr[1].x"',
            {"sid": "S-1", "whole": '[1,{"x":"y"}]', "x": "y"},
        ),
        ('| json gone="no.such"', {"gone": ""}),
    ],
)
def test_json_fields(http: httpx.Client, ask: Ask, stage: str, parsed: dict[str, str]) -> None:
    push(http, value(JSON_LINE))
    (stream,) = ask('{app="a"} ' + stage, flags="categorize-labels").json()["data"]["result"]
    assert stream["values"][0][2]["parsed"] == parsed


def test_a_line_that_is_no_json_is_kept_with_an_error(http: httpx.Client, ask: Ask) -> None:
    push(http, value("plain"), value(JSON_LINE))
    assert len(lines(ask('{app="a"} | json'))) == 2
    assert lines(ask('{app="a"} | json | __error__=""')) == [JSON_LINE]


def test_metadata_is_mixed_into_the_labels_unless_categorised(http: httpx.Client, ask: Ask) -> None:
    push(http, value("one", session="1", app="hidden"), value("two", session="2"))
    mixed = ask('{app="a"}').json()["data"]["result"]
    assert len(mixed) == 2
    assert any(each["stream"].get("app_extracted") == "hidden" for each in mixed)
    answer = ask('{app="a"}', flags="categorize-labels").json()["data"]
    assert answer["encodingFlags"] == ["categorize-labels"]
    (stream,) = answer["result"]
    assert stream["stream"] == {"app": "a", "service_name": "a"}
    assert stream["values"][0][2]["structuredMetadata"]["session"] in "12"


def test_limit_direction_and_window(http: httpx.Client, ask: Ask) -> None:
    push(http, *(value(f"{n}", ago=n) for n in range(5)))
    assert lines(ask('{app="a"}', limit=2)) == ["0", "1"]
    assert lines(ask('{app="a"}', limit=2, direction="forward")) == ["4", "3"]
    assert lines(ask('{app="a"}', start=NOW - 3, end=NOW - 1)) == ["2", "3"]
    assert lines(ask('{app="a"}', start=NOW, end=NOW)) == []
    assert lines(ask('{app="a"}', start="2025-10-09T08:53:19.999999998Z", end=str(NOW))) == ["1", "2"]


@pytest.mark.slow
def test_a_hundred_lines_without_a_limit(http: httpx.Client, ask: Ask) -> None:
    push(http, *(value(f"{n}", ago=n) for n in range(120)))
    assert len(lines(ask('{app="a"}'))) == 100


@pytest.mark.parametrize(
    ("query", "more", "text"),
    [
        ('{app="a"}', {"limit": 5001}, "max entries limit per query exceeded"),
        ('{app="a"}', {"start": NOW - 722 * HOUR}, "the query time range exceeds the limit"),
        ('{app=~".*"}', {}, "at least one regexp or equality matcher"),
        ("{}", {}, "at least one regexp or equality matcher"),
        ('{app="a"', {}, "parse error"),
        ('{app="a"} | nonsense', {}, "parse error"),
        ('{app="a"} ???', {}, "parse error"),
    ],
)
def test_queries_that_loki_refuses(ask: Ask, query: str, more: dict[str, Any], text: str) -> None:
    answer = ask(query, **more)
    assert answer.status_code == 400
    assert text in answer.text


def test_an_answer_over_4_mib_fails_and_line_format_saves_it(
    http: httpx.Client, loki: FakeLoki, ask: Ask
) -> None:
    loki.limit(ingestion_burst_size_mb=64)
    for number in range(17):
        push(http, value("x" * 255 * 1024, ago=number))
    assert (ask('{app="a"}').status_code, "ResourceExhausted" in ask('{app="a"}').text) == (500, True)
    assert len(lines(ask('{app="a"} | line_format "{{ trunc 10 __line__ }}"'))) == 17


def test_old_entries_are_seen_after_a_flush_only(http: httpx.Client, ask: Ask) -> None:
    push(http, value("old", ago=5 * HOUR))
    assert lines(ask('{app="a"}', start=NOW - 6 * HOUR)) == []
    assert http.post("/flush").status_code == 204
    assert lines(ask('{app="a"}', start=NOW - 6 * HOUR)) == ["old"]


def vector(http: httpx.Client, query: str) -> dict[str, str]:
    answer = http.get("/loki/api/v1/query", params={"query": query, "time": NOW}).json()
    return {",".join(each["metric"].values()): each["value"][1] for each in answer["data"]["result"]}


def test_metric_queries(http: httpx.Client) -> None:
    push(http, value("one", kind="x", tokens="3"), value("three", ago=1, kind="y", tokens="4"))
    push(http, value("four", ago=HOUR, kind="y"))
    assert vector(http, 'sum by (kind) (count_over_time({app="a"}[1h]))') == {"x": "1", "y": "1"}
    assert vector(http, 'sum(count_over_time({app="a"} | kind="y" [2h]))') == {"": "2"}
    assert vector(http, 'sum(sum_over_time({app="a"} | unwrap tokens [1h]))') == {"": "7"}
    assert vector(http, 'sum(bytes_over_time({app="a"}[1h])) by (service_name)') == {"a": "8"}
    assert vector(http, 'count(count_over_time({app="a"}[1h]))') == {"": "2"}


def test_a_metric_over_time_is_a_matrix(http: httpx.Client, ask: Ask) -> None:
    push(http, value("one"))
    made = ask('sum(count_over_time({app="a"}[1m]))', start=NOW - 60 * NANOS, end=NOW, step="30").json()[
        "data"
    ]
    assert made["resultType"] == "matrix"
    assert made["result"][0]["values"] == [[NOW / NANOS, "1"]]


def test_too_many_series(http: httpx.Client, loki: FakeLoki) -> None:
    loki.limit(max_query_series=1)
    push(http, value("one", kind="x"), value("two", kind="y"))
    answer = http.get("/loki/api/v1/query", params={"query": 'count_over_time({app="a"}[1h])', "time": NOW})
    assert (answer.status_code, "maximum of series (1) reached" in answer.text) == (400, True)


def test_an_instant_query_is_for_metrics_only(http: httpx.Client) -> None:
    answer = http.get("/loki/api/v1/query", params={"query": '{app="a"}'})
    assert answer.status_code == 400
    assert "not supported as an instant query" in answer.text


def test_labels_values_and_series_never_show_metadata(http: httpx.Client) -> None:
    push(http, value("one", session="1"))
    push(http, value("two"), app="b", env="dev")
    assert http.get("/loki/api/v1/labels").json()["data"] == ["app", "env", "service_name"]
    assert http.get("/loki/api/v1/label/app/values").json()["data"] == ["a", "b"]
    assert http.get("/loki/api/v1/series", params={"match[]": '{app="b"}'}).json()["data"] == [
        {"app": "b", "env": "dev", "service_name": "b"}
    ]
    assert "data" not in http.get("/loki/api/v1/label/session/values").json()


def test_a_query_may_be_posted(http: httpx.Client) -> None:
    push(http, value("one"))
    form = {"query": '{app="a"}', "start": str(NOW - HOUR), "end": str(NOW + 1)}
    assert lines(http.post("/loki/api/v1/query_range", data=form)) == ["one"]
