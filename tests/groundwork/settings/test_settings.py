import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundwork.settings.keys import KEYS
from groundwork.settings.settings import (
    ByteSize,
    ConfigFile,
    ConfigurationError,
    Count,
    Key,
    Loaded,
    Port,
    Seconds,
    SecondsOrNever,
    key,
    keys_of,
    load,
    read_file,
    resolve,
    section,
)
from proxy.config import ProxySettings
from shipper.config import ShipperSettings

NO_FILE = ConfigFile("", {})
Name = Annotated[str, msgspec.Meta(pattern="^[a-z]+$")]


@dataclass(frozen=True)
class Depth:
    unit: Literal["m", "ft"] = key("m", "The unit.")
    wait: Seconds = key(5.0, "How long to wait.")
    rest: SecondsOrNever = key(0.0, "How long to rest.")
    marks: Annotated[dict[Name, str], msgspec.Meta(max_length=2)] = key({}, "What is written on it.")
    codes: dict[str, str] = key({}, "Who may look.", secret=True)


@dataclass(frozen=True)
class Well:
    name: str = key("old", "The name.")
    open: bool = key(default=True, help="Whether it is open.")
    port: Port = key(80, "The port.")
    buckets: Count = key(1, "How many buckets.")
    size: ByteSize = key(1024, "The size.")
    heat: float = key(0.5, "The heat.")
    owners: tuple[str, ...] = key((), "Who owns it.")
    years: tuple[int, ...] = key((), "When it was full.")
    pin: str = key("", "The number to open it.", secret=True)
    depth: Depth = section(Depth)


def from_flag(name: str, value: Any) -> Loaded[Well]:
    return resolve(Well, flags={name: value}, environ={}, file=NO_FILE)


def from_environment(name: str, value: Any) -> Loaded[Well]:
    variable = "LLM_PROXY_" + name.upper().replace(".", "_")
    return resolve(Well, flags={}, environ={variable: value}, file=NO_FILE)


def from_file(name: str, value: Any) -> Loaded[Well]:
    return resolve(Well, flags={}, environ={}, file=ConfigFile("/etc/well.toml", table(name, value)))


def table(name: str, value: Any) -> dict[str, Any]:
    head, _, field = name.partition(".")
    return {head: {field: value}} if field else {head: value}


def value_of(settings: Any, name: str) -> Any:
    for field in name.split("."):
        settings = getattr(settings, field)
    return settings


def error(load_one: Callable[[str, Any], Loaded[Well]], name: str, value: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_one(name, value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("name", "deep", "deep"),
        ("name", " 5 ", " 5 "),
        ("open", "false", False),
        ("open", "FALSE", False),
        ("open", "0", False),
        ("open", " true ", True),
        ("port", "8080", 8080),
        ("port", " 8080 ", 8080),
        ("heat", "0.25", 0.25),
        ("size", "2KiB", 2048),
        ("size", "512", 512),
        ("owners", "a", ("a",)),
        ("owners", "a, b,", ("a", "b")),
        ("owners", '["a,b", "c"]', ("a,b", "c")),
        ("years", "1990,2001", (1990, 2001)),
        ("depth.unit", "ft", "ft"),
        ("depth.wait", "1m30s", 90.0),
        ("depth.rest", "7d", 604800.0),
        ("depth.marks", "a=1, b = x=y", {"a": "1", "b": "x=y"}),
        ("depth.marks", '{"a": "1,2"}', {"a": "1,2"}),
        ("pin", "1234", "1234"),
    ],
)
@pytest.mark.parametrize("load_one", [from_flag, from_environment])
def test_a_text_becomes_the_declared_kind(
    load_one: Callable[[str, Any], Loaded[Well]], name: str, text: str, value: object
) -> None:
    assert value_of(load_one(name, text).settings, name) == value


@pytest.mark.parametrize(
    ("name", "empty"), [("name", ""), ("owners", ()), ("depth.marks", {}), ("depth.rest", 0.0)]
)
def test_an_empty_flag_is_an_empty_value(name: str, empty: object) -> None:
    assert value_of(from_flag(name, "").settings, name) == empty


@pytest.mark.parametrize(
    ("name", "found", "value"),
    [
        ("name", "deep", "deep"),
        ("open", False, False),
        ("port", 8080, 8080),
        ("heat", 1, 1.0),
        ("size", 512, 512),
        ("size", "1MiB", 1 << 20),
        ("owners", ["a", "b"], ("a", "b")),
        ("depth.wait", "300ms", 0.3),
        ("depth.rest", "", 0.0),
        ("depth.marks", {"a": "1"}, {"a": "1"}),
    ],
)
def test_a_value_in_the_file_has_its_type(name: str, found: object, value: object) -> None:
    assert value_of(from_file(name, found).settings, name) == value


