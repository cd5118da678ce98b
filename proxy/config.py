"""The keys that ``llm-proxy`` reads."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from groundwork.eventlog import LogFormat
from groundwork.settings.settings import ByteSize, Port, PositiveSeconds, Seconds, folder, key, section

Recorded = Literal["all", "conversations"]


@dataclass(frozen=True)
class LokiNotice:
    """What the proxy says of Loki when it starts; it never talks to Loki."""

    enabled: bool = key(False, "Whether the shipper sends what is logged to Loki.")
    url: str = key("", "Loki's full push endpoint, such as http://loki:3100/loki/api/v1/push.")


@dataclass(frozen=True)
class ProxySettings:
    """All settings of one proxy; ``docs`` for each stand in ``config.toml.example``."""

    host: str = key("127.0.0.1", "The address that the proxy listens on.")
    port: Port = key(12071, "The port that the proxy listens on.")
    log_dir: str = key("./logs", "The folder of the session files.")
    upstreams: tuple[str, ...] = key((), "Hosts allowed besides the built-in ones.")
    proxy_token: str = key("", "What X-LLM-Proxy-Token must hold, for a bind beyond loopback.", secret=True)
    allowed_hosts: tuple[str, ...] = key((), "Host header values served, for a bind in a private network.")
    redact: tuple[str, ...] = key((), "RE2 patterns that are masked in logged bodies.")
    log_bodies: bool = key(True, "Whether bodies are logged; false keeps envelopes only.")
    record: Recorded = key("all", "Which calls are on record: all or conversations.")
    min_free: ByteSize = key(1 << 30, "Below this much free disk, bodies are left out of the log.")
    grace: Seconds = key(50.0, "How long running calls may end after SIGTERM.")
    upload_timeout: PositiveSeconds = key(3600.0, "How long a request's body may stand still.")
    answer_timeout: PositiveSeconds = key(
        3600.0, "How long a provider may send nothing, or a client not read."
    )
    log_format: LogFormat = key("auto", "auto, human or json.")
    loki: LokiNotice = section(LokiNotice)

    @property
    def log_folder(self) -> Path:
        """The folder of the session files."""
        return folder(self.log_dir)
