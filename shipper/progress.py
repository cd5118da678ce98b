"""``llm-loki-ship status``: the running shipper's word, else what the checkpoint and the folder tell."""

from pathlib import Path

import orjson

from groundwork.bytesize import format_bytesize
from groundwork.probe import Unanswered, ask
from shipper.checkpoint.store import CheckpointStore
from shipper.config import ShipperSettings


def describe(settings: ShipperSettings) -> str:
    """Return a few lines for a person."""
    run = settings.shipper
    try:
        _, body = ask(run.health_host, run.health_port, "/health/loki")
        report = orjson.loads(body)
        return _running(report)
    except (Unanswered, orjson.JSONDecodeError):
        return _from_checkpoint(settings)


def _running(report: dict[str, object]) -> str:
    lines = [f"running, status {report['status']}"]
    lines += [f"  {name:<22} {value}" for name, value in report.items() if name != "status"]
    return "\n".join(lines)


def _from_checkpoint(settings: ShipperSettings) -> str:
    memories = CheckpointStore(settings.state_folder).load().files
    settled = {memory.path: memory.offset for memory in memories if not memory.lost_at}
    sizes = {str(path): path.stat().st_size for path in settings.log_folder.glob("*/*/*.jsonl")}
    behind = {
        path: size - settled.get(path, 0) for path, size in sizes.items() if size > settled.get(path, 0)
    }
    waiting = format_bytesize(sum(behind.values()))
    lines = [f"not running; {len(sizes)} files in {settings.log_folder}, {waiting} not delivered"]
    lines += [f"  {format_bytesize(size):>10}  {Path(path).name}" for path, size in sorted(behind.items())]
    return "\n".join(lines)
