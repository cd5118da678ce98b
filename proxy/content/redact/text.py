"""Secrets within a text that is not secret as a whole: an address, a query, a path, JSON in a header."""

import re
from typing import Any
from urllib.parse import quote, unquote, unquote_plus

import orjson

from proxy.content.redact.names import is_secret_name, is_secret_parameter
from proxy.content.redact.shapes import MASK, mask_keys, mask_secret

# ``user:password@`` of an address; of ``git@host:path``, which has no password, nothing is secret.
# Slashes are escaped in some JSON.
_USERINFO = re.compile(
    r"(?i)((?:(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*:|(?<![:/\\]))(?:\\?/){2})[^\s/?#\"'<>@\\]+(?:@[^\s/?#\"'<>@\\]*)*@"
)
_SCHEMES = r"(?:bearer|basic|digest|negotiate|token)"
# The beginning of a parameter wherever one may stand: in a query, a fragment, a matrix parameter, a list of
# ``name=value``.
_PARAMETER = re.compile(r"""(?:(?<=[?&#;,\s{"'/(|=])|^)([A-Za-z0-9_.\[\]%-]{1,64})=""")
_VALUE = re.compile(rf"""(?i)"[^"]*"?|(?:{_SCHEMES} +)?[^&#;,\s"'<>]*""")
# A member of JSON or YAML, whole or not, or a header within a text, with any quotes.
_MEMBER = re.compile(
    rf"""(?ix)(?<![a-z0-9_.-])([a-z][a-z0-9_.-]{{1,63}})(\\*["']?\s*:\s*)
    (\\+["'].*?(?=\\+["']|$)|"(?:[^"\\]|\\.)*"?|'[^']*'?|(?:{_SCHEMES}[ ]+)?[^\s"',;&<>{{}}\[\]\\]+)"""
)
_COOKIE = re.compile(r"(?i)\b((?:set-)?cookie2?[\\\"']*\s*:\s*)[^\"\r\n]+")
_OPTION = re.compile(r"(?i)(?<!\S)(--?[a-z][a-z0-9-]{1,63} +)([^\s-]\S*)")
_CREDENTIAL = re.compile(
    r"(?i)\b((?:bearer|basic|negotiate|digest) +|(?:token|api-?key) +(?=\S{16}))(?!\w+=[\"'])(\S{8,})"
)
# JSON deeper than this is no setting of a client's; it is masked as a text.
_DEEPEST = 20
# An address within an address within an address is percent-encoded so often.
_MOST_CODINGS = 3
_QUERY_SAFE = "!$'()*,/:;?@~[]"
_PATH_SAFE = ":@!$&'()*+,;=~"
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
# What names a thing in lists of settings, and what holds its value.
_NAMING = ("name", "key", "header", "field")
_HOLDING = ("value", "values", "default")
# A name behind which a path may hold a token, and a segment that can be none but a token: of all three kinds
# of letters, and no prefix of an id. What stands behind the name of a collection is an id.
_TOKEN = re.compile(r"(?=[^/]*[a-z])(?=[^/]*[A-Z])(?=[^/]*[0-9])[A-Za-z0-9]{24,}")
_LONG_ENOUGH = 12


def mask_text(text: str) -> str:
    """Mask the secrets in a value that is not secret by its name."""
    if text[:1] in {"{", "["}:
        masked = _mask_json(text)
        if masked is not None:
            return masked
    return _mask(text, _PRINTABLE)


def mask_query(query: str) -> str:
    """Mask the secrets in a raw query: by the names of its parameters, and by their values."""
    return "&".join(map(_mask_pair, query.split("&"))) if query else ""


def mask_path(path: str) -> str:
    """Mask the secrets in a path, also where they are percent-encoded."""
    segments = _USERINFO.sub(rf"\1{MASK}@", path).split("/")
    return "/".join(_mask_segment(segments[at - 1] if at else "", each) for at, each in enumerate(segments))


def _mask_segment(before: str, segment: str) -> str:
    name = unquote(before)
    secret = is_secret_name(name) or is_secret_name(name.removesuffix("s"))
    if secret and len(segment) >= _LONG_ENOUGH and not segment.isalpha():
        return mask_secret(segment)
    if not name.endswith("s") and _TOKEN.fullmatch(segment):
        return MASK
    return _mask(segment, _PATH_SAFE)


def _mask(text: str, safe: str, codings: int = _MOST_CODINGS) -> str:
    """Mask a text as it stands and without its percent-encoding, which is written again but for ``safe``."""
    masked = _mask_plain(text)
    if "%" not in masked or not codings:
        return masked
    plain = unquote(masked)
    if plain == masked:
        return masked
    shown = _mask(plain, _PRINTABLE, codings - 1)
    return masked if shown == plain else quote(shown, safe=safe)


def _mask_plain(text: str) -> str:
    if "//" in text or "\\/" in text:
        text = _USERINFO.sub(rf"\1{MASK}@", text)
    if "=" in text:
        text = _mask_parameters(text)
    if ":" in text:
        text = _COOKIE.sub(rf"\1{MASK}", text)
        text = _MEMBER.sub(_member_of_text, text)
    if " " in text:
        text = _OPTION.sub(_option, text)
        text = _CREDENTIAL.sub(lambda found: found[1] + _quoted(found[2]), text)
    return mask_keys(text)


def _mask_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if value and is_secret_parameter(unquote_plus(name)):
        return _mask(name, _QUERY_SAFE) + equals + mask_secret(value)
    return _mask(pair, _QUERY_SAFE + "=")


def _mask_parameters(text: str) -> str:
    shown, at = [], 0
    for found in _PARAMETER.finditer(text):
        if found.start() < at or not is_secret_parameter(unquote(found[1])):
            continue
        value = _VALUE.match(text, found.end())
        if value and value[0]:
            shown += [text[at : found.end()], mask_secret(value[0].strip('"'))]
            at = value.end()
    return "".join([*shown, text[at:]])


def _member_of_text(match: re.Match[str]) -> str:
    name, between, value = match.groups()
    return (
        name + between + _quoted(value) if is_secret_name(name) and not value.startswith("//") else match[0]
    )


def _option(match: re.Match[str]) -> str:
    name, value = match.groups()
    return name + _quoted(value) if is_secret_name(name.strip(" -")) else match[0]


def _quoted(value: str) -> str:
    """Mask a value, but for the quotes around it."""
    bare = value.strip("\\\"'")
    if not bare:
        return value
    before = value[: value.index(bare)]
    return before + mask_secret(bare) + value[len(before) + len(bare) :]


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
        named = any(isinstance(value.get(each), str) and is_secret_name(value[each]) for each in _NAMING)
        return {
            mask_text(name): _member("secret" if named and name in _HOLDING else name, each, depth)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_masked(each, depth + 1) for each in value]
    return mask_text(value) if isinstance(value, str) else value


def _member(name: str, value: Any, depth: int) -> Any:
    if not is_secret_name(name) or value is None or isinstance(value, bool | int | float):
        return _masked(value, depth + 1)
    if name == "key" and isinstance(value, str) and is_secret_name(value):
        return value  # it names what is secret
    return mask_secret(value) if isinstance(value, str) else MASK
