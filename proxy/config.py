"""The keys that ``llm-proxy`` reads."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from groundwork.eventlog import LogFormat
from groundwork.settings.conversion import Written
from groundwork.settings.settings import (
    ByteSize,
    Count,
    Port,
    PositiveSeconds,
    Seconds,
    folder,
    key,
    section,
)

_SHORTEST_TOKEN = 16
_CALLER_FORM = "a name of at most 64 letters, digits, dots, hyphens and underscores"
_REGION_FORM = "an AWS region such as eu-central-1, or empty"


def _read_caller(name: Any) -> Any:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", str(name)):
        raise ValueError(name)
    return name


def _read_token(token: Any) -> Any:
    if not isinstance(token, str) or not re.fullmatch(rf"[!-~]{{{_SHORTEST_TOKEN},}}", token):
        raise ValueError("not a token")
    return token


def _read_region(region: Any) -> Any:
    # The region becomes part of a host name.
    if not isinstance(region, str) or not re.fullmatch(
        r"([a-z]{2,8}(-[a-z]{2,16}){1,3}-[0-9]{1,2})?", region
    ):
        raise ValueError(region)
    return region


CallerName = Annotated[str, Written(_read_caller, _CALLER_FORM)]
Token = Annotated[
    str, Written(_read_token, f"at least {_SHORTEST_TOKEN} printable ASCII characters without spaces")
]
Region = Annotated[str, Written(_read_region, _REGION_FORM)]

Recorded = Literal["all", "conversations"]


@dataclass(frozen=True)
class LokiNotice:
    """The Loki settings that the proxy mentions when it starts; it never talks to Loki."""

    enabled: bool = key(False, "Whether the shipper sends records to Loki.")
    url: str = key("", "Loki's full push endpoint, such as http://loki:3100/loki/api/v1/push.")


@dataclass(frozen=True)
class BedrockSettings:
    """Calls to Amazon Bedrock that the proxy signs."""

    region: Region = key("", "Sign calls to Bedrock of this region with this machine's AWS credentials.")


@dataclass(frozen=True)
class TlsSettings:
    """The listener's certificate; without one it speaks http."""

    cert_file: str = key("", "The certificate chain of an https listener, in PEM.")
    key_file: str = key("", "The key of that certificate, in PEM.")


@dataclass(frozen=True)
class ProxySettings:
    """All settings of one proxy; ``docs`` for each stand in ``config.toml.example``."""

    host: str = key("127.0.0.1", "The address that the proxy listens on.")
    port: Port = key(12071, "The port that the proxy listens on.")
    log_dir: str = key("./logs", "The folder of the session files.")
    upstreams: tuple[str, ...] = key((), "Hosts that may be called besides the built-in ones.")
    proxy_token: str = key("", "The token that clients must send as X-LLM-Proxy-Token.", secret=True)
    tokens: dict[CallerName, Token] = key({}, "Tokens by the name of their caller.", secret=True)
    allowed_hosts: tuple[str, ...] = key((), "Host header values to accept, for a bind in a private network.")
    caller_connections: Count = key(2048, "The most connections of one client's address.")
    caller_calls: Count = key(1024, "The most calls of one caller that may run at a time.")
    redact: tuple[str, ...] = key((), "RE2 patterns to mask in recorded bodies.")
    redact_secrets: bool = key(False, "Whether what looks like a key or token is masked in recorded bodies.")
    log_bodies: bool = key(True, "Whether bodies are recorded; false records envelopes only.")
    record: Recorded = key("all", "Which calls are recorded: all or conversations.")
    repeat_history: bool = key(
        False, "Whether request bodies are recorded whole, not by what is new in them."
    )
    min_free: ByteSize = key(1 << 30, "If less disk is free, bodies are not recorded.")
    grace: Seconds = key(50.0, "How long running calls may continue after SIGTERM.")
    upload_timeout: PositiveSeconds = key(3600.0, "How long a request's body may stall.")
    answer_timeout: PositiveSeconds = key(
        3600.0, "How long a provider may send nothing, or a client not read."
    )
    log_format: LogFormat = key("auto", "The format of the log: auto, human or json.")
    bedrock: BedrockSettings = section(BedrockSettings)
    tls: TlsSettings = section(TlsSettings)
    loki: LokiNotice = section(LokiNotice)

    @property
    def log_folder(self) -> Path:
        """The folder of the session files."""
        return folder(self.log_dir)
