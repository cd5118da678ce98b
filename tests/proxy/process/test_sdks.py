"""The official SDKs get the same through the proxy as directly, and the provider sees the same of them."""

import threading
from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest

from tests.fakes.provider import Order, ToolUse
from tests.fakes.wire import Request
from tests.process import eventually
from tests.proxy.served import Record, Served, new_key

KEY = "sk-ant-api03-QwErTzUiOpAsDfGhJkLyXcVbNmPlOkIj"
HELLO: Any = {"role": "user", "content": "Grüß Gott 🚀"}
WEATHER = ToolUse("get_weather", {"city": "Köln", "days": 3})
READ = ToolUse("read_file", {"path": "/etc/hosts"})
FIXED = {
    "id",
    "request_id",
    "created",
    "created_at",
    "completed_at",
    "item_id",
    "call_id",
    "tool_use_id",
    "response_id",
}

Call = Callable[[str, str], Any]


def claude(base: str, key: str, **more: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(
        api_key=KEY, base_url=base, default_headers={"X-Session-ID": key}, **{"max_retries": 0, **more}
    )


def gpt(base: str, key: str, **more: Any) -> openai.OpenAI:
    return openai.OpenAI(
        api_key=KEY,
        base_url=f"{base}/v1",
        default_headers={"X-Session-ID": key},
        **{"max_retries": 0, **more},
    )


def message(base: str, key: str) -> Any:
    with claude(base, key) as client:
        return client.messages.create(model="m", max_tokens=9, messages=[HELLO]).model_dump()


def message_stream(base: str, key: str) -> Any:
    with (
        claude(base, key) as client,
        client.messages.stream(model="m", max_tokens=9, messages=[HELLO]) as stream,
    ):
        return [event.model_dump() for event in stream]


def chat(base: str, key: str) -> Any:
    with gpt(base, key) as client:
        return client.chat.completions.create(model="m", messages=[HELLO]).model_dump()


def chat_stream(base: str, key: str) -> Any:
    with gpt(base, key) as client:
        chunks = client.chat.completions.create(
            model="m",
            messages=[HELLO],
            stream=True,
            stream_options={"include_usage": True},
        )
        return [chunk.model_dump() for chunk in chunks]


def response(base: str, key: str) -> Any:
    with gpt(base, key) as client:
        return client.responses.create(model="m", input="Hello").model_dump()


def response_stream(base: str, key: str) -> Any:
    with gpt(base, key) as client:
        return [
            event.model_dump() for event in client.responses.create(model="m", input="Hello", stream=True)
        ]


CALLS: dict[str, Call] = {
    each.__name__: each for each in (message, message_stream, chat, chat_stream, response, response_stream)
}


def steady(value: Any) -> Any:
    """Return a result without what the provider makes anew for each call."""
    if isinstance(value, list):
        return [steady(each) for each in value]
    if isinstance(value, dict):
        return {name: steady(each) for name, each in value.items() if name not in FIXED}
    return value


def segment(name: str) -> str:
    return "anthropic" if name.startswith("message") else "openai"


def both(served: Served, name: str, *orders: Order) -> tuple[Any, Any, list[Record]]:
    """Return a call's result directly and through the proxy, and what the proxy has on record of it."""
    key = new_key()
    served.provider.order(*orders)
    direct = CALLS[name](served.provider.url, key)
    served.provider.order(*orders)
    through = CALLS[name](served.url(segment(name)), key)
    return direct, through, served.session(key)


def sent(request: Request) -> tuple[bytes, list[tuple[bytes, bytes]], bytes]:
    """Return what may be compared of a request: all but the host and this connection's own header."""
    own = {b"host", b"connection"}
    return request.line, [pair for pair in request.headers if pair[0].lower() not in own], request.body


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "order",
    [
        Order(),
        Order(tools=(WEATHER, READ), thinking=True),
        Order(deltas=50, text_bytes=20_000, encoding="auto"),
        Order(encoding="br", write_size=11),
    ],
    ids=["plain", "tools", "long", "packed"],
)
def test_results_and_requests_are_the_same(served: Served, name: str, order: Order) -> None:
    direct, through, records = both(served, name, order)
    first, second = served.provider.requests

    assert steady(through) == steady(direct)
    assert sent(second) == sent(first)
    assert [each["type"] for each in records] == ["session_start", "request", "response"]


