"""The official SDKs take the fake for the real thing."""

from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.fakes.provider import FakeProvider, Order, ToolUse
from tests.fakes.provider.answer import DEFAULT_TEXT
from tests.fakes.provider.order import Encoding

WEATHER = ToolUse("get_weather", {"city": "Köln", "days": 3})
USER: Any = {"role": "user", "content": "Hello"}


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        yield running


@pytest.fixture
def claude(provider: FakeProvider) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="sk-ant-x", base_url=provider.url, max_retries=0) as client:
        yield client


@pytest.fixture
def gpt(provider: FakeProvider) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="sk-x", base_url=f"{provider.url}/v1", max_retries=0) as client:
        yield client


def ask(client: anthropic.Anthropic, **more: Any) -> Any:
    return client.messages.create(model="claude-sonnet-5-5", max_tokens=64, messages=[USER], **more)


def test_anthropic_plain(claude: anthropic.Anthropic) -> None:
    message = ask(claude)
    assert message.content[0].text == DEFAULT_TEXT
    assert message.stop_reason == "end_turn"
    assert message.usage.input_tokens > 0
    assert message._request_id.startswith("req_")


def test_anthropic_stream_with_thinking_and_tools(
    provider: FakeProvider, claude: anthropic.Anthropic
) -> None:
    provider.order(Order(thinking=True, tools=(WEATHER,), pings=True))
    with claude.messages.stream(model="m", max_tokens=64, messages=[USER]) as stream:
        message: Any = stream.get_final_message()
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    assert message.content[2].input == WEATHER.input
    assert message.stop_reason == "tool_use"
    assert message.usage.output_tokens > 1


def test_anthropic_cache_counts_are_beside_the_input(claude: anthropic.Anthropic) -> None:
    system = [{"type": "text", "text": "long " * 400, "cache_control": {"type": "ephemeral"}}]
    usage = ask(claude, system=system).usage
    assert min(usage.cache_read_input_tokens, usage.cache_creation_input_tokens, usage.input_tokens) > 0


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.AuthenticationError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (529, anthropic.InternalServerError),
    ],
)
def test_anthropic_errors(
    provider: FakeProvider, claude: anthropic.Anthropic, status: int, error: type[Exception]
) -> None:
    provider.order(Order(status=status))
    with pytest.raises(error) as raised:
        ask(claude)
    refusal: Any = raised.value
    assert refusal.status_code == status
    assert refusal.body["type"] == "error"


def test_anthropic_error_in_a_stream(provider: FakeProvider, claude: anthropic.Anthropic) -> None:
    provider.order(Order(fault="error", after=3))
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        list(ask(claude, stream=True))


def test_anthropic_models_and_token_count(claude: anthropic.Anthropic) -> None:
    assert "claude-sonnet-5-5" in [model.id for model in claude.models.list()]
    assert claude.messages.count_tokens(model="m", messages=[USER]).input_tokens > 0


def test_openai_chat_plain_with_tools(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    provider.order(Order(tools=(WEATHER,)))
    made: Any = gpt.chat.completions.create(model="gpt-5", messages=[USER])
    assert made.choices[0].message.content == DEFAULT_TEXT
    assert made.choices[0].message.tool_calls[0].function.name == "get_weather"
    assert made.usage.total_tokens == made.usage.prompt_tokens + made.usage.completion_tokens
    assert made._request_id.startswith("req_")


@pytest.mark.parametrize("with_usage", [False, True])
def test_openai_chat_stream_has_usage_only_when_asked(gpt: openai.OpenAI, *, with_usage: bool) -> None:
    more: dict[str, Any] = {"stream_options": {"include_usage": True}} if with_usage else {}
    chunks = list(gpt.chat.completions.create(model="gpt-5", messages=[USER], stream=True, **more))
    said = "".join(each.choices[0].delta.content or "" for each in chunks if each.choices)
    assert said == DEFAULT_TEXT
    assert any(each.usage for each in chunks) == with_usage


def test_openai_responses_plain(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    provider.order(Order(tools=(WEATHER,)))
    made: Any = gpt.responses.create(model="gpt-5", input="Hello")
    assert made.output_text == DEFAULT_TEXT
    assert made.output[1].type == "function_call"
    assert made.usage.total_tokens > 0


def test_openai_responses_stream(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    provider.order(Order(thinking=True, tools=(WEATHER,)))
    with gpt.responses.stream(model="gpt-5", input="Hello") as stream:
        kinds = [event.type for event in stream]
        made = stream.get_final_response()
    assert made.output_text == DEFAULT_TEXT
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"


def test_openai_errors(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    provider.order(Order(status=429))
    with pytest.raises(openai.RateLimitError):
        gpt.responses.create(model="gpt-5", input="Hello")
    assert [model.id for model in gpt.models.list()]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "auto"])
def test_compressed_streams_are_read(
    provider: FakeProvider, claude: anthropic.Anthropic, encoding: Encoding
) -> None:
    provider.order(Order(encoding=encoding))
    with claude.messages.stream(model="m", max_tokens=64, messages=[USER]) as stream:
        assert stream.get_final_text() == DEFAULT_TEXT
