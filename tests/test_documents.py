"""What the papers say is so: keys, commands, metrics, links."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Metric
from typer.testing import CliRunner

import proxy.commands.app
import shipper.commands.app
from groundwork.settings.keys import KEYS
from groundwork.settings.settings import ConfigFile, keys_of, resolve
from proxy.config import ProxySettings
from proxy.recording.queue.recorder import BODIES, ENVELOPES
from proxy.recording.worker import MISSED_BODIES
from proxy.telemetry.metrics import FAILURES, STATUSES
from proxy.wire.access.hosts import BUILT_IN
from proxy.wire.routing import PROVIDERS
from shipper.config import ShipperSettings
from shipper.entry import DropReason
from shipper.loki.push.answers import Meaning
from shipper.record.provider import provider_of_host
from shipper.telemetry.events import Event
from shipper.telemetry.health import Status
from shipper.telemetry.metrics import STATUSES as ANSWERS
from tests.scraped import families

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


def papers() -> list[Path]:
    return [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")]


def sources() -> list[Path]:
    folders = ("groundwork", "proxy", "shipper", "tests", "scripts", "deploy", ".ci")
    kinds = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".sh", ""}
    found = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in kinds]
    return [*papers(), *filter(Path.is_file, found), ROOT / "Makefile", ROOT / "config.toml.example"]


def commands() -> list[str]:
    apps = {"llm-proxy": proxy.commands.app.app, "llm-loki-ship": shipper.commands.app.app}
    return [
        f"{program} {each.name or each.callback.__name__}"
        for program, app in apps.items()
        for each in app.registered_commands
        if each.callback is not None
    ]


@pytest.mark.parametrize("command", commands())
def test_the_readme_explains_every_command(command: str) -> None:
    assert f"| `{command}` |" in text("README.md")


@pytest.mark.parametrize("command", commands())
def test_every_command_has_an_example_and_the_exit_codes_that_its_help_tells(command: str) -> None:
    program, name = command.split()
    app = {"llm-proxy": proxy.commands.app.app, "llm-loki-ship": shipper.commands.app.app}[program]
    told = " ".join(CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "500"}).output.split())
    codes = told.partition("Exit codes:")[2].partition("Example:")[0] or told
    row = next(line for line in text("docs/commands.md").splitlines() if line.startswith(f"| `{command}` |"))
    listed = {str(code) for code, cell in enumerate(row.split("|")[2:-1]) if cell.strip()}

    assert f"Example: {program} {name}" in told or f'Example: eval "$({program} {name}' in told
    assert any(line.startswith(f"{program} {name}") for line in shell_lines("docs/commands.md"))
    assert listed == set(re.findall(r"(?<![\w.-])[0-3](?= )", codes))


def shell_lines(name: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", text(name), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


# What a reader's machine has without us.
NOT_OURS = {"python3.11", ".", "pip", "eval", "claude"}


@pytest.mark.parametrize(
    "line", [line for name in ("README.md", "docs/commands.md") for line in shell_lines(name)]
)
def test_shell_lines_work(line: str) -> None:
    program, *words = shlex.split(line.removesuffix("&"), comments=True)
    apps = {"llm-proxy": proxy.commands.app.app, "llm-loki-ship": shipper.commands.app.app}
    if program == "make":
        assert f"\n{words[0]}:" in text("Makefile")
    elif program in apps:
        given = [word for word in words if not word.startswith("2>")]
        result = CliRunner().invoke(apps[program], [*given, "--help"])
        assert result.exit_code == 0, result.output
    else:
        assert program in NOT_OURS


@pytest.mark.parametrize("path", papers(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_inside_the_project_lead_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8")):
        if re.match(r"\w+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("name", "most"), [("CONTRIBUTING.md", 40), ("ARCHITECTURE.md", 120)])
def test_a_paper_stays_short(name: str, most: int) -> None:
    assert len(text(name).splitlines()) <= most


def test_the_page_on_architecture_names_no_module_that_is_not_there() -> None:
    named = set(re.findall(r"\w+\.py", text("ARCHITECTURE.md")))

    assert named <= {path.name for path in sources()}


def test_the_recipes_name_files_that_are_there() -> None:
    named = re.findall(
        r"`((?:proxy|shipper|groundwork|tests|docs|deploy)/[\w./-]+)`", text("docs/recipes.md")
    )

    assert len(named) > 10
    assert [each for each in named if not (ROOT / each).exists()] == []


def documented(pattern: str) -> set[str]:
    return set(re.findall(pattern, text("docs/metrics.md")))


def labels_of(family: Metric) -> str:
    """Return a metric's labels as the paper spells them."""
    labels = list(dict.fromkeys(name for sample in family.samples for name in sample.labels if name != "le"))
    return f"{{{','.join(labels)}}}" if labels else ""


def test_every_metric_is_documented_with_its_labels() -> None:
    names = {
        (f"{family.name}_total" if family.type == "counter" else family.name) + labels_of(family)
        for family in families()
    }

    assert documented(r"\| `(llm_[^`]+)` \|") >= names
    assert documented(r"\| `(llm_\w+)") == {name.partition("{")[0] for name in names}


