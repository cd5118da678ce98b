import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.routing import RefusedError, Route, is_loopback, parse_upstreams, resolve

JWT = b"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
OWN = parse_upstreams(
    [
        "localhost:8080",
        "llm.internal",
        "10.1.2.3:9000",
        "http://ollama:11434",
        "*.vendor.example",
        "[::1]:8081",
        "https://localhost:8443",
    ]
)


def route(target: str, *, method: str = "POST", headers: tuple[tuple[bytes, bytes], ...] = ()) -> Route:
    return resolve(method, target.encode("latin-1"), headers, OWN)


@pytest.mark.parametrize(
    ("target", "provider", "scheme", "upstream"),
    [
        ("/anthropic/api.anthropic.com/v1/messages", "anthropic", "https", "api.anthropic.com"),
        ("/anthropic/API.Anthropic.com/v1/messages", "anthropic", "https", "api.anthropic.com"),
        ("/anthropic/api.anthropic.com:443/v1/messages", "anthropic", "https", "api.anthropic.com:443"),
        ("/openai/api.openai.com/v1/responses", "openai", "https", "api.openai.com"),
        ("/openai/openrouter.ai/api/v1/chat/completions", "openai", "https", "openrouter.ai"),
        ("/openai/api.groq.com/openai/v1/chat/completions", "openai", "https", "api.groq.com"),
        ("/openai/api.deepseek.com/chat/completions", "openai", "https", "api.deepseek.com"),
        ("/openai/chatgpt.com/backend-api/codex/responses", "chatgpt", "https", "chatgpt.com"),
        (
            "/azure/team-1.openai.azure.com/openai/deployments/x/chat/completions",
            "azure",
            "https",
            "team-1.openai.azure.com",
        ),
        ("/gemini/generativelanguage.googleapis.com/v1beta/models/g:generateContent", "gemini", "https", ""),
        (
            "/bedrock/bedrock-runtime.eu-central-1.amazonaws.com/model/x/invoke",
            "bedrock",
            "https",
            "bedrock-runtime.eu-central-1.amazonaws.com",
        ),
        (
            "/vertex/europe-west1-aiplatform.googleapis.com/v1/x:streamRawPredict",
            "vertex",
            "https",
            "europe-west1-aiplatform.googleapis.com",
        ),
        ("/gemini/aiplatform.googleapis.com/v1/x:generateContent", "gemini", "https", ""),
        ("/azure/team.services.ai.azure.com/models/chat/completions", "azure", "https", ""),
        ("/anthropic/team.services.ai.azure.com/anthropic/v1/messages", "anthropic", "https", ""),
        ("/anthropic/localhost:8080/v1/messages", "anthropic", "http", "localhost:8080"),
        ("/openai/[::1]:8081/v1/chat/completions", "openai", "http", "[::1]:8081"),
        ("/openai/localhost:8443/v1/chat/completions", "openai", "https", "localhost:8443"),
        ("/openai/llm.internal/v1/chat/completions", "openai", "https", "llm.internal"),
        ("/openai/llm.internal:4000/v1/chat/completions", "openai", "https", "llm.internal:4000"),
        ("/openai/10.1.2.3:9000/v1/chat/completions", "openai", "https", "10.1.2.3:9000"),
        ("/openai/ollama:11434/api/chat", "openai", "http", "ollama:11434"),
        ("/openai/eu.vendor.example/v1/responses", "openai", "https", "eu.vendor.example"),
    ],
)
def test_allowed_hosts_are_reached(target: str, provider: str, scheme: str, upstream: str) -> None:
    found = route(target)

    assert (found.provider, found.scheme) == (provider, scheme)
    assert found.upstream == (upstream or target.split("/")[2])


