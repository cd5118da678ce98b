"""Builds the Loki clients from the settings: pushers, and queries that verify what Loki has."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shipper.config import LokiSettings
from shipper.loki.connect import connect
from shipper.loki.push.client import LokiClient
from shipper.loki.push.encoding import Encode, encode_gzip_json, encode_json, encode_protobuf
from shipper.loki.push.push import Answer, Push, Verification
from shipper.loki.push.workers import Pushers
from shipper.loki.query.client import LokiReader
from shipper.loki.query.query import Ask, AskAgainError, CannotAskError, TooMuchError, UnreachableError
from shipper.loki.query.verify import presence

# A verification holds up its stream: an answer that takes longer is not waited for.
_VERIFY_SECONDS = 10.0
# Answers to verifications, which several threads read: 1,000 rows without their lines take below 1 MiB.
_VERIFY_BYTES = 4 << 20


def pushers_of(loki: LokiSettings, done: Callable[[int, Answer | Verification], None]) -> Pushers:
    """Return the pushers; ``done`` is called from their threads. Raises ``UnusableError``."""
    http = connect(loki)
    reader = LokiReader(http, loki.url, _VERIFY_SECONDS, _VERIFY_BYTES)
    client = LokiClient(http, loki.url)
    return Pushers(
        client,
        encoding_of(loki),
        ask=lambda push: verification_of(reader.ask, push, client.time_ns),
        done=done,
    )


@contextmanager
def sender_of(loki: LokiSettings) -> Iterator[Callable[[Push], Answer]]:
    """Yield a function that sends one push and returns the answer. Raises ``UnusableError``."""
    with connect(loki) as http:
        client, encode = LokiClient(http, loki.url), encoding_of(loki)
        yield lambda push: client.push(*encode(push))


def time_at(loki: LokiSettings) -> int:
    """Return Loki's time in nanoseconds since 1970; the own one where it tells none."""
    with connect(loki) as http:
        client = LokiClient(http, loki.url)
        client.ask_time()
        return client.time_ns


def encoding_of(loki: LokiSettings) -> Encode:
    """Return how pushes are encoded."""
    if loki.encoding == "protobuf":
        return encode_protobuf
    return encode_gzip_json if loki.use_gzip else encode_json


def verification_of(ask: Ask, push: Push, now: int) -> Verification:
    """Ask which entries of a push Loki has; ``now`` is Loki's time in nanoseconds since 1970."""
    try:
        found = presence(ask, push.stream, push.entries, now)
    except AskAgainError as exc:
        return Verification(failed=str(exc), unreachable=isinstance(exc, UnreachableError))
    except (CannotAskError, TooMuchError) as exc:
        return Verification(unknown=frozenset(push.entries), cannot=str(exc))
    return Verification(found.stored, found.unknown)
