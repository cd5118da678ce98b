"""What is searched for, and what is found."""

import re
from typing import NamedTuple

OPEN, CLOSE = "\x02", "\x03"
_TERM = re.compile(r'"([^"]*)"?|(\S+)')


class Hit(NamedTuple):
    """A text that matches: ``kind`` says whose, ``text`` has the words between ``OPEN`` and ``CLOSE``."""

    session: str
    seq: int
    kind: str
    text: str


class Found(NamedTuple):
    """Hits, and how many there are, at most 1,000."""

    hits: list[Hit]
    total: int


def query_of(text: str) -> str:
    """Return FTS5's query for what a person types; empty where there is no word in it."""
    terms = []
    for phrase, word in _TERM.findall(text):
        quoted = '"' + (phrase or word.rstrip("*")).replace('"', '""').replace("\0", "") + '"'
        if any(each.isalnum() for each in quoted):
            terms.append(quoted + ("*" if word.endswith("*") else ""))
    if terms and not text.endswith(('"', " ", "*")):
        terms[-1] += "*"
    return " ".join(terms)
