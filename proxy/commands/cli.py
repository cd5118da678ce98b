"""The command ``llm-proxy``. Heavy modules are imported by the command that needs them."""

import sys


def main() -> None:
    """Run the command line; ``health`` goes ahead of everything else, as it runs every few seconds."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["health"] and "--help" not in arguments:
        from proxy.commands.probe import health

        sys.exit(health(arguments[1:]))
    from proxy.commands.app import app

    app()
