from typing import Any

import orjson
import pytest

from shipper.record.envelope import envelope_of_record
from shipper.record.provider import Origin, origin_of, provider_in_head, provider_of_host

PATH = "/var/log/llm/api.groq.com/2026-11-23/20261123-120000-a1b2c3d4.jsonl"
SESSION = "20261123-120000-a1b2c3d4"


@pytest.mark.parametrize(
    ("fields", "told_by_file", "path", "provider"),
    [
        ({"provider": "azure"}, "openai", PATH, "azure"),
        ({}, "chatgpt", PATH, "chatgpt"),
        ({"_meta": {"host": "api.anthropic.com"}}, "", PATH, "anthropic"),
        ({}, "", PATH, "openai"),
        ({}, "", "/var/log/llm/localhost:11434/2026-11-23/x.jsonl", "unknown"),
        ({}, "", "x.jsonl", "unknown"),
        ({"provider": ""}, "", PATH, "openai"),
        ({"provider": 5}, "", PATH, "openai"),
        ({"provider": "Any text at all"}, "", PATH, "openai"),
        ({"provider": "p" * 33}, "bedrock", PATH, "bedrock"),
        ({}, "Any text at all", PATH, "openai"),
        ({"provider": "new-one_2"}, "", PATH, "new-one_2"),
    ],
)
def test_line_then_file_then_host_tell_the_provider(
    fields: dict[str, Any], told_by_file: str, path: str, provider: str
) -> None:
    assert origin_of(envelope_of_record(fields), told_by_file, path).provider == provider


@pytest.mark.parametrize("name", [f"{SESSION}.jsonl", SESSION, f"{SESSION}.jsonl.1", f"{SESSION}.old.jsonl"])
def test_the_session_is_the_files_name_without_endings(name: str) -> None:
    assert origin_of(envelope_of_record({}), "openai", f"logs/host/day/{name}") == Origin("openai", SESSION)


@pytest.mark.parametrize(
    ("head", "provider"),
    [
        (
            orjson.dumps({"type": "session_start", "provider": "openai"}) + b'\n{"provider":"azure"}\n',
            "openai",
        ),
        (orjson.dumps({"type": "session_start", "provider": "openai"}), "openai"),
        (b'{"type":"request"}\n', ""),
        (b'{"provider":["openai"]}\n', ""),
        (b"no JSON\n", ""),
        (b"", ""),
    ],
)
def test_a_files_first_line_tells_the_provider_of_lines_that_do_not(head: bytes, provider: str) -> None:
    assert provider_in_head(head) == provider


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("api.anthropic.com", "anthropic"),
        ("API.Anthropic.com:443", "anthropic"),
        ("api.openai.com", "openai"),
        ("openrouter.ai", "openai"),
        ("api.groq.com", "openai"),
        ("api.deepseek.com", "openai"),
        ("chatgpt.com", "chatgpt"),
        ("team.openai.azure.com", "azure"),
        ("generativelanguage.googleapis.com", "gemini"),
        ("bedrock-runtime.eu-central-1.amazonaws.com", "bedrock"),
        ("bedrock-runtime-fips.us-east-1.amazonaws.com", "bedrock"),
        ("europe-west1-aiplatform.googleapis.com", "vertex"),
        ("api.mistral.ai", "openai"),
        ("team.services.ai.azure.com", "azure"),
        ("bedrock-runtime.evil.com", "unknown"),
        ("openai.azure.com.evil.com", "unknown"),
        ("127.0.0.1:11434", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_host_belongs_to_a_provider(host: str, provider: str) -> None:
    assert provider_of_host(host) == provider
