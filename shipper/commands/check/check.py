"""``llm-loki-ship check``: whether lines would reach Loki from here, and if not, what to do."""

import json
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version

from groundwork.commands.program import machine_name
from groundwork.commands.terminal import Terminal
from groundwork.settings.settings import ConfigurationError, Loaded, load
from groundwork.text import printable
from shipper.checkpoint.destination import last_destination
from shipper.commands.check.finding import Finding, warning
from shipper.commands.check.loki import examine_loki
from shipper.commands.check.observe import ProxyKeys, see_folder, see_port, see_proxy, see_state
from shipper.commands.check.report import (
    Findings,
    as_json,
    exit_code,
    findings_shown,
    settings_shown,
    summary_shown,
)
from shipper.commands.check.verdicts import on_folder, on_port, on_proxy, on_state
from shipper.config import ShipperSettings
from shipper.loki.connect import name_of
from shipper.telemetry.page.about import about_of

_NOT_SENT_AGAIN = (
    "What was delivered there is not sent to the other Loki: llm-loki-ship resend --since sends files anew."
)


def examine(loaded: Loaded[ShipperSettings], config: str | None, *, as_text: bool) -> int:
    """Look at everything, print each part as it is known, and return the exit code.

    ``config`` is the configuration file that was named, and holds llm-proxy's keys too.
    """
    console = Terminal()
    rows = about_of(loaded, version("llm-proxy"), time.time()).settings
    if as_text:
        console.print(settings_shown(rows))
    found: dict[str, list[Finding]] = {}
    for heading, findings in _parts(loaded, config):
        found[heading] = list(findings)
        if as_text and found[heading]:
            console.print(findings_shown(heading, found[heading]))
    _conclude(console, rows, found, as_text=as_text)
    return exit_code(found)


def _parts(loaded: Loaded[ShipperSettings], config: str | None) -> Iterator[tuple[str, Iterator[Finding]]]:
    settings = loaded.settings
    yield "Settings", (warning("ignored", each) for each in loaded.warnings)
    yield "Folder", _on_ground(settings, _proxy_keys(config))
    yield "State", _on_state(settings)
    yield "Loki", examine_loki(settings, machine_name(), uuid.uuid4().hex)


def _on_ground(settings: ShipperSettings, proxy: ProxyKeys) -> Iterator[Finding]:
    folder = see_folder(settings, proxy)
    yield from on_folder(folder)
    yield on_proxy(see_proxy(settings, proxy), folder.path)


def _on_state(settings: ShipperSettings) -> Iterator[Finding]:
    state = see_state(settings)
    yield from on_state(state)
    before, name = last_destination(settings.state_folder), name_of(settings.loki)
    if settings.loki.enabled and before and before != name:
        yield warning("delivered to", f"{before} until now", _NOT_SENT_AGAIN)
    yield on_port(see_port(settings), held=state.held)


def _proxy_keys(config: str | None) -> ProxyKeys:
    """Return llm-proxy's keys; a wrong one is for llm-proxy to tell."""
    try:
        return load(ProxyKeys, config, {}, frozenset()).settings
    except ConfigurationError:
        return ProxyKeys()


def _conclude(
    console: Terminal, rows: Sequence[Mapping[str, str]], found: Findings, *, as_text: bool
) -> None:
    if as_text:
        console.print(summary_shown(found))
    else:
        sys.stdout.write(printable(json.dumps(as_json(rows, found), indent=2, ensure_ascii=False)) + "\n")
