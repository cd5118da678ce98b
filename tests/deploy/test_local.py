"""The compose file for one machine: settings, stop order, volumes, ports on loopback only."""

import re
from typing import Any

import pytest

from groundwork.settings.keys import KEYS
from groundwork.settings.settings import ConfigFile, resolve
from proxy.config import ProxySettings
from proxy.wire.admission import Admission
from shipper.commands.run.drain import HARD_END_SECONDS
from shipper.config import ShipperSettings
from shipper.telemetry.export.host_check import may_read
from tests.deploy.files import LOCAL, ROOT, read_yaml
from tests.deploy.image import VOLUME

COMPOSE = read_yaml(LOCAL / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("proxy", "shipper")


def settings(name: str, schema: type[Any]) -> Any:
    environ = {key: value for key, value in SERVICES[name]["environment"].items() if "$" not in value}
    loaded = resolve(schema, flags={}, environ=environ, file=ConfigFile("", {}), known=KEYS)
    assert loaded.warnings == ()
    return loaded.settings


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_nothing_listens_beyond_loopback(service: dict[str, Any]) -> None:
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert "network_mode" not in service


def test_images_are_pinned() -> None:
    for service in SERVICES.values():
        name, _, tag = service["image"].partition(":")
        assert tag not in {"", "latest"}, name


@pytest.mark.parametrize("name", OURS)
def test_both_run_the_image_with_a_read_only_root_and_one_volume(name: str) -> None:
    service = SERVICES[name]

    assert service["image"] == SERVICES["proxy"]["image"]
    assert service["read_only"] is True
    assert service["init"] is True
    assert service["volumes"] == [f"logs:{VOLUME}"]
    assert service["command"][0] == service["healthcheck"]["test"][1]
    assert service["healthcheck"]["test"][2:] == ["health"]
    assert float(service["stop_grace_period"].removesuffix("s")) > HARD_END_SECONDS


def test_the_shipper_stops_after_the_proxy_and_before_loki() -> None:
    assert SERVICES["proxy"]["depends_on"] == ["shipper"]
    assert SERVICES["shipper"]["depends_on"] == ["loki"]


def test_the_proxy_serves_clients_of_this_machine() -> None:
    proxy = settings("proxy", ProxySettings)

    assert SERVICES["proxy"]["ports"] == [f"127.0.0.1:{proxy.port}:{proxy.port}"]
    assert proxy.allowed_hosts


def test_the_shipper_and_loki_agree_on_the_longest_line() -> None:
    shipper = settings("shipper", ShipperSettings)
    limits = read_yaml(LOCAL / "loki.yaml")["limits_config"]

    assert shipper.shipper.max_line_bytes == int(limits["max_line_size"].removesuffix("MB")) << 20
    assert shipper.loki.url == "http://loki:3100/loki/api/v1/push"
    assert limits["allow_structured_metadata"] is True


def test_prometheus_asks_both_at_their_ports_and_is_let_in() -> None:
    proxy = settings("proxy", ProxySettings)
    shipper = settings("shipper", ShipperSettings).shipper
    jobs = read_yaml(LOCAL / "prometheus.yaml")["scrape_configs"]
    targets = [each["static_configs"][0]["targets"] for each in jobs]

    assert targets == [[f"proxy:{proxy.port}"], [f"shipper:{shipper.health_port}"]]
    assert {proxy.host, shipper.health_host} == {"0.0.0.0"}  # noqa: S104 - compared
    assert may_read(targets[1][0], shipper.allowed_hosts)
    Admission.of(proxy.proxy_token, proxy.allowed_hosts).check(
        [(b"Host", targets[0][0].encode())], needs_token=False
    )


def test_three_commands_show_a_first_call() -> None:
    readme = (LOCAL / "README.md").read_text(encoding="utf-8")
    first = re.search(r"```sh\n(.*?)```", readme, re.DOTALL)
    assert first
    up, call, look = first[1].splitlines()
    compose = re.search(r"--file (\S+) up --build --detach --wait$", up)

    assert compose
    assert (ROOT / compose[1]).samefile(LOCAL / "compose.yaml")
    assert call == f"ANTHROPIC_BASE_URL={address('proxy')}/anthropic/api.anthropic.com claude"
    assert look == f"open {address('grafana')}"
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert "../dashboards:/var/lib/grafana/dashboards:ro" in SERVICES["grafana"]["volumes"]
    assert home == "/var/lib/grafana/dashboards/llm-traffic.json"


def address(name: str) -> str:
    """Return where a service is reached from this machine."""
    (port,) = SERVICES[name]["ports"]
    return f"http://{port.rpartition(':')[0]}"


def test_every_command_of_the_readme_names_the_compose_file() -> None:
    readme = (LOCAL / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"docker compose[^`\n]*", readme)

    assert len(commands) > 3
    assert all(" --file deploy/local/compose.yaml " in each for each in commands)


def test_files_that_are_mounted_are_there() -> None:
    mounts = [each.split(":")[0] for service in SERVICES.values() for each in service.get("volumes", [])]

    for each in mounts:
        assert each in COMPOSE["volumes"] or (LOCAL / each).exists()


@pytest.mark.parametrize("name", ["proxy", "shipper"])
def test_ours_may_do_no_more_than_they_need(name: str) -> None:
    service = SERVICES[name]

    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert service["mem_limit"]


def test_nobody_is_an_admin_of_grafana_without_a_password() -> None:
    assert SERVICES["grafana"]["environment"]["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
