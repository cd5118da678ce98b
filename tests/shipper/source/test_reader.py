"""What is read of files, turn by turn."""

from pathlib import Path

import pytest

from tests.shipper.rig import HOUR, Rig, append, line


def test_of_a_file_that_waits_for_window_after_window_little_is_read_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path / "logs")
    lines = [line(number, rig.wall - 20 * HOUR + number * 60, 1000) for number in range(1000)]
    path = append(tmp_path / "logs" / "host" / "2026-01-01" / "20260101-000000-00000000.jsonl", *lines)
    sizes: list[int] = []
    read = rig.reader._tailer.read

    def counted(*args: object) -> bytes:
        data = read(*args)  # type: ignore[arg-type]
        sizes.append(len(data))
        return data

    monkeypatch.setattr(rig.reader._tailer, "read", counted)

    rig.run()

    assert rig.lines == lines
    assert sum(sizes) < 2 * path.stat().st_size
    rig.stop()
