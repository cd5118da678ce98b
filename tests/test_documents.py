"""What the papers say is so: keys, commands, metrics, links."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from groundwork.keys import KEYS
from groundwork.settings import ConfigFile, keys_of, resolve
from proxy.config import ProxySettings
from shipper.config import ShipperSettings

ROOT = Path(__file__).parent.parent
SETTINGS = (ProxySettings, ShipperSettings)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def example() -> ConfigFile:
    return ConfigFile("config.toml.example", tomllib.loads(text("config.toml.example")))


def comments_by_key() -> dict[str, str]:
    """Return the comment above each key of the example, by dotted key."""
    found: dict[str, str] = {}
    section, comment = "", ""
    for line in text("config.toml.example").splitlines():
        if line.startswith("["):
            section = line.strip("[]") + "."
        elif line.startswith("#"):
            comment += line.lstrip("# ") + "\n"
        elif match := re.match(r"(\w+) =", line):
            found[section + match[1]] = comment
            comment = ""
        else:
            comment = ""
    return found


@pytest.mark.parametrize("schema", SETTINGS)
def test_the_example_loads_as_the_defaults(schema: type[Any]) -> None:
    loaded = resolve(schema, flags={}, environ={}, file=example(), known=KEYS)

    assert loaded.settings == schema()
    assert set(loaded.origins.values()) == {"file config.toml.example"}
    assert loaded.warnings == ()


def test_the_example_has_every_key_and_no_other() -> None:
    assert set(comments_by_key()) == KEYS


@pytest.mark.parametrize(
    "each", {each.name: each for schema in SETTINGS for each in keys_of(schema)}.values()
)
def test_the_example_explains_each_key_and_names_its_variable(each: Any) -> None:
    *explanation, names = comments_by_key()[each.name].splitlines()

    assert explanation
    assert names == each.variable + (" (a secret: no flag)" if each.secret else "")
