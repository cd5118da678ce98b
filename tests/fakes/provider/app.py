"""The provider's paths: which request gets which answer."""

import base64
from collections import deque
from typing import Any

import orjson

from tests.fakes.control import PREFIX, Script
from tests.fakes.provider import chat, messages, responses
from tests.fakes.provider.answer import Answer
from tests.fakes.provider.delivery import deliver, quick
from tests.fakes.provider.order import PLAIN, Order, read_order
from tests.fakes.reply import Reply, json_answer, text_answer
from tests.fakes.wire import Request

# Enough for any test to look back on, little enough for a benchmark of many requests.
_REMEMBERED = 1000

_FORMATS = {"/messages": messages.answer, "/chat/completions": chat.answer, "/responses": responses.answer}
_MODELS = ("claude-sonnet-5-5", "claude-opus-5-5", "gpt-5", "gpt-5-codex")


class ProviderApp:
    """Answers as Anthropic and OpenAI do, or as ordered; remembers the latest requests."""

    def __init__(self) -> None:
        self.script = Script(Order)
        self.requests: deque[Request] = deque(maxlen=_REMEMBERED)
        self.received = 0

    def answer_early(self, request: Request) -> Reply | None:
        if request.target.startswith(PREFIX):
            return None
        try:
            order = _header_order(request) or self.script.peek(request.path)
        except ValueError:
            return None
        return self.answer(request) if order and order.early else None

    def answer(self, request: Request) -> Reply:
        if request.target.startswith(PREFIX):
            return self._control(request)
        self.requests.append(request)
        self.received += 1
        try:
            order = _header_order(request) or self.script.take(request.path)
        except ValueError as exc:
            return text_answer(f"x-fake: {exc}\n", 400)
        made = _made(request, order or PLAIN)
        if order is None and made.events is None and request.method != b"HEAD":
            return quick(made)
        accept = request.header(b"accept-encoding") or ""
        return deliver(made, order or PLAIN, accept=accept, head_only=request.method == b"HEAD")

    def _control(self, request: Request) -> Reply:
        if request.path == "/_fake/requests":
            return self._told(request)
        return self.script.control(request) or text_answer("no such control\n", 404)

    def _told(self, request: Request) -> Reply:
        if request.method == b"DELETE":
            self.requests.clear()
        return json_answer({"received": self.received, "requests": [_shown(each) for each in self.requests]})


def _header_order(request: Request) -> Order | None:
    text = request.fields.get(b"x-fake")
    return None if text is None else read_order(text)


def _made(request: Request, order: Order) -> Answer:
    path = request.path.rstrip("/")
    anthropic = b"anthropic-version" in request.fields or path.endswith("/messages")
    if order.status >= 400:
        return messages.refusal(order) if anthropic else chat.refusal(order)
    form = next((form for end, form in _FORMATS.items() if path.endswith(end)), None)
    if form is not None and request.method == b"POST":
        return form(order, _json_object(request), len(request.body))
    if path.endswith("/count_tokens"):
        return messages.token_count(len(request.body))
    if path.endswith("/models"):
        return Answer(chat.headers(), orjson.dumps(_model_list(anthropic=anthropic)))
    return Answer((), orjson.dumps({"method": request.method.decode(), "target": request.target.decode()}))


def _json_object(request: Request) -> dict[str, Any]:
    """Return the body, {} where it is none: a compressed one is answered all the same."""
    try:
        read = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        return {}
    return read if isinstance(read, dict) else {}


def _model_list(*, anthropic: bool) -> dict[str, Any]:
    if anthropic:
        data: list[dict[str, Any]] = [
            {"type": "model", "id": name, "display_name": name, "created_at": "2025-09-29T00:00:00Z"}
            for name in _MODELS
        ]
        return {"data": data, "has_more": False, "first_id": _MODELS[0], "last_id": _MODELS[-1]}
    data = [{"id": name, "object": "model", "created": 1, "owned_by": "system"} for name in _MODELS]
    return {"object": "list", "data": data}


def _shown(request: Request) -> dict[str, Any]:
    """Return a request as JSON: bytes as Latin-1 text, the body in base64."""
    return {
        "line": request.line.decode("latin-1"),
        "headers": _text_pairs(request.headers),
        "body": base64.b64encode(request.body).decode(),
        "trailers": _text_pairs(request.trailers),
    }


def _text_pairs(pairs: Any) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]
