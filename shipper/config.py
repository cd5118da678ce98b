"""The keys that ``llm-loki-ship`` reads."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from groundwork.eventlog import LogFormat
from groundwork.settings.conversion import Written
from groundwork.settings.settings import (
    Count,
    LargeByteSize,
    Port,
    PositiveSeconds,
    Seconds,
    SecondsOrNever,
    folder,
    key,
    section,
)

# Below this a head of 8 KiB and the wrapping of a part no longer fit into one line.
_LEAST_LINE_BYTES = 16 * 1024

MaxLineBytes = Annotated[int, msgspec.Meta(ge=_LEAST_LINE_BYTES)]
# Labels and metadata that have a meaning of their own; a static one of that name would hide it.
_OWN_LABELS = {"app", "environment", "log_type", "machine", "provider", "late"}
_OWN_METADATA = {"caller", "level", "offset", "part", "request_id", "session", "split_id"}


def _read_label_name(name: Any) -> Any:
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", str(name)) or name in _OWN_LABELS | _OWN_METADATA:
        raise ValueError(name)
    return name


LabelName = Annotated[str, Written(_read_label_name, "a label name that is not one of the built-in names")]
# Loki takes 15 label names a stream by default; five of them are ours.
StaticLabels = Annotated[dict[LabelName, str], msgspec.Meta(max_length=5)]
# Above the batch's own byte bound, a larger number of entries changes nothing.
BatchSize = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Retries = Annotated[int, msgspec.Meta(ge=0, le=100)]


@dataclass(frozen=True)
class LokiSettings:
    """Where and how lines are pushed."""

    enabled: bool = key(False, "Whether lines are sent to Loki.")
    url: str = key("", "Loki's full push endpoint, such as http://loki:3100/loki/api/v1/push.")
    auth_token: str = key("", "A bearer token.", secret=True)
    auth_token_file: str = key("", "A file with the bearer token, read again when Loki refuses it.")
    tenant_id: str = key("", "The tenant, sent as X-Scope-OrgID.")
    username: str = key("", "The user name of basic authentication.")
    password: str = key("", "The password of basic authentication.", secret=True)
    headers: dict[str, str] = key({}, "Further headers of each push.", secret=True)
    ca_file: str = key("", "A file with the certificate authorities to trust, in PEM.")
    cert_file: str = key("", "A client certificate, in PEM.")
    key_file: str = key("", "The client certificate's key, in PEM.")
    labels: StaticLabels = key({}, "Static labels besides the built-in ones, at most 5.")
    batch_size: BatchSize = key(1000, "How many entries a batch holds at most.")
    batch_wait: Seconds = key(5.0, "How long a batch waits for further entries.")
    retry_max: Retries = key(
        5, "Retries in a round, after which the status is error; the next round follows."
    )
    use_gzip: bool = key(True, "Whether JSON pushes are compressed.")
    environment: str = key("development", "The label environment.")
    encoding: Literal["json", "protobuf"] = key("json", "json or protobuf.")
    timeout: PositiveSeconds = key(10.0, "How long one push may take.")
    verify_on_start: bool = key(True, "Whether Loki is asked what it has of pushes whose fate is unknown.")


@dataclass(frozen=True)
class RunSettings:
    """How the shipper itself runs."""

    health_host: str = key("127.0.0.1", "The address of the health port.")
    health_port: Port = key(12072, "The health port.")
    page: bool = key(True, "Whether the health port serves a page at /.")
    state_dir: str = key("", "The folder of the checkpoint; empty means .llm-loki-ship in log_dir.")
    queue_size: Count = key(10_000, "How many entries may wait in memory; past it, reading waits.")
    memory: LargeByteSize = key(
        64 << 20, "How much memory lines and their copies may take; past it, reading waits."
    )
    max_line_bytes: MaxLineBytes = key(262_144, "The longest line that Loki takes; longer ones go in parts.")
    shutdown_timeout: Seconds = key(30.0, "How long the last pushes may take after SIGTERM.")
    retention: SecondsOrNever = key(0.0, "How long delivered files are kept; empty means for ever.")


@dataclass(frozen=True)
class ShipperSettings:
    """All settings of one shipper; each is explained in ``config.toml.example``."""

    log_dir: str = key("./logs", "The folder of the session files.")
    log_format: LogFormat = key("auto", "auto, human or json.")
    loki: LokiSettings = section(LokiSettings)
    shipper: RunSettings = section(RunSettings)

    @property
    def log_folder(self) -> Path:
        """The folder of the session files."""
        return folder(self.log_dir)

    @property
    def state_folder(self) -> Path:
        """The folder of checkpoint, lock and rejected.jsonl."""
        given = self.shipper.state_dir
        return folder(given) if given else self.log_folder / ".llm-loki-ship"

    @property
    def own_lock(self) -> Path:
        """What a shipper holds while it lives."""
        return self.state_folder / "lock"
