"""Heads of requests and answers, read strictly: what two readers could understand in two ways is refused.

Field names keep their spelling, order and repeats.
"""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

# Answers carry policies, tracing and rate limits; what is larger is no head but an attempt to fill memory.
LARGEST_HEAD = 256 << 10
MOST_FIELDS = 256
# RFC 9110 5.6.2.
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - the word of the RFC
# A method in lower case is another method, which no server has. UTF-8 in a target is what clients send that
# do not escape; a control character or a space in it would let it end elsewhere.
_REQUEST_LINE = re.compile(rb"([A-Z][A-Z-]{0,31}) ([^\x00-\x20\x7f]+) HTTP/([0-9])\.([0-9])")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([\t -~\x80-\xff]*))?")
_FIELD = re.compile(rf"({_TOKEN}):[ \t]*([\t -~\x80-\xff]*?)[ \t]*".encode())
# RFC 9112 5.1: in answers, a proxy removes the space before the colon.
_ANSWER_FIELD = re.compile(rf"({_TOKEN})[ \t]*:[ \t]*([\t -~\x80-\xff]*?)[ \t]*".encode())
_EMPTY_LINE = b"\r\n\r\n"
_END = re.compile(rb"\n\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
# What can begin a request: a method, or some of one.
_BEGINNING = re.compile(rb"[A-Z][A-Z-]{0,31}(?: |$)")
# Control characters that no head has; a line feed is one unless a carriage return stands before it.
_NEVER = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|$)")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_ABSOLUTE = re.compile(rb"https?://([^/?#]+)", re.IGNORECASE)
# Transfer codings of RFC 9112 7.2; ``chunked`` is the last, and once.
_CODINGS = frozenset({b"gzip", b"x-gzip", b"deflate", b"compress", b"x-compress"})

HeaderList = list[tuple[bytes, bytes]]
Body = Literal["none", "length", "chunked", "close"]


class MalformedError(Exception):
    """The bytes are no head that can be served; for a request, ``status`` and text are the answer."""

    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Framing:
    """How a body ends. ``length`` counts for ``length`` only."""

    body: Body
    length: int = 0


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request's head. ``target`` is in origin form, else as it was on the wire."""

    method: str
    target: bytes
    headers: HeaderList
    http11: bool
    keep_alive: bool
    wants_upgrade: bool
    expects_continue: bool
    framing: Framing


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """An answer's head; the framing is that of the answer to a request that is no HEAD."""

    status: int
    reason: bytes
    headers: HeaderList
    keep_alive: bool
    framing: Framing