def test_the_bounds_of_the_queue_are_those_of_the_code() -> None:
    bodies, envelopes = BODIES >> 20, ENVELOPES >> 20

    assert f"{bodies} MiB of bodies and {envelopes} MiB of envelopes" in text("docs/metrics.md")
    assert f"Above {bodies} MiB bodies are left out" in text("deploy/dashboards/log-delivery.json")


def test_every_value_of_a_label_is_documented() -> None:
    assert {each.value[0] for each in Event} == documented(r"(?<=[- ])`([a-z]+\.[a-z_]+)`(?=,|\n)")
    named = [*DropReason, *Meaning, *Status, *ANSWERS, *STATUSES, *FAILURES, *PROVIDERS, *MISSED_BODIES]
    assert set(named) <= documented(r"`(\w+)`")


def test_the_record_format_names_every_provider() -> None:
    fields = text("docs/record-format.md").partition("## Fields of every line")[2].partition("## ")[0]
    row = next(line for line in fields.splitlines() if line.startswith("| `provider` |"))

    assert set(re.findall(r"`(\w+)`", row)) == {"provider", *PROVIDERS}


def test_the_built_in_hosts_are_documented_under_their_segments() -> None:
    rows = re.findall(r"^\| `/(\w+)/` \| (.*) \|$", text("docs/clients.md"), re.MULTILINE)

    assert {segment: tuple(re.findall(r"`([^`]+)`", hosts)) for segment, hosts in rows} == BUILT_IN


@pytest.mark.parametrize("segment", BUILT_IN)
def test_the_reader_knows_each_built_in_host(segment: str) -> None:
    last = {host: name for name, hosts in BUILT_IN.items() for host in hosts} | {"chatgpt.com": "chatgpt"}

    for host in BUILT_IN[segment]:
        assert provider_of_host(host.replace("*", "eu-west-1")) == last[host]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_speaks_of_how_it_was_made(path: Path) -> None:
    content = path.read_text(encoding="utf-8", errors="replace")

    assert "/" + "work/" not in content
    assert not re.search(r"\bissues? #?\d", content, re.IGNORECASE)


# The configuration of the Go program that this project replaces; no value is the default.
PREDECESSOR_FILE = """
port = 8123
log_dir = "/srv/llm"
[loki]
enabled = true
url = "http://loki.example.com:3100/loki/api/v1/push"
auth_token = "t0ken"
batch_size = 500
batch_wait = "10s"
retry_max = 7
use_gzip = false
environment = "production"
"""
PREDECESSOR_VARIABLES = {
    "LLM_PROXY_PORT": "8123",
    "LLM_PROXY_LOG_DIR": "/srv/llm",
    "LLM_PROXY_LOKI_ENABLED": "1",
    "LLM_PROXY_LOKI_URL": "http://loki.example.com:3100/loki/api/v1/push",
    "LLM_PROXY_LOKI_AUTH_TOKEN": "t0ken",
    "LLM_PROXY_LOKI_BATCH_SIZE": "500",
    "LLM_PROXY_LOKI_BATCH_WAIT": "10s",
    "LLM_PROXY_LOKI_RETRY_MAX": "7",
    "LLM_PROXY_LOKI_USE_GZIP": "false",
    "LLM_PROXY_LOKI_ENVIRONMENT": "production",
}


@pytest.mark.parametrize(
    ("file", "environ"), [(PREDECESSOR_FILE, {}), ("", PREDECESSOR_VARIABLES)], ids=["file", "variables"]
)
def test_the_predecessor_s_settings_go_on_working(file: str, environ: dict[str, str]) -> None:
    found = ConfigFile("config.toml", tomllib.loads(file))
    proxied = resolve(ProxySettings, flags={}, environ=environ, file=found, known=KEYS)
    shipped = resolve(ShipperSettings, flags={}, environ=environ, file=found, known=KEYS)

    assert (proxied.settings.port, proxied.settings.log_dir) == (8123, "/srv/llm")
    assert proxied.settings.loki.enabled
    loki = shipped.settings.loki
    assert (loki.enabled, loki.auth_token, loki.batch_size, loki.batch_wait) == (True, "t0ken", 500, 10.0)
    assert (loki.retry_max, loki.use_gzip, loki.environment) == (7, False, "production")
    assert shipped.settings.log_folder == Path("/srv/llm")
    assert proxied.warnings == shipped.warnings == ()


def test_each_bound_of_the_threat_model_has_a_test_that_exists() -> None:
    bounds = text("docs/threat-model.md").partition("## Bounds")[2].partition("## Known limits")[0]
    rows = [line for line in bounds.splitlines() if line.startswith("| ")][1:]
    named = re.findall(r"`(tests/[\w/.]+)::(\w+)` \|", bounds)

    assert len(named) == len(rows)
    assert not [(path, name) for path, name in named if f"def {name}(" not in text(path)]
