import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shipper.source import discovery
from shipper.source.discovery import LIVELY_SECONDS, Discovery, Scan
from tests.yardstick import cpu_seconds, stat_all

OLD = LIVELY_SECONDS + 1


class Finder:
    """A discovery with a clock that moves a second a scan."""

    def __init__(self, root: Path, *excluded: Path) -> None:
        self.discovery = Discovery(root, excluded)
        self.now, self.wall = 100.0, time.time()

    def scan(self, *named: Path, seconds: float = 1.0) -> Scan:
        self.now += seconds
        self.wall += seconds
        return self.discovery.scan([str(each) for each in named], self.now, self.wall)

    def found(self, *named: Path, seconds: float = 1.0) -> set[str]:
        return {Path(each.path).name for each in self.scan(*named, seconds=seconds).changed}


class System:
    """The system's calls, some of them others."""

    def __init__(self, **calls: Callable[[str], object]) -> None:
        self.__dict__.update(calls)

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)


def write(path: Path, text: str = "x", age: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    stamp = time.time() - age
    os.utime(path, (stamp, stamp))
    return path


@pytest.fixture
def finder(tmp_path: Path) -> Finder:
    return Finder(tmp_path)


def test_files_are_found_at_any_depth_and_told_once(tmp_path: Path, finder: Finder) -> None:
    write(tmp_path / "a.jsonl")
    write(tmp_path / "host" / "2026-11-23" / "b.jsonl")

    assert finder.found() == {"a.jsonl", "b.jsonl"}
    assert finder.found() == set()


def test_what_has_grown_is_told_again(tmp_path: Path, finder: Finder) -> None:
    path = write(tmp_path / "a.jsonl")
    finder.scan()
    write(path, "longer")

    [sighting] = finder.scan().changed
    assert (sighting.path, sighting.size) == (str(path), 6)


def test_nothing_is_looked_at_before_it_is_due_but_what_is_named(tmp_path: Path, finder: Finder) -> None:
    first, second = write(tmp_path / "a.jsonl"), write(tmp_path / "b.jsonl")
    finder.scan()
    write(first, "longer")
    write(second, "longer")

    assert finder.found(second, seconds=0.1) == {"b.jsonl"}
    assert finder.found(seconds=0.9) == {"a.jsonl"}


def test_hidden_names_the_state_folder_and_links_are_never_looked_at(tmp_path: Path) -> None:
    root, state = tmp_path / "logs", tmp_path / "logs" / "state"
    for hidden in (".hidden.jsonl", ".llm-proxy/index.jsonl", "host/.tmp/a.jsonl", "state/rejected.jsonl"):
        write(root / hidden)
    write(root / "state.jsonl")
    write(root / "state-of-affairs" / "b.jsonl")
    write(tmp_path / "elsewhere" / "c.jsonl")
    (root / "link.jsonl").symlink_to(tmp_path / "elsewhere" / "c.jsonl")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    finder = Finder(root, state)
    everything = [path for path in root.rglob("*") if path.is_file()]

    assert finder.found() == {"state.jsonl", "b.jsonl"}
    assert finder.found(*everything, seconds=0.1) == set()


@pytest.mark.parametrize("relative", [False, True])
def test_the_state_folder_is_known_however_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, relative: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "logs" / "state" / "rejected.jsonl")
    write(tmp_path / "logs" / "a.jsonl")
    root, state = Path("logs"), tmp_path / "logs" / "state"
    finder = Finder(root, state) if relative else Finder(root.absolute(), Path("logs/state"))

    assert finder.found() == {"a.jsonl"}


def test_a_log_folder_that_holds_the_state_itself_keeps_its_subfolders(tmp_path: Path) -> None:
    write(tmp_path / "rejected.jsonl")
    write(tmp_path / "host" / "a.jsonl")
    finder = Finder(tmp_path, tmp_path)

    assert finder.found() == {"a.jsonl"}
    assert finder.found(tmp_path / "rejected.jsonl", seconds=0.1) == set()


