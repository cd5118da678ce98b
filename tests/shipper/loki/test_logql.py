import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.loki.logql import quoted, selector
from tests.fakes.loki.logql import LogQuery, parse


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("plain", '"plain"'),
        ('say "hi"', r'"say \"hi\""'),
        (r"back\slash", r'"back\\slash"'),
        ("two\nlines", r'"two\nlines"'),
        ("tab\tand\x00nul", r'"tab\x09and\x00nul"'),
        ("grüße 🙂", '"grüße 🙂"'),
        ('"} or {x="', r'"\"} or {x=\""'),
    ],
)
def test_text_is_quoted_as_go_does(text: str, literal: str) -> None:
    assert quoted(text) == literal


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_value_comes_back_from_a_selector(value: str) -> None:
    query = parse(selector((("app", "llm-proxy"), ("machine", value))))

    assert isinstance(query, LogQuery)
    assert [(each.name, each.operator, each.value) for each in query.matchers] == [
        ("app", "=", "llm-proxy"),
        ("machine", "=", value),
    ]
