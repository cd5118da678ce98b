"""A push's body -> streams, as strict as Loki (pkg/loghttp/push/push.go, pkg/loghttp/query.go)."""

import json
import re
from typing import Any

import cramjam
import orjson
from isal import isal_zlib

from tests.fakes.loki import protobuf
from tests.fakes.loki.entry import Entry, LabelError, Labels, Stream, parse_labels
from tests.fakes.loki.limits import Limits

_GZIP_WBITS, _RAW_WBITS = 31, -15
_MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+(/[\w!#$&^.+-]+)?\s*(;.*)?")
_DIGITS = re.compile(r"-?(0|[1-9]\d*)")
_INT64 = range(-(1 << 63), 1 << 63)
_LABEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class PushError(Exception):
    """The whole push is refused, and nothing of it stored."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def decode(body: bytes, content_type: str, encoding: str, limits: Limits) -> list[Stream]:
    """Return the streams of a push. Raises ``PushError`` with Loki's status and text."""
    is_json = _is_json(content_type, encoding)
    if not is_json and len(body) > limits.max_recv_msg_size:
        raise PushError(413, _too_large(len(body), limits.max_recv_msg_size))
    # A JSON body over the limit is cut there, and no longer parses.
    plain = _decompressed(body[: limits.max_recv_msg_size], encoding, is_json=is_json)
    if len(plain) > limits.max_decompressed_size:
        raise PushError(400, _too_large(len(plain), limits.max_decompressed_size))
    return _from_json(plain) if is_json else _from_protobuf(plain)


def _is_json(content_type: str, encoding: str) -> bool:
    if encoding not in ("", "snappy", "gzip", "deflate"):
        raise PushError(400, f'Content-Encoding "{encoding}" not supported')
    if not _MEDIA_TYPE.fullmatch(content_type.strip()):
        raise PushError(400, "mime: no media type")
    return content_type.partition(";")[0].strip().lower() == "application/json"


def _too_large(size: int, limit: int) -> str:
    return f"request body too large: {size} bytes, limit: {limit} bytes"


def _decompressed(body: bytes, encoding: str, *, is_json: bool) -> bytes:
    try:
        if encoding in ("gzip", "deflate"):
            body = isal_zlib.decompress(body, wbits=_GZIP_WBITS if encoding == "gzip" else _RAW_WBITS)
    except (isal_zlib.error, EOFError) as exc:  # type: ignore[misc] # isal has no types
        raise PushError(400, f"{encoding}: invalid header") from exc
    if is_json:
        return body
    try:
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as exc:
        raise PushError(400, "snappy: corrupt input") from exc


def _from_protobuf(data: bytes) -> list[Stream]:
    try:
        return [Stream(parse_labels(text), entries) for text, entries in protobuf.decode(data)]
    except (protobuf.ProtobufError, LabelError) as exc:
        raise PushError(400, str(exc)) from exc


def _from_json(data: bytes) -> list[Stream]:
    read = _first_value(data)
    streams = read.get("streams") if isinstance(read, dict) else None
    if streams is None and isinstance(read, dict):
        return []
    if not isinstance(streams, list):
        raise PushError(400, "loghttp.PushRequest.Streams: []loghttp.LogProtoStream: decode slice: expect [")
    return [_stream(each) for each in streams]


def _first_value(data: bytes) -> Any:
    """Read the first JSON value and ignore what follows; bytes that are not UTF-8 become U+FFFD."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        text = data.decode("utf-8", "replace")
    try:
        end = json.JSONDecoder().raw_decode(text.lstrip())[1]
        return orjson.loads(text.lstrip()[:end])
    except ValueError as exc:
        raise PushError(400, f"couldn't parse push request: {exc}") from exc


def _stream(read: Any) -> Stream:
    if not isinstance(read, dict):
        raise PushError(400, "ReadMapCB: expect { or n")
    entries = read.get("values") or []
    if not isinstance(entries, list):
        raise PushError(400, "loghttp.LogProtoStream: decode slice: expect [")
    return Stream(_labels(read.get("stream")), [_entry(each) for each in entries])


def _labels(read: Any) -> Labels:
    if not isinstance(read, dict):
        raise PushError(400, "couldn't parse labels: unexpected type")
    if not all(_LABEL_NAME.fullmatch(name) for name in read):
        raise PushError(400, "couldn't parse labels: 1:2: parse error: unexpected character")
    return tuple(sorted((name, _as_text(value)) for name, value in read.items() if value != ""))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _entry(read: Any) -> Entry:
    if type(read) is not list or not read or type(read[0]) is not str:
        raise PushError(400, "Value looks like object, but can't find closing '}' symbol")
    ts = read[0]
    if not _DIGITS.fullmatch(ts) or int(ts) not in _INT64:
        raise PushError(400, f'strconv.ParseInt: parsing "{ts}": invalid syntax')
    line = read[1] if len(read) > 1 else ""
    if type(line) is not str:
        raise PushError(400, "expected a string for the line")
    return Entry(int(ts), line, _metadata(read[2]) if len(read) > 2 else ())


def _metadata(read: Any) -> Labels:
    if type(read) is not dict:
        raise PushError(400, "expected an object for structured metadata")
    pairs = tuple(read.items())
    for _, value in pairs:
        if type(value) is not str:
            raise PushError(400, "expected a string for a value of structured metadata")
    return pairs
