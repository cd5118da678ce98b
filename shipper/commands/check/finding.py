"""One line of the examination: what was found, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    """How it stands. Only a cross keeps lines from Loki; ``skipped`` was not looked at."""

    GOOD = "good"
    WARNING = "warning"
    CROSS = "cross"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one subject; ``advice`` says what to do, empty where nothing is to be done.

    ``misconfigured`` tells that a value cannot be used at all.
    """

    mark: Mark
    subject: str
    text: str
    advice: str = ""
    misconfigured: bool = False


def good(subject: str, text: str) -> Finding:
    """Return a tick."""
    return Finding(Mark.GOOD, subject, text)


def warning(subject: str, text: str, advice: str = "") -> Finding:
    """Return a warning."""
    return Finding(Mark.WARNING, subject, text, advice)


def cross(subject: str, text: str, advice: str = "", *, misconfigured: bool = False) -> Finding:
    """Return a cross."""
    return Finding(Mark.CROSS, subject, text, advice, misconfigured)


def skipped(subject: str, what: str) -> Finding:
    """Return what was not looked at, and why, in ``what``."""
    return Finding(Mark.SKIPPED, subject, f"not looked at: {what}")
