import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from watchdog.events import FileModifiedEvent
from watchdog.observers.inotify_c import InotifyEvent, InotifyFD

from shipper.source.events import watch as watch_module
from shipper.source.events.watch import Watch
from tests.process import eventually


class Sight:
    """A watch on a folder, and what it has named so far."""

    def __init__(self, root: Path, ignored: Path) -> None:
        self.woken = threading.Event()
        self.watch = Watch(root, ignored, self.woken.set)
        self.named: set[str] = set()

    def names(self, *paths: Path) -> bool:
        self.named |= self.watch.take()
        return self.named >= {str(path) for path in paths}


@pytest.fixture
def sight(tmp_path: Path) -> Iterator[Sight]:
    root = tmp_path / "logs"
    (root / ".state").mkdir(parents=True)
    sight = Sight(root, root / ".state")
    sight.watch.start()
    yield sight
    sight.watch.stop()


def test_what_changes_is_named_and_wakes(tmp_path: Path, sight: Sight) -> None:
    path = tmp_path / "logs" / "a.jsonl"

    path.write_text("x")

    assert sight.woken.wait(10)
    eventually(lambda: sight.names(path), 10, "the new file named")
    sight.named.clear()
    sight.woken.clear()
    with path.open("a") as file:
        file.write("y")
    assert sight.woken.wait(10)
    eventually(lambda: sight.names(path), 10, "the grown file named")


def test_a_folder_that_appears_is_watched_at_once(tmp_path: Path, sight: Sight) -> None:
    path = tmp_path / "logs" / "host" / "2026-11-24" / "a.jsonl"

    path.parent.mkdir(parents=True)
    path.write_text("x")

    eventually(lambda: sight.names(path), 10, "the file in the new folder named")


def test_a_new_name_is_named_after_a_move(tmp_path: Path, sight: Sight) -> None:
    path = tmp_path / "logs" / "a.jsonl"
    path.write_text("x")

    path.rename(path.with_suffix(".1"))

    eventually(lambda: sight.names(path.with_suffix(".1")), 10, "the new name")


def test_the_state_folder_wakes_nobody(tmp_path: Path, sight: Sight) -> None:
    (tmp_path / "logs" / ".state" / "checkpoint.json").write_text("x")
    beside = tmp_path / "logs" / ".state-beside"

    beside.write_text("x")

    eventually(lambda: sight.names(beside), 10, "the file beside it")
    assert not any("checkpoint" in each for each in sight.named)


def test_a_folder_behind_a_link_is_watched_under_the_name_of_the_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    root = tmp_path / "logs"
    root.symlink_to(tmp_path / "real")
    sight = Sight(root, root / ".state")
    sight.watch.start()

    (root / "a.jsonl").write_text("x")

    eventually(lambda: sight.names(root / "a.jsonl"), 10, "the file under the link's name")
    sight.watch.stop()


def test_no_path_is_lost_between_two_takes(tmp_path: Path, sight: Sight) -> None:
    paths = [tmp_path / "logs" / f"{number}.jsonl" for number in range(300)]

    def write() -> None:
        for path in paths:
            path.write_text("x")

    writer = threading.Thread(target=write)
    writer.start()
    eventually(lambda: sight.names(*paths), 10, "every file named")
    writer.join()


def test_no_path_slips_between_two_sets(tmp_path: Path) -> None:
    watch = Watch(tmp_path, tmp_path / "state", lambda: None)
    paths = [str(tmp_path / str(number)) for number in range(50_000)]
    named: set[str] = set()

    def tell() -> None:
        for path in paths:
            watch._handler.on_any_event(FileModifiedEvent(path))

    teller = threading.Thread(target=tell)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    teller.start()
    while teller.is_alive():
        named |= watch.take()
    sys.setswitchinterval(interval)
    named |= watch.take()

    assert named == set(paths)


def test_a_folder_that_is_not_there_is_an_error_and_leaves_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    watch = Watch(tmp_path / "nowhere", tmp_path / "state", lambda: None)

    with pytest.raises(OSError, match="No such file"):
        watch.start()
    assert threading.active_count() == before
    assert watch.take() == set()
    watch.stop()


def test_a_system_without_watches_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError(24, "inotify instance limit reached")

    monkeypatch.setattr(watch_module, "_Descriptor", refuse)

    with pytest.raises(OSError, match="instance limit"):
        Watch(tmp_path, tmp_path / "state", lambda: None).start()


def test_events_of_a_moment_are_read_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    read = InotifyFD.read_events

    def counted(*args: Any, **sizes: Any) -> list[InotifyEvent]:
        events = read(*args, **sizes)
        reads.append(len(events))
        return events

    monkeypatch.setattr(InotifyFD, "read_events", counted)
    watch = Watch(tmp_path, tmp_path / "state", lambda: None)
    watch.start()
    paths = {tmp_path / f"{number}.jsonl" for number in range(300)}
    began = time.monotonic()
    for path in paths:
        path.write_bytes(b"{}\n")
    eventually(lambda: sum(reads) >= 2 * len(paths))

    assert len(reads) <= (time.monotonic() - began) / watch_module._GATHER_SECONDS + 2
    watch.stop()
