import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.redact import (
    compile_patterns,
    looks_secret,
    mask_headers,
    mask_keys,
    mask_query,
    mask_secret,
)

KEY = "abcdefghijklmnopqrstuvwxyz0123456789"
JWT = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=")
    for part in (b'{"alg":"RS256"}', b'{"email":"jane@example.com","sub":"1"}', b"s" * 64)
)


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("", ""),
        (f"sk-ant-api03-{KEY}", "sk-ant-api03-...6789"),
        (f"sk-ant-oat01-{KEY}", "sk-ant-oat01-...6789"),
        (f"sk-ant-{KEY}", "sk-ant-...6789"),
        (f"sk-proj-{KEY}", "sk-proj-...6789"),
        (f"sk-{KEY}", "sk-...6789"),
        (f"gsk_{KEY}", "gsk_...6789"),
        (f"AIza{KEY}", "AIza...6789"),
        ("sk-abc", "sk-..."),
        ("sk-ant-api03-short", "sk-ant-api03-..."),
        (KEY, "..."),
        (JWT, "..."),
        ("0f1e2d3c-0000-4000-8000-0123456789ab", "..."),
        ("sk-two words that are no key at all", "sk-..."),
    ],
)
def test_a_secret_shows_a_known_prefix_and_at_most_four_characters(secret: str, shown: str) -> None:
    assert mask_secret(secret) == shown


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "x-api-key",
        "api-key",
        "X-Goog-Api-Key",
        "Cookie",
        "Set-Cookie",
        "Proxy-Authorization",
        "X-Amz-Security-Token",
        "ChatGPT-Account-Id",
        "Helicone-Auth",
        "X-My-Secret",
        "X_Service_Password",
        "Private-Token",
        "X-Signature",
        "Cf-Access-Jwt-Assertion",
        "x-custom-apikey",
    ],
)
def test_secret_headers_are_masked_by_name(name: str) -> None:
    shown = mask_headers([(name.encode(), KEY.encode())])

    assert list(shown.values()) == [["..."]]


@pytest.mark.parametrize(
    "name",
    [
        "Content-Type",
        "Anthropic-Ratelimit-Tokens-Remaining",
        "X-Ratelimit-Remaining-Tokens",
        "X-Claude-Code-Session-Id",
        "Anthropic-Beta",
        "Keep-Alive",
        "User-Agent",
        "Monkey",
    ],
)
def test_other_headers_are_shown(name: str) -> None:
    assert mask_headers([(name.encode(), b"value-1")]) == {name: ["value-1"]}


def test_names_are_spelled_as_go_spells_them_and_repeats_stay_in_order() -> None:
    headers = [(b"x-one", b"1"), (b"X-ONE", b"2"), (b"anthropic-version", b"2023-06-01")]

    assert mask_headers(headers) == {"X-One": ["1", "2"], "Anthropic-Version": ["2023-06-01"]}


def test_values_are_utf_8_or_else_latin_1() -> None:
    assert mask_headers([(b"A", "é".encode()), (b"A", b"\xe9")]) == {"A": ["é", "é"]}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (f"Bearer sk-proj-{KEY}", "Bearer sk-proj-...6789"),
        (f"bearer  sk-{KEY}", "bearer  sk-...6789"),
        (f"Bearer {JWT}", "Bearer ..."),
        ("Basic dXNlcjpwYXNzd29yZA==", "Basic ..."),
        (f"AWS4-HMAC-SHA256 Credential={KEY}, Signature={KEY}", "AWS4-HMAC-SHA256 ..."),
        (KEY, "..."),
    ],
)
def test_authorization_keeps_its_scheme(value: str, shown: str) -> None:
    assert mask_headers([(b"authorization", value.encode())]) == {"Authorization": [shown]}


@pytest.mark.parametrize(
    "secret", [f"sk-ant-api03-{KEY}", JWT, f"ghp_{KEY}", f"AIza{KEY}", "AKIAIOSFODNN7EXAMPLE"]
)
def test_a_header_of_any_name_hides_what_looks_like_a_secret(secret: str) -> None:
    shown = mask_headers([(b"X-Note", f"look: {secret}, there".encode())])["X-Note"][0]

    assert shown.startswith("look: ")
    assert shown.endswith(", there")
    assert_no_piece(secret, shown)


@given(
    st.sampled_from(["sk-ant-api03-", "sk-proj-", "sk-", "gsk_", "AIza", ""]),
    st.text("abcDEF012_-", min_size=8),
)
def test_no_eight_characters_behind_a_prefix_are_ever_shown(prefix: str, rest: str) -> None:
    for name in (b"x-api-key", b"authorization", b"cookie"):
        shown = mask_headers([(name, (prefix + rest).encode())])
        text = next(iter(shown.values()))[0].removeprefix(prefix)
        assert not any(rest[at : at + 8] in text for at in range(len(rest) - 7))


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ""),
        ("beta=true", "beta=true"),
        (f"key=AIza{KEY}&alt=sse", "key=AIza...6789&alt=sse"),
        (f"api_key={KEY}", "api_key=..."),
        (f"api-key={KEY}", "api-key=..."),
        (f"apikey={KEY}", "apikey=..."),
        (f"access_token={KEY}&x=1", "access_token=...&x=1"),
        (f"X-Amz-Signature={KEY}", "X-Amz-Signature=..."),
        (f"%6bey={KEY}", "%6bey=..."),
        (f"note=sk-{KEY}", "note=sk-...6789"),
        (f"sk-{KEY}", "sk-...6789"),
        ("key=", "key="),
        ("monkey=1&keyboard=2", "monkey=1&keyboard=2"),
        ("max_tokens=5", "max_tokens=5"),
    ],
)
def test_secrets_in_a_query_are_masked(query: str, shown: str) -> None:
    assert mask_query(query) == shown


def test_what_looks_secret_is_known() -> None:
    assert looks_secret(f"sk-{KEY}")
    assert looks_secret(JWT)
    assert not looks_secret("task-abcdefghijkl")
    assert not looks_secret("4f1c2b7e-8d35-4d7b-a1b6-2f9a1c3d5e70")
    assert mask_keys("task-abcdefghijkl") == "task-abcdefghijkl"


def test_patterns_mask_and_count() -> None:
    mask = compile_patterns([r"\b\d{3}-\d{2}-\d{4}\b", "(?i)project falcon"])
    assert mask is not None

    assert mask("123-45-6789, Project Falcon, 1234") == ("[redacted], [redacted], 1234", 2)
    assert mask("nothing") == ("nothing", 0)
    assert compile_patterns([]) is None


def test_a_hostile_pattern_takes_linear_time() -> None:
    mask = compile_patterns(["(a+)+$"])
    assert mask is not None

    assert mask("a" * 50_000 + "b") == ("a" * 50_000 + "b", 0)


def test_a_bad_pattern_is_an_error_that_shows_it() -> None:
    with pytest.raises(ValueError, match=r"'\(' is no RE2 pattern: missing \)"):
        compile_patterns(["ok", "("])


def assert_no_piece(secret: str, shown: str) -> None:
    for prefix in ("sk-ant-api03-", "ghp_", "AIza", "AKIA", ""):
        if secret.startswith(prefix):
            rest = secret[len(prefix) :]
            break
    assert not any(rest[at : at + 8] in shown for at in range(len(rest) - 7))
