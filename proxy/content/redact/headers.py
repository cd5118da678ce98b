"""Headers as they stand on record."""

import re
from functools import lru_cache

from proxy.content.redact.names import is_secret_name
from proxy.content.redact.shapes import MASK, mask_secret
from proxy.content.redact.text import mask_text
from proxy.wire.routing import RawHeaders

_SCHEME = re.compile(r"(?i)(bearer|basic|digest|token|negotiate|aws4-hmac-sha256)[ \t]+")

# Longer values are seldom the same twice.
_SHORT = 256


def mask_headers(headers: RawHeaders) -> dict[str, list[str]]:
    """Return the headers for the log: names as Go writes them (``X-Api-Key``), secrets masked."""
    shown: dict[str, list[str]] = {}
    for name, value in headers:
        spelled, secret = _verdict(name)
        masked = _mask_value(spelled, _text(value)) if secret else _masked(value)
        shown.setdefault(spelled, []).append(masked)
    return shown


def _masked(value: bytes) -> str:
    return _remembered(value) if len(value) <= _SHORT else mask_text(_text(value))


@lru_cache(maxsize=2048)  # a client sends most of its headers with each call; about 1 MiB
def _remembered(value: bytes) -> str:
    return mask_text(_text(value))


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")  # what RFC 9110 5.5 says of old


@lru_cache(maxsize=1024)  # header names are few; a client that invents them must not grow memory
def _verdict(name: bytes) -> tuple[str, bool]:
    text = name.decode("latin-1")
    spelled = "-".join(part[:1].upper() + part[1:] for part in text.lower().split("-"))
    return spelled, is_secret_name(text)


def _mask_value(name: str, value: str) -> str:
    if name in {"Cookie", "Set-Cookie", "Set-Cookie2"}:
        return MASK
    scheme = _SCHEME.match(value)
    kept = scheme[0] if scheme else ""
    return kept + mask_secret(value[len(kept) :])
