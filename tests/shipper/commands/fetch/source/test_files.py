from pathlib import Path

from shipper.commands.fetch.source.files import file_of, kept, lines_of_file


def test_each_line_can_be_read_again_and_what_is_torn_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    path.write_bytes(b"one\n\nthree\nfou")
    with lines_of_file(path) as lines:
        assert list(lines) == [b"one", b"", b"three"]
        assert lines.torn == len("fou")
        assert [lines.again(number) for number in (2, 0, 1)] == [b"three", b"one", b""]


def test_lines_from_elsewhere_can_be_read_again_too() -> None:
    with kept(iter([b"one", b"two"])) as lines:
        assert [line for line in lines if lines.again(0) == b"one"] == [b"one", b"two"]
        assert lines.torn == 0


def test_a_session_is_found_in_the_log_folder_by_its_name_alone(tmp_path: Path) -> None:
    folder = tmp_path / "api.openai.com" / "2026-11-23"
    folder.mkdir(parents=True)
    path = folder / "20261123-101500-a1b2c3d4.jsonl"
    path.touch()

    assert file_of(tmp_path, "20261123-101500-a1b2c3d4") == path
    assert file_of(tmp_path, "20261123-*") is None
    assert file_of(tmp_path / "elsewhere", "20261123-101500-a1b2c3d4") is None