DURATION = "expected a duration such as 300ms, 5s or 1m30s"
SIZE = "expected a size such as 512KiB, 64MiB or 1GiB"
PAIRS = "expected name=value pairs separated by commas, or a JSON object"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("open", "maybe", "expected true or false"),
        ("port", "many", "expected a whole number from 0 to 65535"),
        ("port", "70000", "expected a whole number from 0 to 65535"),
        ("buckets", "0", "expected a whole number of at least 1"),
        ("heat", "hot", "expected a number"),
        ("size", "much", SIZE),
        ("size", "-1", SIZE),
        ("owners", "[a]", "expected items separated by commas, or a JSON list"),
        ("depth.unit", "mile", "expected m or ft"),
        ("depth.wait", "5", DURATION),
        ("depth.rest", "soon", f"{DURATION}, or empty for never"),
        ("depth.marks", "a=1,b", PAIRS),
        ("depth.marks", "{a", PAIRS),
    ],
)
@pytest.mark.parametrize(
    ("load_one", "origin"),
    [(from_flag, "flag --{}"), (from_environment, "environment variable LLM_PROXY_{}")],
)
def test_a_wrong_text_is_told_with_key_value_origin_and_what_was_expected(
    load_one: Callable[[str, Any], Loaded[Well]], origin: str, name: str, text: str, reason: str
) -> None:
    word = name.replace(".", "-") if load_one is from_flag else name.replace(".", "_").upper()
    assert error(load_one, name, text) == f"{name} = {json.dumps(text)} ({origin.format(word)}): {reason}"


@pytest.mark.parametrize(
    ("name", "found", "told"),
    [
        ("name", 5, "name = 5 (file /etc/well.toml): expected a text"),
        ("open", "true", 'open = "true" (file /etc/well.toml): expected true or false'),
        ("port", "80", 'port = "80" (file /etc/well.toml): expected a whole number from 0 to 65535'),
        ("port", True, "port = true (file /etc/well.toml): expected a whole number from 0 to 65535"),
        ("size", -5, f"size = -5 (file /etc/well.toml): {SIZE}"),
        ("size", 1.5, f"size = 1.5 (file /etc/well.toml): {SIZE}"),
        ("owners", "a,b", 'owners = "a,b" (file /etc/well.toml): expected a list of texts'),
        ("owners", ["a", 5], "owners[1] = 5 (file /etc/well.toml): expected a text"),
        ("years", [1990, "x"], 'years[1] = "x" (file /etc/well.toml): expected a whole number'),
        ("depth", 5, "depth = 5 (file /etc/well.toml): expected a section"),
        ("depth.wait", 5, f"depth.wait = 5 (file /etc/well.toml): {DURATION}"),
        (
            "depth.marks",
            ["a"],
            'depth.marks = ["a"] (file /etc/well.toml): expected a table of texts with at most 2 entries',
        ),
        ("depth.marks", {"a": 5}, "depth.marks.a = 5 (file /etc/well.toml): expected a text"),
        (
            "depth.marks",
            {"A1": "x"},
            'depth.marks name = "A1" (file /etc/well.toml): expected a text that matches ^[a-z]+$',
        ),
        (
            "depth.marks",
            {"a": "", "b": "", "c": ""},
            (
                'depth.marks = {"a": "", "b": "", "c": ""} (file /etc/well.toml): '
                "expected a table of texts with at most 2 entries"
            ),
        ),
    ],
)
def test_a_wrong_value_in_the_file_is_told_down_to_the_item(name: str, found: object, told: str) -> None:
    assert error(from_file, name, found) == told


@pytest.mark.parametrize(
    ("load_one", "name", "value", "shown"),
    [
        (from_file, "pin", 481516, "pin = (hidden) (file"),
        (from_file, "depth.codes", {"X-Key": 481516}, "depth.codes.X-Key = (hidden) (file"),
        (from_environment, "depth.codes", "481516", "depth.codes = (hidden) (environment"),
        (from_environment, "depth.codes", '{"X-Key": 481516}', "depth.codes.X-Key = (hidden) (environment"),
    ],
)
def test_a_secret_is_never_shown(
    load_one: Callable[[str, Any], Loaded[Well]], name: str, value: object, shown: str
) -> None:
    told = error(load_one, name, value)

    assert told.startswith(shown)
    assert "481516" not in told


