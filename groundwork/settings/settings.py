"""One value per key: flag before environment before file before default, each with its origin.

A settings class is a frozen dataclass whose fields are made with ``key``; a field that is itself such a
dataclass is a section, and its keys are dotted (``loki.batch_size``). Names follow from the key:
``LLM_PROXY_LOKI_BATCH_SIZE`` in the environment, ``--loki-batch-size`` on the command line.
"""

import dataclasses
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar, get_type_hints

import msgspec

from groundwork.settings.conversion import Written, WrongValueError, from_text, from_typed
from groundwork.settings.units import DURATION_FORM, SIZE_FORM, parse_bytesize, parse_duration

ENVIRONMENT_PREFIX = "LLM_PROXY_"
USER_FILE = "~/.config/llm-proxy/config.toml"
# An error stays one readable line, whatever the value is.
_SHOWN_CHARACTERS = 200


def _read_size(value: Any) -> Any:
    return parse_bytesize(value) if isinstance(value, str) else value


def _read_duration(value: Any) -> float:
    # A bare number leaves the unit open, and is refused like any text without one.
    return parse_duration(str(value))


def _read_duration_or_never(value: Any) -> float:
    return 0.0 if value == "" else _read_duration(value)


Seconds = Annotated[float, Written(_read_duration, DURATION_FORM)]
# Empty means never, which is 0.0.
PositiveSeconds = Annotated[float, Written(_read_duration, f"{DURATION_FORM}, above 0"), msgspec.Meta(gt=0)]
SecondsOrNever = Annotated[float, Written(_read_duration_or_never, f"{DURATION_FORM}, or empty for never")]
ByteSize = Annotated[int, msgspec.Meta(ge=0), Written(_read_size, SIZE_FORM)]
LargeByteSize = Annotated[int, msgspec.Meta(ge=1 << 20), Written(_read_size, f"{SIZE_FORM}, at least 1MiB")]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=1)]

T = TypeVar("T")


class ConfigurationError(Exception):
    """A value that the operator has to mend; the text names key, value and origin. Exit code 2."""


@dataclass(frozen=True)
class Key:
    """One key of a settings class. ``section`` is empty at the top level; ``kind`` is its annotation."""

    section: str
    field: str
    kind: Any
    help: str
    secret: bool

    @property
    def name(self) -> str:
        """The dotted name, as in the file."""
        return f"{self.section}.{self.field}" if self.section else self.field

    @property
    def variable(self) -> str:
        """The environment variable."""
        return ENVIRONMENT_PREFIX + self.name.replace(".", "_").upper()

    @property
    def flag(self) -> str:
        """The command-line flag; secrets have none, as a command line can be read by other users."""
        return "" if self.secret else "--" + self.name.replace(".", "-").replace("_", "-")


@dataclass(frozen=True)
class Loaded(Generic[T]):
    """A settings object, where each value came from (by dotted key), and what to warn about."""

    settings: T
    origins: Mapping[str, str]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class ConfigFile:
    """The parsed TOML file; ``path`` is empty when there is none."""

    path: str
    table: Mapping[str, Any]


