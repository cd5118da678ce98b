"""What a failure means for whoever set this up, and what to do about it, in a sentence or two.

The texts looked for are those of Python's socket and ssl modules, Go's net/http, nginx, and Loki 3.7. No
advice names a secret: of an address it shows host, port and path.
"""

from urllib.parse import urlsplit

from shipper.loki.push.push import UNCARRIABLE, Answer, Silence

STATE_FOLDER = "Look at the state folder: its permissions, and its free space."
QUERIES = (
    "Loki's query API fails, so what became of some pushes cannot be verified: look at the queriers and the "
    "read path of the gateway. Meanwhile these lines are sent again and counted as maybe_duplicated."
)
FORGOTTEN = (
    "Loki no longer has lines that it acknowledged: look at the disks and restarts of its ingesters, and at "
    "its replication. The lines are sent again."
)
BLOCKED = (
    "Other pushes succeed: a filter before Loki, such as a WAF, blocks a line for its content. Make an "
    "exception for loki.url there; the line is tried again every 30 s."
)
LET_READ = "Let the user of llm-loki-ship read those paths: folders need r and x, files r."
SET_CLOCK = (
    "Set the clock of the machine that recorded the lines: run NTP there. Loki takes no line that is more "
    "than creation_grace_period (10 minutes by default) ahead of its own clock."
)
ALL_REJECTED = (
    "llm-loki-ship rejected lists the refused lines with Loki's reason: raise that limit in Loki, then send "
    "them again by llm-loki-ship rejected --retry."
)
REJECTED = (
    "llm-loki-ship rejected lists them with the reason. Where a limit was raised in Loki, rejected --retry "
    "sends them again; rejected --accept takes the rest for lost, and ends this state."
)
STANDSTILL = "The shipper itself stands still: look whether a disk hangs, and start it again."
CONFIGURATION = "Mend that key in the configuration, and start the shipper again."
PUSH_PATH = "/loki/api/v1/push"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNKNOWN_NAME = (
    "Name or service not known",
    "nodename nor servname",
    "No address associated",
    "Name does not resolve",
    "getaddrinfo failed",
)
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")
_WANTS_TLS = ("HTTP request to an HTTPS server", "plain HTTP request was sent to HTTPS port")
_NO_WAY = ("No route to host", "Network is unreachable", "Host is unreachable")
_CLIENT_CERTIFICATE = ("CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE", "No required SSL certificate")


def advice_on(answer: Answer, url: str) -> str:
    """Return what is wrong and what to do after a push that failed; empty where nothing is known.

    ``url`` is ``loki.url``.
    """
    where = _Address(url)
    match answer.silence:
        case Silence.UNREACHABLE:
            return _on_unreachable(answer.text, where)
        case Silence.TIMEOUT:
            return f"{where} gave no answer within loki.timeout: is it Loki, and is it overloaded?"
        case Silence.BROKEN:
            return _on_broken(where)
    return _on_status(answer, url)


def doubt_about_path(url: str, encoding: str = "json") -> str:
    """Return why an address hardly is a push endpoint; empty where it may be one."""
    path = _Address(url).path
    if is_old_path(url) and encoding == "json":
        return f"loki.url has the old path {path!r}, where Loki says 204 and stores nothing: use {PUSH_PATH}"
    return "" if path.endswith("/push") else f"loki.url has the path {path or '/'!r}: {_WHOLE_ENDPOINT}"


def is_old_path(url: str) -> bool:
    """Tell whether it is Loki's push path of before 1.0, whose JSON was another."""
    return _Address(url).path.endswith("/api/prom/push")


_WHOLE_ENDPOINT = f"Loki takes pushes at {PUSH_PATH}, and loki.url has to name all of it"


class _Address:
    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            self.host, port = parts.hostname or "", parts.port
        except ValueError:
            self.scheme = self.host = self.path = ""
            self._port = 0
            return
        self.scheme, self.path = parts.scheme, parts.path
        self._port = port or _DEFAULT_PORTS.get(parts.scheme, 0)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self._port}"

    @property
    def is_own(self) -> bool:
        return self.host in {"localhost", "::1"} or self.host.startswith("127.")


def _has(text: str, words: tuple[str, ...]) -> bool:
    return any(each.lower() in text.lower() for each in words)


def _on_proxy(text: str, where: _Address) -> str:
    """Return what to do about a failure of the environment's proxy; ``text`` names it first."""
    proxy = text.removeprefix("proxy ").partition(": ")[0]
    if "407" in text:
        return f"The {_proxy_named(proxy)} asks for credentials: write them into that variable."
    return (
        f"The {_proxy_named(proxy)} does not connect to {where}: "
        f"look at the proxy, or name {where.host!r} in NO_PROXY."
    )


def _proxy_named(proxy: str) -> str:
    return f"proxy {proxy} (from HTTPS_PROXY, HTTP_PROXY or ALL_PROXY)"


def _on_unreachable(text: str, where: _Address) -> str:  # noqa: PLR0911 - one return a case
    if text.startswith("proxy "):
        return _on_proxy(text, where)
    if text.startswith(("loki.", "SSL_CERT_FILE")):
        return "Mend that file; it is read again for each new connection."
    if text == UNCARRIABLE:
        return "Look for a line break in loki.auth_token, its file, loki.tenant_id and loki.headers."
    if _has(text, _UNKNOWN_NAME):
        return f"No machine is known here by the name {where.host!r}: look for a slip in loki.url, or at DNS."
    if "Temporary failure in name resolution" in text:
        return f"The name {where.host!r} cannot be looked up now: is DNS reachable from here?"
    if "Connection refused" in text:
        inside = " In a container, localhost is the container itself." if where.is_own else ""
        return f"Nothing listens at {where}: does Loki run, and is that its port (3100 by default)?{inside}"
    if _has(text, _NO_WAY):
        return f"There is no way to {where}: look at the network, its routes and firewalls."
    return (
        _on_tls(text, where)
        or f"{where} cannot be reached: look at host and port in loki.url, and firewalls."
    )


