"""Files that are written, torn, rotated, truncated, copied and deleted, under a process that crashes."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shipper.entry import Entry
from shipper.source.catalog import GONE_SECONDS
from tests.shipper.rig import MINUTE, Rig, line

NAMES = ("a.jsonl", "b.jsonl", "c.jsonl")
names = st.sampled_from(NAMES)


class FilesMachine(RuleBasedStateMachine):
    """What stands on disk is the model: each line that was complete at any time has to be settled.

    Excused is only what was deleted or truncated before it was settled. Bytes are rotated away only after the
    first of them have been seen: what nobody saw under a session file's name cannot be known under another.
    """

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="files-"))
        self.root = self.home / "logs"
        self.folder = self.root / "host" / "2026-11-23"
        self.folder.mkdir(parents=True)
        self.number = 0
        self.torn: dict[str, bytes] = {}
        self.unseen: set[str] = set()
        self.ever: set[bytes] = set()
        self.excused: set[bytes] = set()
        self.settled: set[bytes] = set()
        self.safe: set[bytes] = set()
        self.checked = 0
        self.has_vanished = False

    @initialize(most=st.sampled_from([5, 10_000]))
    def begin(self, most: int) -> None:
        self.rig = Rig(self.root, queue_size=most)
        self.rig.holds = True

    def teardown(self) -> None:
        try:
            if hasattr(self, "rig"):
                self.everything_arrives()
        finally:
            shutil.rmtree(self.home)

    def new_line(self, minutes: int) -> bytes:
        self.number += 1
        return line(self.number, self.rig.wall - minutes * MINUTE, size=150)

    def append(self, name: str, data: bytes) -> None:
        path = self.folder / name
        if not path.exists() or not path.stat().st_size:
            self.unseen.add(name)
        with path.open("ab") as file:
            file.write(data)
        self.ever.update(path.read_bytes().split(b"\n")[:-1])

    def excuse(self, name: str) -> None:
        content = (self.folder / name).read_bytes().split(b"\n")[:-1]
        self.excused |= set(content) - self.settled
        self.has_vanished = True
        self.torn.pop(name, None)
        self.unseen.add(name)

    def is_there(self, name: str) -> bool:
        return (self.folder / name).exists()

    def may_rotate(self, name: str) -> bool:
        return self.is_there(name) and name not in self.unseen

    @rule(name=names, ages=st.lists(st.sampled_from([0, 0, 1, 20, 200]), min_size=1, max_size=4))
    def write(self, name: str, ages: list[int]) -> None:
        self.append(
            name, self.torn.pop(name, b"")[75:] + b"".join(self.new_line(age) + b"\n" for age in ages)
        )

    @rule(name=names)
    def write_torn(self, name: str) -> None:
        if name not in self.torn:
            self.torn[name] = self.new_line(0) + b"\n"
            self.append(name, self.torn[name][:75])

    @rule(name=names)
    def give_up_torn(self, name: str) -> None:
        """The writer dies, and the next one begins on a new line."""
        if self.torn.pop(name, b""):
            self.append(name, b"\n")

    @rule(name=names)
    def rotate(self, name: str) -> None:
        if self.may_rotate(name):
            self.number += 1
            (self.folder / name).rename(self.folder / f"{name}.{self.number}")
            self.torn.pop(name, None)

    @rule(name=names)
    def copy_and_truncate(self, name: str) -> None:
        if self.may_rotate(name):
            self.number += 1
            path = self.folder / name
            shutil.copy(path, self.folder / f"{name}.{self.number}")
            path.write_bytes(b"")
            self.torn.pop(name, None)
            self.unseen.add(name)

    @rule(name=names)
    def truncate(self, name: str) -> None:
        if self.is_there(name):
            self.excuse(name)
            (self.folder / name).write_bytes(b"")

    @rule(name=names)
    def delete(self, name: str) -> None:
        if self.is_there(name):
            self.excuse(name)
            (self.folder / name).unlink()

    @rule(name=names)
    def rewrite(self, name: str) -> None:
        """Delete and make anew, perhaps under the same inode, before anybody looks."""
        if self.is_there(name):
            self.delete(name)
            self.write(name, [0])

    @rule(name=names)
    def notice(self, name: str) -> None:
        self.rig.pass_time(0.1)
        self.rig.step(self.folder / name)

    @rule(seconds=st.sampled_from([1, 1, 3]))
    def look(self, seconds: int) -> None:
        self.rig.run(seconds)
        if seconds > 2:
            self.unseen -= {name for name in NAMES if self.is_there(name)}

    @rule(every=st.integers(1, 4), first=st.integers(0, 3))
    def settle(self, every: int, first: int) -> None:
        """Let Loki take some of what is held."""
        held = list(self.rig.held)
        taken = held[first::every]
        self.rig.held.clear()
        self.rig.held.extend(taken)
        self.take_all()
        self.rig.held.extend(each for each in held if each not in taken)

    def take_all(self) -> None:
        self.settled.update(each.line for each in self.rig.held)
        self.rig.settle()

    @rule()
    def save(self) -> None:
        self.rig.save()
        for entry in self.rig.emitted:
            offsets = {each.file_id: self.rig.tracker.offset(each.file_id) for each in self.rig.intake.files}
            if entry.span.end <= offsets.get(entry.span.file_id, 0):
                self.safe.add(entry.line)

    @rule()
    def crash(self) -> None:
        self.rig.restart()

    @rule(name=names, age=st.sampled_from([0, 200]))
    def write_while_nobody_looks(self, name: str, age: int) -> None:
        self.rig.stop()
        self.write(name, [age])
        self.rig.start()

    @invariant()
    def offsets_stand_before_every_line_that_is_not_settled(self) -> None:
        if not hasattr(self, "rig"):
            return
        followed = {each.file_id for each in self.rig.intake.files}
        for entry in self.rig.held:
            if entry.span.file_id in followed:
                assert self.rig.tracker.offset(entry.span.file_id) <= entry.span.start

    @invariant()
    def nothing_is_invented_and_nothing_that_is_safe_comes_again(self) -> None:
        new: list[Entry] = self.rig.emitted[self.checked :] if hasattr(self, "rig") else []
        self.checked += len(new)
        for entry in new:
            assert entry.line in self.ever
            assert entry.line not in self.safe

    def everything_arrives(self) -> None:
        for _ in range(400):
            self.rig.run(3)
            self.nothing_is_invented_and_nothing_that_is_safe_comes_again()
            self.take_all()
            if self.rig.intake.exhausted and not self.rig.held:
                break
        self.rig.run(3)
        missing = self.ever - self.settled - self.excused - {b""}
        assert not missing, sorted(missing)
        if not self.has_vanished:
            self.rig.run(GONE_SECONDS + 5)
            assert not [each for each in self.rig.lost if each[2] - each[1] > 75]


TestFiles: Any = FilesMachine.TestCase
TestFiles.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
