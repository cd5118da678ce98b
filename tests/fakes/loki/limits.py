"""Loki's limits under Loki's names, with the defaults of 3.7.6 (pkg/validation/limits.go); sizes in bytes."""

import msgspec

_KB = 1024
_MB = 1024 * _KB
_HOUR = 3600.0

# pkg/validation/limits.go, discover_service_name
SERVICE_NAME_SOURCES = (
    "service",
    "app",
    "application",
    "app_name",
    "name",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "k8s_container_name",
    "component",
    "workload",
    "job",
    "k8s_job_name",
)


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one Loki allows. Times are in seconds, 0 switches a limit off where Loki says so.

    Not Loki's: ``bearer`` and ``basic`` (``user:password``) are asked for as a gateway in front of it does;
    ``latency`` delays every answer; ``shards`` forces that many shards; ``keep_lines`` false stores nothing,
    for tests of throughput.
    """

    # distributor
    max_line_size: int = 256 * _KB
    max_line_size_truncate: bool = False
    reject_old_samples: bool = True
    reject_old_samples_max_age: float = 168 * _HOUR
    creation_grace_period: float = 600.0
    max_label_names_per_series: int = 15
    max_label_name_length: int = 1024
    max_label_value_length: int = 2048
    max_structured_metadata_size: int = 64 * _KB
    max_structured_metadata_entries_count: int = 128
    allow_structured_metadata: bool = True
    discover_log_levels: bool = True
    discover_service_name: tuple[str, ...] = SERVICE_NAME_SOURCES
    increment_duplicate_timestamp: bool = False
    enforced_labels: tuple[str, ...] = ()
    block_ingestion_until: float = 0.0
    block_ingestion_status_code: int = 260
    ingestion_rate_mb: float = 4.0
    ingestion_burst_size_mb: float = 6.0
    shard_streams: bool = True
    shard_streams_desired_rate: int = 1536 * _KB
    # ingester
    per_stream_rate_limit: int = 3 * _MB
    per_stream_rate_limit_burst: int = 15 * _MB
    max_global_streams_per_user: int = 5000
    max_chunk_age: float = 2 * _HOUR
    chunk_block_size: int = 256 * _KB
    max_returned_stream_errors: int = 10
    # server
    grpc_server_max_recv_msg_size: int = 4 * _MB
    max_recv_msg_size: int = 100 * _MB
    max_decompressed_size: int = 5000 * _MB
    auth_enabled: bool = False
    # queries
    max_entries_limit_per_query: int = 5000
    max_query_length: float = 721 * _HOUR
    max_query_series: int = 500
    # Entries with older stamps are seen by queries only after a flush; negative: at once.
    query_store_max_look_back_period: float = 2 * _HOUR + 41 * 60
    # of the fake
    bearer: str = ""
    basic: str = ""
    latency: float = 0.0
    shards: int = 0
    keep_lines: bool = True


def size_text(size: int) -> str:
    """Return a size as Loki prints it: the largest unit that divides it (c2h5oh/datasize)."""
    for power, unit in ((3, "GB"), (2, "MB"), (1, "KB")):
        if size and size % 1024**power == 0:
            return f"{size // 1024**power}{unit}"
    return f"{size}B"


def duration_text(seconds: float) -> str:
    """Return a duration as Loki prints it (prometheus/common/model)."""
    rest = int(seconds)
    if rest and rest % (168 * 3600) == 0:
        return f"{rest // (168 * 3600)}w"
    made = ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        made += f"{count}{unit}" if count else ""
    return made or "0s"


def config_text(limits: Limits) -> str:
    """Return the part of ``GET /config`` that a shipper can learn from."""
    values = msgspec.structs.asdict(limits)
    lines = [f"auth_enabled: {_yaml(limits.auth_enabled)}", "server:"]
    lines += [
        f"  {name}: {limits.grpc_server_max_recv_msg_size}"
        for name in ("grpc_server_max_recv_msg_size", "grpc_server_max_send_msg_size")
    ]
    lines += ["distributor:", f"  max_recv_msg_size: {limits.max_recv_msg_size}", "limits_config:"]
    lines += [f"  {name}: {size_text(values[name])}" for name in _SIZES]
    lines += [f"  {name}: {duration_text(values[name])}" for name in _TIMES]
    lines += [f"  {name}: {_yaml(values[name])}" for name in _PLAIN]
    lines += [
        "  shard_streams:",
        f"    enabled: {_yaml(limits.shard_streams)}",
        f"    desired_rate: {size_text(limits.shard_streams_desired_rate)}",
    ]
    return "\n".join(lines) + "\n"


_SIZES = (
    "max_line_size",
    "per_stream_rate_limit",
    "per_stream_rate_limit_burst",
    "max_structured_metadata_size",
)
_TIMES = ("reject_old_samples_max_age", "creation_grace_period", "max_query_length")
_PLAIN = (
    "ingestion_rate_mb",
    "ingestion_burst_size_mb",
    "max_line_size_truncate",
    "reject_old_samples",
    "max_label_names_per_series",
    "max_label_name_length",
    "max_label_value_length",
    "max_structured_metadata_entries_count",
    "allow_structured_metadata",
    "discover_log_levels",
    "increment_duplicate_timestamp",
    "max_global_streams_per_user",
    "max_entries_limit_per_query",
    "max_query_series",
)


def _yaml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