def _on_tls(text: str, where: _Address) -> str:  # noqa: PLR0911 - one return a case
    if "handshake operation timed out" in text:
        return f"{where} does not answer in TLS: is it http:// instead of https:// in loki.url?"
    if _has(text, _NO_TLS):
        return f"{where} does not speak TLS: write http:// instead of https:// in loki.url."
    if "CERTIFICATE_VERIFY_FAILED" in text:
        if "expired" in text:
            return f"The certificate of {where} has expired, or the clock here is wrong."
        if _has(text, ("hostname mismatch", "is not valid for", "IP address mismatch")):
            return f"The certificate of {where} is for another name: write that name in loki.url."
        return f"The certificate of {where} is of no known authority: name its authority in loki.ca_file."
    if _has(text, _CLIENT_CERTIFICATE):
        return f"{where} asks for a client certificate: set loki.cert_file and loki.key_file."
    return ""


def _on_broken(where: _Address) -> str:
    if where.scheme == "http":
        return f"{where} gives no answer in HTTP: is it Loki's port, and does it want https:// in loki.url?"
    return f"{where} ends the connection without an answer: look at the log of Loki, or of its gateway."


def _on_status(answer: Answer, url: str) -> str:  # noqa: PLR0911 - one return a case
    text, where = answer.text, _Address(url)
    match answer.status:
        case 400:
            return _on_bad_request(text, where)
        case 401 | 403:
            return _on_credentials(text, where)
        case 404 | 405:
            return _on_wrong_path(url)
        case 407:
            return _on_proxy(f"proxy {answer.proxy or 'on the way'}: 407", where)
        case 413:
            return (
                "Pushes and lines go on in smaller pieces, down to 16 KiB. If those are refused too, raise "
                "the body limit of the gateway before Loki."
            )
        case 429:
            return _on_limit(text)
        case 260:
            return "Loki blocks ingestion for this tenant: look at block_ingestion_until in its limits."
    advice = _on_class(answer.status, where)
    if answer.proxy and advice:
        return f"{advice} Or the {_proxy_named(answer.proxy)} does not reach {where}."
    return advice


def _on_bad_request(text: str, where: _Address) -> str:  # noqa: PLR0911 - one return a case
    if _has(text, _WANTS_TLS):
        return f"{where} speaks TLS: write https:// instead of http:// in loki.url."
    if _has(text, _CLIENT_CERTIFICATE):
        return f"{where} asks for a client certificate: set loki.cert_file and loki.key_file."
    if "timestamp too new" in text:
        return (
            "A line's time is ahead of Loki's clock by more than creation_grace_period (10 minutes by "
            "default): set the clock of the machine that recorded it, or Loki's. The lines wait."
        )
    if "label value too long" in text:
        return (
            "Loki takes no label value of that length: shorten it in loki.labels, loki.environment or the "
            "machine's name, or raise max_label_value_length in Loki's limits."
        )
    if "missing required labels" in text:
        return "This Loki asks for labels that the text names (enforced_labels): set them in loki.labels."
    if "multiple org ids" in text.lower():
        return _ONE_TENANT
    if "tenant" in text.lower():
        return "Loki takes no such tenant: look at loki.tenant_id."
    return ""


_ONE_TENANT = "Loki takes pushes for one tenant at a time: name one in loki.tenant_id, without a '|'."


def _on_wrong_path(url: str) -> str:
    if doubt := doubt_about_path(url):
        return f"{doubt}."
    where = _Address(url)
    return f"{where} takes no pushes at {where.path}: is it Loki's port, or that of another program?"


def _on_class(status: int, where: _Address) -> str:
    match status // 100:
        case 2:
            return f"What answers at {where} is no push endpoint of Loki's: {_WHOLE_ENDPOINT}."
        case 3:
            return f"{where} sends pushes elsewhere: write the address that it leads to in loki.url."
        case 5:
            return "Loki, or the gateway before it, is in trouble: look at its log, and at its /ready."
    return ""


def _on_credentials(text: str, where: _Address) -> str:
    if "multiple org ids" in text.lower():
        return _ONE_TENANT
    if "no org id" in text:
        return "This Loki has several tenants and was told none: set loki.tenant_id."
    if where.host.endswith(".grafana.net"):
        return (
            "Grafana Cloud refuses the credentials: loki.username is the number of the Loki instance, "
            "loki.password a token with the scope logs:write."
        )
    return (
        "Loki, or the gateway before it, refuses the credentials: look at loki.auth_token or its file, "
        "loki.username with loki.password, and loki.tenant_id."
    )


def _on_limit(text: str) -> str:
    if "per stream rate limit" in text.lower():
        return (
            "Loki limits how fast a stream grows and how much of it comes at once: wait, or raise "
            "per_stream_rate_limit and per_stream_rate_limit_burst in its limits."
        )
    if "maximum active stream limit" in text.lower():
        return "Loki has as many streams as it allows: raise max_global_streams_per_user in its limits."
    return (
        "Loki limits how fast it is sent to and how much at once: wait, or raise ingestion_rate_mb and "
        "ingestion_burst_size_mb in its limits."
    )
