"""``python -m tests.fakes.loki --port 0 --limit max_line_size=1024 --limit shard_streams=false``."""

import argparse
import sys

import msgspec

from tests.fakes.loki import Limits, LokiApp
from tests.fakes.server import serve_as_process


def main() -> None:
    parser = argparse.ArgumentParser(prog="fake loki", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--limit", action="append", default=[], metavar="NAME=VALUE")
    given = parser.parse_args()
    values = dict(each.partition("=")[::2] for each in given.limit)
    try:
        limits = msgspec.convert(values, Limits, strict=False)
    except msgspec.ValidationError as exc:
        sys.exit(f"fake loki: {exc}")
    serve_as_process(LokiApp(limits), "fake loki", given.host, given.port)


if __name__ == "__main__":
    main()
