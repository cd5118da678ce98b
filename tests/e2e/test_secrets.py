"""Hundreds of secrets, planted wherever a call can carry one, and looked for wherever a process writes."""

import base64
import json
import random
import re
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from proxy.content.redact.names import SECRET_NAMES, SECRET_WORDS
from proxy.content.streams.frames import FrameReader, frame_bytes
from tests.e2e.stack import Start, get, lines_on_disk, start_proxy, start_shipper, wait_until_all_arrived
from tests.fakes.loki import FakeLoki
from tests.fakes.provider import FakeProvider, Order
from tests.process import eventually
from tests.proxy.served import ask

MODEL = "model-that-all-may-see"
SESSION = "session-that-all-may-see"
ALPHABET = string.ascii_letters + string.digits
PARAMETERS = (
    "accessToken", "access_token", "clientSecret", "client_secret", "sas", "sig", "apiKey", "apikey",
    "API-KEY", "api_key", "code", "id_token", "refreshToken", "client_assertion", "private_key",
    "awsSecretAccessKey", "X-Amz-Credential", "X-Amz-Security-Token", "X-Goog-Signature", "password",
    "passwd", "pwd", "authToken", "jwt", "sessionKey", "credentials", "signature", "otp", "passphrase",
    "connectionString", "AccountKey", "SharedAccessSignature", "oauth_verifier", "code_verifier",
    "device_code", "SAMLResponse", "csrf", "xsrfToken", "bot_token", "secretkey", "vault_token", "ticket",
    "hmac", "%6bey", "subscription-key", "key",
)  # fmt: skip
HEADERS = (
    "X-AuthToken", "XAuthToken", "X-Access-Token", "X-ApiKey", "x-apikey", "X-ClientSecret",
    "X-SessionToken", "X-XSRF-TOKEN", "PRIVATE-TOKEN", "X-Hub-Signature-256", "Stripe-Signature",
    "DD-API-KEY", "X-Honeycomb-Team", "cf-aig-authorization", "x-portkey-virtual-key", "x-litellm-api-key",
    "Helicone-Auth", "X-Goog-Iap-Jwt-Assertion", "X-Amzn-Oidc-Accesstoken", "X-Forwarded-Access-Token",
    "X-User-Password", "DPoP", "X-Passphrase", "X-Refreshtoken", "xi-api-key", "Ocp-Apim-Subscription-Key",
)  # fmt: skip
PREFIXES = (
    "sk-ant-api03-", "sk-ant-oat01-", "sk-proj-", "sk-or-v1-", "sk-", "gsk_", "AIza", "xai-", "hf_",
    "ghp_", "github_pat_", "glpat-", "xoxb-", "r8_", "fw_", "csk-", "tgp_v1_", "nvapi-", "pplx-", "tvly-",
    "ABSK", "ya29.", "1//0", "GOCSPX-", "hvs.", "glsa_", "npm_", "pypi-", "dckr_pat_", "sk_live_",
    "lin_api_", "ntn_", "PMAK-", "sntrys_", "ATATT3", "secret_", "vcp_", "pscale_tkn_", "pa-", "lsv2_pt_",
)  # fmt: skip
ADDRESSES = (
    "https://user:{}@h.example/x",
    "https://{}@h.example/x",
    "https://h.example/x?accessToken={}",
    "https://h.example/x#access_token={}&t=1",
    '<https://h.example/x?sig={}&a=1>; rel="next"',
    "https://h.example/callback?next=https%3A%2F%2Fu%3A{}%40h%2F",
    "https://h.example/?u=https%3A%2F%2Fh%2F%3Ftoken%3D{}",
    "https://h.example/x;jsessionid={}",
    "//user:{}@h.example/x",
)
BEARING = ("Location", "Link", "Operation-Location", "Referer", "Content-Location", "X-Callback-Url")
JSONS: tuple[Callable[[str], Any], ...] = (
    lambda secret: {"provider": "openai", "api_key": secret},
    lambda secret: {"targets": [{"virtual_key": secret}]},
    lambda secret: {"git": {"remotes": {"origin": f"https://x-access-token:{secret}@github.com/o/r.git"}}},
    lambda secret: {"headers": json.dumps({"Authorization": f"Bearer {secret}"})},
    lambda secret: {"env": [{"name": "OPENAI_API_KEY", "value": secret}]},
    lambda secret: {"note": f"Authorization: Bearer {secret}"},
)
PATHS = ("/v1/t/{}/messages", "/token/{}/v1/messages", "/key={}/v1/messages", "/sk-{}/v1/messages")


