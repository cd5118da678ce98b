"""The files under deploy/, read: with placeholders filled in, and CloudFormation's functions made plain."""

import json
from pathlib import Path
from string import Template
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
ECS = ROOT / "deploy" / "ecs"
LOCAL = ROOT / "deploy" / "local"
# Each placeholder of the task definition with a value of its kind.
PLACEHOLDERS = {
    "IMAGE": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/llm-proxy:0.1.0",
    "REGION": "eu-west-1",
    "ENVIRONMENT": "production",
    "EXECUTION_ROLE_ARN": "arn:aws:iam::123456789012:role/llm-proxy-execution",
    "LOKI_TOKEN_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:loki-token-AbCdEf",
    "LOKI_URL": "https://loki.internal/loki/api/v1/push",
    "ALLOWED_HOSTS": "llm-proxy.internal",
    "PROXY_LOG_GROUP": "/ecs/llm-proxy/proxy",
    "SHIPPER_LOG_GROUP": "/ecs/llm-proxy/shipper",
}
# What a value is that is known only when the stack is made.
LATER = "(later)"
_NO_VALUE = "(no value)"

Json = dict[str, Any]


def task_definition() -> Json:
    """Return the task definition as ECS gets it."""
    text = (ECS / "task-definition.json").read_text(encoding="utf-8")
    read: Json = json.loads(Template(text).substitute(PLACEHOLDERS))
    return read


def template_text() -> str:
    """Return the CloudFormation template as it stands."""
    return (ECS / "template.yaml").read_text(encoding="utf-8")


def template() -> Json:
    """Return the template: conditions taken as not met, all other functions as ``LATER``."""
    made: Json = _without_nothing(yaml.load(template_text(), Loader=_Loader))  # noqa: S506 - it is a safe one
    return made


def read_yaml(path: Path) -> Json:
    """Return a YAML file."""
    read: Json = yaml.safe_load(path.read_text(encoding="utf-8"))
    return read


class _Loader(yaml.SafeLoader):  # type: ignore[misc] # yaml ships no types
    pass


def _function(loader: _Loader, name: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):
        items = loader.construct_sequence(node, deep=True)
        return items[2] if name == "If" else LATER
    if name == "Ref" and node.value == "AWS::NoValue":
        return _NO_VALUE
    return LATER


_Loader.add_multi_constructor("!", _function)


def _without_nothing(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nothing(each) for name, each in value.items() if each != _NO_VALUE}
    if isinstance(value, list):
        return [_without_nothing(each) for each in value if each != _NO_VALUE]
    return value
