"""Verdicts on the log folder, and on who writes there."""

from collections.abc import Iterator
from dataclasses import dataclass

from groundwork.bytesize import format_bytesize
from shipper.examination.finding import Finding, cross, good, warning


@dataclass(frozen=True, slots=True)
class FolderSeen:
    """The log folder; ``path`` is absolute, ``problem`` says why it cannot be read.

    ``counted_all`` is false where counting took too long; ``polling`` says why no file events come; ``least``
    is the proxy's ``min_free`` in bytes.
    """

    path: str
    problem: str = ""
    files: int = 0
    size: int = 0
    counted_all: bool = True
    polling: str = ""
    free: int = 0
    least: int = 0


@dataclass(frozen=True, slots=True)
class ProxySeen:
    """The proxy: whether one holds the log folder, and whether one answers at ``address``."""

    address: str
    holds: bool = False
    answers: bool = False


def on_folder(seen: FolderSeen) -> Iterator[Finding]:
    """Return what is to be said of the folder itself."""
    if seen.problem:
        yield cross(
            "log_dir",
            f"{seen.path}: {seen.problem}",
            "Set log_dir to the folder that llm-proxy writes to, and let this user read it; "
            "llm-proxy makes it when it starts.",
        )
        return
    yield good("log_dir", f"{seen.path} is there and can be read")
    yield _on_files(seen)
    yield _on_events(seen)
    yield _on_space(seen)


def on_proxy(seen: ProxySeen, path: str) -> Finding:
    """Return whether the two processes share the folder at ``path``."""
    if seen.holds:
        return good("proxy", "an llm-proxy writes to this folder")
    if seen.answers:
        return cross(
            "proxy",
            f"llm-proxy runs at {seen.address}, and writes to another folder than {path}",
            "Give both the same log_dir, as an absolute path: a relative one begins where each was started.",
        )
    return warning(
        "proxy",
        f"no llm-proxy writes here now, and none answers at {seen.address}",
        "Start llm-proxy with the same log_dir; until then only the files that are there are sent.",
    )


def _on_files(seen: FolderSeen) -> Finding:
    told = f"{seen.files:,} session file{'s' * (seen.files != 1)}, {format_bytesize(seen.size)}"
    if not seen.counted_all:
        return good("files", f"more than {told}")
    if seen.files:
        return good("files", told)
    return warning(
        "files",
        "there is no session file yet",
        "Point a client at llm-proxy; if calls were made, log_dir is another folder than the proxy's.",
    )


def _on_events(seen: FolderSeen) -> Finding:
    if seen.polling:
        return warning(
            "events",
            f"no file events ({seen.polling}): the folder is looked at every second",
            "On a network file system that is as it should be; else raise fs.inotify.max_user_watches.",
        )
    return good("events", "the kernel tells of changes (inotify)")


def _on_space(seen: FolderSeen) -> Finding:
    free, least = format_bytesize(seen.free), format_bytesize(seen.least)
    if seen.free < seen.least:
        return warning(
            "space",
            f"{free} free, less than min_free = {least}: llm-proxy leaves bodies out",
            "Make room, or set shipper.retention so that delivered files go.",
        )
    return good("space", f"{free} free (min_free is {least})")