class Planter:
    """Makes secrets, and remembers of what pieces they consist."""

    def __init__(self) -> None:
        self._random = random.Random(11)  # noqa: S311 - the same ones each time
        self.planted = 0
        self._pieces: set[str] = set()

    def __call__(self, prefix: str = "", length: int = 40) -> str:
        rest = "".join(self._random.choices(ALPHABET, k=length))
        self._pieces |= {rest[at : at + 8] for at in range(length - 7)}
        self.planted += 1
        return prefix + rest

    def found_in(self, text: str) -> list[str]:
        """Return what stands around the pieces of secrets in a text."""
        places = [at for at in range(len(text) - 7) if text[at : at + 8] in self._pieces]
        apart = [at for before, at in zip([-100, *places], places, strict=False) if at - before > 8]
        return [text[max(0, at - 60) : at + 20] for at in apart]


def secret_headers(plant: Planter) -> Iterator[tuple[str, str]]:
    for name in sorted({*SECRET_NAMES, *HEADERS, *(f"x-{word}-of-mine" for word in SECRET_WORDS)}):
        yield name, plant()
    for name in ("Authorization", "Proxy-Authorization", "X-Forwarded-Authorization"):
        yield name, f"Bearer {plant('sk-ant-api03-')}"


def secret_values(plant: Planter) -> Iterator[tuple[str, str]]:
    for number, prefix in enumerate(PREFIXES):
        yield f"X-Note-{number}", f"it is {plant(prefix, 64)}, keep it"
    for at, address in enumerate(ADDRESSES):
        yield BEARING[at % len(BEARING)], address.format(plant())
    for number, made in enumerate(JSONS):
        for name in ("x-portkey-config", "x-codex-turn-metadata"):
            yield f"{name}-{number}", json.dumps(made(plant()))
    yield "X-Jwt", ".".join((plant("eyJ"), plant("eyJ"), plant()))
    yield "User-Agent", f"agent/1 (key {plant('sk-')})"
    yield "session_id", SESSION


def sse(*events: Any) -> bytes:
    return "".join(f"data: {json.dumps(each)}\n\n" for each in events).encode()


def lines(*events: Any) -> bytes:
    return "".join(json.dumps(each) + "\n" for each in events).encode()


def frames(*events: Any) -> bytes:
    return b"".join(
        frame_bytes({":message-type": "event", ":event-type": name}, json.dumps(payload).encode())
        for each in events
        for name, payload in each.items()
    )


def carried(*events: Any) -> bytes:
    inner = (base64.b64encode(json.dumps(each).encode()).decode() for each in events)
    return frames(*({"chunk": {"bytes": each}} for each in inner))


def anthropic(text: str) -> Any:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def arguments(text: str) -> Any:
    return {
        "type": "content_block_delta",
        "index": 1,
        "delta": {"type": "input_json_delta", "partial_json": text},
    }


def chat(text: str) -> Any:
    return {"choices": [{"index": 0, "delta": {"content": text}}]}


def gemini(text: str) -> Any:
    return {"candidates": [{"index": 0, "content": {"parts": [{"text": text}]}}]}


def converse(text: str) -> Any:
    return {"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": 0}}


