"""A mock of ECS takes the task definition and runs it: offline, with keys that open nothing."""

import boto3
import moto
import pytest

from tests.deploy.files import task_definition


@pytest.fixture
def _no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


@pytest.mark.usefixtures("_no_account")
def test_it_registers_runs_and_stops() -> None:
    with moto.mock_aws():
        subnet = boto3.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
        ecs = boto3.client("ecs")
        ecs.create_cluster(clusterName="llm")
        registered = ecs.register_task_definition(**task_definition())["taskDefinition"]
        network = {"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": ["sg-12345678"]}}

        (task,) = ecs.run_task(
            cluster="llm", taskDefinition="llm-proxy", launchType="FARGATE", networkConfiguration=network
        )["tasks"]
        stopped = ecs.stop_task(cluster="llm", task=task["taskArn"])["task"]

    assert [each["name"] for each in registered["containerDefinitions"]] == ["proxy", "shipper"]
    assert registered["containerDefinitions"][0]["dependsOn"] == [
        {"containerName": "shipper", "condition": "START"}
    ]
    assert task["taskDefinitionArn"] == registered["taskDefinitionArn"]
    assert stopped["desiredStatus"] == "STOPPED"
