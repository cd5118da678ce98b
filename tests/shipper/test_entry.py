from hypothesis import given
from hypothesis import strategies as st

from groundwork.utf8 import quote
from shipper.entry import Entry, Span
from shipper.pipeline.budget import ENTRY_OVERHEAD, Budget

LINES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(str.encode)
METADATA = (("name", "wert mit ä"), ("seq", "1"))


def plain(line: bytes) -> Entry:
    return Entry(Span(1, 0, 9), (("app", "a"),), 5, line, METADATA)


def quoted(line: bytes) -> Entry:
    return Entry(Span(1, 0, 9), (("app", "a"),), 5, quote(line), METADATA, unquoted=len(line))


@given(LINES)
def test_an_entry_is_the_same_to_all_whether_its_line_is_held_quoted_or_not(line: bytes) -> None:
    for entry in (plain(line), quoted(line)):
        assert (entry.line, entry.quoted, entry.length) == (line, quote(line), len(line))
        assert entry.size == len(line) + sum(len(part.encode()) for pair in METADATA for part in pair)


def test_a_budget_counts_what_is_held_of_a_line_and_not_the_line() -> None:
    budget = Budget(10**9, 10)
    entry = quoted(b'"' * 1000)

    budget.take([entry])
    assert budget.held_bytes == 2002 + ENTRY_OVERHEAD
    budget.give_back([entry])
    assert budget.held_bytes == 0
