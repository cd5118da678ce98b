"""A log folder in which strangers have put pipes and links: nothing hangs, nothing is written elsewhere."""

import os
from pathlib import Path

import pytest

from proxy.record.journal import Journal, session_path
from proxy.recording.spool import FileSpool
from proxy.sessions.session_index import Archive
from tests.proxy.record.test_journal import HOST, SESSION, log


def test_a_pipe_in_the_place_of_a_session_file_is_a_failed_write(tmp_path: Path) -> None:
    path = session_path(tmp_path, HOST, SESSION)
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    journal = Journal(tmp_path)
    log(journal, SESSION)

    [failure] = journal.flush()

    assert (failure.session, failure.records) == (SESSION, 1)
    assert Archive(tmp_path).known() == []
    assert Archive(tmp_path).recall(HOST, SESSION) is None


def test_a_link_in_the_place_of_a_folder_is_not_written_through(tmp_path: Path) -> None:
    logs, foreign = tmp_path / "logs", tmp_path / "foreign"
    logs.mkdir()
    foreign.mkdir()
    (logs / HOST).symlink_to(foreign)
    (logs / ".llm-proxy").symlink_to(foreign)
    journal, archive = Journal(logs), Archive(logs)
    log(journal, SESSION)

    assert [each.records for each in journal.flush()] == [1]
    archive.known()
    with pytest.raises(OSError, match="Not a directory"):
        FileSpool(logs)
    assert list(foreign.iterdir()) == []


@pytest.mark.parametrize("name", ["index.jsonl", "index.new"])
def test_what_is_no_file_under_the_name_of_the_index_is_replaced(tmp_path: Path, name: str) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"theirs")
    folder = tmp_path / "logs" / ".llm-proxy"
    folder.mkdir(parents=True)
    if name == "index.new":
        (folder / name).symlink_to(foreign)
    else:
        os.mkfifo(folder / name)

    Archive(tmp_path / "logs").known()

    assert (folder / "index.jsonl").is_file()
    assert foreign.read_bytes() == b"theirs"
