"""A log folder in which strangers have put pipes and links: foreign files are neither shipped nor moved."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from shipper.checkpoint.inflight import InflightLog, RecoveredPushes
from shipper.checkpoint.store import CheckpointStore
from shipper.pipeline.retention.trash import Trash
from tests.shipper.rig import MINUTE, Rig, append, line

DEEP = b"[" * 9999
NO_TABLE = b'{"version":1,"next_id":1,"files":[{"file_id":"x"}]}'
ODD_ROWS = [b"[]", b"3", b'{"begin":1}', b'{"begin":[],"at":"x","entries":7}', b'{"stored":[[{}]]}', DEEP]


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    folder = tmp_path / "foreign" / "2026-11-23"
    folder.mkdir(parents=True)
    append(folder / "secret.jsonl", line(7))
    return folder


def test_a_folder_that_becomes_a_link_is_not_followed(tmp_path: Path, foreign: Path) -> None:
    (tmp_path / "logs").mkdir()
    rig = Rig(tmp_path / "logs")
    path = rig.root / "host" / "2026-11-23" / "a.jsonl"
    append(path, line(0))
    rig.run()
    shutil.rmtree(rig.root / "host")
    (rig.root / "host").symlink_to(foreign.parent)
    (rig.root / "other").symlink_to(foreign)
    os.mkfifo(rig.root / "pipe.jsonl")

    rig.pass_time(2 * MINUTE)
    rig.run(5)

    assert len(rig.lines) == 1


def test_the_trash_moves_nothing_through_a_link(tmp_path: Path, foreign: Path) -> None:
    root = tmp_path / "logs"
    append(root / "host" / "mine.jsonl", line(0))
    (root / "day").symlink_to(foreign)
    trash = Trash(root)
    with pytest.raises(OSError, match="Not a directory"):
        trash.put_aside(str(root / "day" / "secret.jsonl"))
    (root / ".trash").symlink_to(foreign)
    with pytest.raises(OSError, match="Not a directory"):
        trash.put_aside(str(root / "host" / "mine.jsonl"))
    with pytest.raises(OSError, match="Not a directory"):
        trash.remove(str(root / ".trash" / "secret.jsonl"))

    assert [each.name for each in foreign.iterdir()] == ["secret.jsonl"]
    assert (root / "host" / "mine.jsonl").exists()


@pytest.mark.parametrize("rows", ODD_ROWS)
def test_a_malformed_row_of_the_in_flight_log_tells_nothing(tmp_path: Path, rows: bytes) -> None:
    (tmp_path / "inflight.jsonl").write_bytes(rows + b"\n")

    assert InflightLog(tmp_path).load() == RecoveredPushes()


@pytest.mark.parametrize("content", [DEEP, NO_TABLE, b"\xff"])
def test_a_malformed_checkpoint_is_set_aside_with_a_warning(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "checkpoint.json").write_bytes(content)
    store = CheckpointStore(tmp_path)

    assert "checkpoint.json" in store.load().warning
    store.save(1)

    assert (tmp_path / "checkpoint.unreadable.json").read_bytes() == content
    assert CheckpointStore(tmp_path).load().warning == ""


def test_state_files_are_for_the_group_at_most_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        log = InflightLog(tmp_path)
        log.restart(RecoveredPushes(), lambda _: True)
        log.done(1)
        CheckpointStore(tmp_path).save(1)
    finally:
        os.umask(before)

    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o640}
