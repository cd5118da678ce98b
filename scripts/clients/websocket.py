"""A stand-in for OpenAI's Responses and realtime APIs over WebSocket."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Ping, Request, TextMessage

_SAID = "Hello from the stand-in."


@contextmanager
def serving() -> Iterator[str]:
    """Serve on loopback; yield ``host:port``."""
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(listener,), daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def _accept(listener: socket.socket) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def _serve(connection: socket.socket) -> None:
    peer = WSConnection(ConnectionType.SERVER)
    with connection, suppress(Exception):
        while data := connection.recv(65536):
            peer.receive_data(data)
            for event in peer.events():
                for answer in _answers(event):
                    connection.sendall(peer.send(answer))


def _answers(event: Any) -> Iterator[Any]:
    match event:
        case Request():
            yield AcceptConnection()
            if "realtime" in event.target:
                yield _message({"type": "session.created", "session": {"id": "s", "model": "gpt-realtime"}})
        case TextMessage():
            asked = json.loads(event.data)
            if asked.get("type") == "response.create":
                yield from map(_message, _response(asked))
        case Ping() | CloseConnection():
            yield event.response()


def _message(event: dict[str, Any]) -> TextMessage:
    return TextMessage(data=json.dumps(event))


def _response(asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    text = {"type": "output_text", "text": _SAID, "annotations": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
    response: dict[str, Any] = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": asked.get("model", "gpt-realtime"),
        "status": "in_progress",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    yield {"type": "response.created", "sequence_number": 0, "response": response}
    yield {
        "type": "response.output_item.added",
        "sequence_number": 1,
        "output_index": 0,
        "item": {**item, "content": []},
    }
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "logprobs": []}
    yield {"type": "response.output_text.delta", "sequence_number": 2, **place, "delta": _SAID}
    yield {"type": "response.output_item.done", "sequence_number": 3, "output_index": 0, "item": item}
    usage = {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 13,
    }
    done = {**response, "status": "completed", "output": [item], "usage": usage}
    end = "response.completed" if "model" in asked else "response.done"
    yield {"type": end, "sequence_number": 4, "response": done}
