"""Both kinds of queries to one Loki."""

from typing import NamedTuple

from shipper.loki.query.query import Ask, Measure


class Reading(NamedTuple):
    """Log queries and metric queries to one Loki."""

    ask: Ask
    measure: Measure
