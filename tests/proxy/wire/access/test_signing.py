"""Signatures as AWS checks them: made again by botocore from what is on the wire."""

import asyncio
import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, RefreshableCredentials

from proxy.wire.access.bedrock import Signable, SigningError, needs_signature, scope_of, signed_fields
from proxy.wire.access.signing import AwsSigner

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
HOST = "bedrock-runtime.eu-central-1.amazonaws.com"


@pytest.fixture
def signer(monkeypatch: pytest.MonkeyPatch) -> AwsSigner:
    for name, value in {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": "session-token",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }.items():
        monkeypatch.setenv(name, value)
    return AwsSigner("us-west-2")


def request(target: bytes = b"/model/m/invoke", *headers: tuple[bytes, bytes], host: str = HOST) -> Signable:
    return Signable("POST", "https", host, target, [(b"Host", host.encode()), *headers])


def sign(signer: AwsSigner, asked: Signable, body: bytes) -> list[tuple[bytes, bytes]]:
    return asyncio.run(signer.sign(asked, body))


def expected(method: str, url: str, headers: Mapping[str, str], body: bytes) -> str:
    """Return the Authorization that AWS computes of what it has received."""
    authorization = headers["authorization"]
    names = re.search(r"SignedHeaders=([^,]+)", authorization)
    scope = re.search(r"Credential=[^/]+/(\d+)/([^/]+)/([^/]+)/aws4_request", authorization)
    assert names
    assert scope
    received = AWSRequest(
        method=method, url=url, headers={name: headers[name] for name in names[1].split(";")}, data=body
    )
    received.context["timestamp"] = headers["x-amz-date"]
    auth = botocore.auth.SigV4Auth(Credentials(KEY, SECRET), scope[3], scope[2])
    text = auth.string_to_sign(received, auth.canonical_request(received))
    signature = auth.signature(text, received)
    return re.sub(r"Signature=.*", f"Signature={signature}", authorization)


@pytest.mark.parametrize(
    "target",
    [
        b"/model/anthropic.claude-v2%3A1/invoke",
        b"/model/arn%3Aaws%3Abedrock%3Aeu%3A1%3Ainference-profile%2Fx/converse",
        b"/model/m/invoke?b=2&a=%20x",
        b"/model//m/../n/converse-stream",
    ],
)
def test_what_aws_computes_is_what_was_sent(signer: AwsSigner, target: bytes) -> None:
    body = b'{"messages":[]}'
    headers = sign(signer, request(target, (b"Content-Type", b"application/json")), body)
    got = {name.lower().decode(): value.decode() for name, value in headers}

    url = f"https://{HOST}{target.decode()}"
    assert got["authorization"] == expected("POST", url, got, body)
    assert got["x-amz-security-token"] == "session-token"
    assert "/eu-central-1/bedrock/aws4_request" in got["authorization"]
    assert "content-type;host;x-amz-date;x-amz-security-token" in got["authorization"]


def test_a_changed_body_has_another_signature(signer: AwsSigner) -> None:
    headers = sign(signer, request(), b"one")
    got = {name.lower().decode(): value.decode() for name, value in headers}

    assert got["authorization"] != expected("POST", f"https://{HOST}/model/m/invoke", got, b"two")


def test_the_clients_own_signature_is_replaced_and_all_else_stays(signer: AwsSigner) -> None:
    sent = [
        (b"User-Agent", b"Boto3"),
        (b"authorization", b"AWS4-HMAC-SHA256 Credential=..."),
        (b"X-Amz-Date", b"20200101T000000Z"),
        (b"X-Amz-Security-Token", b"old"),
        (b"X-Amzn-Bedrock-Trace", b"ENABLED"),
    ]
    headers = sign(signer, request(b"/model/m/invoke", *sent), b"")
    names = [name.lower() for name, _ in headers]

    assert headers[:3] == [(b"Host", HOST.encode()), sent[0], sent[4]]
    assert names.count(b"authorization") == names.count(b"x-amz-date") == 1
    assert dict(headers)[b"X-Amz-Security-Token"] == b"session-token"


@pytest.mark.parametrize(
    ("host", "scope"),
    [
        (HOST, ("bedrock", "eu-central-1")),
        ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", ("bedrock", "us-gov-west-1")),
        ("bedrock-mantle.us-east-1.api.aws", ("bedrock-mantle", "us-east-1")),
        ("127.0.0.1:8000", ("bedrock", "us-west-2")),
        ("vpce-1.bedrock-runtime.eu-west-1.vpce.amazonaws.com", ("bedrock", "us-west-2")),
    ],
)
def test_the_host_names_the_region(host: str, scope: tuple[str, str]) -> None:
    assert scope_of(host, "us-west-2") == scope


@pytest.mark.parametrize("region", ["eu-north-1", "ap-southeast-5", "us-gov-east-1", "mx-central-1"])
def test_every_region_has_an_endpoint(region: str) -> None:
    assert AwsSigner(region).host == f"bedrock-runtime.{region}.amazonaws.com"


def test_the_endpoint_of_awss_settings_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://127.0.0.1:8123")

    assert AwsSigner("us-east-1").endpoint == "http://127.0.0.1:8123"


def test_an_api_key_of_bedrock_is_the_clients_own() -> None:
    assert not needs_signature([(b"Authorization", b"Bearer ABSKQmVkcm9ja0FQSUtleS0x")])
    assert not needs_signature([(b"authorization", b"Bearer bedrock-api-key-YmVkcm9jay4")])
    assert needs_signature([(b"authorization", b"Bearer anything-else")])
    assert needs_signature([(b"Authorization", b"AWS4-HMAC-SHA256 Credential=x")])
    assert needs_signature([])


def test_repeated_fields_are_signed_together() -> None:
    asked = request(b"/", (b"X-Amz-Meta", b"1"), (b"x-amz-meta", b"2"), (b"Accept", b"*/*"))

    assert signed_fields(asked) == {"host": HOST, "x-amz-meta": "1,2"}


def test_credentials_that_expire_are_fetched_again(
    signer: AwsSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []

    def fetch() -> dict[str, Any]:
        fetched.append("")
        # The first are about to expire.
        left = dt.timedelta(minutes=1 if len(fetched) == 1 else 60)
        expiry = (dt.datetime.now(dt.UTC) + left).isoformat()
        return {
            "access_key": f"AKID{len(fetched)}",
            "secret_key": "s",
            "token": "t",
            "expiry_time": expiry,
        }

    credentials = RefreshableCredentials.create_from_metadata(fetch(), fetch, "test")
    monkeypatch.setattr(signer._session, "get_credentials", lambda: credentials)

    got = dict(sign(signer, request(), b""))

    assert b"Credential=AKID2/" in got[b"Authorization"]


def test_without_credentials_there_is_a_reason(signer: AwsSigner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signer._session, "get_credentials", lambda: None)

    with pytest.raises(SigningError, match="no AWS credentials were found"):
        sign(signer, request(), b"")