@pytest.mark.parametrize(
    "target",
    [
        "/anthropic/api.openai.com/v1/messages",
        "/openai/api.anthropic.com/v1/messages",
        "/anthropic/api.anthropic.com:8443/v1/messages",
        "/anthropic/api.anthropic.com.evil.example/v1/messages",
        "/anthropic/evil-api.anthropic.com/v1/messages",
        "/openai/vendor.example/v1/responses",
        "/openai/evilvendor.example/v1/responses",
        "/openai/localhost:8082/v1/responses",
        "/openai/127.0.0.1:8080/v1/responses",
        "/openai/ollama:11435/api/chat",
        "/azure/openai.azure.com/openai",
        "/vertex/evil.example-aiplatform.googleapis.com/x",
        "/vertex/aiplatform.googleapis.com.evil.example/x",
        "/azure/a.b.openai.azure.com/openai",
        "/bedrock/bedrock-runtime.evil.example/model",
        "/openai/169.254.169.254/latest/meta-data",
        "/openai/169.254.169.254:80/latest/meta-data",
        "/openai/[fe80::1]/x",
        "/openai/[::ffff:169.254.169.254]/x",
        "/openai/0.0.0.0:8080/x",
        "/openai/2852039166/latest/meta-data",
        "/openai/0xa9fea9fe/latest/meta-data",
        "/openai/metadata.google.internal/x",
    ],
)
def test_other_hosts_are_forbidden(target: str) -> None:
    with pytest.raises(RefusedError) as refused:
        route(target)

    assert refused.value.status == 403


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "",
        "*",
        "/anthropic",
        "/anthropic/",
        "/mistral/api.mistral.ai/v1/chat",
        "/Anthropic/api.anthropic.com/v1/messages",
        "//anthropic/api.anthropic.com/v1/messages",
        "/anthropic//v1/messages",
        "/anthropic/../v1/messages",
        "/anthropic/./v1/messages",
        "/anthropic/..%2fetc/v1/messages",
        "/anthropic/%2e%2e/v1/messages",
        "/anthropic/user@api.anthropic.com/v1/messages",
        "/anthropic/api.anthropic.com:0/v1/messages",
        "/anthropic/api.anthropic.com:65536/v1/messages",
        "/anthropic/api.anthropic.com:/v1/messages",
        "/anthropic/api.anthropic.com./v1/messages",
        "/anthropic/api..anthropic.com/v1/messages",
        "/anthropic/api.anthropic.com%00/v1/messages",
        "/anthropic/api.anthropic.com#/v1/messages",
        "/anthropic/api anthropic com/v1/messages",
        "/anthropic/" + "a." * 130 + "com/v1/messages",
        "/anthropic/ap\xef.anthropic.com/v1/messages",
        "http://api.anthropic.com/v1/messages",
    ],
)
def test_what_is_no_route_is_a_bad_request(target: str) -> None:
    with pytest.raises(RefusedError) as refused:
        route(target)

    assert refused.value.status == 400


