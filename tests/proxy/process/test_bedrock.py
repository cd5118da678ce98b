"""Calls to Bedrock that the proxy signs, before a stand-in that checks signatures as AWS does."""

import base64
import json
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import botocore
import botocore.auth
import botocore.config
import botocore.exceptions
import pytest
from anthropic import AnthropicBedrock
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.process import eventually
from tests.proxy.served import Client, Served, ask, request_bytes

SECRETS = {"AKIDFIRST": "secret-one", "AKIDSECOND": "secret-two"}
MODEL = "anthropic.claude-sonnet-5-5-v1:0"
Serve = Callable[..., Served]


class Bedrock:
    """A stand-in for Bedrock; ``valid`` are the keys whose signatures it takes."""

    def __init__(self) -> None:
        self.valid = {"AKIDFIRST"}
        self.scopes: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.name = f"127.0.0.1:{self.server.server_port}"

    def _handler(stand_in) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the handler is ``self`` inside
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                refused = stand_in.judge(self.path, headers, body)
                self._answer(403 if refused else 200, refused, _answer_to(self.path))

            def _answer(self, status: int, refused: str, answer: Any) -> None:
                told = json.dumps({"message": refused} if refused else answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                if refused:
                    self.send_header("x-amzn-ErrorType", refused)
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def judge(self, path: str, headers: dict[str, str], body: bytes) -> str:
        """Return the type of the error, empty for a signature that is right."""
        found = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=(\w+)/(\d+/([^/]+)/([^/]+)/aws4_request), "
            r"SignedHeaders=([^,]+), Signature=(\w+)",
            headers.get("authorization", ""),
        )
        if found is None:
            return "MissingAuthenticationTokenException"
        key, scope, region, service, names, signature = found.groups()
        if key not in self.valid:
            return "ExpiredTokenException"
        asked = AWSRequest(
            method="POST",
            url=f"http://{headers['host']}{path}",
            headers={name: headers[name] for name in names.split(";")},
            data=body,
        )
        asked.context["timestamp"] = headers["x-amz-date"]
        auth = botocore.auth.SigV4Auth(Credentials(key, SECRETS[key]), service, region)
        expected = auth.signature(auth.string_to_sign(asked, auth.canonical_request(asked)), asked)
        self.scopes.append(scope.partition("/")[2])
        return "" if signature == expected else "InvalidSignatureException"


