"""Who calls: named tokens, their sessions and limits, and clients that want https."""

import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import anthropic
import openai
import pytest

from tests.process import eventually
from tests.proxy.process.test_life import run
from tests.proxy.served import Client, Record, Served, ask, new_key, request_bytes

PEM = Path(__file__).parents[1] / "localhost.pem"
ALICE, NIGHTLY = "alice-has-a-token", "nightly-has-a-token"
TOKENS = f"alice={ALICE},nightly={NIGHTLY}"
BODY = b'{"model":"m","messages":[{"role":"user","content":"hello"}]}'
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what is tested
Serve = Callable[..., Served]


def call(served: Served, token: str, key: str, **order: object) -> int:
    headers = [("X-LLM-Proxy-Token", token), ("X-Session-ID", key), ("x-fake", json.dumps(order))]
    return ask(served.port, f"/anthropic/{served.upstream}/v1/messages", headers, BODY).status


def recorded(served: Served, calls: int) -> list[Record]:
    def ended() -> list[Record]:
        found = served.records()
        return found if sum(each["type"] == "response" for each in found) == calls else []

    return eventually(ended, what=f"{calls} calls on record")


def test_a_callers_name_and_address_are_on_record_and_callers_never_share_a_session(serve: Serve) -> None:
    key = new_key()
    served = serve(LLM_PROXY_TOKENS=TOKENS)

    assert [call(served, ALICE, key), call(served, NIGHTLY, key), call(served, ALICE, key)] == [200] * 3
    assert call(served, "somebody-elses-token", key) == 403
    records = recorded(served, 3)
    sessions = {(each["_meta"]["caller"], each["_meta"]["session"]) for each in records}
    assert {caller for caller, _ in sessions} == {"alice", "nightly"}
    assert len(sessions) == 2
    assert {each["_meta"]["client"] for each in records} == {"127.0.0.1"}
    assert ALICE not in json.dumps(records)
    assert ALICE not in json.dumps([str(each.headers) for each in served.provider.requests])


def test_sessions_of_callers_stay_apart_after_a_restart(serve: Serve) -> None:
    key = new_key()
    for token in (ALICE, NIGHTLY, ALICE):
        served = serve(LLM_PROXY_TOKENS=TOKENS)
        assert call(served, token, key) == 200
        served.process.terminate()

    starts = [each for each in served.records() if each["type"] == "session_start"]
    assert sorted(each["_meta"]["caller"] for each in starts) == ["alice", "nightly"]


def test_a_caller_with_its_share_of_calls_is_told_so_and_others_go_on(serve: Serve) -> None:
    served = serve("--caller-calls", "1", LLM_PROXY_TOKENS=TOKENS)
    headers = [("X-LLM-Proxy-Token", ALICE), ("x-fake", '{"fault": "hang"}')]
    with Client(served.port) as busy:
        busy.send(
            request_bytes(
                f"/anthropic/{served.upstream}/v1/messages", headers, BODY[:-1] + b',"stream":true}'
            )
        )
        busy.until(b"message_start")
        client = anthropic.Anthropic(
            base_url=served.url("anthropic"),
            api_key="x",
            max_retries=0,
            default_headers={"X-LLM-Proxy-Token": ALICE},
        )
        with pytest.raises(anthropic.RateLimitError, match="llm-proxy: this caller has 1 calls running"):
            client.messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}])
        assert call(served, NIGHTLY, new_key()) == 200
    eventually(lambda: call(served, ALICE, new_key()) == 200, what="room for another call")


def test_an_address_with_its_share_of_connections_is_told_so(serve: Serve) -> None:
    served = serve("--caller-connections", "1")
    path = f"/openai/{served.upstream}/v1/models"
    eventually(lambda: ask(served.port, path, method="GET").status == 200, what="no other connection")
    with Client(served.port) as first:
        first.send(request_bytes(path, method="GET").replace(b"Connection: close\r\n", b""))
        first.until(b"\r\n\r\n")
        with pytest.raises(openai.RateLimitError, match="llm-proxy: this address has too many connections"):
            openai.OpenAI(base_url=served.url("openai") + "/v1", api_key="x", max_retries=0).models.list()


def test_sdks_show_what_the_proxy_says(served: Served) -> None:
    with pytest.raises(anthropic.PermissionDeniedError, match="llm-proxy: upstream not allowed"):
        anthropic.Anthropic(base_url=served.url("anthropic", "evil.example"), api_key="x").messages.create(
            model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}]
        )
    with pytest.raises(openai.PermissionDeniedError, match="llm-proxy: upstream not allowed"):
        openai.OpenAI(base_url=served.url("openai", "evil.example"), api_key="x").responses.create(
            model="m", input="x"
        )


def test_with_a_certificate_it_speaks_https_and_its_commands_know(serve: Serve, tmp_path: Path) -> None:
    served = serve("--tls-cert-file", str(PEM))
    assert f"https://127.0.0.1:{served.port}" in served.process.wait_for("proxy.listening")["text"]
    context = ssl.create_default_context(cafile=str(PEM))
    with (
        socket.create_connection(("127.0.0.1", served.port), 20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(request_bytes(f"/anthropic/{served.upstream}/v1/messages", (), BODY))
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    args = ("--port", str(served.port), "--tls-cert-file", str(PEM))

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert run(tmp_path, "health", *args).returncode == 0
    assert run(tmp_path, "status", *args).returncode == 0
    exported = run(tmp_path, "env", *args)
    assert exported.returncode == 0
    assert f"https://127.0.0.1:{served.port}/anthropic/api.anthropic.com" in exported.stdout


@pytest.mark.parametrize(
    ("args", "env", "text"),
    [
        ((), {"LLM_PROXY_TOKENS": "alice=short"}, "tokens.alice = (hidden)"),
        ((), {"LLM_PROXY_TOKENS": f"a b={ALICE}"}, "tokens name"),
        (("--bedrock-region", "nowhere"), {}, 'bedrock.region = "nowhere" (flag --bedrock-region): expected'),
        (
            ("--tls-cert-file", "/nonexistent"),
            {},
            "tls.cert_file = '/nonexistent' (flag --tls-cert-file): No",
        ),
        (("--tls-key-file", "x"), {}, "tls.key_file = 'x' (flag --tls-key-file): needs tls.cert_file"),
        (
            ("--host", EVERYWHERE, "--allowed-hosts", "proxy.test", "--bedrock-region", "us-east-1"),
            {},
            "bedrock.region = 'us-east-1' (flag --bedrock-region): beyond loopback, proxy_token or tokens",
        ),
    ],
)
def test_a_wrong_setting_is_one_line(
    tmp_path: Path, args: tuple[str, ...], env: dict[str, str], text: str
) -> None:
    ended = run(tmp_path, "serve", *args, **env)

    assert ended.returncode == 2
    assert text in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "short" not in ended.stderr


def test_a_named_token_is_enough_beyond_loopback(serve: Serve) -> None:
    served = serve("--host", EVERYWHERE, LLM_PROXY_TOKENS=TOKENS)

    assert call(served, ALICE, new_key()) == 200