@pytest.mark.parametrize(
    "rest",
    [
        "/v1/messages?beta=true",
        "/v1/models/org%2Fname",
        "/v1/a/../b//c/./d",
        "/?",
        "/",
        "/v1/x?a=%20&a=+&b=%2F#frag",
        "/v1/caf\xe9?\xff",
    ],
)
def test_the_target_goes_on_byte_for_byte(rest: str) -> None:
    assert route("/anthropic/api.anthropic.com" + rest).target == rest.encode("latin-1")


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("/v1/messages", True),
        ("/v1/messages/", True),
        ("/anthropic/v1/messages", True),
        ("/v1/messages?beta=true", True),
        ("/v1/messages/count_tokens", False),
        ("/v1/messages/batches", False),
        ("/v1/complete", True),
        ("/v1/chat/completions", True),
        ("/v1/completions", True),
        ("/v1/responses", True),
        ("/v1/responses/resp_1", False),
        ("/v1/responses/resp_1/cancel", False),
        ("/v1/responses/compact", True),
        ("/v1/threads/thread_1/messages", True),
        ("/v1/threads/thread_1/runs", True),
        ("/v1/threads/runs", True),
        ("/v1/threads/thread_1/runs/run_1/submit_tool_outputs", True),
        ("/v1/threads", False),
        ("/v1beta/models/gemini-3%3AgenerateContent", True),
        ("/v1/models/claude%3arawPredict", True),
        ("/v1beta/interactions", True),
        ("/v1/models", False),
        ("/v1/embeddings", False),
        ("/api/chat", True),
        ("/api/generate", True),
        ("/api/tags", False),
        ("/v1beta/models/gemini-3:generateContent", True),
        ("/v1beta/models/gemini-3:streamGenerateContent?alt=sse", True),
        ("/v1beta/models/gemini-3:countTokens", False),
        ("/model/anthropic.claude-v2%3A1/invoke", True),
        ("/model/x/invoke-with-response-stream", True),
        ("/model/x/converse", True),
        ("/model/x/converse-stream", True),
        ("/v1/x?path=/v1/messages", False),
        ("/xmessages", False),
    ],
)
def test_a_conversation_is_told_by_the_end_of_its_path(path: str, *, is_one: bool) -> None:
    assert (route(f"/openai/llm.internal{path}").kind == "conversation") is is_one


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_only_a_post_is_a_conversation(method: str) -> None:
    assert route("/anthropic/api.anthropic.com/v1/messages", method=method).kind != "conversation"


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/v1/responses", b"/backend-api/codex/responses"),
        ("/responses", b"/backend-api/codex/responses"),
        ("/v1/models?client_version=1", b"/backend-api/codex/models?client_version=1"),
        ("/v1beta/responses", b"/backend-api/codex/v1beta/responses"),
        ("/backend-api/codex/responses", b"/backend-api/codex/responses"),
    ],
)
@pytest.mark.parametrize(
    "header",
    [
        (b"Authorization", b"Bearer " + JWT),
        (b"ChatGPT-Account-Id", b"0f-12"),
        (b"authorization", b"bearer " + JWT),
    ],
)
def test_oauth_calls_go_to_chatgpt_without_a_version(
    path: str, target: bytes, header: tuple[bytes, bytes]
) -> None:
    found = route(f"/openai/api.openai.com{path}", headers=(header,))

    assert (found.provider, found.upstream, found.target) == ("chatgpt", "chatgpt.com", target)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/chat/completions", b"/v1/chat/completions"),
        ("/v1/chat/completions", b"/v1/chat/completions"),
        ("/v1", b"/v1"),
        ("/models?limit=1", b"/v1/models?limit=1"),
        ("/", b"/"),
    ],
)
@pytest.mark.parametrize(
    "authorization", [b"Bearer sk-proj-abc.def.ghi", b"Bearer opaque", b"Basic a.b.c", b"Bearer a.b"]
)
def test_api_key_calls_go_to_openai_with_a_version(path: str, target: bytes, authorization: bytes) -> None:
    found = route(f"/openai/api.openai.com{path}", headers=((b"Authorization", authorization),))

    assert (found.provider, found.upstream, found.target) == ("openai", "api.openai.com", target)


def test_oauth_is_no_matter_for_other_hosts() -> None:
    found = route("/openai/llm.internal/v1/responses", headers=((b"Authorization", b"Bearer " + JWT),))

    assert (found.provider, found.upstream) == ("openai", "llm.internal")


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "http://",
        "ftp://x",
        "a b",
        "*",
        "*.",
        "x/y",
        "user@x",
        "x:0",
        "x:65536",
        "169.254.169.254",
        "[fe80::1]",
    ],
)
def test_an_entry_that_is_no_host_is_an_error_that_shows_it(entry: str) -> None:
    with pytest.raises(ValueError, match=r"none of|cloud metadata") as error:
        parse_upstreams([entry])

    assert repr(entry) in str(error.value)


@pytest.mark.parametrize(
    ("host", "is_one"),
    [
        ("localhost", True),
        ("app.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),  # noqa: S104 - compared, not bound
        ("10.0.0.1", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
    ],
)
def test_loopback_is_this_machine_alone(host: str, *, is_one: bool) -> None:
    assert is_loopback(host) is is_one


@given(st.binary(max_size=200))
def test_any_target_is_routed_or_refused(target: bytes) -> None:
    with contextlib.suppress(RefusedError):
        found = resolve("POST", b"/openai/" + target, (), OWN)
        assert "/" not in found.upstream
        assert found.upstream not in {"", ".", ".."}


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ("/anthropic/api.anthropic.com", b"/"),
        ("/anthropic/api.anthropic.com?a=b", b"/?a=b"),
        ("/anthropic/api.anthropic.com/messages", b"/v1/messages"),
        ("/anthropic/api.anthropic.com/messages/count_tokens?a", b"/v1/messages/count_tokens?a"),
        ("/anthropic/api.anthropic.com/messagesx", b"/messagesx"),
        ("/anthropic/api.anthropic.com/x/messages", b"/x/messages"),
        ("/anthropic/api.anthropic.com/v1/messages", b"/v1/messages"),
    ],
)
def test_a_base_without_a_path_and_without_a_version_is_understood(target: str, sent: bytes) -> None:
    assert route(target).target == sent
