"""What a call is for, by its method and path: a conversation, a task without one, or nothing to record."""

import re
from typing import Literal, get_args

Kind = Literal["conversation", "task", "models", "telemetry", "probe", "sign_in", "other"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# A conversation is told by the end of its path, whatever stands before it.
_CONVERSATION = re.compile(
    r"""(?:
      /messages | /complete | /completions | /responses | /responses/compact
    | /threads/(?:[^/]+/)?runs | /runs/[^/]+/submit_tool_outputs
    | /api/chat | /api/generate                              # Ollama
    | :generateContent | :streamGenerateContent | /interactions  # Gemini
    | :rawPredict | :streamRawPredict                        # Anthropic on Vertex
    | /invoke | /invoke-with-response-stream | /converse | /converse-stream  # Bedrock
    )/?$""",
    re.VERBOSE,
)
# What is fetched of an answer that was not there yet when it was asked for.
_RESULT = re.compile(
    r"""(?:
      /(?:responses|interactions)/[^/]+
    | /threads/[^/]+/messages | /threads/[^/]+/runs/[^/]+
    | /batches/[^/]+ | /batches/[^/]+/results | /files/[^/]+/content
    | /videos/[^/]+ | /operations/[^/]+ | /async-invoke/[^/]+
    )/?$""",
    re.VERBOSE,
)
_UNRECORDED: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("models", re.compile(r"/(?:models|foundation-models|api/tags|api/show|api/ps)(?:/[^/:]+)?/?$")),
    (
        "telemetry",
        re.compile(r"/(?:event_logging|telemetry|statsig|metrics|traces|logs|feedback|analytics)(?:/|$)"),
    ),
    ("sign_in", re.compile(r"/(?:oauth2?|auth|login|token)(?:/|$)")),
    ("probe", re.compile(r"^/?$|/(?:hello|health|healthz|ping|version)/?$")),
)
_ESCAPED_COLON = re.compile(r"%3[aA]")


def kind_of(method: str, path: str) -> Kind:
    """Return what a call is for; ``path`` is as it stood on the wire, without its query."""
    plain = _ESCAPED_COLON.sub(":", path)
    if method == "POST" and _CONVERSATION.search(plain):
        return "conversation"
    if method == "GET" and _RESULT.search(plain):
        return "task"
    if method in {"HEAD", "OPTIONS"}:
        return "probe"
    unrecorded = next((kind for kind, pattern in _UNRECORDED if pattern.search(plain)), None)
    if unrecorded is not None:
        return unrecorded
    return "task" if method == "POST" else "other"
