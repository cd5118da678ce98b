"""Which provider a line belongs to, also where it does not say so, as in the Go predecessor's files."""

from shipper.record.envelope import Envelope, provider_of_host, read_envelope

# A session_start line is a few hundred bytes; this much of a file's beginning holds it.
HEAD_BYTES = 16 * 1024


def provider_in_head(head: bytes) -> str:
    """Return the provider that a file's first line names; empty where it names none."""
    provider = read_envelope(head.partition(b"\n")[0]).provider
    return provider if isinstance(provider, str) else ""


def provider_of(envelope: Envelope, told_by_file: str, path: str) -> str:
    """Return the provider of a line: by itself, its file's first line, its host, or its file's folder.

    Files lie at ``<log_dir>/<upstream host>/<date>/<session>.jsonl``.
    """
    if isinstance(envelope.provider, str) and envelope.provider:
        return envelope.provider
    folders = path.split("/")[:-2]
    return told_by_file or provider_of_host(envelope.told("host") or (folders[-1] if folders else ""))
