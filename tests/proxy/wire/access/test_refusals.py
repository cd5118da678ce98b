import json
from http import HTTPStatus

import pytest

from proxy.wire.access.refusals import Dialect, dialect_of, refusal


@pytest.mark.parametrize(
    ("target", "dialect"),
    [
        (b"/anthropic/api.anthropic.com/v1/messages?beta=true", "anthropic"),
        (b"/anthropic/api.anthropic.com/v1/models", "anthropic"),
        (b"/azure/team.services.ai.azure.com/anthropic/v1/messages", "anthropic"),
        (b"/vertex/aiplatform.googleapis.com/v1/publishers/anthropic/models/c:streamRawPredict", "anthropic"),
        (b"/openai/api.openai.com/v1/responses", "openai"),
        (b"/azure/team.openai.azure.com/openai/deployments/d/chat/completions", "openai"),
        (b"/vertex/aiplatform.googleapis.com/v1/endpoints/openapi/chat/completions", "openai"),
        (b"/gemini/generativelanguage.googleapis.com/v1beta/models/g:generateContent", "gemini"),
        (b"/gemini/generativelanguage.googleapis.com/v1beta/models", "gemini"),
        (b"/model/anthropic.claude/converse", "bedrock"),
        (b"/bedrock/bedrock-runtime.eu-west-1.amazonaws.com/model/x/invoke", "bedrock"),
        (b"/openai/localhost:11434/api/chat", "ollama"),
        (b"/nobody", "openai"),
        (b"", "openai"),
    ],
)
def test_the_path_tells_the_dialect(target: bytes, dialect: Dialect) -> None:
    assert dialect_of(target) == dialect


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (
            b"/anthropic/x/v1/messages",
            {"type": "error", "error": {"type": "permission_error", "message": "llm-proxy: no"}},
        ),
        (
            b"/openai/x/v1/responses",
            {
                "error": {
                    "message": "llm-proxy: no",
                    "type": "permission_error",
                    "param": None,
                    "code": "llm_proxy",
                }
            },
        ),
        (
            b"/gemini/x/v1/m:generateContent",
            {"error": {"code": 403, "message": "llm-proxy: no", "status": "PERMISSION_DENIED"}},
        ),
        (b"/bedrock/x/model/m/converse", {"message": "llm-proxy: no"}),
        (b"/openai/x/api/chat", {"error": "llm-proxy: no"}),
    ],
)
def test_a_refusal_has_the_shape_of_its_dialect(target: bytes, expected: dict[str, object]) -> None:
    body, headers = refusal(HTTPStatus.FORBIDDEN, "no", target)

    assert json.loads(body) == expected
    assert (b"Content-Type", b"application/json") in headers


@pytest.mark.parametrize(
    ("status", "names"),
    [
        (HTTPStatus.BAD_REQUEST, (b"ValidationException", "invalid_request_error")),
        (HTTPStatus.FORBIDDEN, (b"AccessDeniedException", "permission_error")),
        (HTTPStatus.TOO_MANY_REQUESTS, (b"ThrottlingException", "rate_limit_error")),
        (HTTPStatus.BAD_GATEWAY, (b"ServiceUnavailableException", "api_error")),
    ],
)
def test_a_status_has_its_names(status: HTTPStatus, names: tuple[bytes, str]) -> None:
    _, headers = refusal(status, "no", b"/model/m/invoke")
    body, _ = refusal(status, "no", b"/anthropic/x/v1/messages")

    assert dict(headers)[b"x-amzn-ErrorType"] == names[0]
    assert json.loads(body)["error"]["type"] == names[1]
