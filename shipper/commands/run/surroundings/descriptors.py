"""What a process may have: memory and descriptors."""

import resource
from contextlib import suppress

from groundwork.commands.program import forbid_dumps
from shipper.commands.run.memory import prepare_memory


def prepare_process() -> None:
    """Let this process hold little memory, dump none of it, and have all the descriptors that it may."""
    prepare_memory()
    forbid_dumps()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # Some systems have a lower limit of their own; then the soft one holds.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
