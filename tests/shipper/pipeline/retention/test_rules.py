import pytest

from shipper.pipeline.retention.rules import GRACE_SECONDS, Candidate, Step, next_step

WEEK = 7 * 24 * 3600.0


@pytest.mark.parametrize(
    ("delivered", "refused", "untouched", "step"),
    [
        (True, False, WEEK, Step.PUT_ASIDE),
        (True, False, WEEK - 1, Step.KEEP),
        (False, False, WEEK, Step.KEEP),
        (True, True, WEEK, Step.KEEP),
    ],
    ids=["due", "touched too lately", "not delivered", "refused in part"],
)
def test_a_file_in_its_place_is_put_aside_when_nothing_speaks_against_it(
    step: Step, untouched: float, *, delivered: bool, refused: bool
) -> None:
    assert next_step(Candidate(delivered, refused, untouched), WEEK) is step


@pytest.mark.parametrize(
    ("delivered", "refused", "untouched", "aside", "step"),
    [
        (True, False, WEEK, GRACE_SECONDS, Step.REMOVE),
        (True, False, WEEK, GRACE_SECONDS - 1, Step.KEEP),
        (False, False, 1.0, GRACE_SECONDS, Step.TAKE_BACK),
        (True, False, 1.0, GRACE_SECONDS, Step.TAKE_BACK),
        (True, True, WEEK, GRACE_SECONDS, Step.TAKE_BACK),
    ],
    ids=["due", "not for long", "written to", "written to and delivered", "refused in part"],
)
def test_a_file_aside_is_removed_after_a_while_or_taken_back(
    step: Step, untouched: float, aside: float, *, delivered: bool, refused: bool
) -> None:
    assert next_step(Candidate(delivered, refused, untouched, aside), WEEK) is step


def test_without_retention_all_is_kept_and_taken_back() -> None:
    assert next_step(Candidate(delivered=True, refused=False, untouched=WEEK), 0.0) is Step.KEEP
    aside = Candidate(delivered=True, refused=False, untouched=WEEK, aside=WEEK)
    assert next_step(aside, 0.0) is Step.TAKE_BACK
