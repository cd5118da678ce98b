from shipper.pipeline.budget import ENTRY_OVERHEAD, Budget
from tests.shipper.entries import entry


def test_reading_waits_at_the_number_of_entries_and_goes_on_when_one_is_settled() -> None:
    budget = Budget(most_bytes=10**9, most_entries=2)
    budget.take([entry(1)])
    assert budget.has_room
    budget.take([entry(2)])
    assert not budget.has_room

    budget.give_back([entry(1)])
    assert budget.has_room


def test_reading_waits_at_the_bytes_of_the_lines_and_of_the_copies_that_a_push_makes_of_them() -> None:
    budget = Budget(most_bytes=28 * ENTRY_OVERHEAD, most_entries=10**9)
    budget.take([entry(1, size=2 * ENTRY_OVERHEAD)])
    assert budget.has_room
    budget.take([entry(2, size=1)])

    assert not budget.has_room
    budget.give_back([entry(1, size=2 * ENTRY_OVERHEAD)])
    budget.give_back([entry(2, size=1)])
    assert (budget.held_bytes, budget.held_entries) == (0, 0)
