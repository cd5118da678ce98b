"""The command ``llm-loki-ship``. Heavy modules are imported by the command that needs them."""

import sys


def main() -> None:
    """Run the command line; ``health`` goes ahead of everything else, as it runs every few seconds."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["health"] and "--help" not in arguments:
        from shipper.commands.probe import health

        sys.exit(health(arguments[1:]))
    from shipper.commands.app import app

    app()
