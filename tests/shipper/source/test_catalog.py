import pytest

from shipper.entry import FileMemory, Fingerprint
from shipper.source.catalog import DOUBT_SECONDS, FORGET_SECONDS, GONE_SECONDS, Catalog
from shipper.source.fingerprint import HEAD_BYTES, MARK_BYTES, fingerprint
from shipper.source.followed import Found, TrackedFile
from tests.shipper.source.glass_disk import GlassDisk, place, read_to

PATH = "logs/host/2026-11-23/a.jsonl"
LINES = b"".join(b'{"line": %d, "padding": "%s"}\n' % (number, b"." * 50) for number in range(60))
HALF = LINES.index(b'{"line": 30,')
OTHER = LINES.replace(b"line", b"next").replace(b".", b"-")
WALL = 1_795_435_200


@pytest.fixture
def disk() -> GlassDisk:
    return GlassDisk()


@pytest.fixture
def catalog() -> Catalog:
    return Catalog([], 1, largest=1 << 20)


def followed(catalog: Catalog, disk: GlassDisk, read: int = HALF, content: bytes = LINES) -> TrackedFile:
    """Follow a new file and read it up to an offset."""
    [(found, file)] = place(catalog, disk, disk.write(PATH, content))
    assert found is Found.NEW
    read_to(catalog, disk, file, read)
    return file


def memory(file: TrackedFile, **changes: object) -> FileMemory:
    values = {
        "file_id": file.file_id,
        "path": file.path,
        "device": file.inode[0],
        "inode": file.inode[1],
        "head": file.head,
        "offset": file.splitter.offset,
        "mark": file.mark,
        "size": file.size,
    }
    return FileMemory(**{**values, **changes})  # type: ignore[arg-type]


def test_files_are_selected_by_name(catalog: Catalog, disk: GlassDisk) -> None:
    sightings = [disk.write(f"logs/{name}", LINES) for name in ("a.jsonl", "b.jsonl.1", "c.json", "d.jsonl")]

    placed = place(catalog, disk, *sightings)

    assert [(found, file.path) for found, file in placed] == [
        (Found.NEW, "logs/a.jsonl"),
        (Found.NEW, "logs/d.jsonl"),
    ]
    assert "logs/c.json" not in disk.peeked


def test_a_file_that_grows_is_the_same_and_costs_no_read(catalog: Catalog, disk: GlassDisk) -> None:
    file = followed(catalog, disk)
    disk.peeked.clear()

    assert place(catalog, disk, disk.write(PATH, LINES + OTHER)) == [(Found.SAME, file)]
    assert file.size == len(LINES + OTHER)
    assert not disk.peeked


def test_a_renamed_file_is_followed_under_any_name(catalog: Catalog, disk: GlassDisk) -> None:
    file = followed(catalog, disk)

    assert place(catalog, disk, disk.move(PATH, f"{PATH}.1")) == [(Found.MOVED, file)]
    assert file.path == f"{PATH}.1"


def test_a_rename_in_one_look_is_no_loss(catalog: Catalog, disk: GlassDisk) -> None:
    file = followed(catalog, disk)
    before = disk.sight(PATH)
    after = disk.move(PATH, f"{PATH}.1")

    catalog.drop([before], WALL)
    assert file.lost_at == WALL
    assert place(catalog, disk, after) == [(Found.MOVED, file)]
    assert file.lost_at == 0


def test_a_name_that_now_leads_to_another_file_loses_none(catalog: Catalog, disk: GlassDisk) -> None:
    file = followed(catalog, disk)
    moved = disk.move(PATH, f"{PATH}.1")
    fresh = disk.write(PATH, OTHER)

    (first, second) = place(catalog, disk, fresh, moved)

    assert first == (Found.MOVED, file)
    assert second.found is Found.NEW
    assert second.file.inode == fresh.inode


def test_a_smaller_size_is_believed_only_when_seen_again(catalog: Catalog, disk: GlassDisk) -> None:
    file = followed(catalog, disk)
    disk.stale[PATH] = 10

    assert not place(catalog, disk, disk.sight(PATH), now=5.0)
    assert not file.has_turn
    assert not catalog.resolve_doubts(disk, 5.0 + DOUBT_SECONDS / 2, WALL)
    assert catalog.resolve_doubts(disk, 5.0 + DOUBT_SECONDS, WALL) == [(Found.SAME, file)]
    assert file.splitter.offset == HALF


def test_a_truncated_file_is_read_anew_under_another_id(catalog: Catalog, disk: GlassDisk) -> None:
    file = followed(catalog, disk)
    place(catalog, disk, disk.write(PATH, b""))

    [(found, fresh)] = catalog.resolve_doubts(disk, DOUBT_SECONDS, WALL)

    assert found is Found.REWRITTEN
    assert fresh.file_id != file.file_id
    assert (fresh.splitter.offset, fresh.path) == (0, PATH)
    assert file.lost_at == WALL
    assert not file.has_turn