STREAM, NDJSON, FRAMES = "text/event-stream", "application/x-ndjson", "application/vnd.amazon.eventstream"
Framed = Callable[..., bytes]
# Of each dialect: the path, the content type, the framing, an event with a text, and an event that ends it.
DIALECTS: dict[str, tuple[str, str, Framed, Callable[[str], Any], Any]] = {
    "anthropic": ("/v1/messages", STREAM, sse, anthropic, {"type": "message_stop"}),
    "arguments": ("/v1/messages", STREAM, sse, arguments, {"type": "message_stop"}),
    "complete": (
        "/v1/complete", STREAM, sse, lambda text: {"type": "completion", "completion": text},
        {"type": "completion", "completion": "", "stop_reason": "stop"},
    ),
    "chat": ("/v1/chat/completions", STREAM, sse, chat, {"choices": [], "usage": {"prompt_tokens": 5}}),
    "chat untyped": ("/v1/chat/completions", "text/plain", sse, chat, {"choices": []}),
    "completions": (
        "/v1/completions", STREAM, sse,
        lambda text: {"choices": [{"index": 0, "text": text}]}, {"choices": []},
    ),
    "responses": (
        "/v1/responses", STREAM, sse,
        lambda text: {"type": "response.output_text.delta", "item_id": "i", "delta": text},
        {"type": "response.completed", "response": {"id": "r", "status": "completed"}},
    ),
    "assistants": (
        "/v1/threads/t/runs", STREAM, sse,
        lambda text: {
            "object": "thread.message.delta", "delta": {"content": [{"index": 0, "text": {"value": text}}]}
        },
        {"object": "thread.run", "status": "completed"},
    ),
    "gemini": ("/v1beta/models/g:streamGenerateContent", STREAM, sse, gemini, {"candidates": []}),
    "gemini list": (
        "/v1beta/models/g:streamGenerateContent", "application/json",
        lambda *each: json.dumps(each).encode(), gemini, {"candidates": []},
    ),
    "interactions": (
        "/v1beta/interactions", STREAM, sse,
        lambda text: {"event_type": "content.delta", "index": 0, "delta": {"text": text}},
        {"event_type": "interaction.completed", "interaction": {}},
    ),
    "converse": ("/model/m/converse-stream", FRAMES, frames, converse, {"messageStop": {"stopReason": "x"}}),
    "invoke": (
        "/model/m/invoke-with-response-stream", FRAMES, carried, anthropic, {"type": "message_stop"},
    ),
    "ollama": (
        "/api/chat", NDJSON, lines,
        lambda text: {"message": {"content": text}, "done": False}, {"done": True},
    ),
    "transcript": (
        "/v1/audio/transcriptions", STREAM, sse,
        lambda text: {"type": "transcript.text.delta", "delta": text}, {"type": "transcript.text.done"},
    ),
    "no dialect": ("/v9/talk", STREAM, sse, lambda text: {"say": [{"words": text}]}, {"over": True}),
}  # fmt: skip


def split_over(secret: str, event: Callable[[str], Any], last: Any) -> list[Any]:
    said = f"My key is {secret}, keep it."
    return [*(event(said[at : at + 7]) for at in range(0, len(said), 7)), last]


def readable(data: bytes) -> str:
    """Return bytes as text, and what stands in them as base64, which is how frames are on record."""
    text = data.decode("utf-8", "replace")
    found = [text, *re.findall(r'"((?:[^"\\]|\\.)*)"', text)]
    for line in text.splitlines():
        chunks = json.loads(line).get("chunks", []) if line.startswith('{"type":"response"') else []
        raw = b"".join(base64.b64decode(each["raw"]) for each in chunks if each.get("body_encoding"))
        for frame in FrameReader().feed(raw):
            found.append(frame.payload.decode())
            found += [base64.b64decode(each).decode() for each in re.findall(r'"bytes":"([^"]+)"', found[-1])]
        found.append("".join(each["raw"] for each in chunks if not each.get("body_encoding")))
    return "\n".join([*found, said(found)])


TEXTS = re.compile(r'"(?:text|content|completion|partial_json|delta|value|words)":\s*"((?:[^"\\]|\\.)*)"')


def said(texts: list[str]) -> str:
    """Return what a model said over all events of each text."""
    return "\n".join("".join(TEXTS.findall(each)) for each in texts)


class Caller:
    """Makes calls through a proxy, with an answer of the test's own each."""

    def __init__(self, proxy: str, provider: FakeProvider) -> None:
        self._port = urlsplit(proxy).port or 0
        self._provider = provider
        self.upstream = f"127.0.0.1:{provider.port}"
        self.calls = 0

    def __call__(self, target: str, body: Any, headers: Any = (), order: Order | None = None) -> None:
        self._provider.order(order or Order())
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        ask(self._port, target, [*headers, ("session_id", SESSION)], sent)
        self.calls += 1


