"""What is searched for, and what is found."""

import re
from typing import NamedTuple

# More hits than a person reads.
MOST_HITS = 60
OPEN, CLOSE = "\x02", "\x03"
# Fewer letters begin too many words.
_PREFIX = 3
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
    if terms and not text.endswith(('"', " ", "*")) and len(terms[-1]) > _PREFIX + 1:
        terms[-1] += "*"
    return " ".join(terms)


def words_of(text: str) -> list[str]:
    """Return the words and phrases that a person types, as they are."""
    return [phrase or word.rstrip("*") for phrase, word in _TERM.findall(text) if phrase or word.strip("*")]
