"""Which provider a line belongs to, also where it does not say so, as in the Go predecessor's files."""

import re
from dataclasses import dataclass
from typing import Any

from shipper.record.envelope import Envelope, read_envelope

# A session_start line is a few hundred bytes; this much of a file's beginning holds it.
HEAD_BYTES = 16 * 1024
# A provider becomes a label, which must not take any text that comes.
_PROVIDER = re.compile(r"[a-z][a-z0-9_-]{0,31}")
# Each public host of a provider, and the path segment that the proxy serves it under; ``*`` stands for
# letters, digits and hyphens.
_PROVIDERS = {
    "api.anthropic.com": "anthropic",
    "chatgpt.com": "chatgpt",
    "api.openai.com": "openai",
    "*.api.openai.com": "openai",
    "openrouter.ai": "openai",
    "api.groq.com": "openai",
    "api.deepseek.com": "openai",
    "api.mistral.ai": "openai",
    "codestral.mistral.ai": "openai",
    "api.x.ai": "openai",
    "*.api.x.ai": "openai",
    "api.moonshot.ai": "openai",
    "api.moonshot.cn": "openai",
    "api.together.ai": "openai",
    "api.together.xyz": "openai",
    "api.fireworks.ai": "openai",
    "api.cerebras.ai": "openai",
    "*.openai.azure.com": "azure",
    "*.services.ai.azure.com": "azure",
    "*.cognitiveservices.azure.com": "azure",
    "generativelanguage.googleapis.com": "gemini",
    "aiplatform.googleapis.com": "vertex",
    "*-aiplatform.googleapis.com": "vertex",
    "aiplatform.*.rep.googleapis.com": "vertex",
    "bedrock-runtime.*.amazonaws.com": "bedrock",
    "bedrock-runtime-fips.*.amazonaws.com": "bedrock",
    "bedrock-runtime.*.amazonaws.com.cn": "bedrock",
    "bedrock-runtime.*.amazonaws.eu": "bedrock",
    "bedrock-runtime.*.api.aws": "bedrock",
    "bedrock-mantle.*.api.aws": "bedrock",
}
_PATTERNS = tuple(
    (re.compile(re.escape(host).replace(r"\*", "[a-z0-9-]+")), provider)
    for host, provider in _PROVIDERS.items()
    if "*" in host
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a line comes from, for what it does not say itself."""

    provider: str
    session: str


def provider_in_head(head: bytes) -> str:
    """Return the provider that a file's first line names; empty where it names none."""
    return _named(read_envelope(head.partition(b"\n")[0]).provider)


def origin_of(envelope: Envelope, told_by_file: str, path: str) -> Origin:
    """Return the origin of a line. Its provider is told by itself, its file's first line, or its host.

    Files lie at ``<log_dir>/<upstream host>/<date>/<session>.jsonl``.
    """
    folder, _, name = path.rpartition("/")
    host = envelope.meta.host or folder.rpartition("/")[0].rpartition("/")[2]
    provider = _named(envelope.provider) or _named(told_by_file) or provider_of_host(host)
    return Origin(provider, name.partition(".")[0])


def _named(told: Any) -> str:
    return told if isinstance(told, str) and _PROVIDER.fullmatch(told) else ""


def provider_of_host(host: str) -> str:
    """Return the provider that a host belongs to, for lines that do not name theirs; else ``unknown``."""
    host = host.partition(":")[0].lower()
    if host in _PROVIDERS:
        return _PROVIDERS[host]
    return next((provider for pattern, provider in _PATTERNS if pattern.fullmatch(host)), "unknown")
