"""The verdict on how far this machine's clock and Loki's are apart."""

from datetime import UTC
from email.utils import parsedate_to_datetime

from groundwork.words import span
from shipper.examination.finding import Finding, cross, good, skipped, warning

# A Date header tells whole seconds, and the way takes a part of one.
_SEEN_FROM = 2.0
# Loki's ``creation_grace_period``: what is stamped further ahead is refused.
_GRACE = 600.0


def on_clock(date: str, now: float) -> Finding:
    """Compare a Date header with ``now``, in seconds since 1970 at the middle of the exchange."""
    try:
        theirs = parsedate_to_datetime(date).astimezone(UTC).timestamp()
    except (TypeError, ValueError, OverflowError):
        return skipped("clock", "the answer tells no time")
    ahead = now - theirs - 0.5
    if abs(ahead) <= _SEEN_FROM:
        return good("clock", "agrees with Loki's")
    told = f"{span(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} Loki's"
    if ahead > _GRACE:
        return cross("clock", f"{told}: Loki refuses what is stamped ahead", "Set the clock: run NTP here.")
    return warning("clock", told, "Set the clock: run NTP on both machines.")
