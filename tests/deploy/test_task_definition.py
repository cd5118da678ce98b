"""The task definition: AWS's model of it, and the project's own rules, each seen to fail."""

import copy
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.loaders
import botocore.model
import botocore.validate
import pytest

from tests.deploy.files import Json, task_definition
from tests.deploy.rules import RULES, broken

PROXY, SHIPPER = "containerDefinitions/0", "containerDefinitions/1"
REMOVED = object()


@cache
def input_shape() -> Any:
    """Return AWS's model of a task definition; no client, no credentials, no network."""
    model = botocore.loaders.Loader().load_service_model("ecs", "service-2")
    return botocore.model.ServiceModel(model, "ecs").operation_model("RegisterTaskDefinition").input_shape


def wrong_values(value: Any, shape: Any) -> Iterator[str]:
    """Yield the values that are none of their enumeration: botocore does not look at those."""
    if shape.type_name == "structure":
        for name, each in value.items():
            yield from wrong_values(each, shape.members[name])
    elif shape.type_name == "list":
        for each in value:
            yield from wrong_values(each, shape.member)
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        yield value


def mutated(path: str, value: Any) -> Json:
    """Return the task definition with one value set, or removed."""
    whole = copy.deepcopy(task_definition())
    *parents, last = [int(each) if each.isdigit() else each for each in path.split("/")]
    place: Any = whole
    for each in parents:
        place = place[each]
    if value is REMOVED:
        del place[last]
    else:
        place[last] = value
    return whole


def with_variable(container: str, name: str, value: str) -> tuple[str, Any]:
    """Return the mutation that sets an environment variable of a container."""
    index = int(container[-1])
    environment = task_definition()["containerDefinitions"][index]["environment"]
    kept = [each for each in environment if each["name"] != name]
    return f"{container}/environment", [*kept, {"name": name, "value": value}]


def test_aws_s_model_takes_it() -> None:
    report = botocore.validate.ParamValidator().validate(task_definition(), input_shape())

    assert not report.has_errors(), report.generate_report()
    assert list(wrong_values(task_definition(), input_shape())) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [("cpu", 1024), (f"{PROXY}/stopTimeOut", 60), (f"{PROXY}/environment/0", {"name": "A", "value": 5})],
)
def test_aws_s_model_refuses_misspelt_names_and_wrong_types(path: str, value: Any) -> None:
    report = botocore.validate.ParamValidator().validate(mutated(path, value), input_shape())

    assert report.has_errors()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{PROXY}/dependsOn/0/condition", "READY"),
        (f"{SHIPPER}/logConfiguration/logDriver", "loki"),
        ("runtimePlatform/cpuArchitecture", "ARM"),
        ("networkMode", "vpc"),
    ],
)
def test_values_outside_their_enumeration_are_found(path: str, value: str) -> None:
    assert list(wrong_values(mutated(path, value), input_shape())) == [value]


def test_it_keeps_every_rule() -> None:
    assert broken(task_definition()) == set()


