"""The proxy's own refusals and failures as JSON errors, in the dialect that the client's SDK reads.

The shapes are those of the providers' API references: Anthropic "Errors", OpenAI "Error codes", Google
``google.rpc.Status``, AWS restJson1 (``x-amzn-ErrorType``), Ollama ``{"error": "..."}``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

import orjson

Dialect = Literal["anthropic", "openai", "gemini", "bedrock", "ollama"]

JSON = (b"Content-Type", b"application/json")
_SEGMENTS: Mapping[bytes, Dialect] = {
    b"anthropic": "anthropic",
    b"openai": "openai",
    b"azure": "openai",
    b"gemini": "gemini",
    b"vertex": "gemini",
    b"bedrock": "bedrock",
    b"model": "bedrock",
}
# The end of a path tells more than its provider: Claude is served by Azure and Vertex too.
_ENDS: tuple[tuple[re.Pattern[bytes], Dialect], ...] = (
    (re.compile(rb"/messages(?:/count_tokens)?/?$|:(?:stream)?rawPredict$", re.IGNORECASE), "anthropic"),
    (re.compile(rb"/(?:chat/completions|completions|responses|embeddings)/?$"), "openai"),
    (re.compile(rb":(?:streamGenerateContent|generateContent|countTokens|embedContent)$"), "gemini"),
    (re.compile(rb"/(?:invoke|invoke-with-response-stream|converse|converse-stream)$"), "bedrock"),
    (re.compile(rb"/api/(?:chat|generate|embed|tags|show)/?$"), "ollama"),
)


@dataclass(frozen=True, slots=True)
class _Names:
    """What the four dialects call a status."""

    anthropic: str
    openai: str
    google: str
    aws: str


_CLIENT = _Names("invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT", "ValidationException")
_SERVER = _Names("api_error", "server_error", "UNAVAILABLE", "ServiceUnavailableException")
_BY_STATUS: Mapping[int, _Names] = {
    HTTPStatus.UNAUTHORIZED: _Names(
        "authentication_error", "authentication_error", "UNAUTHENTICATED", "UnrecognizedClientException"
    ),
    HTTPStatus.FORBIDDEN: _Names(
        "permission_error", "permission_error", "PERMISSION_DENIED", "AccessDeniedException"
    ),
    HTTPStatus.NOT_FOUND: _Names(
        "not_found_error", "not_found_error", "NOT_FOUND", "ResourceNotFoundException"
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: _Names(
        "request_too_large", "invalid_request_error", "INVALID_ARGUMENT", "ValidationException"
    ),
    HTTPStatus.TOO_MANY_REQUESTS: _Names(
        "rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED", "ThrottlingException"
    ),
    HTTPStatus.GATEWAY_TIMEOUT: _Names(
        "timeout_error", "server_error", "DEADLINE_EXCEEDED", "ModelTimeoutException"
    ),
}


def refusal(status: HTTPStatus, message: str, target: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Return the body and the headers of an answer of the proxy's own to a request for ``target``.

    ``message`` is without a prefix; the body's text begins with ``llm-proxy: ``.
    """
    names = _BY_STATUS.get(status, _SERVER if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _CLIENT)
    headers = [JSON]
    dialect = dialect_of(target)
    if dialect == "bedrock":
        headers.append((b"x-amzn-ErrorType", names.aws.encode()))
    return orjson.dumps(_document(dialect, status, f"llm-proxy: {message}", names)), headers


def dialect_of(target: bytes) -> Dialect:
    """Return the dialect of a request target, by its end, else its provider; OpenAI's where none tells."""
    path = target.partition(b"?")[0]
    for pattern, dialect in _ENDS:
        if pattern.search(path):
            return dialect
    return _SEGMENTS.get(path.lstrip(b"/").partition(b"/")[0], "openai")


def _document(dialect: Dialect, status: HTTPStatus, message: str, names: _Names) -> dict[str, Any]:
    match dialect:
        case "anthropic":
            return {"type": "error", "error": {"type": names.anthropic, "message": message}}
        case "gemini":
            return {"error": {"code": int(status), "message": message, "status": names.google}}
        case "bedrock":
            return {"message": message}
        case "ollama":
            return {"error": message}
        case _:
            error = {"message": message, "type": names.openai, "param": None, "code": "llm_proxy"}
            return {"error": error}
