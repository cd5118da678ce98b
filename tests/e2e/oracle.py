"""What was written against what is in Loki and in the list of refused lines: as sets, by their bytes."""

import base64
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson

from tests.e2e.stack import Shipper
from tests.e2e.writer import Session
from tests.fakes.loki import FakeLoki
from tests.process import eventually

_SHOWN = 160


@dataclass(frozen=True, slots=True)
class Account:
    """What came of the lines written.

    ``missing`` lines are neither whole in Loki nor refused; ``invented`` entries stand for no line, or for a
    part of none; ``copies`` are physical entries in Loki beyond the first; ``rejected`` counts lines by
    reason.
    """

    lines: int
    arrived: int
    missing: tuple[str, ...]
    invented: tuple[str, ...]
    copies: int
    rejected: Counter[str]


@dataclass(frozen=True, slots=True)
class _Long:
    """A line in parts: what its head says of it."""

    split_id: str
    size: int
    sha256: str
    parts: int


class _Stored:
    """What is in Loki, put together again."""

    def __init__(self) -> None:
        self.copies = 0
        self.whole: dict[bytes, str] = {}
        self.heads: set[_Long] = set()
        self.parts: dict[tuple[str, int], dict[int, bytes]] = defaultdict(dict)
        self._seen: Counter[object] = Counter()

    def add(self, line: str, copies: int) -> None:
        """Take an entry that is physically there so often."""
        split = _split_of(line)
        if split is None:
            digest = hashlib.sha256(line.encode()).digest()
            self.whole[digest] = line[:_SHOWN]
            self._count(digest, copies)
        elif "sha256" in split:
            self.heads.add(_Long(split["id"], split["bytes"], split["sha256"], split["parts"]))
            self._count((split["id"], split["parts"], 0), copies)
        else:
            self.parts[split["id"], split["of"]][split["part"]] = _data(orjson.loads(line))
            self._count((split["id"], split["of"], split["part"]), copies)

    def joined(self) -> Iterator[tuple[_Long, bytes | None]]:
        """Yield every line in parts with the digest of its bytes, None where they are not all there."""
        for head in self.heads:
            parts = self.parts[head.split_id, head.parts]
            line = b"".join(parts.get(number, b"") for number in range(1, head.parts + 1))
            digest = hashlib.sha256(line)
            exact = len(line) == head.size and digest.hexdigest() == head.sha256
            yield head, digest.digest() if exact else None

    def _count(self, key: object, copies: int) -> None:
        self.copies += copies if self._seen[key] else copies - 1
        self._seen[key] += copies


def account_of(sessions: Iterable[Session], loki: FakeLoki, state: Path) -> Account:
    """Compare the lines of sessions with a Loki and with ``rejected.jsonl`` in a state folder."""
    written = {digest: session.name for session in sessions for digest in session.digests}
    stored = _Stored()
    for kept in loki.entries():
        stored.add(kept.line, kept.copies)
    arrived = set(stored.whole)
    invented = [shown for digest, shown in stored.whole.items() if digest not in written]
    whole = {head: digest for head, digest in stored.joined() if digest is not None}
    arrived.update(whole.values())
    ids = {head.split_id for head, digest in whole.items() if digest in written}
    invented += [f"of no line: {each}" for each in stored.heads if each.split_id not in ids]
    invented += [f"of no line: part of {each}" for each, _ in stored.parts if each not in ids]
    refused = [*_refused_lines(state)]
    lost = written.keys() - arrived - {digest for _, digest in refused}
    return Account(
        lines=len(written),
        arrived=len(written.keys() & arrived),
        missing=tuple(sorted(f"{written[digest]} {digest.hex()[:12]}" for digest in lost)),
        invented=tuple(invented),
        copies=stored.copies,
        rejected=Counter(reason for reason, _ in refused),
    )


def wait_until_settled(
    shipper: Shipper,
    sessions: Iterable[Session],
    loki: FakeLoki,
    *,
    deadline: float = 20.0,
    untold_copies: int = 0,
) -> Account:
    """Wait until every line is in Loki or was refused, and return the account.

    Raises ``AssertionError`` where by then lines are missing, entries are there that nobody wrote, copies
    exceed ``maybe_duplicated`` and ``untold_copies``, or refused lines and ``entries_dropped`` differ.
    """
    sessions = list(sessions)

    def settled() -> Account | None:
        account = account_of(sessions, loki, shipper.state)
        health = None if account.missing else shipper.health
        if health is None or health["lag_bytes"]:
            return None
        assert not account.invented, account.invented
        assert account.copies <= health["maybe_duplicated"] + untold_copies, account.copies
        assert account.rejected.total() == health["entries_dropped"], account.rejected
        return account

    # The health port may be a moment behind Loki and the files.
    return eventually(settled, deadline, "every line in Loki, or refused, as the shipper tells it")


def lines_counted(loki: FakeLoki) -> int:
    """Return how many lines a metric query counts, parts left out."""
    query = 'sum(count_over_time({app="llm-proxy", log_type!="part"}[12h]))'
    loki_url = f"{loki.url}/loki/api/v1/query"
    httpx.post(f"{loki.url}/flush").raise_for_status()
    answer = httpx.get(loki_url, params={"query": query}).raise_for_status().json()
    return int(answer["data"]["result"][0]["value"][1])


def _refused_lines(state: Path) -> Iterator[tuple[str, bytes | None]]:
    """Yield reason and digest of each line in ``rejected.jsonl``; no digest where the file is gone."""
    path = state / "rejected.jsonl"
    for row in path.read_bytes().splitlines() if path.exists() else ():
        told = orjson.loads(row)
        if told["reason"] == "file_gone":
            yield told["reason"], None
            continue
        with Path(told["file"]).open("rb") as file:
            file.seek(told["start"])
            data = file.read(told["end"] - told["start"])
        for line in data.split(b"\n")[:-1]:
            yield told["reason"], hashlib.sha256(line).digest()


def _split_of(line: str) -> dict[str, Any] | None:
    """Return what a head or a part says of its line, None for a line that came whole."""
    try:
        record = orjson.loads(line) if '"_split":' in line else None
    except orjson.JSONDecodeError:
        return None
    return record.get("_split") if isinstance(record, dict) else None


def _data(part: dict[str, Any]) -> bytes:
    return base64.b64decode(part["data"]) if part.get("encoding") == "base64" else part["data"].encode()
