from dataclasses import dataclass

import pytest
import typer
from typer.testing import CliRunner, Result

from groundwork.settings.flags import Flags, SettingsCommand, settings_flags
from groundwork.settings.settings import key, keys_of, section
from proxy.config import ProxySettings
from shipper.config import ShipperSettings


@dataclass(frozen=True)
class Depth:
    unit: str = key("m", "The unit.")
    exact: bool = key(default=False, help="Whether it is exact.")


@dataclass(frozen=True)
class Well:
    name: str = key("", "The name.")
    open: bool = key(default=True, help="Whether it is open.")
    owners: tuple[str, ...] = key((), "Who owns it.")
    marks: dict[str, str] = key({}, "What is written on it.")
    pin: str = key("", "The number to open it.", secret=True)
    depth: Depth = section(Depth)


def app(seen: list[tuple[Flags, bool]]) -> typer.Typer:
    made = typer.Typer(rich_markup_mode=None)

    @made.command(cls=SettingsCommand)
    @settings_flags(Well)
    def dig(flags: Flags, once: bool = False) -> None:  # noqa: FBT001, FBT002 - typer reads it as a flag
        """Dig a well."""
        seen.append((flags, once))

    @made.command(cls=SettingsCommand)
    @settings_flags(Well)
    def drain(flags: Flags, bucket: str) -> None:
        """Drain a well."""
        seen.append((flags, bucket == "large"))

    return made


def invoke(*words: str) -> tuple[Flags, bool]:
    seen: list[tuple[Flags, bool]] = []
    result = CliRunner().invoke(app(seen), words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return seen[0]


def refused(*words: str) -> Result:
    result = CliRunner().invoke(app([]), words)
    assert result.exit_code == 2
    return result


def test_without_flags_nothing_is_given() -> None:
    assert invoke("dig") == (Flags(None, {}), False)


def test_each_key_has_a_flag_that_gives_its_text() -> None:
    flags, _ = invoke("dig", "--name", "deep", "--depth-unit=ft", "--owners", "a,b", "--marks", "x=1")

    assert flags.values == {"name": "deep", "depth.unit": "ft", "owners": "a,b", "marks": "x=1"}


def test_an_empty_text_is_a_value() -> None:
    assert invoke("dig", "--name", "")[0].values == {"name": ""}


def test_config_names_the_file() -> None:
    assert invoke("dig", "--config", "my.toml")[0] == Flags("my.toml", {})


def test_a_secret_has_no_flag() -> None:
    assert "--pin" in refused("dig", "--pin", "1234").output
    assert "--pin" not in CliRunner().invoke(app([]), ["dig", "--help"]).output


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--open"], "true"),
        (["--open", "true"], "true"),
        (["--open", "FALSE"], "FALSE"),
        (["--open=false"], "false"),
        (["--open", "0"], "0"),
        (["--open", "maybe"], "maybe"),
        (["--open", "--name", "x"], "true"),
        (["--name", "x", "--open"], "true"),
    ],
)
def test_a_yes_or_no_flag_stands_alone_or_with_a_value(words: list[str], text: str) -> None:
    assert invoke("dig", *words)[0].values["open"] == text


def test_where_a_command_takes_words_only_yes_and_no_follow_a_flag() -> None:
    assert invoke("drain", "--depth-exact", "large") == (Flags(None, {"depth.exact": "true"}), True)
    assert invoke("drain", "--depth-exact", "false", "large") == (Flags(None, {"depth.exact": "false"}), True)


def test_a_command_s_own_options_stay() -> None:
    assert invoke("dig", "--once", "--open") == (Flags(None, {"open": "true"}), True)


def test_help_explains_every_flag_with_its_variable() -> None:
    output = " ".join(CliRunner().invoke(app([]), ["dig", "--help"]).output.split())

    assert "Dig a well." in output
    assert "--depth-unit VALUE The unit. Environment: LLM_PROXY_DEPTH_UNIT." in output
    assert "--open [true|false]" in output
    assert "--owners A,B,..." in output
    assert "--marks NAME=VALUE,..." in output


@pytest.mark.parametrize("schema", [ProxySettings, ShipperSettings])
def test_every_key_that_is_no_secret_becomes_a_flag(schema: type[object]) -> None:
    made = typer.Typer(rich_markup_mode=None)
    seen: list[Flags] = []
    made.command(cls=SettingsCommand)(settings_flags(schema)(seen.append))
    keys = [each for each in keys_of(schema) if each.flag]

    result = CliRunner().invoke(made, [f"{each.flag}=x" for each in keys])

    assert result.exit_code == 0, result.output
    assert seen == [Flags(None, {each.name: "x" for each in keys})]
    assert {each.name for each in keys_of(schema) if not each.flag} <= {
        "explore.token",
        "proxy_token",
        "tokens",
        "loki.auth_token",
        "loki.password",
        "loki.headers",
    }