def test_the_trash_is_looked_at(tmp_path: Path, finder: Finder) -> None:
    write(tmp_path / ".trash" / "host" / "2026-11-23" / "a.jsonl")
    write(tmp_path / ".trash" / ".hidden" / "b.jsonl")

    assert finder.found() == {"a.jsonl"}


def test_a_folder_that_appears_later_is_walked(tmp_path: Path, finder: Finder) -> None:
    finder.scan()
    write(tmp_path / "host" / "2026-11-24" / "a.jsonl")
    assert finder.found() == {"a.jsonl"}

    write(tmp_path / "host" / "2026-11-25" / "b.jsonl")
    assert finder.found(tmp_path / "host" / "2026-11-25", seconds=0.1) == {"b.jsonl"}


def test_a_new_name_in_a_folder_that_changed_a_moment_ago_is_found(tmp_path: Path, finder: Finder) -> None:
    write(tmp_path / "host" / "a.jsonl")
    finder.scan()
    stamp = (tmp_path / "host").stat().st_mtime_ns
    write(tmp_path / "host" / "b.jsonl")
    os.utime(tmp_path / "host", ns=(stamp, stamp))

    assert finder.found() == {"b.jsonl"}


def test_names_that_went_are_told_as_they_were(tmp_path: Path, finder: Finder) -> None:
    path = write(tmp_path / "host" / "a.jsonl", "xyz")
    finder.scan()
    path.unlink()

    [dropped] = finder.scan().dropped
    assert (dropped.path, dropped.size) == (str(path), 3)
    assert not finder.scan().dropped


def test_a_name_that_leads_to_another_file_is_told_as_both(tmp_path: Path, finder: Finder) -> None:
    path = write(tmp_path / "a.jsonl")
    finder.scan()
    before = path.stat().st_ino
    path.rename(tmp_path / "a.jsonl.1")
    write(path, "new")

    scan = finder.scan()

    assert {Path(each.path).name for each in scan.changed} == {"a.jsonl", "a.jsonl.1"}
    assert [each.inode[1] for each in scan.dropped] == [before]


@pytest.mark.parametrize("into", ["file", "nothing"])
def test_a_folder_that_goes_takes_its_files_along(tmp_path: Path, finder: Finder, into: str) -> None:
    path = write(tmp_path / "host" / "day" / "a.jsonl")
    finder.scan()
    (tmp_path / "host").rename(tmp_path / ".away")
    if into == "file":
        (tmp_path / "host").write_text("no folder")

    scan = finder.scan()

    assert [each.path for each in scan.dropped] == [str(path)]
    assert not scan.unreadable


def test_a_folder_that_comes_back_is_walked_again(tmp_path: Path, finder: Finder) -> None:
    write(tmp_path / "host" / "day" / "a.jsonl")
    finder.scan()
    (tmp_path / "host").rename(tmp_path / ".away")
    finder.scan()
    (tmp_path / ".away").rename(tmp_path / "host")

    assert finder.found() == {"a.jsonl"}


def test_without_the_log_folder_nothing_is_said_of_any_file(tmp_path: Path) -> None:
    root = tmp_path / "logs"
    path = write(root / "host" / "day" / "a.jsonl")
    finder = Finder(root)
    finder.scan()
    root.rename(tmp_path / "away")

    for scan in (finder.scan(path, seconds=0.1), finder.scan(), finder.scan()):
        assert scan.unreadable == {str(root): "No such file or directory"}
        assert not scan.dropped
    (tmp_path / "away").rename(root)
    write(path, "longer")
    assert finder.found() == {"a.jsonl"}
    assert not finder.scan().unreadable


def test_a_folder_that_cannot_be_listed_is_told_and_keeps_its_files(
    tmp_path: Path, finder: Finder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "host" / "a.jsonl")
    finder.scan()

    def refuse(path: str) -> object:
        if path.endswith("host"):
            raise PermissionError(13, "Permission denied")
        return os.scandir(path)

    monkeypatch.setattr(discovery, "os", System(scandir=refuse))
    finder.discovery.expire()
    scan = finder.scan()
    assert scan.unreadable == {str(tmp_path / "host"): "Permission denied"}
    assert not scan.dropped
    monkeypatch.undo()
    assert not finder.scan().unreadable


