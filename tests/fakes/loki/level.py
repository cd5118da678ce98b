"""The level that Loki finds for an entry (pkg/distributor/field_detection.go)."""

from typing import Any

import orjson

_NAMES = ("level", "LEVEL", "Level", "log.level", "severity", "SEVERITY", "Severity", "SeverityText")
_MORE_NAMES = ("lvl", "LVL", "Lvl", "severity_text", "Severity_Text", "SEVERITY_TEXT")
LEVEL_NAMES = _NAMES + _MORE_NAMES
_JSON_DEPTH = 2
_NORMAL = {
    "trace": "trace",
    "trc": "trace",
    "debug": "debug",
    "dbg": "debug",
    "info": "info",
    "inf": "info",
    "information": "info",
    "warn": "warn",
    "wrn": "warn",
    "warning": "warn",
    "error": "error",
    "err": "error",
    "critical": "critical",
    "fatal": "fatal",
}
_WORDS = ("info", "error", "err", "warn", "critical", "fatal", "debug", "trace")


def normalised(level: str) -> str:
    """Return one of Loki's levels, or the value as it is."""
    return _NORMAL.get(level.lower(), level)


def detected(labels: dict[str, str], metadata: dict[str, str], line: str) -> str:
    """Return ``detected_level``: from a label, else from metadata, else from the line."""
    for source in (labels, metadata):
        for name in LEVEL_NAMES:
            if name in source:
                return normalised(source[name])
    return _from_line(line)


def _from_line(line: str) -> str:
    stripped = line.strip()
    if stripped.startswith("{") and stripped.endswith("}"):
        found = _from_json(stripped)
    elif "=" in line:
        found = _from_logfmt(line)
    else:
        found = ""
    return _NORMAL.get(found.lower()) or _from_words(line)


def _from_json(line: str) -> str:
    try:
        return _in_object(orjson.loads(line), 1)
    except orjson.JSONDecodeError:
        return ""


def _in_object(read: dict[str, Any], depth: int) -> str:
    for name, value in read.items():
        if isinstance(value, str) and name in LEVEL_NAMES:
            return value
        if isinstance(value, dict) and depth < _JSON_DEPTH:
            found = _in_object(value, depth + 1)
            if found:
                return found
    return ""


def _from_logfmt(line: str) -> str:
    pairs = dict(part.partition("=")[::2] for part in line.split() if "=" in part)
    return next((pairs[name].strip('"') for name in LEVEL_NAMES if name in pairs), "")


def _from_words(line: str) -> str:
    lowered = line.lower()
    return next((_NORMAL[word] for word in _WORDS if word in lowered), "unknown")
