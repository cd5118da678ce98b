"""What a person types, as FTS5 is asked."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.commands.sessions.explore.sources.hit import query_of


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("", ""),
        ("  ", ""),
        ("-", ""),
        ("berl", '"berl"*'),
        ("be", '"be"'),
        ("berlin ", '"berlin"'),
        ("hot weather", '"hot" "weather"*'),
        ('"hot weather"', '"hot weather"'),
        ("wea* berlin ", '"wea"* "berlin"'),
        ("NOT OR", '"NOT" "OR"'),
        ("a-b(c", '"a-b(c"*'),
    ],
)
def test_words_phrases_and_prefixes_are_asked_for(typed: str, query: str) -> None:
    assert query_of(typed) == query


@given(st.text())
def test_whatever_is_typed_is_a_query(typed: str) -> None:
    query = query_of(typed)
    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIRTUAL TABLE said USING fts5(text)")
    if query:
        database.execute(
            "SELECT * FROM said WHERE said MATCH ?", (query.encode("utf-8", "replace").decode(),)
        )
    database.close()
