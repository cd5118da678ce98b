import pytest

from shipper.entry import Fingerprint
from shipper.source.followed import FileStat, TrackedFile, follow
from shipper.telemetry.page.files import MOST_ROWS, FileState, Survey, Trouble, shown_path, survey

ROOT = "/logs"


def file(number: int, size: int, modified: int = 0, torn: bool = False) -> TrackedFile:  # noqa: FBT001, FBT002 - a table
    made = follow(
        number,
        FileStat(f"{ROOT}/host/day/{number}.jsonl", (1, number), size, modified * 10**9),
        Fingerprint(),
        99,
    )
    if torn:
        made.exhausted_at = size
    return made


def looked(files: list[TrackedFile], settled: dict[int, int], **trouble: object) -> Survey:
    return survey(files, lambda each: settled.get(each, 0), ROOT, Trouble(**trouble))  # type: ignore[arg-type]


def test_what_needs_attention_comes_first() -> None:
    files = [file(1, 10), file(2, 50), file(3, 90), file(4, 20), file(5, 30), file(6, 40, torn=True)]
    settled = {1: 10, 4: 20, 5: 30}
    trouble = {"parked": {1}, "unreadable": {4}, "refused": {f"{ROOT}/host/day/5.jsonl"}}

    states = [(row.path[9:10], row.state) for row in looked(files, settled, **trouble).rows]

    assert states == [
        ("1", FileState.PARKED),
        ("4", FileState.UNREADABLE),
        ("5", FileState.REFUSED),
        ("3", FileState.WAITING),
        ("2", FileState.WAITING),
        ("6", FileState.TORN),
    ]


def test_of_files_that_are_done_the_latest_come_first() -> None:
    files = [file(1, 10, modified=5), file(2, 10, modified=9), file(3, 10, modified=7)]

    rows = looked(files, {1: 10, 2: 10, 3: 10}).rows

    assert [row.path for row in rows] == ["host/day/2.jsonl", "host/day/3.jsonl", "host/day/1.jsonl"]
    assert {row.state for row in rows} == {FileState.DONE}


def test_a_torn_last_line_does_not_wait() -> None:
    torn = file(1, 30, torn=True)
    torn.splitter.offset = 20

    (row,) = looked([torn], {1: 20}).rows

    assert (row.waiting, row.state) == (0, FileState.TORN)


def test_files_out_of_sight_are_left_out_and_a_screenful_is_enough() -> None:
    files = [file(number, 10) for number in range(1, MOST_ROWS + 50)]
    files[0].lost_at = 1

    told = looked(files, {})

    assert told.total == MOST_ROWS + 48
    assert len(told.rows) == MOST_ROWS


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/logs/a/b.jsonl", "a/b.jsonl"),
        ("/elsewhere/b.jsonl", "/elsewhere/b.jsonl"),
        ("/logs/\udcff", "\\udcff"),
    ],
)
def test_a_path_is_shown_below_the_folder_and_always_as_text(path: str, shown: str) -> None:
    assert shown_path(path, ROOT) == shown
