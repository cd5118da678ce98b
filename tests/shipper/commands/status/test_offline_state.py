from pathlib import Path

from groundwork.disk.lock import FolderLock
from shipper.commands.status.offline_state import state_at_rest
from shipper.config import ShipperSettings


def test_a_shipper_on_another_port_is_known_by_its_lock(tmp_path: Path) -> None:
    settings = ShipperSettings(log_dir=str(tmp_path))
    assert "llm-loki-ship run" in state_at_rest(settings, "nothing answers", 0.0)["advice"]

    lock = FolderLock(settings.own_lock)
    lock.acquire()

    assert (
        "it hangs, or has another shipper.health_port"
        in state_at_rest(settings, "nothing answers", 0.0)["advice"]
    )
    lock.release()


def test_all_that_is_known_to_be_wrong_is_hinted_at(tmp_path: Path) -> None:
    state = tmp_path / ".llm-loki-ship"
    state.mkdir()
    (state / "checkpoint.json").write_text("torn")

    hint = state_at_rest(ShipperSettings(log_dir=str(tmp_path)), "nothing answers", 0.0)["hint"]

    assert hint.startswith("nothing answers; checkpoint: ")
    assert hint.endswith("; no llm-proxy works with this folder now")


def test_files_at_any_depth_are_known_as_run_follows_them(tmp_path: Path) -> None:
    for each in ("top.jsonl", "a/one.jsonl", "a/b/c/deep.jsonl", "a/.hidden.jsonl", ".llm-proxy/index.jsonl"):
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / each).write_text("{}\n")
    (tmp_path / "a" / "link.jsonl").symlink_to(tmp_path / "top.jsonl")

    state = state_at_rest(ShipperSettings(log_dir=str(tmp_path)), "", 0.0)

    assert state["files_total"] == 3
    assert state["backlog"]["bytes"] == 9
