"""What does not change while a process runs: its version, its start, its settings without secrets."""

import json
from typing import Any

from groundwork.settings.settings import Key, Loaded, keys_of
from groundwork.text import without_credentials
from shipper.config import ShipperSettings
from shipper.telemetry.page.state import About


def about_of(loaded: Loaded[ShipperSettings], version: str, wall: float) -> About:
    """Return what is to be told of a process that starts now."""
    settings = loaded.settings
    rows = [
        {"key": each.name, "value": _shown(each, _value(settings, each)), "origin": loaded.origins[each.name]}
        for each in keys_of(ShipperSettings)
    ]
    url = without_credentials(settings.loki.url) if settings.loki.enabled else ""
    return About(version, wall, url, str(settings.log_folder), rows)


def _value(settings: Any, each: Key) -> Any:
    return getattr(getattr(settings, each.section) if each.section else settings, each.field)


def _shown(each: Key, value: Any) -> str:
    if each.secret:
        return "(set)" if value else ""
    if each.name == "loki.url":
        return without_credentials(value)
    return json.dumps(value, default=str, ensure_ascii=False)