@pytest.mark.parametrize(
    "content", [OTHER, OTHER[:100], OTHER + OTHER], ids=["same size", "smaller", "larger"]
)
def test_other_bytes_in_place_are_another_file(catalog: Catalog, disk: GlassDisk, content: bytes) -> None:
    file = followed(catalog, disk, read=len(LINES))
    place(catalog, disk, disk.write(PATH, content), now=1.0)
    if file.has_turn:
        assert catalog.verify(file, disk, PATH) is False
        catalog.doubt(file, PATH, 1.0)

    [(found, fresh)] = catalog.resolve_doubts(disk, 1.0 + DOUBT_SECONDS, WALL)

    assert found is Found.REWRITTEN
    assert fresh.size == len(content)


def test_a_torn_line_that_is_taken_back_leaves_the_file_the_same(catalog: Catalog, disk: GlassDisk) -> None:
    file = followed(catalog, disk, read=HALF, content=LINES[: HALF + 20])
    assert file.splitter.cut(LINES[HALF : HALF + 20]) is None
    place(catalog, disk, disk.write(PATH, LINES[:HALF]))

    assert catalog.resolve_doubts(disk, DOUBT_SECONDS, WALL) == [(Found.SAME, file)]
    assert file.splitter.read_offset == HALF
    place(catalog, disk, disk.write(PATH, LINES))
    assert file.has_turn


def test_the_copy_of_a_truncated_file_goes_on_where_that_one_was(catalog: Catalog, disk: GlassDisk) -> None:
    file = followed(catalog, disk)
    copy = disk.write(f"{PATH}.1", LINES)
    assert not place(catalog, disk, copy)
    place(catalog, disk, disk.write(PATH, b""))
    [(_, fresh)] = catalog.resolve_doubts(disk, DOUBT_SECONDS, WALL)

    placed = place(catalog, disk, *catalog.unplaced.values())

    assert placed == [(Found.MOVED, file)]
    assert (file.path, file.inode, file.splitter.offset) == (copy.path, copy.inode, HALF)
    assert file.lost_at == 0
    assert fresh.inode == disk.sight(PATH).inode


def test_a_copy_that_appears_only_after_the_truncation_is_found_too(
    catalog: Catalog, disk: GlassDisk
) -> None:
    file = followed(catalog, disk)
    place(catalog, disk, disk.write(PATH, OTHER[:50]))
    catalog.resolve_doubts(disk, DOUBT_SECONDS, WALL)

    assert place(catalog, disk, disk.write(f"{PATH}-20261123", LINES)) == [(Found.MOVED, file)]


def test_a_partial_copy_is_not_taken_for_the_file(catalog: Catalog, disk: GlassDisk) -> None:
    file = followed(catalog, disk)
    catalog.drop([disk.remove(PATH)], WALL)

    assert not place(catalog, disk, disk.write("logs/copy", LINES[: HALF - 1]))
    assert place(catalog, disk, disk.write("logs/copy", LINES)) == [(Found.MOVED, file)]


def test_an_inode_that_is_used_again_is_a_new_file(catalog: Catalog, disk: GlassDisk) -> None:
    file = followed(catalog, disk, read=len(LINES))
    catalog.drop([disk.remove(PATH)], WALL)
    place(catalog, disk, disk.write("logs/b.jsonl", OTHER, inode=file.inode))

    [(found, fresh)] = catalog.resolve_doubts(disk, DOUBT_SECONDS, WALL + 1)

    assert found is Found.NEW
    assert (fresh.path, fresh.splitter.offset) == ("logs/b.jsonl", 0)
    assert (file.path, file.lost_at) == (PATH, WALL)


def test_an_inode_that_is_used_again_under_the_same_name_is_a_new_file(
    catalog: Catalog, disk: GlassDisk
) -> None:
    file = followed(catalog, disk, read=len(LINES))
    place(catalog, disk, disk.write(PATH, OTHER, inode=file.inode))

    [(found, fresh)] = catalog.resolve_doubts(disk, DOUBT_SECONDS, WALL)

    assert found is Found.REWRITTEN
    assert fresh.splitter.offset == 0


def test_an_inode_that_a_stranger_uses_again_is_not_followed(catalog: Catalog, disk: GlassDisk) -> None:
    file = followed(catalog, disk, read=len(LINES))
    catalog.drop([disk.remove(PATH)], WALL)
    place(catalog, disk, disk.write("logs/core.dump", OTHER, inode=file.inode))

    assert not catalog.resolve_doubts(disk, DOUBT_SECONDS, WALL)
    assert [each.file_id for each in catalog.files.values()] == [file.file_id]