MUTATIONS: list[tuple[str, str, Any]] = [
    ("there_are_two_containers_with_commands_of_ours", f"{PROXY}/command", ["llm-proxy", "start"]),
    ("there_are_two_containers_with_commands_of_ours", f"{SHIPPER}/name", "sidecar"),
    ("both_run_one_image", f"{SHIPPER}/image", "other:1"),
    ("the_shipper_starts_first_and_stops_last", f"{PROXY}/dependsOn", REMOVED),
    ("the_shipper_starts_first_and_stops_last", f"{PROXY}/dependsOn/0/condition", "HEALTHY"),
    ("the_shipper_starts_first_and_stops_last", f"{PROXY}/dependsOn/0/containerName", "loki"),
    (
        "the_shipper_starts_first_and_stops_last",
        f"{SHIPPER}/dependsOn",
        [{"containerName": "proxy", "condition": "START"}],
    ),
    ("only_the_proxy_is_essential", f"{SHIPPER}/essential", True),
    ("only_the_proxy_is_essential", f"{SHIPPER}/essential", REMOVED),
    ("only_the_proxy_is_essential", f"{PROXY}/essential", False),
    ("both_are_restarted_in_place", f"{SHIPPER}/restartPolicy", REMOVED),
    ("both_are_restarted_in_place", f"{PROXY}/restartPolicy/restartAttemptPeriod", 5),
    ("stop_timeouts_fit_fargate_and_spot", f"{PROXY}/stopTimeout", 300),
    ("stop_timeouts_fit_fargate_and_spot", f"{PROXY}/stopTimeout", 61),
    ("stop_timeouts_fit_fargate_and_spot", f"{SHIPPER}/stopTimeout", REMOVED),
    ("the_proxy_ends_by_itself_before_it_is_killed", *with_variable(PROXY, "LLM_PROXY_GRACE", "55s")),
    ("the_proxy_ends_by_itself_before_it_is_killed", f"{PROXY}/stopTimeout", 30),
    ("the_shipper_ends_by_itself_before_it_is_killed", f"{SHIPPER}/stopTimeout", 57),
    (
        "the_shipper_ends_by_itself_before_it_is_killed",
        *with_variable(SHIPPER, "LLM_PROXY_SHIPPER_SHUTDOWN_TIMEOUT", "60s"),
    ),
    ("each_probe_is_the_container_s_own_command", f"{PROXY}/healthCheck", REMOVED),
    ("each_probe_is_the_container_s_own_command", f"{PROXY}/healthCheck/command", ["llm-proxy", "health"]),
    (
        "each_probe_is_the_container_s_own_command",
        f"{PROXY}/healthCheck/command",
        ["CMD-SHELL", "curl localhost:12071/health"],
    ),
    (
        "each_probe_is_the_container_s_own_command",
        f"{SHIPPER}/healthCheck/command",
        ["CMD", "llm-loki-ship", "health", "--delivery"],
    ),
    ("each_probe_has_times_that_fargate_takes", f"{PROXY}/healthCheck/interval", 1),
    ("each_probe_has_times_that_fargate_takes", f"{SHIPPER}/healthCheck/timeout", 3),
    ("every_setting_is_known_and_right", *with_variable(PROXY, "LLM_PROXY_GRASE", "50s")),
    ("every_setting_is_known_and_right", *with_variable(SHIPPER, "LLM_PROXY_SHIPPER_RETENTION", "1 day")),
    ("no_secret_stands_in_the_open", *with_variable(SHIPPER, "LLM_PROXY_LOKI_AUTH_TOKEN", "glc_1")),
    ("no_secret_stands_in_the_open", *with_variable(PROXY, "LLM_PROXY_PROXY_TOKEN", "t")),
    ("no_secret_stands_in_the_open", *with_variable(SHIPPER, "LLM_PROXY_LOKI_URL", "https://u:p@loki/push")),
    ("no_secret_stands_in_the_open", f"{SHIPPER}/secrets/0/name", "LOKI_TOKEN"),
    ("loki_s_token_is_a_secret_of_the_shipper_alone", f"{SHIPPER}/secrets", REMOVED),
    ("loki_s_token_is_a_secret_of_the_shipper_alone", f"{SHIPPER}/secrets/0/valueFrom", "glc_1"),
    (
        "loki_s_token_is_a_secret_of_the_shipper_alone",
        f"{PROXY}/secrets",
        task_definition()["containerDefinitions"][1]["secrets"],
    ),
    ("both_write_into_one_volume_of_the_task", "volumes", []),
    ("both_write_into_one_volume_of_the_task", "volumes/0/host", {"sourcePath": "/data"}),
    ("both_write_into_one_volume_of_the_task", f"{SHIPPER}/mountPoints/0/readOnly", True),
    ("both_write_into_one_volume_of_the_task", f"{SHIPPER}/mountPoints/0/containerPath", "/logs"),
    (
        "log_folder_and_volume_and_image_agree",
        *with_variable(SHIPPER, "LLM_PROXY_LOG_DIR", "/var/log/llm-proxy"),
    ),
    ("nothing_else_can_be_written", f"{PROXY}/readonlyRootFilesystem", False),
    ("nothing_else_can_be_written", f"{SHIPPER}/linuxParameters/tmpfs", []),
    ("both_run_as_one_user_that_is_not_root", f"{SHIPPER}/user", "0:0"),
    ("both_run_as_one_user_that_is_not_root", f"{PROXY}/user", REMOVED),
    ("an_init_process_passes_signals_on", f"{PROXY}/linuxParameters/initProcessEnabled", False),
    ("both_have_no_capabilities", f"{PROXY}/linuxParameters/capabilities/drop", []),
    ("both_may_open_many_files", f"{PROXY}/ulimits", []),
    ("memory_holds_both_and_their_tmpfs", "memory", "1024"),
    ("memory_holds_both_and_their_tmpfs", f"{PROXY}/memoryReservation", REMOVED),
    ("the_shipper_has_a_limit_with_room_for_its_lines", f"{SHIPPER}/memory", REMOVED),
    (
        "the_shipper_has_a_limit_with_room_for_its_lines",
        *with_variable(SHIPPER, "LLM_PROXY_SHIPPER_MEMORY", "512MiB"),
    ),
    ("the_proxy_listens_where_the_load_balancer_asks", f"{PROXY}/portMappings/0/containerPort", 80),
    ("the_proxy_listens_where_the_load_balancer_asks", *with_variable(PROXY, "LLM_PROXY_HOST", "127.0.0.1")),
    ("the_proxy_listens_where_the_load_balancer_asks", *with_variable(PROXY, "LLM_PROXY_ALLOWED_HOSTS", "")),
    ("nothing_but_the_proxy_is_reached_from_outside", f"{SHIPPER}/portMappings", [{"containerPort": 12072}]),
    ("the_disk_is_kept_from_filling", "ephemeralStorage/sizeInGiB", 10),
    ("the_disk_is_kept_from_filling", *with_variable(SHIPPER, "LLM_PROXY_SHIPPER_RETENTION", "")),
    ("the_disk_is_kept_from_filling", *with_variable(PROXY, "LLM_PROXY_MIN_FREE", "60GiB")),
    ("logs_go_to_cloudwatch_and_hold_nobody_up", f"{PROXY}/logConfiguration/options/mode", REMOVED),
    ("logs_go_to_cloudwatch_and_hold_nobody_up", f"{PROXY}/logConfiguration/options/mode", "blocking"),
    (
        "logs_go_to_cloudwatch_and_hold_nobody_up",
        f"{SHIPPER}/logConfiguration/options/awslogs-stream-prefix",
        REMOVED,
    ),
    (
        "the_log_is_json_so_that_metrics_are_found_in_it",
        *with_variable(SHIPPER, "LLM_PROXY_LOG_FORMAT", "human"),
    ),
]


@pytest.mark.parametrize(
    ("rule", "path", "value"), MUTATIONS, ids=[f"{rule}: {path}" for rule, path, _ in MUTATIONS]
)
def test_a_task_definition_that_breaks_a_rule_is_found(rule: str, path: str, value: Any) -> None:
    assert rule in broken(mutated(path, value))


def test_every_rule_is_seen_to_fail() -> None:
    assert {rule for rule, _, _ in MUTATIONS} == RULES.keys()


def test_it_is_plain_json_without_placeholders_left() -> None:
    assert "${" not in json.dumps(task_definition())
