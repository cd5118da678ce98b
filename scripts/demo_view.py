"""What the demo shows of the files and of Loki, read through Loki's own query API."""

import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape

from tests.process import eventually

# Batches wait half a second in the demo: all is there long before this.
_DELIVERY_SECONDS = 30.0
_WRITE_SECONDS = 10.0
_POLL_SECONDS = 0.2
_HOUR = 3600
_COUNTED_BY = ("provider", "log_type")

_console = Console(highlight=False, soft_wrap=True)
say = _console.print


class TroubleError(Exception):
    """Something on this machine or in the settings is in the way; the text is one line for the user."""


def without_login(url: str) -> str:
    """Return a URL without credentials."""
    scheme, found, rest = url.partition("://")
    return scheme + found + rest.rpartition("@")[2]


class LokiView:
    """Reads one Loki, with the credentials of the shipper's settings."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.url = settings["LLM_PROXY_LOKI_URL"].partition("/loki/api/")[0].rstrip("/")
        token, tenant = (settings.get(f"LLM_PROXY_LOKI_{name}") for name in ("AUTH_TOKEN", "TENANT_ID"))
        user = settings.get("LLM_PROXY_LOKI_USERNAME")
        self._auth = (user, settings.get("LLM_PROXY_LOKI_PASSWORD", "")) if user else None
        self._headers = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
        self._headers |= {"Authorization": f"Bearer {token}"} if token else {}
        self._headers |= {"X-Scope-OrgID": tenant} if tenant else {}

    def reach(self) -> None:
        """Make sure that something answers there. Raises ``TroubleError``."""
        try:
            httpx.get(f"{self.url}/ready", headers=self._headers, auth=self._auth, timeout=5)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            told = f"LLM_PROXY_LOKI_URL: no Loki answers at {without_login(self.url)}: {exc}"
            raise TroubleError(told) from exc

    def query(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """Return a query's result. Raises ``TroubleError``."""
        address = f"{self.url}/loki/api/v1/{path}"
        try:
            answer = httpx.get(address, params=parameters, headers=self._headers, auth=self._auth, timeout=10)
            answer.raise_for_status()
        except httpx.HTTPError as exc:
            raise TroubleError(f"Loki does not answer a query: {exc}") from exc
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result


def show_written(logs: Path, calls: int) -> list[str]:
    """Show the files, and return their lines. Raises ``TroubleError``."""
    try:
        kinds = eventually(lambda: _written(logs, calls), _WRITE_SECONDS)
    except AssertionError as exc:
        raise TroubleError(f"not all calls are on record in {logs}") from exc
    for path, found in kinds.items():
        told = ", ".join(f"{count} {kind}" for kind, count in Counter(_kind(line) for line in found).items())
        say(f"  {escape(str(path.relative_to(logs)))}\n    [dim]{told}[/]")
    return [line for found in kinds.values() for line in found]


def _written(logs: Path, calls: int) -> dict[Path, list[str]]:
    """Return the lines of each file once every call has its response, before that nothing."""
    paths = [
        path for path in sorted(logs.rglob("*.jsonl")) if not path.relative_to(logs).parts[0].startswith(".")
    ]
    lines = {path: path.read_text().splitlines() for path in paths}
    kinds = Counter(_kind(line) for found in lines.values() for line in found)
    return lines if kinds["response"] >= calls else {}


def _kind(line: str) -> str:
    return str(json.loads(line)["type"])


def show_arrived(loki: LokiView, health: str, lines: list[str], stopping: threading.Event) -> None:
    """Wait until the shipper has delivered all lines, then ask Loki for them. Raises ``TroubleError``."""
    _await_delivery(health, len(lines), stopping)
    if stopping.is_set():
        return
    sessions = "|".join(sorted({json.loads(line)["_meta"]["session"] for line in lines}))
    selector = f'{{app="llm-proxy"}} | session=~"{sessions}"'
    counted = loki.query(
        "query", query=f"sum by ({', '.join(_COUNTED_BY)}) (count_over_time({selector} [1h]))"
    )
    say("  [dim]provider    log_type        entries[/]")
    rows = [(*(each["metric"].get(name, "") for name in _COUNTED_BY), each["value"][1]) for each in counted]
    for provider, kind, count in sorted(rows):
        say(f"  {provider:<12}{kind:<16}{count:>7}")
    _show_one(loki, selector)


def _show_one(loki: LokiView, selector: str) -> None:
    narrowed = selector.replace("}", ', provider="anthropic", log_type="response"}', 1) + ' | tools!=""'
    now = int(time.time())
    found = loki.query("query_range", query=narrowed, limit=1, start=now - _HOUR, end=now + _HOUR)
    if not found:
        raise TroubleError(f"Loki has no entry for {narrowed}")
    labels, (_, line, more) = found[0]["stream"], found[0]["values"][0]
    say("\n[bold]One entry[/], as Loki has it")
    for name, pairs in (("labels", labels), ("structured metadata", more.get("structuredMetadata", {}))):
        text = "  ".join(f"{key}=[cyan]{escape(value)}[/]" for key, value in sorted(pairs.items()))
        say(f"  [bold]{name}[/]\n    {text}")
    say("  [bold]line[/]")
    for name, value in json.loads(line).items():
        say(f"    [bold]{escape(name):<13}[/]{escape(json.dumps(value, ensure_ascii=False))}")


def _await_delivery(health: str, lines: int, stopping: threading.Event) -> None:
    end = time.monotonic() + _DELIVERY_SECONDS
    report: dict[str, Any] = {}
    while not stopping.wait(_POLL_SECONDS):
        report = httpx.get(f"{health}/health/loki", timeout=5, trust_env=False).json()
        if report["entries_sent"] >= lines:
            say(f"  {lines} lines in the files, {report['entries_sent']} delivered")
            return
        if time.monotonic() > end or report["status"] == "error":
            raise TroubleError(
                f"The shipper could not deliver to Loki: {report['last_error'] or 'no answer yet'}"
            )
