"""Verdicts on the log folder and who writes there, and on the state folder and the shipper that holds it."""

from collections.abc import Iterator
from dataclasses import dataclass

from groundwork.settings.units import format_bytesize
from groundwork.text import span
from shipper.commands.check.finding import Finding, cross, good, warning
from shipper.loki.advice import STATE_FOLDER


@dataclass(frozen=True, slots=True)
class FolderSeen:
    """The log folder; ``path`` is absolute, ``problem`` says why it cannot be read.

    ``counted_all`` is false where counting took too long; ``polling`` says why no file events come; ``least``
    is the proxy's ``min_free`` in bytes; ``exposure`` says how strangers could write to it.
    """

    path: str
    problem: str = ""
    files: int = 0
    size: int = 0
    counted_all: bool = True
    polling: str = ""
    free: int = 0
    least: int = 0
    exposure: str = ""


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
    yield _on_access(seen)
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


def _on_access(seen: FolderSeen) -> Finding:
    if seen.exposure:
        return warning(
            "log_dir",
            f"{seen.path}: {seen.exposure}",
            "Take the others' right away (chmod o-w): whoever writes there decides what is on record.",
        )
    return good("log_dir", f"{seen.path} is there and can be read")


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


@dataclass(frozen=True, slots=True)
class StateSeen:
    """The state folder; ``problem`` says why nothing can be written there.

    ``checkpoint_age`` is in seconds, None without a checkpoint; ``damage`` says what of it cannot be read.
    ``files`` are those that it knows, ``rejected`` the open refusals. ``held`` tells that a live shipper has
    the lock.
    """

    path: str
    problem: str = ""
    held: bool = False
    checkpoint_age: float | None = None
    damage: str = ""
    files: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class PortSeen:
    """The health port: whether anything ``answers`` there, and of a shipper its state and its folder."""

    address: str
    answers: bool = False
    state: str = ""
    log_dir: str = ""


def on_state(seen: StateSeen) -> Iterator[Finding]:
    """Return what is to be said of the state folder."""
    if seen.problem:
        yield cross("state_dir", f"{seen.path}: {seen.problem}", STATE_FOLDER)
    else:
        yield good("state_dir", f"{seen.path} can be written")
    yield _on_checkpoint(seen)
    if seen.rejected:
        yield warning(
            "rejected",
            f"Loki has refused {seen.rejected:,} entries for good",
            "llm-loki-ship rejected lists them; --retry sends them again after a limit was raised.",
        )


def on_port(seen: PortSeen, *, held: bool) -> Finding:
    """Return whether a shipper runs, and whether one could start; ``held`` is of the state folder's lock."""
    if held and not seen.state:
        return warning(
            "shipper",
            f"a shipper holds this state folder and does not answer at {seen.address}",
            "It hangs, or its shipper.health_port is another: look at its log; if it hangs, start it again.",
        )
    if held:
        told = f"and says {seen.state.replace('_', ' ')} at {seen.address}"
        return good("shipper", f"a shipper runs with this state folder, {told}")
    if seen.state:
        return warning(
            "shipper",
            f"the shipper at {seen.address} has another state folder, and follows {seen.log_dir}",
            "Another one needs a shipper.health_port of its own; if it is the same, log_dir differs.",
        )
    if seen.answers:
        return cross(
            "shipper",
            f"another program answers at {seen.address}, so that run cannot start",
            "Set shipper.health_port to a free port.",
        )
    return good("shipper", f"none runs with this state folder, and {seen.address} is free for one")


def _on_checkpoint(seen: StateSeen) -> Finding:
    if seen.damage:
        return warning(
            "checkpoint",
            f"cannot be read: {seen.damage}",
            "The generation before is used, else all files are sent again.",
        )
    if seen.checkpoint_age is None:
        return good("checkpoint", "none yet: all files will be sent from their beginning")
    return good("checkpoint", f"knows {seen.files:,} files, written {span(seen.checkpoint_age)} ago")
