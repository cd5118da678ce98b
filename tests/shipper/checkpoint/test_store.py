import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.checkpoint.store import CheckpointError, CheckpointStore
from shipper.entry import FileMemory, Fingerprint

CHECKPOINT, PREVIOUS = "checkpoint.json", "checkpoint.previous.json"


class Crash(BaseException):
    """The process ends here."""


def memory(file_id: int, offset: int = 100, **changes: Any) -> FileMemory:
    values = {
        "file_id": file_id,
        "path": f"logs/host/2026-11-23/{file_id}.jsonl",
        "device": 1,
        "inode": 1000 + file_id,
        "head": Fingerprint(1024, "aa"),
        "offset": offset,
        "mark": Fingerprint(64, "bb"),
    }
    return FileMemory(**{**values, **changes})


def save(folder: Path, *memories: FileMemory, next_id: int = 7) -> None:
    store = CheckpointStore(folder)
    store.load()
    for each in memories:
        store.put(each)
    store.save(next_id)


PRINTS = st.builds(Fingerprint, st.integers(0, 1024), st.text("0123456789abcdef", max_size=32))
NATURAL = st.integers(0, 2**62)
MEMORIES = st.builds(
    FileMemory,
    file_id=NATURAL,
    path=st.text(max_size=30).filter(lambda text: text.encode("utf-8", "ignore").decode() == text),
    device=NATURAL,
    inode=NATURAL,
    head=PRINTS,
    offset=NATURAL,
    mark=PRINTS,
    parts_done=NATURAL,
    line_limit=NATURAL,
    last_time=NATURAL,
    size=NATURAL,
    first_seen=NATURAL,
    lost_at=NATURAL,
    gone=st.booleans(),
)


@given(memories=st.lists(MEMORIES, max_size=5, unique_by=lambda each: each.file_id), next_id=NATURAL)
def test_what_was_saved_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, memories: list[FileMemory], next_id: int
) -> None:
    folder = tmp_path_factory.mktemp("state")
    save(folder, *memories, next_id=next_id)

    restored = CheckpointStore(folder).load()

    assert set(restored.files) == set(memories)
    assert restored.warning == ""
    if memories:
        assert restored.next_id == next_id


def test_a_file_stays_remembered_until_it_is_dropped(tmp_path: Path) -> None:
    save(tmp_path, memory(1), memory(2))
    store = CheckpointStore(tmp_path)
    store.load()
    store.put(memory(2, offset=300))
    store.drop(1)
    store.drop(99)
    store.save(9)

    assert CheckpointStore(tmp_path).load().files == (memory(2, offset=300),)


def test_only_a_change_has_to_be_saved(tmp_path: Path) -> None:
    save(tmp_path, memory(1))
    store = CheckpointStore(tmp_path)
    store.load()
    assert not store.is_unsaved
    store.put(memory(1))
    assert not store.is_unsaved
    store.put(memory(1, offset=101))
    assert store.is_unsaved
    store.save(7)
    assert not store.is_unsaved


def test_a_name_that_is_no_text_can_be_remembered(tmp_path: Path) -> None:
    save(tmp_path, memory(1, path=os.fsdecode(b"logs/\xff.jsonl")))

    [restored] = CheckpointStore(tmp_path).load().files

    assert restored.path == "logs/\\udcff.jsonl"
    assert restored.offset == 100


def test_nothing_is_a_fresh_start(tmp_path: Path) -> None:
    restored = CheckpointStore(tmp_path / "not there").load()

    assert restored.files == ()
    assert restored.warning == ""


def test_the_generation_before_is_kept(tmp_path: Path) -> None:
    save(tmp_path, memory(1, offset=100))
    save(tmp_path, memory(1, offset=200))
    (tmp_path / CHECKPOINT).unlink()

    assert CheckpointStore(tmp_path).load().files == (memory(1, offset=100),)


