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

# A head of 8 KiB and the frame of a part must fit into one line.
_LEAST_LINE_BYTES = 16 * 1024

MaxLineBytes = Annotated[int, msgspec.Meta(ge=_LEAST_LINE_BYTES)]
# Built-in labels and metadata; a static label of the same name would hide them.
_OWN_LABELS = {"app", "environment", "log_type", "machine", "provider", "late"}
_OWN_METADATA = {"caller", "level", "offset", "part", "request_id", "session", "split_id"}


def _read_label_name(name: Any) -> Any:
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", str(name)) or name in _OWN_LABELS | _OWN_METADATA:
        raise ValueError(name)
    return name


LabelName = Annotated[str, Written(_read_label_name, "a label name that is not one of the built-in names")]
# Loki accepts 15 label names per stream by default; five are built in.
StaticLabels = Annotated[dict[LabelName, str], msgspec.Meta(max_length=5)]
# The byte limit of a batch is reached first, so that more entries have no effect.
BatchSize = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Retries = Annotated[int, msgspec.Meta(ge=0, le=100)]


@dataclass(frozen=True)
class LokiSettings:
    """Where and how lines are pushed."""

    enabled: bool = key(False, "Whether to send lines to Loki.")
    url: str = key("", "Loki's full push endpoint, such as http://loki:3100/loki/api/v1/push.")
    auth_token: str = key("", "A bearer token.", secret=True)
    auth_token_file: str = key("", "A file with the bearer token, read again if Loki refuses it.")
    tenant_id: str = key("", "The tenant, sent as X-Scope-OrgID.")
    username: str = key("", "The user name for basic authentication.")
    password: str = key("", "The password for basic authentication.", secret=True)
    headers: dict[str, str] = key({}, "Additional headers of each request.", secret=True)
    ca_file: str = key("", "A PEM file with the certificate authorities to trust.")
    cert_file: str = key("", "A PEM file with a client certificate.")
    key_file: str = key("", "A PEM file with the client certificate's key.")
    labels: StaticLabels = key({}, "Static labels besides the built-in ones, at most 5.")
    batch_size: BatchSize = key(1000, "The maximum number of entries in a batch.")
    batch_wait: Seconds = key(5.0, "How long a batch waits for more entries.")
    retry_max: Retries = key(5, "Retries before the status becomes error; retries continue after that.")
    use_gzip: bool = key(True, "Whether to compress JSON pushes with gzip.")
    environment: str = key("development", "The value of the label environment.")
    encoding: Literal["json", "protobuf"] = key("json", "The encoding of pushes: json or protobuf.")
    timeout: PositiveSeconds = key(10.0, "The timeout of one push.")
    verify_on_start: bool = key(True, "Whether to verify pushes of unknown fate before sending them again.")


@dataclass(frozen=True)
class RunSettings:
    """How the shipper itself runs."""

    health_host: str = key("127.0.0.1", "The address of the health port.")
    health_port: Port = key(12072, "The health port.")
    allowed_hosts: tuple[str, ...] = key((), "Names that the health port is called by, beyond loopback.")
    page: bool = key(True, "Whether the health port serves the status page at /.")
    state_dir: str = key("", "The folder of the checkpoint; empty means .llm-loki-ship in log_dir.")
    queue_size: Count = key(
        10_000, "The maximum number of entries in memory; when it is reached, reading waits."
    )
    memory: LargeByteSize = key(
        64 << 20, "The memory limit for lines and their copies; when it is reached, reading waits."
    )
    max_line_bytes: MaxLineBytes = key(
        262_144, "The longest line that Loki accepts; longer ones are sent in parts."
    )
    shutdown_timeout: Seconds = key(30.0, "How long delivery may continue after SIGTERM.")
    audit: SecondsOrNever = key(
        600.0, "How often acknowledged lines are read back from Loki; empty means never."
    )
    retention: SecondsOrNever = key(0.0, "How long to keep delivered files; empty means forever.")


@dataclass(frozen=True)
class ExploreSettings:
    """Where ``explore`` serves its pages."""

    host: str = key("127.0.0.1", "The address of the pages of explore.")
    port: Port = key(12073, "The port of the pages of explore.")
    token: str = key("", "The token that a browser must show; needed beyond loopback.", secret=True)


@dataclass(frozen=True)
class ShipperSettings:
    """All settings of one shipper; each is explained in ``config.toml.example``."""

    log_dir: str = key("./logs", "The folder of the session files.")
    log_format: LogFormat = key("auto", "The format of the log: auto, human or json.")
    loki: LokiSettings = section(LokiSettings)
    shipper: RunSettings = section(RunSettings)
    explore: ExploreSettings = section(ExploreSettings)

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
    def state_root(self) -> Path:
        """The folder below which no link leads to the state: the log folder, where the state is in it."""
        state, logs = self.state_folder, self.log_folder
        return logs if logs in state.parents else state

    @property
    def own_lock(self) -> Path:
        """The lock that a running shipper holds."""
        return self.state_folder / "lock"
