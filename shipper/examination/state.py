"""Verdicts on the state folder, and on the shipper that may work with it."""

from collections.abc import Iterator
from dataclasses import dataclass

from groundwork.words import span
from shipper.advice import STATE_FOLDER
from shipper.examination.finding import Finding, cross, good, warning


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
    if held:
        told = f", and says {seen.state.replace('_', ' ')} at {seen.address}" if seen.state else ""
        return good("shipper", f"a shipper runs with this state folder{told}")
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