def test_a_file_that_cannot_be_seen_is_found_as_soon_as_it_can(
    tmp_path: Path, finder: Finder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "host" / "a.jsonl")

    def refuse(path: str) -> object:
        if path.endswith("a.jsonl"):
            raise PermissionError(13, "Permission denied")
        return os.lstat(path)

    monkeypatch.setattr(discovery, "os", System(lstat=refuse))
    assert finder.scan().unreadable == {str(path): "Permission denied"}
    monkeypatch.undo()

    assert finder.found() == {"a.jsonl"}


def test_quiet_files_are_looked_at_once_a_minute(tmp_path: Path, finder: Finder) -> None:
    paths = [write(tmp_path / f"{number}" / f"{number}.jsonl", age=OLD) for number in range(200)]
    finder.scan()
    for path in paths:
        write(path, "longer", age=OLD)

    rounds = [finder.found() for _ in range(60)]

    assert set().union(*rounds) == {path.name for path in paths}
    assert max(len(each) for each in rounds) <= 4


def test_everything_is_looked_at_on_demand(tmp_path: Path, finder: Finder) -> None:
    paths = [write(tmp_path / f"{number}.jsonl", age=OLD) for number in range(200)]
    finder.scan()
    for path in paths:
        write(path, "longer", age=OLD)
    finder.discovery.expire()

    assert len(finder.found(seconds=0.0)) == 200


def test_another_file_system_under_a_folder_is_noticed(
    tmp_path: Path, finder: Finder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "host" / "a.jsonl", age=OLD)
    finder.scan()

    def elsewhere(path: str) -> os.stat_result:
        found, times = os.lstat(path), os.lstat(path)
        return os.stat_result((*found[:2], 4242, *found[3:10]), {"st_mtime_ns": times.st_mtime_ns})

    monkeypatch.setattr(discovery, "os", System(stat=elsewhere, lstat=elsewhere))

    [sighting] = finder.scan().changed
    assert sighting.inode[0] == 4242


def test_empty_folders_are_named_deepest_first(tmp_path: Path, finder: Finder) -> None:
    write(tmp_path / "host" / "used" / "a.jsonl")
    (tmp_path / "host" / "2026-11-23").mkdir()
    (tmp_path / "other" / "2026-11-23").mkdir(parents=True)
    finder.scan()

    assert [Path(each).relative_to(tmp_path) for each in finder.discovery.empty_folders()] == [
        Path("other/2026-11-23"),
        Path("host/2026-11-23"),
    ]


@pytest.mark.slow
def test_an_idle_look_at_ten_thousand_files_costs_little(tmp_path: Path, finder: Finder) -> None:
    stamp = time.time() - OLD
    for day in range(20):
        folder = tmp_path / "host" / f"2026-11-{day:02}"
        folder.mkdir(parents=True)
        for number in range(500):
            path = folder / f"{number}.jsonl"
            path.touch()
            os.utime(path, (stamp, stamp))
        os.utime(folder, (stamp, stamp))
    finder.scan()
    costs = [cpu_seconds(finder.scan) for _ in range(20)]

    assert discovery.RESCAN_SECONDS == 1.0
    assert sorted(costs)[4] < stat_all(tmp_path.rglob("*.jsonl"))


def test_of_very_many_lively_files_a_part_is_looked_at_each_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "_LIVELY_A_SCAN", 4)
    files = [write(tmp_path / "host" / f"{number}.jsonl") for number in range(10)]
    finder = Finder(tmp_path)
    finder.scan()
    for each in files:
        write(each, "longer")

    found = [finder.found() for _ in range(4)]

    assert set().union(*found) == {each.name for each in files}
    assert all(len(each) <= 5 for each in found)
