"""A log folder of conversations, with all that the pages of explore have to show."""

from pathlib import Path
from typing import Any

import orjson

from tests import clock

TALK, FORK, RUNNING, ALIEN = (clock.session(0xB0 + number) for number in range(4))
EVIL = (
    "<script>window.hit=1</script><img src=x onerror=window.hit=1><iframe src=//a.example></iframe>"
    "\x1b[31m\u202e"
)
LINK = "[click](javascript:window.hit=1) <style>*{display:none}</style>"
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_MODEL = "claude-sonnet-4-5"


def line(kind: str, session: str, at: int, agent: str = "", **fields: Any) -> bytes:
    """Return a line of a session, ``at`` seconds before now."""
    stamp = clock.stamp(clock.NOW - at * clock.SECOND)
    meta = {"ts": stamp, "machine": "dev@here", "host": "api.anthropic.com", "session": session}
    meta |= {"agent": agent, "parent_agent": "main"} if agent else {}
    return orjson.dumps({"type": kind, "_meta": meta, "provider": "anthropic", **fields}) + b"\n"


def request(
    session: str, seq: int, *messages: Any, agent: str = "", model: str = _MODEL, **body: Any
) -> bytes:
    """Return a request."""
    text = orjson.dumps({"model": model, "messages": messages, **body}).decode()
    headers = {"User-Agent": ["claude-cli/2.0.1 (external)"], "X-Api-Key": ["sk-ant-live-secret"]}
    told: dict[str, Any] = {
        "seq": seq,
        "method": "POST",
        "path": "/v1/messages",
        "model": model,
        "headers": headers,
    }
    return line("request", session, 900 - 20 * seq, agent, **told, size=len(text), body=text)


def response(session: str, seq: int, *content: Any, **more: Any) -> bytes:
    """Return an answer with these blocks, as a stream."""
    events = [
        {"type": "content_block_start", "index": number, "content_block": block}
        for number, block in enumerate(content)
    ]
    told: dict[str, Any] = {
        "seq": seq,
        "status": 200,
        "timing": {"ttfb_ms": 300, "total_ms": 2300},
        "headers": {"Content-Type": ["text/event-stream"]},
        "model": _MODEL,
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1200, "output_tokens": 90, "cache_read_input_tokens": 40_000},
        "chunks": [
            {"ts": "", "delta_ms": 300 + 400 * number, "raw": f"data: {orjson.dumps(event).decode()}\n\n"}
            for number, event in enumerate(events)
        ],
    }
    return line("response", session, 895 - 20 * seq, **(told | more))


def user(content: Any) -> dict[str, Any]:
    """Return what a user says."""
    return {"role": "user", "content": content}


def said(text: str) -> dict[str, str]:
    """Return a block of text."""
    return {"type": "text", "text": text}


def talk() -> bytes:
    """Return a session with tools, an image, code, an error and its retry, a subagent, a broken line."""
    first = user(
        [said("<system-reminder>be careful</system-reminder>"), said("What is the weather in Berlin?")]
    )
    call = {
        "type": "tool_use",
        "id": "t1",
        "name": "get_weather",
        "input": {"city": "Berlin", "units": "metric"},
    }
    thought = {"type": "thinking", "thinking": "The tool knows. " * 40}
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": _PIXEL}}
    result = user(
        [{"type": "tool_result", "tool_use_id": "t1", "content": "sunny, 21 degrees\n" * 90}, image]
    )
    history = [first, {"role": "assistant", "content": [call]}, result]
    answer = said(
        "It is **sunny**.\n\n```python\ndef sky() -> str:\n    return 'blue'\n```\n\n"
        "| day | sky |\n|---|---|\n| today | blue |"
    )
    tools = [{"name": "get_weather", "description": "Tell the weather"}]
    task = user("Count the files below src and say which is the longest of them all.")
    overloaded = {"kind": "provider", "message": "overloaded_error"}
    return b"".join(
        [
            line("session_start", TALK, 900, upstream="api.anthropic.com"),
            request(TALK, 1, first, system="You are a helper.\nBe brief.", tools=tools),
            response(
                TALK,
                1,
                thought,
                call,
                stop_reason="tool_use",
                tool_calls=[{"id": "t1", "name": "get_weather"}],
            ),
            request(TALK, 2, *history, system="You are a helper.\nBe verbose.", tools=tools),
            response(TALK, 2, status=529, error=overloaded, usage={}, stop_reason="", chunks=[]),
            request(TALK, 3, *history, system="You are a helper.\nBe verbose.", tools=tools),
            response(TALK, 3, answer),
            request(TALK, 4, task, agent="explorer"),
            response(TALK, 4, said("There are 12.")),
            b'{"type":"request","_meta":{"ts":\n',
        ]
    )


def fork() -> bytes:
    """Return a session that left the first one."""
    return b"".join(
        [
            line("session_start", FORK, 700, upstream="api.anthropic.com"),
            line("fork", FORK, 700, parent_session=TALK, from_seq=1),
            request(FORK, 1, user("And in Paris?")),
            response(FORK, 1, said("It rains in Paris.")),
        ]
    )


def running() -> bytes:
    """Return a session whose call has no answer yet."""
    return line("session_start", RUNNING, 60) + request(RUNNING, 1, user("Write a poem about Zanzibar."))


def alien() -> bytes:
    """Return a session in which all that can be filled is filled with what must not act."""
    words = f"{EVIL} {LINK}"
    tool = {"type": "tool_use", "id": words, "name": words, "input": {words: words}}
    result = {"type": "tool_result", "tool_use_id": words, "content": words}
    broken = {"kind": words, "message": words}
    tools, thought = [{"name": words}], {"type": "thinking", "thinking": words}
    return b"".join(
        [
            line("session_start", ALIEN, 500, words, upstream=words, client_session=words),
            request(
                ALIEN, 1, user([said(words), result]), agent=words, model=words, system=words, tools=tools
            ),
            response(
                ALIEN, 1, thought, said(words), tool, model=words, stop_reason=words, error=broken,
                headers={words: [words]}, tool_calls=[{"id": words, "name": words}],
            ),
            f"{words} no record\n".encode(),
        ]
    )  # fmt: skip


def write_all(logs: Path) -> None:
    """Write all of them."""
    for name, data in ((TALK, talk()), (FORK, fork()), (RUNNING, running()), (ALIEN, alien())):
        append(logs, name, data)


def append(logs: Path, session: str, data: bytes) -> None:
    """Append lines to a session's file."""
    day = logs / "api.anthropic.com" / clock.day()
    day.mkdir(parents=True, exist_ok=True)
    with (day / f"{session}.jsonl").open("ab") as file:
        file.write(data)
