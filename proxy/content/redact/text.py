"""Secrets within a text that is not secret as a whole: an address, a query, a path, JSON in a header."""

import re
from typing import Any
from urllib.parse import quote, unquote, unquote_plus

import orjson

from proxy.content.redact.names import is_secret_name, is_secret_parameter
from proxy.content.redact.shapes import MASK, looks_secret, mask_keys, mask_secret

# ``user:password@`` of an address; of ``git@host:path``, which has no password, nothing is secret.
_USERINFO = re.compile(r"(?i)([a-z][a-z0-9+.-]*:/{2})[^\s/?#\"'<>@]+(?:@[^\s/?#\"'<>@]*)*@")
# A parameter wherever one may stand: in a query, a fragment, a matrix parameter, a list of ``name=value``.
_PARAMETER = re.compile(r"(^|[?&#;,\s{\"'])([A-Za-z0-9_.\[\]%-]{1,64})=(\"[^\"]*\"|[^&#;,\s\"'<>]*)")
# JSON deeper than this is no setting of a client's; it is masked as a text.
_DEEPEST = 20
_QUERY_SAFE = "!$'()*,/:;?@~[]"


def mask_text(text: str) -> str:
    """Mask the secrets in a value that is not secret by its name."""
    if text[:1] in {"{", "["}:
        masked = _mask_json(text)
        if masked is not None:
            return masked
    text = _USERINFO.sub(rf"\1{MASK}@", text)
    if "=" in text:
        text = _PARAMETER.sub(_parameter, text)
    return mask_keys(text)


def mask_query(query: str) -> str:
    """Mask the secrets in a raw query: by the names of its parameters, and by their values."""
    return "&".join(map(_mask_pair, query.split("&"))) if query else ""


def mask_path(path: str) -> str:
    """Mask the secrets in a path, also where they are percent-encoded."""
    masked = mask_text(path)
    plain = unquote(masked)
    return quote(mask_text(plain), safe="/:@!$&'()*+,;=~") if looks_secret(plain) else masked


def _mask_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if value and is_secret_parameter(unquote_plus(name)):
        return name + equals + mask_secret(value)
    masked = mask_text(pair)
    plain = unquote_plus(value)
    shown = mask_text(plain)
    return name + equals + quote(shown, safe=_QUERY_SAFE) if shown != plain and masked == pair else masked


def _parameter(match: re.Match[str]) -> str:
    before, name, value = match.groups()
    if not value or not is_secret_parameter(unquote(name)):
        return match[0]
    return f"{before}{name}={mask_secret(value.strip(chr(34)))}"


def _mask_json(text: str) -> str | None:
    """Mask a JSON text by the names of its members; None where it is none."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    masked = _masked(document, 0)
    return text if masked == document else orjson.dumps(masked).decode()


def _masked(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        return MASK
    if isinstance(value, dict):
        return {name: _member(name, each, depth) for name, each in value.items()}
    if isinstance(value, list):
        return [_masked(each, depth + 1) for each in value]
    return mask_text(value) if isinstance(value, str) else value


def _member(name: str, value: Any, depth: int) -> Any:
    if not is_secret_name(name) or value is None or isinstance(value, bool | int | float):
        return _masked(value, depth + 1)
    return mask_secret(value) if isinstance(value, str) else MASK
