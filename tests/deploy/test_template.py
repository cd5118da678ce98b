"""The CloudFormation template: AWS's schema, least privilege, alarms on what is really logged."""

import re
from typing import Any

import cfnlint
import pytest

from shipper.telemetry.export.cloudwatch import DIMENSION, NAMESPACE, UNITS
from tests.deploy.files import LATER, ROOT, Json, task_definition, template, template_text

GIB = 1 << 30


def resources(kind: str) -> dict[str, Json]:
    return {
        name: each.get("Properties", {})
        for name, each in template()["Resources"].items()
        if each["Type"] == kind
    }


def findings(text: str) -> set[str]:
    """Return the ids of what cfn-lint has to say; it knows the schemas by heart."""
    return {each.rule.id for each in cfnlint.api.lint(text, config={"regions": ["eu-west-1"]})}


def test_cfn_lint_has_nothing_to_say() -> None:
    assert findings(template_text()) == set()


def test_cfn_lint_finds_what_is_wrong() -> None:
    text = template_text()
    for right, wrong in [
        ('Cpu: "1024"', 'Cpu: "1000"'),
        ("Condition: START}", "Condition: READY}"),
        ("!Ref ProxyLogs", "!Ref ProxyLog"),
        ("TreatMissingData: breaching", "TreatMissingData: bad"),
        ("Scheme: internal", "Schema: internal"),
    ]:
        assert right in text
        text = text.replace(right, wrong)

    assert findings(text) >= {"E1020", "E3002", "E3030", "E3047"}


def capitalised(value: Any) -> Any:
    """Return a task definition as CloudFormation spells it; placeholders become ``LATER``."""
    if isinstance(value, dict):
        return {name[0].upper() + name[1:]: capitalised(each) for name, each in value.items()}
    if isinstance(value, list):
        return [capitalised(each) for each in value]
    return value


def without_values_known_later(mine: Any, other: Any) -> Any:
    """Return ``mine`` with ``LATER`` wherever ``other`` has it, so that the rest can be compared."""
    if other == LATER:
        return LATER
    if isinstance(mine, dict) and isinstance(other, dict):
        return {name: without_values_known_later(each, other.get(name)) for name, each in mine.items()}
    if isinstance(mine, list) and isinstance(other, list) and len(mine) == len(other):
        return [without_values_known_later(*both) for both in zip(mine, other, strict=True)]
    return mine


def test_its_task_is_that_of_the_task_definition() -> None:
    (there,) = resources("AWS::ECS::TaskDefinition").values()
    here = capitalised(task_definition())
    for each in here["ContainerDefinitions"]:
        options = each["LogConfiguration"]["Options"]
        each["LogConfiguration"]["Options"] = {name[0].lower() + name[1:]: v for name, v in options.items()}

    assert without_values_known_later(here, there) == there


def statements() -> list[Json]:
    policies = [
        policy["PolicyDocument"]
        for role in resources("AWS::IAM::Role").values()
        for policy in role["Policies"]
    ]
    return [each for policy in policies for each in policy["Statement"]]


def test_roles_may_do_only_what_a_start_and_calls_to_bedrock_take() -> None:
    actions = [each["Action"] for each in statements()]
    allowed = {each for group in actions for each in ([group] if isinstance(group, str) else group)}

    assert set(resources("AWS::IAM::Role")) == {"ExecutionRole", "TaskRole"}
    assert allowed == {
        "ecr:GetAuthorizationToken",
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "secretsmanager:GetSecretValue",
        "bedrock:InvokeModel",
        "bedrock:InvokeModelWithResponseStream",
        "bedrock:CountTokens",
    }
    assert [each["Action"] for each in statements() if "*" in each["Resource"]] == [
        "ecr:GetAuthorizationToken"
    ]
    # The containers have no role unless the proxy signs.
    assert template()["Resources"]["TaskRole"]["Condition"] == "HasBedrock"
    assert "TaskRoleArn" not in template()["Resources"]["TaskDefinition"]["Properties"]


def test_the_load_balancer_is_internal_and_waits_for_quiet_calls() -> None:
    (balancer,) = resources("AWS::ElasticLoadBalancingV2::LoadBalancer").values()
    attributes = {each["Key"]: each["Value"] for each in balancer["LoadBalancerAttributes"]}
    (group,) = resources("AWS::ElasticLoadBalancingV2::TargetGroup").values()

    assert balancer["Scheme"] == "internal"
    assert attributes["idle_timeout.timeout_seconds"] == "4000"
    assert group["HealthCheckPath"] == "/health"
    assert group["Port"] == 12071


def test_the_service_brings_the_new_task_up_first_and_goes_back_when_it_fails() -> None:
    (service,) = resources("AWS::ECS::Service").values()
    deployment = service["DeploymentConfiguration"]

    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (100, 200)
    assert service["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == "DISABLED"


ALARMS = resources("AWS::CloudWatch::Alarm")


def metric_of(alarm: Json) -> Json:
    """Return the metric that an alarm watches, itself or in a formula."""
    metric: Json
    (metric,) = [
        each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each
    ] or [alarm]
    return metric


@pytest.mark.parametrize("alarm", ALARMS.values(), ids=ALARMS)
def test_an_alarm_watches_a_metric_that_the_shipper_logs(alarm: Json) -> None:
    metric = metric_of(alarm)

    assert metric["Namespace"] == NAMESPACE
    assert [each["Name"] for each in metric["Dimensions"]] == [DIMENSION]
    assert metric["MetricName"] in UNITS
    assert alarm["TreatMissingData"] == "breaching"


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_has_a_section_in_the_readme(name: str) -> None:
    readme = (ROOT / "deploy" / "ecs" / "README.md").read_text(encoding="utf-8")

    assert f"section {name} of deploy/ecs/README.md" in ALARMS[name]["AlarmDescription"]
    assert re.search(rf"^#+ {name}$", readme, re.MULTILINE)


def test_status_lag_drops_and_folder_are_watched() -> None:
    assert {metric_of(each)["MetricName"] for each in ALARMS.values()} == {
        "delivery_failing",
        "oldest_unsent_seconds",
        "entries_dropped",
        "folder_bytes",
    }


def test_a_folder_that_outlives_the_task_has_one_task_at_a_time() -> None:
    text = template_text()

    assert "MinimumHealthyPercent: !If [HasFileSystem, 0, 100]" in text
    assert "MaximumPercent: !If [HasFileSystem, 100, 200]" in text
    assert 'Assert: !Equals [!Ref Tasks, "1"]' in text
    assert template()["Rules"].keys() == {"OneTaskOnAFileSystem", "BedrockNeedsToken"}


def test_the_folder_s_alarm_comes_before_bodies_are_left_out() -> None:
    size = task_definition()["ephemeralStorage"]["sizeInGiB"]
    environment = task_definition()["containerDefinitions"][0]["environment"]
    (kept,) = (each["value"] for each in environment if each["name"] == "LLM_PROXY_MIN_FREE")

    assert ALARMS["FolderFilling"]["Threshold"] < (size - int(kept.removesuffix("GiB"))) * GIB
