"""The dialects that are read, and which of them something is in."""

import re
from functools import lru_cache
from typing import NamedTuple

from proxy.content.dialects import anthropic, bedrock, gemini, ollama
from proxy.content.dialects.dialect import Dialect
from proxy.content.dialects.openai import assistants, chat, responses, tasks
from proxy.content.document import Json

DIALECTS: tuple[Dialect, ...] = (
    anthropic.DIALECT,
    responses.DIALECT,
    chat.DIALECT,
    gemini.DIALECT,
    bedrock.DIALECT,
    ollama.DIALECT,
    assistants.DIALECT,
    tasks.DIALECT,
)
# The label of an answer that none of them knows.
UNKNOWN = "unknown"
NAMES = (*(each.name for each in DIALECTS), UNKNOWN)
# The members of a request that may hold its messages; the first that is there does.
HISTORY = ("messages", "input", "contents", "prompt")
# Clients call few paths; one with ids in its paths must not grow memory.
_PATHS = 1024


class Path(NamedTuple):
    """What a path tells: the dialect spoken there, the model and whether a stream is asked for."""

    dialect: Dialect | None = None
    model: str | None = None
    stream: bool | None = None


@lru_cache(maxsize=_PATHS)
def read_path(path: str) -> Path:
    """Return what the path of a call tells, as it stood on the wire."""
    plain = _decoded(path).rstrip("/")
    for dialect in DIALECTS:
        for pattern in dialect.paths:
            if found := pattern.search(plain):
                told = found.groupdict()
                stream = bool(told["stream"]) if "stream" in told else None
                return Path(dialect, told.get("model"), stream)
    return Path()


def counted_as(path: str, *, unread: bool) -> str:
    """Return the name by which an answer counts that no dialect read.

    The path's, unless it is ``unread``, where a conversation should have been read; a task's may be audio.
    """
    dialect = read_path(path).dialect
    return UNKNOWN if dialect is None or (unread and dialect.history) else dialect.name


def _decoded(path: str) -> str:
    """Undo percent-encoding (RFC 3986 2.1), but keep ``%2F``, which stands within a name."""
    return re.sub(r"%(?!2[fF])([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), path)


def dialect_of(document: Json, likely: Dialect | None = None) -> Dialect | None:
    """Return the dialect of an answer or an event, ``likely`` where that knows it too."""
    if likely is not None and likely.knows(document):
        return likely
    return next((each for each in DIALECTS if each.knows(document)), None)