@pytest.mark.parametrize("name", CALLS)
def test_usage_stop_and_tools_are_on_record_as_the_sdk_has_them(served: Served, name: str) -> None:
    order = Order(tools=(WEATHER, READ))
    _, _, (_, _, record) = both(served, name, order)

    assert [each["name"] for each in record["tool_calls"]] == ["get_weather", "read_file"]
    assert record["stop_reason"] in {"tool_use", "tool_calls"}
    assert record["model"] == "m"
    assert record["usage"]["input_tokens"] > 0
    assert record["usage"]["output_tokens"] > 0
    assert record["response_id"]


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("status", [400, 429, 529])
def test_errors_are_the_same(served: Served, name: str, status: int) -> None:
    errors = []
    key = new_key()
    for base in (served.provider.url, served.url(segment(name))):
        served.provider.order(Order(status=status, headers=(("retry-after-ms", "1"),)))
        with pytest.raises((anthropic.APIStatusError, openai.APIStatusError)) as raised:
            CALLS[name](base, key)
        error: Any = raised.value
        errors.append((type(error), error.status_code, steady(error.body)))

    assert errors[0] == errors[1]
    assert served.call(key)[1]["status"] == status


def test_an_sdk_retries_through_the_proxy_as_it_does_directly(served: Served) -> None:
    key = new_key()
    refused = Order(status=529, headers=(("retry-after-ms", "1"),), times=2)
    served.provider.order(refused)
    with claude(served.url("anthropic"), key, max_retries=3) as client:
        answer = client.messages.create(model="m", max_tokens=9, messages=[HELLO])
    records = served.session(key, 3)

    assert answer.stop_reason == "end_turn"
    assert [each["status"] for each in records if each["type"] == "response"] == [529, 529, 200]
    assert [each["seq"] for each in records if each["type"] == "request"] == [1, 2, 3]
    retries = [each["headers"]["X-Stainless-Retry-Count"] for each in records if each["type"] == "request"]
    assert retries == [["0"], ["1"], ["2"]]


@pytest.mark.parametrize("encoding", [None, "gzip", "br", "deflate"])
def test_an_event_is_there_while_the_provider_still_thinks(served: Served, encoding: Any) -> None:
    key = new_key()
    served.provider.order(Order(fault="hang", after=4, encoding=encoding))
    with claude(served.url("anthropic"), key) as client:
        stream: Any = client.messages.create(model="m", max_tokens=9, messages=[HELLO], stream=True)
        kinds = [next(iter(stream)).type for _ in range(3)]
        stream.close()

    assert kinds[0] == "message_start"
    assert served.call(key)[1]["error"]["kind"] == "client_gone"


@pytest.mark.parametrize("fault", ["reset", "cut"])
@pytest.mark.parametrize("name", ["message_stream", "chat_stream", "response_stream"])
def test_a_broken_stream_is_an_error_for_the_sdk(served: Served, name: str, fault: Any) -> None:
    served.provider.order(Order(fault=fault, after=3))

    with pytest.raises(Exception, match=r"(?i)peer closed|incomplete|reset|connection"):
        CALLS[name](served.url(segment(name)), new_key())


def test_parallel_calls_of_one_session_are_each_on_record(served: Served) -> None:
    key = new_key()
    threads = [
        threading.Thread(target=CALLS[name], args=(served.url("anthropic"), key))
        for name in ["message", "message_stream"] * 10
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = served.session(key, 20)

    requests = {each["_meta"]["request_id"]: each["seq"] for each in records if each["type"] == "request"}
    responses = {each["_meta"]["request_id"]: each["seq"] for each in records if each["type"] == "response"}
    assert requests == responses
    assert sorted(requests.values()) == list(range(1, 21))


def test_no_secret_is_in_any_file_or_message(served: Served) -> None:
    key = new_key()
    message(served.url("anthropic"), key)
    chat(served.url("openai"), key)
    eventually(lambda: len([each for each in served.records() if each.get("client_session") == key]) == 2)

    written = b"".join(path.read_bytes() for path in served.log_dir.glob("*/*/*.jsonl"))
    rest = KEY.removeprefix("sk-ant-api03-")
    pieces = [rest[at : at + 8] for at in range(len(rest) - 7)]
    assert not [piece for piece in pieces if piece.encode() in written or piece in served.process.stderr]
    assert rest[-4:].encode() in written
