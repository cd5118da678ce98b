"""That the benchmarks still run; what they measure is for ``make bench``."""

import importlib
from pathlib import Path

import orjson
import pytest

from benchmarks import __main__ as table
from benchmarks import corpus, forwarder, limit, proxy, shipper
from benchmarks.row import Row
from benchmarks.traffic import Load


@pytest.mark.parametrize("half", table.HALVES)
def test_each_half_can_be_measured(half: str) -> None:
    assert callable(importlib.import_module(f"benchmarks.{half}").measure)


def test_a_corpus_is_the_same_for_the_same_seed_and_in_the_form_of_the_record(tmp_path: Path) -> None:
    first, second = (corpus.write(corpus.TINY, tmp_path / name, seed=7) for name in "ab")
    files = {path.name: path.read_bytes() for path in (tmp_path / "a").rglob("*.jsonl")}
    rows = [orjson.loads(line) for data in files.values() for line in data.splitlines()]

    assert first == second
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "b").rglob("*.jsonl")}
    assert (first.files, first.lines, first.size) == (len(files), len(rows), sum(map(len, files.values())))
    assert {row["type"] for row in rows} == {"session_start", "request", "response"}
    assert 0 < first.long_share < 1
    assert limit.gzip_json(tmp_path / "a") > 0
    assert limit.snappy(tmp_path / "a") > 0


@pytest.mark.slow
def test_a_tiny_corpus_is_shipped_and_measured(tmp_path: Path) -> None:
    what = corpus.write(corpus.TINY, tmp_path)

    used = shipper.ship(tmp_path, what)

    assert used.wall > 0
    assert used.memory > 0


def test_a_row_shows_its_value_ratio_bound_and_what_it_was() -> None:
    row = Row("speed", 12.5, "MB/s", 0.5, ">= 0.6 of its limit", met=False)
    shown = " ".join(table.line_of(row, Row("speed", 10.0, "MB/s")).split())

    assert shown == "speed 12.5 MB/s 0.50 >= 0.6 of its limit MISSED was 10"


def test_the_bare_forwarder_stays_bare() -> None:
    assert len(Path(forwarder.__file__).read_text(encoding="utf-8").splitlines()) <= 60


@pytest.mark.slow
def test_a_few_calls_go_each_way_and_are_measured() -> None:
    with proxy.all_ways() as (ways, _):
        for kind in ("small", "large", "stream"):
            load = Load(kind, 2, 4)
            seen = [
                proxy.call(ways.direct, "", load),
                proxy.call(ways.forwarder, ways.through, load),
                proxy.call(ways.proxy, ways.through, load),
            ]

            assert all(each.calls > 0 and each.p50 <= each.p99 for each in seen)
            assert all((each.chunks > 0) == (kind == "stream") for each in seen)