def plant_all(plant: Planter, call: Caller) -> None:
    messages: dict[str, Any] = {"model": MODEL, "messages": []}
    anthropic_base, openai_base = f"/anthropic/{call.upstream}", f"/openai/{call.upstream}"
    told = list(secret_headers(plant))
    for at in range(0, len(told), 40):
        order = Order(headers=tuple((name, plant()) for name, _ in told[at : at + 40]))
        call(f"{anthropic_base}/v1/messages", messages, told[at : at + 40], order)
    values = list(secret_values(plant))
    call(f"{anthropic_base}/v1/messages", messages, values, Order(headers=tuple(secret_values(plant))))
    query = "&".join(f"{name}={plant()}" for name in PARAMETERS)
    encoded = quote(f"https://u:{plant()}@h/?token={plant()}", safe="")
    call(f"{anthropic_base}/v1/messages?{query}&next={encoded}&note={plant('sk-')}", messages)
    for path in PATHS:
        call(anthropic_base + path.format(plant()), messages)
    call(
        f"{anthropic_base}/v1/messages",
        messages,
        (),
        Order(status=401, message=f"bad key {plant('sk-ant-api03-')}"),
    )
    _plant_in_bodies(plant, call, anthropic_base)
    for path, content_type, framed, event, last in DIALECTS.values():
        stream = framed(*split_over(plant("sk-proj-"), event, last))
        order = Order(
            body_base64=base64.b64encode(stream).decode(),
            headers=(("Content-Type", content_type),),
            framing="chunked",
            write_size=61,
        )
        call(openai_base + path, {"model": MODEL, "input": "x"}, (), order)


def _plant_in_bodies(plant: Planter, call: Caller, base: str) -> None:
    """Plant what ``redact_secrets`` masks: known shapes, however JSON escapes them."""
    for prefix in PREFIXES:
        secret = plant(prefix, 64)
        nested = json.dumps({"command": json.dumps({"env": f"KEY={secret}\n"})})
        escaped = "".join(f"\\u{ord(each):04x}" for each in plant(prefix, 64))
        blocks = [{"type": "text", "text": "ESCAPED"}, {"type": "text", "text": nested}]
        asked = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": blocks}]})
        body = asked.replace("ESCAPED", escaped)
        call(f"{base}/v1/messages", body.encode(), (), Order(text=f"It is {plant(prefix, 64)}."))


def plant_in_sign_in(plant: Planter, call: Caller) -> None:
    """Sign in, of which nothing is on record."""
    body = f"grant_type=client_credentials&client_id=x&client_secret={plant()}&refresh_token={plant()}"
    answer = Order(body=json.dumps({"access_token": plant(), "refresh_token": plant(), "id_token": plant()}))
    for path in ("/v1/oauth/token", "/oauth2/token", "/token"):
        call(f"/anthropic/{call.upstream}{path}?code={plant()}", body.encode(), (), answer)


def test_no_planted_secret_is_in_any_file_log_metric_push_or_page(
    start: Start, fake_loki: FakeLoki, fake_provider: FakeProvider, tmp_path: Path
) -> None:
    logs, plant = tmp_path / "logs", Planter()
    proxy, url = start_proxy(start, logs, fake_provider.url, "--redact-secrets", "--min-free=0")
    shipper = start_shipper(start, logs, fake_loki.push_url)
    call = Caller(url, fake_provider)
    plant_all(plant, call)
    recorded = call.calls
    plant_in_sign_in(plant, call)
    answered = '"type":"response"'
    eventually(lambda: sum(answered in each for each in lines_on_disk(logs)) == recorded, what="all calls")
    wait_until_all_arrived(fake_loki, logs)

    written = {str(each): readable(each.read_bytes()) for each in logs.rglob("*") if each.is_file()}
    pages = {page: get(url + page)[1].decode() for page in ("/health", "/metrics")}
    pages |= {page: get(shipper.url + page)[1].decode() for page in ("/", "/health/loki", "/metrics")}
    stored = {
        "lines": readable("\n".join(fake_loki.lines()).encode()),
        "entries": str(fake_loki.entries()),
        "pushes": str(fake_loki.pushes),
    }
    said_by = {"proxy": proxy.stderr, "shipper": shipper.process.stderr}
    assert plant.planted >= 313
    for where, text in (written | pages | stored | said_by).items():
        assert not plant.found_in(where + "\n" + text), where

    _assert_the_rest_is_there([json.loads(each) for each in lines_on_disk(logs)], recorded)


def _assert_the_rest_is_there(records: list[dict[str, Any]], calls: int) -> None:
    requests = [each for each in records if each["type"] == "request"]
    responses = [each for each in records if each["type"] == "response"]
    assert len(requests) == len(responses) == calls
    assert {each["model"] for each in requests} == {MODEL}
    assert {each["client_session"] for each in records if each["type"] == "session_start"} == {SESSION}
    assert all(each["size"] for each in responses)
    assert sum(each.get("usage", {}).get("output_tokens", 0) > 0 for each in responses) > len(PREFIXES)
    assert sum("response_id" in each for each in responses) > len(PREFIXES)
    assert not [each for each in records if "omitted" in each]