def test_a_settings_object_shows_no_secret() -> None:
    environ = {"LLM_PROXY_PIN": "481516", "LLM_PROXY_DEPTH_CODES": "X-Key=2342"}

    shown = repr(resolve(Well, flags={}, environ=environ, file=NO_FILE))

    assert "481516" not in shown
    assert "2342" not in shown


@given(st.text())
def test_any_wrong_text_is_one_short_line(text: str) -> None:
    told = error(from_flag, "port", f"x{text}")

    assert len(told.splitlines()) == 1
    assert len(told) < 400


def test_a_long_value_is_shortened() -> None:
    assert '= "' + "x" * 199 + "... (flag --port)" in error(from_flag, "port", "x" * 10_000)


OTHER_TEXTS: dict[str, tuple[str, str, str, Any]] = {
    # key: texts for flag and environment, a value for the file in TOML's types
    "port": ("1", "2", "3", 3),
    "min_free": ("1MiB", "2MiB", "3MiB", "3MiB"),
    "log_format": ("json", "human", "json", "json"),
    "record": ("conversations", "all", "conversations", "conversations"),
    "caller_connections": ("1", "2", "3", 3),
    "caller_calls": ("1", "2", "3", 3),
    "tokens": (f"a={'1' * 16}", f"b={'2' * 16}", f"c={'3' * 16}", {"c": "3" * 16}),
    "bedrock.region": ("us-east-1", "us-east-2", "eu-west-1", "eu-west-1"),
    "loki.encoding": ("protobuf", "json", "protobuf", "protobuf"),
    "loki.batch_size": ("1", "2", "3", 3),
    "loki.retry_max": ("1", "2", "3", 3),
    "shipper.health_port": ("1", "2", "3", 3),
    "shipper.queue_size": ("1", "2", "3", 3),
    "explore.port": ("1", "2", "3", 3),
    "shipper.memory": ("1MiB", "2MiB", "3MiB", "3MiB"),
    "shipper.max_line_bytes": ("100001", "100002", "100003", 100_003),
}
DURATIONS = {
    "grace",
    "upload_timeout",
    "answer_timeout",
    "loki.batch_wait",
    "loki.timeout",
    "shipper.shutdown_timeout",
    "shipper.audit",
    "shipper.retention",
}


def texts_for(each: Key) -> tuple[str, str, str, Any]:
    """Return a text for the flag, one for the environment, one for the file, and the last as TOML has it."""
    if each.name in OTHER_TEXTS:
        return OTHER_TEXTS[each.name]
    if each.name in DURATIONS:
        return "1s", "2s", "3s", "3s"
    if each.kind is bool:
        return "false", "true", "false", False
    if str(each.kind).startswith("tuple"):
        return "a", "b", "c", ["c"]
    if "dict" in str(each.kind):
        return "a=1", "b=2", "c=3", {"c": "3"}
    return "one", "two", "three", "three"


@pytest.mark.parametrize(
    ("schema", "each"),
    [
        pytest.param(schema, each, id=f"{schema.__name__}:{each.name}")
        for schema in (ProxySettings, ShipperSettings)
        for each in keys_of(schema)
    ],
)
def test_every_key_is_taken_from_flag_before_environment_before_file_before_default(
    schema: type[Any], each: Key
) -> None:
    flag, variable, file, in_toml = texts_for(each)

    def found(*places: str) -> tuple[Any, str]:
        flags = {each.name: flag} if "flag" in places else {}
        environ = {each.variable: variable} if "environment" in places else {}
        held = ConfigFile("/c.toml", table(each.name, in_toml)) if "file" in places else NO_FILE
        loaded = resolve(schema, flags=flags, environ=environ, file=held)
        assert loaded.warnings == ()
        return value_of(loaded.settings, each.name), loaded.origins[each.name]

    def as_flag(text: str) -> Any:
        return value_of(
            resolve(schema, flags={each.name: text}, environ={}, file=NO_FILE).settings, each.name
        )

    assert found("flag", "environment", "file") == (as_flag(flag), f"flag {each.flag}")
    assert found("environment", "file") == (as_flag(variable), f"environment variable {each.variable}")
    assert found("file") == (as_flag(file), "file /c.toml")
    assert found() == (value_of(schema(), each.name), "default")


@pytest.mark.parametrize("schema", [ProxySettings, ShipperSettings])
def test_an_empty_environment_variable_is_as_good_as_none(schema: type[Any]) -> None:
    empty = {each.variable: "" for each in keys_of(schema)}

    assert resolve(schema, flags={}, environ=empty, file=NO_FILE).settings == schema()


