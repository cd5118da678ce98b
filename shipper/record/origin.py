"""Which provider a line belongs to, also where it does not say so, as in the Go predecessor's files."""

from dataclasses import dataclass

from shipper.record.envelope import Envelope, provider_of_host, read_envelope

# A session_start line is a few hundred bytes; this much of a file's beginning holds it.
HEAD_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a line comes from, for what it does not say itself."""

    provider: str
    session: str


def provider_in_head(head: bytes) -> str:
    """Return the provider that a file's first line names; empty where it names none."""
    provider = read_envelope(head.partition(b"\n")[0]).provider
    return provider if isinstance(provider, str) else ""


def origin_of(envelope: Envelope, told_by_file: str, path: str) -> Origin:
    """Return the origin of a line. Its provider is told by itself, its file's first line, or its host.

    Files lie at ``<log_dir>/<upstream host>/<date>/<session>.jsonl``.
    """
    folder, _, name = path.rpartition("/")
    session = name.partition(".")[0]
    if isinstance(envelope.provider, str) and envelope.provider:
        return Origin(envelope.provider, session)
    host = envelope.told("host") or folder.rpartition("/")[0].rpartition("/")[2]
    return Origin(told_by_file or provider_of_host(host), session)