BROKEN = {
    "torn": lambda data: data[: len(data) // 2],
    "zeroed": lambda data: bytes(len(data)),
    "empty": lambda _: b"",
    "no object": lambda _: b"[1, 2]\n",
    "other version": lambda data: data.replace(b'"version":1', b'"version":2'),
    "a field missing": lambda data: data.replace(b'"offset":200,', b""),
    "a field of another kind": lambda data: data.replace(b'"offset":200', b'"offset":"many"'),
}


@pytest.mark.parametrize("harm", BROKEN.values(), ids=BROKEN.keys())
def test_of_a_broken_checkpoint_the_generation_before_is_taken(tmp_path: Path, harm: Any) -> None:
    save(tmp_path, memory(1, offset=100), next_id=2)
    save(tmp_path, memory(1, offset=200), memory(2), next_id=3)
    path = tmp_path / CHECKPOINT
    path.write_bytes(harm(path.read_bytes()))

    store = CheckpointStore(tmp_path)
    restored = store.load()

    assert restored.files == (memory(1, offset=100),)
    assert str(path) in restored.warning
    assert restored.next_id > 1_000_000, "an id that was given out before must not come again"


@pytest.mark.parametrize("harm", BROKEN.values(), ids=BROKEN.keys())
def test_without_any_sound_generation_it_starts_afresh_with_a_warning(tmp_path: Path, harm: Any) -> None:
    save(tmp_path, memory(1, offset=200))
    save(tmp_path, memory(1, offset=200))
    save(tmp_path, memory(1, offset=200))
    for name in (CHECKPOINT, PREVIOUS):
        path = tmp_path / name
        if path.exists():
            path.write_bytes(harm(path.read_bytes()))

    restored = CheckpointStore(tmp_path).load()

    assert restored.files == ()
    assert CHECKPOINT in restored.warning


def test_a_broken_checkpoint_does_not_push_out_the_sound_one(tmp_path: Path, monkeypatch: Any) -> None:
    save(tmp_path, memory(1, offset=100))
    save(tmp_path, memory(1, offset=200))
    (tmp_path / CHECKPOINT).write_bytes(b"")
    store = CheckpointStore(tmp_path)
    store.load()
    store.put(memory(1, offset=300))
    real = os.replace

    def crash_at_last(name: str, target: str, **folders: int) -> None:
        if target == CHECKPOINT:
            raise Crash
        real(name, target, **folders)

    monkeypatch.setattr(os, "replace", crash_at_last)
    with pytest.raises(Crash):
        store.save(7)
    monkeypatch.undo()

    assert CheckpointStore(tmp_path).load().files == (memory(1, offset=100),)


STEPS = [(os, "open"), (os, "fsync"), (os, "replace")]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", [1, 2, 3, 4])
@pytest.mark.parametrize(("owner", "name"), STEPS, ids=[name for _, name in STEPS])
def test_a_crash_at_any_step_leaves_a_generation_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, call: int, *, after: bool
) -> None:
    save(tmp_path, memory(1, offset=100))
    save(tmp_path, memory(1, offset=200))
    store = CheckpointStore(tmp_path)
    store.load()
    store.put(memory(1, offset=300))
    real, calls = getattr(owner, name), 0

    def step(*args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            raise Crash
        result = real(*args, **more)
        if calls == call:
            raise Crash
        return result

    monkeypatch.setattr(owner, name, step)
    with suppress(Crash):
        store.save(7)
    monkeypatch.undo()

    restored = CheckpointStore(tmp_path).load()

    assert restored.warning == ""
    assert restored.files in {(memory(1, offset=200),), (memory(1, offset=300),)}


def test_a_folder_that_cannot_be_written_is_told_and_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = CheckpointStore(tmp_path / "file" / "state")
    assert store.load().files == ()
    store.put(memory(1))

    with pytest.raises(CheckpointError, match="Not a directory"):
        store.save(7)
    assert store.is_unsaved


def test_a_folder_that_is_removed_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    store = CheckpointStore(folder)
    store.load()
    for file_id in range(3):
        store.put(memory(file_id))
        store.save(7)
        shutil.rmtree(folder)
    store.put(memory(3))

    store.save(7)

    assert len(CheckpointStore(folder).load().files) == 4


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mount.returncode:
        pytest.skip(f"no file system can be mounted here: {mount.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_on_a_full_disk_the_last_checkpoint_stays(small_disk: Path) -> None:
    save(small_disk, memory(1))
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(bytes(128 * 1024))
    store = CheckpointStore(small_disk)
    store.load()
    for file_id in range(200):
        store.put(memory(file_id))

    for _ in range(3):
        with pytest.raises(CheckpointError, match="No space left"):
            store.save(7)
        assert CheckpointStore(small_disk).load().files == (memory(1),)
    assert not (small_disk / "checkpoint.tmp").exists()
    filler.unlink()
    store.save(7)

    assert len(CheckpointStore(small_disk).load().files) == 200
