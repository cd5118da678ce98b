"""The queries of the cookbook and the README: taken apart, and run on a Loki that holds the golden lines."""

import re

import pytest

from tests.deploy.queries import Query, check, emitted
from tests.deploy.test_queries_run import ask, filled
from tests.deploy.test_queries_run import loki as loki  # noqa: PLC0414 - a fixture
from tests.fakes.loki import FakeLoki
from tests.process import ROOT

_BLOCK = re.compile(r"```logql\n(.*?)```", re.DOTALL)
_RANGE = re.compile(r"(?:count|sum|max|quantile)_over_time\((?:0\.\d+, )?(\{.*?\[1d\])\)", re.DOTALL)
# What no golden line happens to be.
_NOT_THERE = re.compile(r'invoice|status="429"|total_ms > 30000|machine="dev@workstation"')


def queries() -> list[Query]:
    # The README's block holds one query a line; the cookbook's blocks hold one each.
    readme = [line for block in _BLOCK.findall(_text("README.md")) for line in block.splitlines()]
    cookbook = [" ".join(block.split()) for block in _BLOCK.findall(_text("docs/logql.md"))]
    return [
        Query("loki", f"{name} {place}", text)
        for name, texts in (("README", readme), ("cookbook", cookbook))
        for place, text in enumerate(texts)
    ]


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("query", queries(), ids=lambda query: query.place)
def test_every_name_is_one_that_is_emitted(query: Query) -> None:
    check(query, emitted())


@pytest.mark.slow
@pytest.mark.parametrize("query", queries(), ids=lambda query: query.place)
def test_it_finds_what_is_there(query: Query, loki: FakeLoki) -> None:
    text = filled(query.text)
    ranges = _RANGE.findall(text)
    asked = [f"{'sum' if ' unwrap ' in each else 'count'}_over_time({each})" for each in ranges] or [text]
    found = [ask(loki, each) for each in asked]

    assert len(ranges) == text.count("_over_time(")
    assert all(found) or _NOT_THERE.search(text)


def test_a_name_that_nothing_emits_is_noticed() -> None:
    for text in ('{app="llm-proxy"} | sesion="x"', '{apps="llm-proxy"}', '{app="llm-proxy"} | unwrap model'):
        with pytest.raises(ValueError, match="no "):
            check(Query("loki", "wrong", text), emitted())