def _answer_to(path: str) -> Any:
    usage = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
    if path.endswith("/converse"):
        message = {"role": "assistant", "content": [{"text": "hi"}]}
        return {
            "output": {"message": message},
            "stopReason": "end_turn",
            "usage": usage,
            "metrics": {"latencyMs": 1},
        }
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [{"type": "text", "text": "hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }


@contextmanager
def bedrock() -> Iterator[Bedrock]:
    stand_in = Bedrock()
    thread = threading.Thread(target=stand_in.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield stand_in
    finally:
        stand_in.server.shutdown()
        stand_in.server.server_close()
        thread.join()


def credentials(folder: Path, key: str) -> dict[str, str]:
    """Write a credentials file, and return the environment that leads to it."""
    file = folder / "aws-credentials"
    text = f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {SECRETS[key]}\n"
    file.write_text(text + f"aws_session_token = token-of-{key}\n")
    return {
        "AWS_SHARED_CREDENTIALS_FILE": str(file),
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def converse(served: Served, path: str = "") -> Any:
    """Call by boto3, unsigned."""
    client = boto3.client(
        "bedrock-runtime",
        endpoint_url=f"http://127.0.0.1:{served.port}{path}",
        region_name="eu-central-1",
        config=botocore.config.Config(signature_version=botocore.UNSIGNED, retries={"total_max_attempts": 1}),
    )
    messages = [{"role": "user", "content": [{"text": "Say hello."}]}]
    return client.converse(modelId=MODEL, messages=messages)


def test_unsigned_calls_of_boto3_are_signed_and_on_record(serve: Serve, tmp_path: Path) -> None:
    with bedrock() as stand_in:
        served = serve(
            "--bedrock-region",
            "eu-central-1",
            AWS_ENDPOINT_URL_BEDROCK_RUNTIME=f"http://{stand_in.name}",
            **credentials(tmp_path, "AKIDFIRST"),
        )
        short = converse(served)
        long = converse(served, f"/bedrock/{stand_in.name}")

    assert short["output"] == long["output"]
    assert stand_in.scopes == ["eu-central-1/bedrock/aws4_request"] * 2
    calls = [each for each in served.records() if each["type"] in {"request", "response"}]
    requests = [each for each in calls if each["type"] == "request"]
    assert [each["path"] for each in requests] == [
        f"/model/{urllib.parse.quote(MODEL, safe='')}/converse"
    ] * 2
    assert "secret" not in json.dumps(calls)
    assert "AKID" not in json.dumps(calls)
    eventually(lambda: [e for e in served.records() if e["type"] == "response" and e.get("usage")])


def test_anthropics_client_without_credentials_of_its_own_works(serve: Serve, tmp_path: Path) -> None:
    with bedrock() as stand_in:
        served = serve(
            "--bedrock-region",
            "eu-central-1",
            AWS_ENDPOINT_URL_BEDROCK_RUNTIME=f"http://{stand_in.name}",
            **credentials(tmp_path, "AKIDFIRST"),
        )
        # It signs for the proxy's address, which the proxy's own signature takes the place of.
        client = AnthropicBedrock(
            base_url=f"http://127.0.0.1:{served.port}",
            aws_access_key="none",
            aws_secret_key="none",
            aws_region="eu-central-1",
            max_retries=0,
        )
        message = client.messages.create(
            model=MODEL, max_tokens=10, messages=[{"role": "user", "content": "Say hello."}]
        )

    assert message.content[0].type == "text"


def test_credentials_that_are_replaced_amid_calls_are_taken_up(serve: Serve, tmp_path: Path) -> None:
    with bedrock() as stand_in:
        served = serve(
            "--bedrock-region",
            "us-east-1",
            AWS_ENDPOINT_URL_BEDROCK_RUNTIME=f"http://{stand_in.name}",
            **credentials(tmp_path, "AKIDFIRST"),
        )
        converse(served)
        credentials(tmp_path, "AKIDSECOND")
        stand_in.valid = {"AKIDSECOND"}
        with pytest.raises(botocore.exceptions.ClientError, match="ExpiredToken"):
            converse(served)
        assert converse(served)["stopReason"] == "end_turn"


def test_a_body_in_chunks_is_signed_with_its_length(serve: Serve, tmp_path: Path) -> None:
    with bedrock() as stand_in:
        served = serve(
            "--bedrock-region",
            "us-east-1",
            AWS_ENDPOINT_URL_BEDROCK_RUNTIME=f"http://{stand_in.name}",
            **credentials(tmp_path, "AKIDFIRST"),
        )
        raw = request_bytes("/model/m/converse", [("Transfer-Encoding", "chunked")])
        with Client(served.port) as client:
            answer = client.send(raw, b"3\r\n{} \r\n", b"0\r\n\r\n").rest()

    assert answer.status == 200


def test_without_credentials_the_call_is_refused_in_the_words_of_aws(serve: Serve, tmp_path: Path) -> None:
    with bedrock() as stand_in:
        none = credentials(tmp_path, "AKIDFIRST") | {"AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}
        served = serve(
            "--bedrock-region",
            "us-east-1",
            AWS_ENDPOINT_URL_BEDROCK_RUNTIME=f"http://{stand_in.name}",
            **none,
        )
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            converse(served)

    assert "llm-proxy: cannot sign for" in str(refused.value)
    assert "no AWS credentials were found" in str(refused.value)


def test_nothing_is_signed_without_a_region(serve: Serve) -> None:
    served = serve()
    answer = ask(served.port, "/model/m/converse", (), b"{}")

    assert (answer.status, answer.message) == (
        400,
        "llm-proxy: calls to /model/... need the key bedrock.region",
    )


def test_an_api_key_of_bedrock_goes_on_as_it_is(serve: Serve, tmp_path: Path) -> None:
    key = "ABSK" + base64.b64encode(b"BedrockAPIKey").decode()
    served = serve("--bedrock-region", "us-east-1", **credentials(tmp_path, "AKIDFIRST"))
    ask(
        served.port,
        f"/bedrock/{served.upstream}/model/m/converse",
        [("Authorization", f"Bearer {key}")],
        b"{}",
    )

    (sent,) = served.provider.requests
    assert sent.header(b"authorization") == f"Bearer {key}"
    assert sent.header(b"x-amz-date") is None