def end_of_request_head(data: bytes, seen: int = 0) -> int:
    """Return where the head ends, 0 where its end is not there yet; ``seen`` bytes were looked at before.

    Raises ``MalformedError`` as soon as no request can begin like this.
    """
    found = data.find(_EMPTY_LINE, max(seen - len(_EMPTY_LINE), 0))
    end = found + len(_EMPTY_LINE) if found >= 0 else 0
    if (end or len(data)) > LARGEST_HEAD:
        raise MalformedError("headers too large", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    if not end and (not _BEGINNING.match(data) or _NEVER.search(data, max(seen - 1, 0))):
        raise MalformedError("not a valid HTTP request")
    return end


def end_of_answer_head(data: bytes, seen: int = 0) -> int:
    """Return where the head ends, 0 where its end is not there yet. Raises ``MalformedError``."""
    found = _END.search(data, max(seen - len(_EMPTY_LINE), 0))
    end = found.end() if found else 0
    if (end or len(data)) > LARGEST_HEAD:
        raise MalformedError("its headers are too large")
    return end


def parse_request(head: bytes) -> RequestHead:
    """Read a whole head, up to and with the empty line. Raises ``MalformedError``."""
    lines = head[:-4].split(b"\r\n")
    match = _REQUEST_LINE.fullmatch(lines[0])
    if match is None:
        raise MalformedError("not a valid HTTP request")
    method, target = match[1].decode("ascii"), match[2]
    if match[3] != b"1" or match[4] not in b"01":
        raise MalformedError("only HTTP/1.1 is spoken here", HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
    if method == "CONNECT":
        raise MalformedError("CONNECT is not served", HTTPStatus.METHOD_NOT_ALLOWED)
    _limit(len(lines) - 1)
    headers = _fields(lines[1:], _FIELD, "not a valid HTTP request")
    http11 = match[4] == b"1"
    known = _of_interest(headers)
    hosts = known.get(b"host", ())
    if len(hosts) > 1 or (http11 and not hosts):
        raise MalformedError("one Host header is needed (RFC 9112 3.2)")
    absolute = _ABSOLUTE.match(target)
    if absolute:
        # RFC 9112 3.2.2: the authority of the target counts, in place of Host.
        target, headers = _origin_form(target[absolute.end() :]), _with_host(headers, absolute[1])
    connection = _tokens(known.get(b"connection", ()))
    framing = _framing(known, default="none")
    return RequestHead(
        method=method,
        target=target,
        headers=_with_one_length(headers, known),
        http11=http11,
        keep_alive=http11 and b"close" not in connection,
        wants_upgrade=b"upgrade" in connection and b"upgrade" in known,
        expects_continue=http11 and known.get(b"expect", (b"",))[0].lower() == b"100-continue",
        framing=framing,
    )


def parse_answer(head: bytes) -> AnswerHead:
    """Read a whole head, up to and with the empty line. Raises ``MalformedError``."""
    text = head.rstrip(b"\r\n")
    if _FOLD.search(text):
        text = _FOLD.sub(b" ", text)  # RFC 9112 5.2
    lines = [line.removesuffix(b"\r") for line in text.split(b"\n")]
    match = _STATUS_LINE.fullmatch(lines[0])
    if match is None:
        raise MalformedError("its answer is no HTTP")
    _limit(len(lines) - 1)
    headers = _fields(lines[1:], _ANSWER_FIELD, "its answer is no HTTP")
    known = _of_interest(headers)
    connection = _tokens(known.get(b"connection", ()))
    framing = _framing(known, default="close")
    http11 = match[1] == b"1"
    return AnswerHead(
        status=int(match[2]),
        reason=match[3] or b"",
        headers=_with_one_length(headers, known),
        keep_alive=b"close" not in connection and (http11 or b"keep-alive" in connection),
        framing=framing,
    )


def _limit(fields: int) -> None:
    if fields > MOST_FIELDS:
        raise MalformedError("too many headers", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)


def _fields(lines: list[bytes], form: re.Pattern[bytes], complaint: str) -> HeaderList:
    matches = [match for match in map(form.fullmatch, lines) if match is not None]
    if len(matches) < len(lines):
        raise MalformedError(complaint)
    return [(match[1], match[2]) for match in matches]


# The fields that frame, address or end a message.
_INTEREST = frozenset(
    {b"host", b"connection", b"content-length", b"transfer-encoding", b"expect", b"upgrade"}
)


def _of_interest(headers: HeaderList) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        lower = name.lower()
        if lower in _INTEREST:
            found.setdefault(lower, []).append(value)
    return found


def _tokens(values: "list[bytes] | tuple[()]") -> list[bytes]:
    return [token.strip().lower() for value in values for token in value.split(b",")]


def _framing(known: dict[bytes, list[bytes]], *, default: Body) -> Framing:
    lengths, codings = known.get(b"content-length"), known.get(b"transfer-encoding")
    if codings is not None:
        if lengths is not None:
            raise MalformedError("Content-Length beside Transfer-Encoding (RFC 9112 6.1)")
        *inner, last = _tokens(codings)
        if last != b"chunked" or b"chunked" in inner:
            raise MalformedError("chunked must be the last transfer coding (RFC 9112 6.1)")
        if not _CODINGS.issuperset(inner):
            raise MalformedError("a transfer coding that nobody knows", HTTPStatus.NOT_IMPLEMENTED)
        return Framing("chunked")
    if lengths is None:
        return Framing(default)
    return Framing("length", _length(lengths))


def _length(values: list[bytes]) -> int:
    """Return the one length that all values tell (RFC 9112 6.3)."""
    if len(values) == 1 and _LENGTH.fullmatch(values[0]):
        return int(values[0])
    told = set(_tokens(values))
    length = told.pop()
    if told or not _LENGTH.fullmatch(length):
        raise MalformedError("Content-Length is not one number (RFC 9112 6.3)")
    return int(length)


def _with_one_length(headers: HeaderList, known: dict[bytes, list[bytes]]) -> HeaderList:
    """Leave one of several equal lengths (RFC 9110 8.6)."""
    lengths = known.get(b"content-length", ())
    if len(lengths) < 2 and not (lengths and b"," in lengths[0]):  # noqa: PLR2004 - one is as it should be
        return headers
    kept: HeaderList = []
    seen = False
    for name, value in headers:
        if name.lower() != b"content-length":
            kept.append((name, value))
        elif not seen:
            seen = True
            kept.append((name, value.partition(b",")[0].strip()))
    return kept


def _origin_form(rest: bytes) -> bytes:
    return rest if rest.startswith(b"/") else b"/" + rest


def _with_host(headers: HeaderList, authority: bytes) -> HeaderList:
    host = authority.rpartition(b"@")[2]
    return [(name, host if name.lower() == b"host" else value) for name, value in headers]


def coding_of(headers: HeaderList) -> bytes:
    """Return the value of ``Transfer-Encoding`` that goes on with a body in chunks."""
    values = [value for name, value in headers if name.lower() == b"transfer-encoding"]
    return b", ".join(values) or b"chunked"


def interim(status: int) -> bool:
    """Tell whether another answer follows (RFC 9110 15.2)."""
    return status < HTTPStatus.OK and status != HTTPStatus.SWITCHING_PROTOCOLS
