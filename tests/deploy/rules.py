"""What must hold of the task definition, and what no validator of AWS's checks.

A rule is a function that tells whether a task definition keeps it; its name says what it asks for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import groundwork.commands.probe
import proxy.commands.app
import proxy.server.server
import shipper.commands.app
from groundwork.settings.keys import KEYS
from groundwork.settings.settings import ConfigFile, ConfigurationError, Loaded, keys_of, resolve
from proxy.config import ProxySettings
from shipper.commands.run.drain import HARD_END_SECONDS
from shipper.config import ShipperSettings
from tests.deploy.files import ROOT

# Fargate's, as botocore's model describes them: ``stopTimeout``, ``HealthCheck``, ``restartPolicy``.
_STOP = range(2, 121)
_PERIOD = range(60, 1801)
_STORAGE = range(21, 201)
# A task on Fargate Spot has two minutes from its notice to its end.
_BOTH_STOP = 120
_INTERVAL, _TIMEOUT, _RETRIES, _START = range(5, 301), range(2, 61), range(1, 11), range(301)
_USER = "10001:10001"
# Beside the lines in memory: the interpreter, the libraries, pushes being encoded.
_SHIPPER_BASE_MIB = 192
_MIB, _GIB = 1 << 20, 1 << 30

Json = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """A task definition with its two containers."""

    whole: Json

    def container(self, name: str) -> Json:
        """Return a container by name; empty where there is none."""
        return next((each for each in self.containers if each.get("name") == name), {})

    @property
    def containers(self) -> list[Json]:
        return list(self.whole["containerDefinitions"])

    @property
    def proxy(self) -> Json:
        return self.container("proxy")

    @property
    def shipper(self) -> Json:
        return self.container("shipper")

    @property
    def proxy_settings(self) -> ProxySettings:
        settings: ProxySettings = _loaded(ProxySettings, self.proxy).settings
        return settings

    @property
    def shipper_settings(self) -> ShipperSettings:
        settings: ShipperSettings = _loaded(ShipperSettings, self.shipper).settings
        return settings


Rule = Callable[[Task], bool]


def _loaded(schema: type[Any], container: Json) -> Loaded[Any]:
    return resolve(schema, flags={}, environ=_environment(container), file=ConfigFile("", {}), known=KEYS)


def _environment(container: Json) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container.get("environment", [])}


def _commands() -> dict[str, set[str]]:
    apps = {"llm-proxy": proxy.commands.app.app, "llm-loki-ship": shipper.commands.app.app}
    return {
        program: {each.name or each.callback.__name__ for each in app.registered_commands if each.callback}
        for program, app in apps.items()
    }


def there_are_two_containers_with_commands_of_ours(task: Task) -> bool:
    wanted = {"proxy": ["llm-proxy", "serve"], "shipper": ["llm-loki-ship", "run"]}
    exist = all(words[1] in _commands()[words[0]] for words in wanted.values())
    return exist and {each.get("name"): each.get("command") for each in task.containers} == wanted


def both_run_one_image(task: Task) -> bool:
    return len({each.get("image") for each in task.containers}) == 1


def the_shipper_starts_first_and_stops_last(task: Task) -> bool:
    edge = {"containerName": "shipper", "condition": "START"}
    return task.proxy.get("dependsOn") == [edge] and not task.shipper.get("dependsOn")


def only_the_proxy_is_essential(task: Task) -> bool:
    return task.proxy.get("essential") is True and task.shipper.get("essential") is False


def both_are_restarted_in_place(task: Task) -> bool:
    policies = [each.get("restartPolicy", {}) for each in task.containers]
    return all(each.get("enabled") and each.get("restartAttemptPeriod") in _PERIOD for each in policies)


def stop_timeouts_fit_fargate_and_spot(task: Task) -> bool:
    timeouts = [each.get("stopTimeout", 0) for each in task.containers]
    return all(each in _STOP for each in timeouts) and sum(timeouts) <= _BOTH_STOP


def the_proxy_ends_by_itself_before_it_is_killed(task: Task) -> bool:
    needs = task.proxy_settings.grace + proxy.server.server._CUT_SECONDS + proxy.server.server._FLUSH_SECONDS
    return needs < float(task.proxy.get("stopTimeout", 0))


def the_shipper_ends_by_itself_before_it_is_killed(task: Task) -> bool:
    budget = task.shipper_settings.shipper.shutdown_timeout
    return budget < HARD_END_SECONDS < float(task.shipper.get("stopTimeout", 0))


def each_probe_is_the_container_s_own_command(task: Task) -> bool:
    return all(
        each.get("healthCheck", {}).get("command") == ["CMD", each["command"][0], "health"]
        and "health" in _commands()[each["command"][0]]
        for each in task.containers
    )


def each_probe_has_times_that_fargate_takes(task: Task) -> bool:
    checks = [each.get("healthCheck", {}) for each in task.containers]
    return all(
        each.get("interval") in _INTERVAL
        and each.get("timeout") in _TIMEOUT
        and each.get("retries") in _RETRIES
        and each.get("startPeriod") in _START
        and groundwork.commands.probe._TIMEOUT_SECONDS < each["timeout"] < each["interval"]
        for each in checks
    )


def every_setting_is_known_and_right(task: Task) -> bool:
    try:
        loaded = [_loaded(ProxySettings, task.proxy), _loaded(ShipperSettings, task.shipper)]
    except ConfigurationError:
        return False
    return not any(each.warnings for each in loaded)


def no_secret_stands_in_the_open(task: Task) -> bool:
    secret = {
        each.variable
        for schema in (ProxySettings, ShipperSettings)
        for each in keys_of(schema)
        if each.secret
    }
    for each in task.containers:
        environment = _environment(each)
        if environment.keys() & secret or any("@" in value for value in environment.values()):
            return False
        if {given["name"] for given in each.get("secrets", [])} - secret:
            return False
    return True


def loki_s_token_is_a_secret_of_the_shipper_alone(task: Task) -> bool:
    given = {each["name"]: each["valueFrom"] for each in task.shipper.get("secrets", [])}
    right = given.get("LLM_PROXY_LOKI_AUTH_TOKEN", "").startswith("arn:aws:secretsmanager:")
    return right and "secrets" not in task.proxy


def both_write_into_one_volume_of_the_task(task: Task) -> bool:
    mounts = [each.get("mountPoints", []) for each in task.containers]
    names = {each["name"] for each in task.whole.get("volumes", []) if set(each) == {"name"}}
    one = len({str(each) for each in mounts}) == 1 and len(mounts[0]) == 1
    return one and mounts[0][0]["sourceVolume"] in names and mounts[0][0]["readOnly"] is False


def log_folder_and_volume_and_image_agree(task: Task) -> bool:
    (path,) = {mount["containerPath"] for each in task.containers for mount in each["mountPoints"]}
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    return {task.proxy_settings.log_dir, task.shipper_settings.log_dir} == {
        path
    } and f'VOLUME ["{path}"]' in image


def nothing_else_can_be_written(task: Task) -> bool:
    def temporary(container: Json) -> list[str]:
        return [each["containerPath"] for each in container.get("linuxParameters", {}).get("tmpfs", [])]

    return all(each.get("readonlyRootFilesystem") and temporary(each) == ["/tmp"] for each in task.containers)  # noqa: S108 - the container's


def both_run_as_one_user_that_is_not_root(task: Task) -> bool:
    return {each.get("user") for each in task.containers} == {_USER}


def both_have_no_capabilities(task: Task) -> bool:
    return all(
        each.get("linuxParameters", {}).get("capabilities", {}).get("drop") == ["ALL"]
        for each in task.containers
    )


def an_init_process_passes_signals_on(task: Task) -> bool:
    return all(each.get("linuxParameters", {}).get("initProcessEnabled") is True for each in task.containers)


def both_may_open_many_files(task: Task) -> bool:
    limits = [
        {limit["name"]: limit["softLimit"] for limit in each.get("ulimits", [])} for each in task.containers
    ]
    return all(each.get("nofile", 0) >= 65535 for each in limits)


def memory_holds_both_and_their_tmpfs(task: Task) -> bool:
    temporary = sum(each["linuxParameters"]["tmpfs"][0]["size"] for each in task.containers)
    parts = [each.get("memory") or each.get("memoryReservation", 0) for each in task.containers]
    return all(parts) and sum(parts) + temporary <= int(task.whole["memory"])


def the_shipper_has_a_limit_with_room_for_its_lines(task: Task) -> bool:
    held = task.shipper_settings.shipper.memory // _MIB
    return held + _SHIPPER_BASE_MIB <= int(task.shipper.get("memory", 0))


def the_proxy_listens_where_the_load_balancer_asks(task: Task) -> bool:
    ports = [each["containerPort"] for each in task.proxy.get("portMappings", [])]
    settings = task.proxy_settings
    return ports == [settings.port] and settings.host == "0.0.0.0" and settings.allowed_hosts != ()  # noqa: S104 - compared


def nothing_but_the_proxy_is_reached_from_outside(task: Task) -> bool:
    return "portMappings" not in task.shipper


def the_disk_is_kept_from_filling(task: Task) -> bool:
    size = task.whole.get("ephemeralStorage", {}).get("sizeInGiB", 0)
    kept = 0 < task.proxy_settings.min_free < size * _GIB
    return size in _STORAGE and kept and task.shipper_settings.shipper.retention > 0


def logs_go_to_cloudwatch_and_hold_nobody_up(task: Task) -> bool:
    wanted = {"awslogs-group", "awslogs-region", "awslogs-stream-prefix", "mode"}
    logs = [each.get("logConfiguration", {}) for each in task.containers]
    return all(
        each.get("logDriver") == "awslogs"
        and wanted <= each["options"].keys()
        and each["options"]["mode"] == "non-blocking"
        for each in logs
    )


def the_log_is_json_so_that_metrics_are_found_in_it(task: Task) -> bool:
    return task.shipper_settings.log_format == "json"


RULES: dict[str, Rule] = {
    name: value
    for name, value in list(globals().items())
    if callable(value)
    and getattr(value, "__annotations__", {}).get("task") is Task
    and not name.startswith("_")
}


def broken(whole: Json) -> set[str]:
    """Return the names of the rules that a task definition breaks; one that cannot be checked is broken."""
    task = Task(whole)
    return {name for name, rule in RULES.items() if not _keeps(rule, task)}


def _keeps(rule: Rule, task: Task) -> bool:
    try:
        return rule(task)
    except (ConfigurationError, KeyError, ValueError, IndexError, TypeError):
        return False
