"""What a process may have: memory and descriptors."""

import resource
from contextlib import suppress

from shipper.commands.run.memory import prepare_memory


def prepare_process() -> None:
    """Let this process hold little memory, and have as many descriptors as the system lets it."""
    prepare_memory()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # Some systems have a lower limit of their own; then the soft one holds.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
