"""``python -m tests.fakes.provider --host 127.0.0.1 --port 0``."""

import argparse

from tests.fakes.provider import ProviderApp
from tests.fakes.server import serve_as_process


def main() -> None:
    parser = argparse.ArgumentParser(prog="fake provider", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    serve_as_process(ProviderApp(), "fake provider", given.host, given.port)


if __name__ == "__main__":
    main()
