"""What must not be read in a log: secrets in headers, queries and, where asked for, bodies.

A header is secret by its name (``SECRET_NAMES``, ``SECRET_WORDS``) or by what its value looks like
(``_KEY_LIKE``). Of a key its known prefix and last four characters stay, of all else nothing.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

import re2

from proxy.wire.routing import RawHeaders

SECRET_NAMES = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "cookie",
        "set-cookie",
        "set-cookie2",
        "x-amz-security-token",
        "x-amz-content-sha256",
        "chatgpt-account-id",
        "openai-organization",
        "anthropic-organization-id",
        "helicone-auth",
        "x-forwarded-client-cert",
    }
)
# A name with one of these words in it, between dashes or underscores, holds a secret too.
SECRET_WORDS = frozenset(
    {
        "auth",
        "authentication",
        "authorization",
        "key",
        "apikey",
        "token",
        "accesstoken",
        "secret",
        "password",
        "passwd",
        "pwd",
        "credential",
        "credentials",
        "signature",
        "jwt",
        "bearer",
        "cookie",
        "assertion",
    }
)
_WORDS = re.compile(r"[^a-z0-9]+")

# Prefixes that tell whose key it is and are no part of the secret; the longest that fits is shown.
_PREFIXES = (
    "sk-ant-api03-",
    "sk-ant-admin01-",
    "sk-ant-oat01-",
    "sk-ant-",
    "sk-proj-",
    "sk-svcacct-",
    "sk-admin-",
    "sk-or-v1-",
    "sk-or-",
    "sk-",
    "gsk_",
    "AIza",
    "xai-",
    "hf_",
    "ghp_",
    "gho_",
    "github_pat_",
    "glpat-",
    "AKIA",
    "ASIA",
)
_KEY_LIKE = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-[A-Za-z0-9_-]{8,}|gsk_[A-Za-z0-9]{8,}|AIza[A-Za-z0-9_-]{8,}|xai-[A-Za-z0-9]{8,}|hf_[A-Za-z0-9]{8,}"
    r"|gh[pousr]_[A-Za-z0-9]{8,}|github_pat_[A-Za-z0-9_]{8,}|glpat-[A-Za-z0-9_-]{8,}|A[KS]IA[A-Z0-9]{12,}"
    r"|eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*"
    r")"
)
_SCHEME = re.compile(r"(?i)(bearer|basic|digest|token|negotiate|aws4-hmac-sha256)[ \t]+")
_SECRET_PARAMETER = re.compile(
    r"(?i)(?:^|[_.-])(?:key|apikey|token|secret|password|passwd|pwd|sig|signature|credential|auth|code|assertion)$"
    r"|^x-amz-|^x-goog-"
)
_MASK = "..."
_SHOWN = 4
# With fewer characters behind its prefix, four of them would be too much of a key.
_LONG = 16
REPLACEMENT = "[redacted]"


def mask_headers(headers: RawHeaders) -> dict[str, list[str]]:
    """Return the headers for the log: names as Go writes them (``X-Api-Key``), secrets masked."""
    shown: dict[str, list[str]] = {}
    for name, value in headers:
        spelled, secret = _verdict(name)
        text = _text(value)
        shown.setdefault(spelled, []).append(_mask_value(spelled, text) if secret else mask_keys(text))
    return shown


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")  # what RFC 9110 5.5 says of old


@lru_cache(maxsize=1024)  # header names are few; a client that invents them must not grow memory
def _verdict(name: bytes) -> tuple[str, bool]:
    lower = name.decode("latin-1").lower()
    secret = lower in SECRET_NAMES or not SECRET_WORDS.isdisjoint(_WORDS.split(lower))
    spelled = "-".join(part[:1].upper() + part[1:] for part in lower.split("-"))
    return spelled, secret


def _mask_value(name: str, value: str) -> str:
    if name in {"Cookie", "Set-Cookie", "Set-Cookie2"}:
        return _MASK
    scheme = _SCHEME.match(value)
    kept = scheme[0] if scheme else ""
    return kept + mask_secret(value[len(kept) :])


def mask_secret(secret: str) -> str:
    """Mask one credential: a known prefix and, of long keys, the last four characters stay."""
    if not secret:
        return ""
    prefix = next((each for each in _PREFIXES if secret.startswith(each)), "")
    rest = secret[len(prefix) :]
    if not prefix or len(rest) < _LONG or not rest.isascii() or not rest.isprintable() or " " in rest:
        return prefix + _MASK
    return f"{prefix}{_MASK}{rest[-_SHOWN:]}"


def mask_keys(text: str) -> str:
    """Mask whatever in a text looks like a key or a token, wherever it stands."""
    return _KEY_LIKE.sub(lambda match: mask_secret(match[0]), text)


def looks_secret(text: str) -> bool:
    """Tell whether a text holds something that looks like a key or a token."""
    return _KEY_LIKE.search(text) is not None


def mask_query(query: str) -> str:
    """Mask the values of ``key=``-like parameters of a raw query, and keys anywhere else in it."""
    return "&".join(map(_mask_parameter, query.split("&"))) if query else ""


def _mask_parameter(parameter: str) -> str:
    name, equals, value = parameter.partition("=")
    if value and _SECRET_PARAMETER.search(_unquote(name)):
        return name + equals + mask_secret(value)
    return mask_keys(parameter)


def _unquote(name: str) -> str:
    return re.sub(r"%([0-9A-Fa-f]{2})", lambda match: chr(int(match[1], 16)), name)


def compile_patterns(patterns: Sequence[str]) -> Callable[[str], tuple[str, int]] | None:
    """Return a function that masks a text and counts its hits, or None where nothing is to be masked.

    The patterns are RE2: linear time whatever the text. Raises ``ValueError`` naming a bad one.
    """
    if not patterns:
        return None
    options = re2.Options()
    options.log_errors = False
    compiled = []
    for pattern in patterns:
        try:
            compiled.append(re2.compile(pattern, options))
        except re2.error as exc:
            raise ValueError(f"{pattern!r} is no RE2 pattern: {_reason(exc)}") from exc

    def mask(text: str) -> tuple[str, int]:
        hits = 0
        for each in compiled:
            text, count = each.subn(REPLACEMENT, text)
            hits += count
        return text, hits

    return mask


def _reason(exc: Exception) -> str:
    reason = exc.args[0] if exc.args else exc
    return reason.decode() if isinstance(reason, bytes) else str(reason)
