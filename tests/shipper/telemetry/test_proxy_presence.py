from pathlib import Path

from groundwork.disk.lock import FolderLock
from shipper.telemetry.proxy_presence import hint_about, is_there, works_with


def test_a_proxy_works_with_a_folder_while_it_holds_its_lock(tmp_path: Path) -> None:
    assert works_with(tmp_path) is False
    assert "no llm-proxy works with this folder now" in hint_about(tmp_path)

    lock = FolderLock(tmp_path / ".llm-proxy" / "lock")
    lock.acquire()

    assert works_with(tmp_path) is True
    assert hint_about(tmp_path) == ""
    lock.release()
    assert works_with(tmp_path) is False


def test_what_cannot_be_read_is_not_known(tmp_path: Path) -> None:
    (tmp_path / ".llm-proxy").write_text("no folder")

    assert works_with(tmp_path) is None
    assert hint_about(tmp_path) == ""


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert not is_there(tmp_path / "none")
    assert f"log_dir = '{tmp_path}/none' is no folder" in hint_about(tmp_path / "none")
