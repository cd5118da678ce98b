"""``python -m tests.fakes.provider --host 127.0.0.1 --port 0``."""

import argparse
import sys

from tests.fakes.provider import ProviderApp
from tests.fakes.server import serve_as_process


def main() -> None:
    parser = argparse.ArgumentParser(prog="fake provider", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    try:
        serve_as_process(ProviderApp(), given.host, given.port, lambda _: None)
    except OSError as exc:
        sys.exit(f"fake provider: cannot listen on {given.host}:{given.port}: {exc.strerror}")


if __name__ == "__main__":
    main()