def test_a_doubted_file_that_is_renamed_is_looked_at_under_its_new_name(
    catalog: Catalog, disk: GlassDisk
) -> None:
    file = followed(catalog, disk)
    disk.stale[PATH] = 10
    place(catalog, disk, disk.sight(PATH))
    place(catalog, disk, disk.move(PATH, f"{PATH}.1"))

    assert catalog.resolve_doubts(disk, DOUBT_SECONDS, WALL) == [(Found.SAME, file)]
    assert file.path == f"{PATH}.1"


def test_what_cannot_be_seen_settles_no_doubt(catalog: Catalog, disk: GlassDisk) -> None:
    file = followed(catalog, disk)
    place(catalog, disk, disk.write(PATH, b""))
    disk.dark.add(PATH)
    assert not catalog.resolve_doubts(disk, DOUBT_SECONDS, WALL)
    disk.dark.clear()
    [(found, _)] = catalog.resolve_doubts(disk, DOUBT_SECONDS + 1, WALL)
    assert found is Found.REWRITTEN
    assert file.lost_at


def test_an_unreadable_file_is_placed_as_soon_as_it_can_be_read(catalog: Catalog, disk: GlassDisk) -> None:
    disk.dark.add(PATH)
    assert not place(catalog, disk, disk.write(PATH, LINES))
    assert not place(catalog, disk, *catalog.unplaced.values())
    disk.dark.clear()

    [(found, _)] = place(catalog, disk, *catalog.unplaced.values())

    assert found is Found.NEW
    assert not catalog.unplaced


def test_a_file_of_an_earlier_process_goes_on_when_its_bytes_agree(catalog: Catalog, disk: GlassDisk) -> None:
    file = followed(catalog, disk)
    restarted = Catalog([memory(file)], 2, largest=1 << 20)

    [(found, again)] = place(restarted, disk, disk.write(PATH, LINES + OTHER))

    assert (found, again.file_id, again.splitter.offset) == (Found.SAME, file.file_id, HALF)
    assert again.splitter.tail == LINES[HALF - MARK_BYTES : HALF]


@pytest.mark.parametrize(
    "content",
    [OTHER, LINES[: HALF - 5], LINES[: HALF - 30] + OTHER[HALF - 30 :]],
    ids=["another head", "too short", "another mark"],
)
def test_a_file_of_an_earlier_process_is_another_one_with_other_bytes(
    catalog: Catalog, disk: GlassDisk, content: bytes
) -> None:
    file = followed(catalog, disk)
    restarted = Catalog([memory(file)], 2, largest=1 << 20)

    assert not place(restarted, disk, disk.write(PATH, content))
    [(found, again)] = restarted.resolve_doubts(disk, DOUBT_SECONDS, WALL)

    assert (found, again.file_id, again.splitter.offset) == (Found.REWRITTEN, 2, 0)


def test_after_a_remount_files_are_known_by_their_bytes(catalog: Catalog, disk: GlassDisk) -> None:
    file = followed(catalog, disk)
    restarted = Catalog([memory(file, device=99)], 2, largest=1 << 20)
    sighting = disk.sight(PATH)

    restarted.drop_unseen([sighting], [], WALL)
    [(found, again)] = place(restarted, disk, sighting)

    assert (found, again.file_id, again.inode) == (Found.MOVED, file.file_id, sighting.inode)
    assert not restarted.newly_gone(WALL + GONE_SECONDS, dict)


@pytest.mark.parametrize(
    ("path", "inode", "known"),
    [(PATH, (2, 9), True), ("logs/b.jsonl", (2, 101), True), ("logs/b.jsonl", (2, 9), False)],
    ids=["same name", "same inode number", "neither"],
)
def test_a_short_head_alone_does_not_make_two_files_one(
    disk: GlassDisk, path: str, inode: tuple[int, int], *, known: bool
) -> None:
    content = b'{"a": 1}\n'
    old = FileMemory(
        1, PATH, 1, 101, fingerprint(content), len(content), fingerprint(content), size=len(content)
    )
    catalog = Catalog([old], 2, largest=1 << 20)
    sighting = disk.write(path, content + b'{"b": 1}\n', inode=inode)

    catalog.drop_unseen([sighting], [], WALL)
    [(_, file)] = place(catalog, disk, sighting)

    assert file.splitter.offset == (len(content) if known else 0)


def test_below_a_path_that_cannot_be_seen_no_file_is_lost(catalog: Catalog, disk: GlassDisk) -> None:
    file = followed(catalog, disk)
    restarted = Catalog([memory(file)], 2, largest=1 << 20)
    again = restarted.files[file.file_id]

    restarted.drop_unseen([], ["logs/host/2026-11-2", "logs/host"], WALL)
    assert not again.lost_at
    restarted.drop_unseen([], ["logs/host/2026-11-2", "logs/ho"], WALL)
    assert again.lost_at == WALL


