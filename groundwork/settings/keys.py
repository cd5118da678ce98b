"""Every key of the one configuration file that both processes read.

Each process declares its own keys; this list lets it tell a key of the other from a mistyped one. A test
holds it equal to what the two declare.
"""

KEYS = frozenset(
    {
        "host",
        "port",
        "log_dir",
        "upstreams",
        "proxy_token",
        "allowed_hosts",
        "redact",
        "log_bodies",
        "min_free",
        "record",
        "grace",
        "upload_timeout",
        "answer_timeout",
        "log_format",
        "loki.enabled",
        "loki.url",
        "loki.auth_token",
        "loki.auth_token_file",
        "loki.tenant_id",
        "loki.username",
        "loki.password",
        "loki.headers",
        "loki.ca_file",
        "loki.cert_file",
        "loki.key_file",
        "loki.labels",
        "loki.batch_size",
        "loki.batch_wait",
        "loki.retry_max",
        "loki.use_gzip",
        "loki.environment",
        "loki.encoding",
        "loki.timeout",
        "loki.verify_on_start",
        "shipper.health_host",
        "shipper.health_port",
        "shipper.page",
        "shipper.state_dir",
        "shipper.queue_size",
        "shipper.memory",
        "shipper.max_line_bytes",
        "shipper.shutdown_timeout",
        "shipper.retention",
    }
)
