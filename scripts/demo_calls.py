"""The demo's calls: a short conversation with each SDK, and one refusal."""

import json
import time
from collections.abc import Callable
from typing import Any

import anthropic
import openai

_CLAUDE, _GPT = "claude-sonnet-5-5", "gpt-5"
_QUESTION: Any = {"role": "user", "content": "What is the weather in Berlin?"}
_CONVERSATION: Any = {"user_id": json.dumps({"session_id": "demo-conversation"})}


def _ordered(**order: Any) -> dict[str, Any]:
    """Return the header by which the demo's provider is told what to answer."""
    return {"extra_headers": {"x-fake": json.dumps(order)}}


def make_calls(anthropic_url: str, openai_url: str, say: Callable[[str], None]) -> int:
    """Make all calls, say what came of each, and return how many were made."""
    claude = anthropic.Anthropic(api_key="sk-ant-demo-0123456789", base_url=anthropic_url, max_retries=0)
    gpt = openai.OpenAI(api_key="sk-demo-0123456789", base_url=f"{openai_url}/v1", max_retries=0)
    with claude, gpt:
        calls: list[tuple[str, Callable[[], str]]] = [
            ("anthropic  messages", lambda: _tool_turn(claude)),
            ("anthropic  messages, streamed, gzip", lambda: _streamed_turn(claude)),
            ("openai     chat completions, streamed", lambda: _chat(gpt)),
            ("openai     responses", lambda: _responses(gpt)),
            ("openai     responses, refused with 429", lambda: _refused(gpt)),
        ]
        for label, call in calls:
            began = time.perf_counter()
            outcome = _outcome(call)
            say(f"  {label:<40}{(time.perf_counter() - began) * 1000:5.0f} ms  [dim]{outcome}[/]")
    return len(calls)


def _outcome(call: Callable[[], str]) -> str:
    try:
        return call()
    except (anthropic.APIError, openai.APIError) as exc:
        return f"failed: {exc}"


def _tool_turn(claude: anthropic.Anthropic) -> str:
    tool = {"name": "get_weather", "input": {"city": "Berlin"}}
    order = _ordered(text="I will look it up.", tools=[tool])
    made: Any = claude.messages.create(
        model=_CLAUDE, max_tokens=256, metadata=_CONVERSATION, messages=[_QUESTION], **order
    )
    return f"“{made.content[0].text}” and asks for {made.content[1].name}"


def _streamed_turn(claude: anthropic.Anthropic) -> str:
    order = _ordered(text="It is sunny, 21 °C.", deltas=6, pause=0.02, encoding="gzip")
    history: list[Any] = [_QUESTION, {"role": "assistant", "content": "I will look it up."}]
    history.append({"role": "user", "content": "And?"})
    stream = claude.messages.stream(
        model=_CLAUDE, max_tokens=256, metadata=_CONVERSATION, messages=history, **order
    )
    with stream as events:
        return f"“{events.get_final_text()}”"


def _chat(gpt: openai.OpenAI) -> str:
    chunks: Any = gpt.chat.completions.create(
        model=_GPT, messages=[_QUESTION], stream=True, stream_options={"include_usage": True}
    )
    used = [chunk.usage for chunk in chunks if chunk.usage]
    return f"{used[0].prompt_tokens} tokens in, {used[0].completion_tokens} out"


def _responses(gpt: openai.OpenAI) -> str:
    made = gpt.responses.create(model=_GPT, input="Say hello.", **_ordered(text="Hello!"))
    return f"“{made.output_text}”"


def _refused(gpt: openai.OpenAI) -> str:
    try:
        gpt.responses.create(model=_GPT, input="Too much?", **_ordered(status=429))
    except openai.RateLimitError as exc:
        return f"{type(exc).__name__}, and on record all the same"
    return "not refused"