def folder(text: str) -> Path:
    """Return a folder as it is written in the settings; ``~`` is the user's home, where one is known."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 - pathlib fails without a home


def key(default: Any, help: str, *, secret: bool = False) -> Any:  # noqa: A002 - the word that flags use
    """Declare one key of a settings class; a secret is kept out of ``repr``, flags and error texts."""
    metadata = {"help": help, "secret": secret}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=metadata, repr=not secret)
    return dataclasses.field(default=default, metadata=metadata, repr=not secret)


def section(kind: type[T]) -> T:
    """Declare a section: a field that is itself a settings class."""
    return dataclasses.field(default_factory=kind)


def keys_of(schema: type[Any], prefix: str = "") -> Iterator[Key]:
    """Yield the keys of a settings class in the order of their declaration."""
    hints = get_type_hints(schema, include_extras=True)
    for field in dataclasses.fields(schema):
        kind = hints[field.name]
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            yield from keys_of(kind, field.name)
        else:
            yield Key(prefix, field.name, kind, field.metadata["help"], field.metadata["secret"])


def read_file(explicit: str | None) -> ConfigFile:
    """Read the configuration file: the one named, else the user's if it is there, else none.

    A home that is unknown or closed to this user has no file. Raises ``ConfigurationError`` for a file that
    cannot be read or is no TOML.
    """
    if explicit is None:
        path, origin = os.path.expanduser(USER_FILE), "default"  # noqa: PTH111 - pathlib fails without a home
        if not os.access(path, os.F_OK):
            return ConfigFile("", {})
    else:
        path, origin = explicit, "flag --config"
    try:
        return ConfigFile(path, tomllib.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else f"expected TOML: {exc}"
        raise ConfigurationError(f"config = {json.dumps(path)} ({origin}): {reason}") from exc


def resolve(
    schema: type[T],
    *,
    flags: Mapping[str, str],
    environ: Mapping[str, str],
    file: ConfigFile,
    known: frozenset[str] = frozenset(),
) -> Loaded[T]:
    """Take each key from the first place that has it, and convert it to its declared type.

    ``flags`` maps dotted keys to texts; ``known`` names keys of other programs that share the file.
    An empty environment variable counts as absent, as compose files produce them. Raises
    ``ConfigurationError`` for the first wrong value.
    """
    values: dict[str, dict[str, Any]] = {}
    origins: dict[str, str] = {}
    keys = list(keys_of(schema))
    for each in keys:
        found, origin = _find(each, flags, environ, file)
        origins[each.name] = origin
        if origin != "default":
            values.setdefault(each.section, {})[each.field] = _convert(each, found, origin)
    hints = get_type_hints(schema)
    top = {name: hints[name](**held) for name, held in values.items() if name}
    settings = schema(**values.get("", {}), **top)
    own = frozenset(each.name for each in keys)
    return Loaded(settings, origins, tuple(_unknown(own | known, file, environ)))


def load(schema: type[T], config: str | None, flags: Mapping[str, str], known: frozenset[str]) -> Loaded[T]:
    """``resolve`` with this process's environment and the file that ``config`` names."""
    return resolve(schema, flags=flags, environ=os.environ, file=read_file(config), known=known)


def _find(
    each: Key, flags: Mapping[str, str], environ: Mapping[str, str], file: ConfigFile
) -> tuple[Any, str]:
    if each.name in flags:
        return flags[each.name], f"flag {each.flag}"
    if environ.get(each.variable):
        return environ[each.variable], f"environment variable {each.variable}"
    table = file.table.get(each.section, {}) if each.section else file.table
    if not isinstance(table, dict):
        raise ConfigurationError(f"{each.section} = {table!r} (file {file.path}): expected a section")
    if each.field in table:
        return table[each.field], f"file {file.path}"
    return None, "default"


def _convert(each: Key, value: Any, origin: str) -> Any:
    try:
        return (from_typed if origin.startswith("file") else from_text)(value, each.kind)
    except WrongValueError as exc:
        shown = "(hidden)" if each.secret else _shorten(json.dumps(exc.value, default=str))
        raise ConfigurationError(f"{each.name}{exc.place} = {shown} ({origin}): {exc}") from exc


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def _unknown(known: frozenset[str], file: ConfigFile, environ: Mapping[str, str]) -> Iterator[str]:
    sections = {name.partition(".")[0] for name in known if "." in name}
    for name, value in file.table.items():
        if name in sections and isinstance(value, dict):
            for field in value:
                if f"{name}.{field}" not in known:
                    yield f"unknown key {name}.{field} in {file.path}"
        elif name not in known:
            yield f"unknown key {name} in {file.path}"
    variables = {ENVIRONMENT_PREFIX + name.replace(".", "_").upper() for name in known}
    for variable in sorted(environ):
        if variable.startswith(ENVIRONMENT_PREFIX) and variable not in variables:
            yield f"unknown environment variable {variable}"