def test_a_file_is_gone_after_a_while_and_only_once(catalog: Catalog, disk: GlassDisk) -> None:
    file = followed(catalog, disk)
    catalog.drop([disk.remove(PATH)], WALL)

    assert not catalog.newly_gone(WALL + GONE_SECONDS - 1, dict)
    assert catalog.newly_gone(WALL + GONE_SECONDS, dict) == [file]
    file.gone = True
    assert not catalog.newly_gone(WALL + GONE_SECONDS + 1, dict)
    assert not catalog.forgettable(WALL + FORGET_SECONDS - 1)
    assert catalog.forgettable(WALL + FORGET_SECONDS) == [file]
    catalog.forget(file)
    assert not catalog.files
    assert not catalog.forgettable(WALL + FORGET_SECONDS)


@pytest.mark.parametrize("inode", [None, (1, 101)], ids=["other inode", "same inode"])
def test_a_file_that_comes_back_within_a_day_goes_on(
    catalog: Catalog, disk: GlassDisk, inode: tuple[int, int] | None
) -> None:
    file = followed(catalog, disk)
    catalog.drop([disk.remove(PATH)], WALL)
    [file.gone] = [bool(each) for each in catalog.newly_gone(WALL + GONE_SECONDS, dict)]

    [(_, again)] = place(catalog, disk, disk.write(PATH, LINES + OTHER, inode=inode))

    assert again is file
    assert (file.gone, file.lost_at, file.splitter.offset) == (False, 0, HALF)
    assert file.has_turn


def test_a_memory_of_a_file_that_was_gone_is_counted_no_second_time(
    catalog: Catalog, disk: GlassDisk
) -> None:
    file = followed(catalog, disk)
    restarted = Catalog([memory(file, lost_at=WALL, gone=True)], 2, largest=1 << 20)

    restarted.drop_unseen([], [], WALL + 500)

    assert not restarted.newly_gone(WALL + 500, dict)
    assert restarted.forgettable(WALL + FORGET_SECONDS)


def test_a_file_with_a_second_name_is_not_gone_with_the_first(catalog: Catalog, disk: GlassDisk) -> None:
    file = followed(catalog, disk)
    catalog.drop([disk.remove(PATH)], WALL)

    assert not catalog.newly_gone(WALL + GONE_SECONDS, lambda: {file.inode: "logs/second.jsonl"})
    assert (file.path, file.lost_at) == ("logs/second.jsonl", 0)


def test_a_renumbered_file_is_read_again_from_an_offset(catalog: Catalog, disk: GlassDisk) -> None:
    file = followed(catalog, disk, read=len(LINES))
    mark = fingerprint(LINES[HALF - MARK_BYTES : HALF])

    fresh = catalog.renumber(file, HALF, mark, 17)

    assert list(catalog.files.values()) == [fresh]
    assert (fresh.splitter.offset, fresh.last_time, fresh.has_turn) == (HALF, 17, True)
    assert catalog.verify(fresh, disk, PATH) is True
    assert place(catalog, disk, disk.write(PATH, LINES + OTHER)) == [(Found.SAME, fresh)]


def test_a_file_whose_bytes_were_not_compared_keeps_what_is_known_of_it(
    catalog: Catalog, disk: GlassDisk
) -> None:
    file = followed(catalog, disk)
    mark = fingerprint(LINES[HALF - MARK_BYTES : HALF])
    fresh = catalog.renumber(file, HALF, mark, 17)

    catalog.note_read(fresh, disk)

    assert fresh.mark == mark


def test_a_head_is_known_as_far_as_lines_were_read(catalog: Catalog, disk: GlassDisk) -> None:
    [(_, file)] = place(catalog, disk, disk.write(PATH, b""))
    assert file.head == Fingerprint()
    for content, read in ((LINES[:40], 0), (LINES, HALF), (LINES + OTHER, len(LINES))):
        place(catalog, disk, disk.write(PATH, content))
        assert catalog.verify(file, disk, PATH)
        read_to(catalog, disk, file, read)
        assert file.head == fingerprint(content[: min(read, HEAD_BYTES) or HEAD_BYTES])


def test_the_copy_of_a_file_of_which_nothing_was_read_is_found(catalog: Catalog, disk: GlassDisk) -> None:
    file = followed(catalog, disk, read=0)
    disk.write(f"{PATH}.1", LINES)
    place(catalog, disk, disk.sight(f"{PATH}.1"), disk.write(PATH, b""))
    catalog.resolve_doubts(disk, DOUBT_SECONDS, WALL)

    assert place(catalog, disk, *catalog.unplaced.values()) == [(Found.MOVED, file)]