@pytest.mark.parametrize(
    ("name", "variable", "flag"),
    [
        ("log_dir", "LLM_PROXY_LOG_DIR", "--log-dir"),
        ("loki.batch_size", "LLM_PROXY_LOKI_BATCH_SIZE", "--loki-batch-size"),
        ("shipper.health_port", "LLM_PROXY_SHIPPER_HEALTH_PORT", "--shipper-health-port"),
        ("loki.auth_token", "LLM_PROXY_LOKI_AUTH_TOKEN", ""),
    ],
)
def test_variable_and_flag_follow_from_the_key(name: str, variable: str, flag: str) -> None:
    (each,) = [each for each in keys_of(ShipperSettings) if each.name == name]

    assert (each.variable, each.flag) == (variable, flag)


def test_no_two_keys_share_a_variable_or_a_flag() -> None:
    keys = {
        each.name: each for schema in (ProxySettings, ShipperSettings) for each in keys_of(schema)
    }.values()

    assert len({each.variable for each in keys}) == len(keys)
    assert len({each.name.replace(".", "-").replace("_", "-") for each in keys}) == len(keys)


def test_the_list_of_keys_is_what_the_two_processes_declare() -> None:
    declared = {each.name for schema in (ProxySettings, ShipperSettings) for each in keys_of(schema)}

    assert declared == KEYS


def test_keys_that_both_processes_declare_have_one_default_and_one_kind() -> None:
    proxy = {each.name: each for each in keys_of(ProxySettings)}
    shipper = {each.name: each for each in keys_of(ShipperSettings)}

    for name in proxy.keys() & shipper.keys():
        assert proxy[name].kind == shipper[name].kind
        assert value_of(ProxySettings(), name) == value_of(ShipperSettings(), name)


def warnings(
    file: Mapping[str, Any], environ: Mapping[str, str], known: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    return resolve(Well, flags={}, environ=environ, file=ConfigFile("/c.toml", file), known=known).warnings


def test_an_unknown_key_is_a_warning_that_names_it_and_its_place() -> None:
    file = {"nam": "x", "depth": {"unitt": "m"}, "dept": {"unit": "m"}}

    assert warnings(file, {"LLM_PROXY_NAM": "x", "OTHER": "y"}) == (
        "unknown key nam in /c.toml",
        "unknown key depth.unitt in /c.toml",
        "unknown key dept in /c.toml",
        "unknown environment variable LLM_PROXY_NAM",
    )


def test_a_key_of_another_program_is_no_unknown_one() -> None:
    known = frozenset({"pump", "pipe.width", "depth.colour"})
    file = {"pump": 1, "pipe": {"width": 2}, "depth": {"colour": "blue"}}

    assert warnings(file, {"LLM_PROXY_PIPE_WIDTH": "3"}, known) == ()


def test_each_process_accepts_a_file_with_every_key_of_the_other() -> None:
    every = [each for schema in (ProxySettings, ShipperSettings) for each in keys_of(schema)]
    environ = {each.variable: texts_for(each)[1] for each in every}

    for schema in (ProxySettings, ShipperSettings):
        loaded: Loaded[Any] = resolve(schema, flags={}, environ=environ, file=NO_FILE, known=KEYS)
        assert loaded.warnings == ()


def test_two_settings_objects_share_no_mutable_default() -> None:
    assert Well().depth.marks is not Well().depth.marks


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"port = many", "expected TOML: "),
        (b"name = '\xff'", "expected TOML: "),
        (None, "No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_one_line(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "config.toml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigurationError, match=re.escape(f'config = "{path}" (flag --config): {reason}')):
        read_file(str(path))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Is a directory"):
        read_file(str(tmp_path))


def test_the_user_s_file_is_read_if_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_file(None) == NO_FILE

    path = tmp_path / ".config" / "llm-proxy" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text("port = 5")

    assert read_file(None) == ConfigFile(str(path), {"port": 5})
    path.write_text("port")
    with pytest.raises(ConfigurationError, match=re.escape("(default): expected TOML")):
        read_file(None)


@pytest.mark.parametrize("home", [os.devnull, "/nonexistent"])
def test_a_home_that_cannot_hold_a_file_has_none(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", home)

    assert read_file(None) == NO_FILE


def test_load_joins_the_process_s_environment_and_the_named_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.toml"
    path.write_text("name = 'file'\nport = 1\nbuckets = 2\ncolour = 'blue'\n")
    monkeypatch.setenv("LLM_PROXY_PORT", "3")

    loaded = load(Well, str(path), {"buckets": "4"}, frozenset())

    assert (loaded.settings.name, loaded.settings.port, loaded.settings.buckets) == ("file", 3, 4)
    assert f"unknown key colour in {path}" in loaded.warnings
