"""deploy/ecs/README.md: each number in it is that of the files and of the code."""

import re

import pytest

import proxy.server.server
from proxy.recording.queue.recorder import BODIES, ENVELOPES
from shipper.commands.run.drain import HARD_END_SECONDS
from tests.deploy.files import ECS, task_definition, template, template_text
from tests.deploy.rules import Task

README = (ECS / "README.md").read_text(encoding="utf-8")
TASK = Task(task_definition())
PROXY, SHIPPER = TASK.proxy_settings, TASK.shipper_settings
RESOURCES = template()["Resources"]
MIB, GIB = 1 << 20, 1 << 30


def section(title: str) -> str:
    """Return a section as one line, without the marks of tables and code."""
    found = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found
    return re.sub(r"[\s`]+", " ", found[1])


def seconds(value: float) -> str:
    return f"{value:g} s"


def attribute(resource: str, attributes: str, key: str) -> str:
    found = {each["Key"]: each["Value"] for each in RESOURCES[resource]["Properties"][attributes]}
    return f"{int(found[key]):,}"


IDLE = attribute("LoadBalancer", "LoadBalancerAttributes", "idle_timeout.timeout_seconds")
DEREGISTRATION = attribute("TargetGroup", "TargetGroupAttributes", "deregistration_delay.timeout_seconds")
CUT = PROXY.grace + proxy.server.server._CUT_SECONDS + proxy.server.server._FLUSH_SECONDS
STOPS = [TASK.proxy["stopTimeout"], TASK.shipper["stopTimeout"]]


@pytest.mark.parametrize(
    "words",
    [
        f"to finish, at most {DEREGISTRATION} s",
        f"running calls have {seconds(PROXY.grace)} ( grace )",
        f"| {seconds(PROXY.grace)} | | ends the remaining calls",
        f"at most {seconds(CUT)} | | writes its last lines",
        f"| {seconds(STOPS[0])} | SIGKILL",
        f"whose own {seconds(STOPS[1])} begin",
        f"P + {seconds(SHIPPER.shipper.shutdown_timeout)} | | | has delivered everything (exit 0), or",
        f"P + {seconds(HARD_END_SECONDS)} | | | exits in any case",
        f"P + {seconds(STOPS[1])} | SIGKILL",
        f"{STOPS[0]} + {STOPS[1]} s fit into the two minutes",
        f"less than {seconds(HARD_END_SECONDS)} together.",
    ],
)
def test_the_stop_s_times_are_those_of_files_and_code(words: str) -> None:
    assert words in section("Shutdown sequence")


@pytest.mark.parametrize(
    ("title", "words"),
    [
        (
            "Design decisions",
            f"idle timeout is {IDLE} s",
        ),
        ("Design decisions", f"{TASK.proxy['linuxParameters']['tmpfs'][0]['size']} MiB of /tmp"),
        ("Design decisions", f"every {TASK.proxy['healthCheck']['interval']} s"),
        (
            "What can be lost",
            f"what Loki has not accepted {seconds(SHIPPER.shipper.shutdown_timeout)} after the proxy's exit",
        ),
        ("What can be lost", f"less than {PROXY.min_free // GIB} GiB are free"),
        (
            "Sizing",
            f"| memory | {int(TASK.whole['memory']):,} MiB | the shipper at most {TASK.shipper['memory']}",
        ),
        ("Sizing", f"its queue is bounded by {(BODIES + ENVELOPES) // MIB} MiB"),
        ("Sizing", f"| disk | {TASK.whole['ephemeralStorage']['sizeInGiB']} GiB"),
        ("Sizing", f"less {PROXY.min_free // GIB} GiB min_free"),
        ("Sizing", f"( retention , {SHIPPER.shipper.retention / 86400:g} d after delivery)"),
        ("Alarms", f"The files take {RESOURCES['FolderFilling']['Properties']['Threshold'] / GIB:g} GiB"),
        (
            "Alarms",
            f"A line has waited for {RESOURCES['DeliveryLagging']['Properties']['Threshold'] / 60:g} minutes",
        ),
    ],
)
def test_other_numbers_are_those_of_files_and_code(title: str, words: str) -> None:
    assert words in section(title)


def test_every_parameter_and_output_that_its_commands_name_is_there() -> None:
    parameters = set(template()["Parameters"])
    given = {
        name
        for line in re.findall(r"--parameter-overrides (.*)", README)
        for name in re.findall(r"(\w+)=", line)
    }
    mentioned = set(re.findall(r"`(\w+)=\.\.\.`", README))

    assert given | mentioned <= parameters
    assert set(re.findall(r"OutputKey=='(\w+)'", README)) <= set(template()["Outputs"])
    required = {name for name, each in template()["Parameters"].items() if "Default" not in each}
    first = re.search(r"4\. Create the stack:.*?--parameter-overrides (.*?)\n", README, re.DOTALL)
    assert first
    assert required <= set(re.findall(r"(\w+)=", first[1]))
    assert f"--logical-resource-id {'Service'}" in README
    assert "Service:" in template_text()
