import base64
import json
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.redact.headers import mask_headers
from proxy.content.redact.patterns import compile_patterns
from proxy.content.redact.shapes import SHAPES, looks_secret, mask_keys, mask_secret
from proxy.content.redact.text import mask_path, mask_query, mask_text

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


SECRET = "kJ8fQ2mZ7xW4nB1vC6tR"


@pytest.mark.parametrize(
    "name",
    [
        "accessToken",
        "access_token",
        "ACCESS-TOKEN",
        "refreshToken",
        "idToken",
        "clientSecret",
        "client_secret",
        "clientsecret",
        "apiKey",
        "APIKey",
        "api.key",
        "subscriptionKey",
        "Ocp-Apim-Subscription-Key",
        "x-functions-key",
        "functionKey",
        "sas",
        "sig",
        "Signature",
        "X-AuthToken",
        "X-AuthorizationToken",
        "x-vault-token",
        "authToken",
        "oauthToken",
        "oauth2Token",
        "bearerToken",
        "sessionToken",
        "sessionKey",
        "privateKey",
        "dbPassword",
        "userPwd",
        "pass",
        "passphrase",
        "otp",
        "code",
        "client_assertion",
        "assertion",
        "jwt",
        "jwtToken",
        "X-Amz-Credential",
        "X-Amz-Security-Token",
        "x-goog-signature",
        "PHPSESSID",
        "jsessionid",
        "secretAccessKey",
        "auth",
        "hmac",
        "ticket",
        "api_secret",
        "webhookSecret",
        "encryptionKey",
        "personalAccessToken",
        "pat",
        "credential",
        "credentials",
        "cookie",
        "xsrfToken",
    ],
)
def test_a_parameter_is_masked_by_the_words_of_its_name(name: str) -> None:
    assert_no_piece(SECRET, mask_query(f"a=1&{name}={SECRET}&b=2"))
    assert_no_piece(SECRET, mask_query(f"next=https%3A%2F%2Fh%2Fcb%3F{name}%3D{SECRET}"))
    assert_no_piece(SECRET, shown_header("Location", f"/callback?x=1&{name}={SECRET}"))
    assert_no_piece(SECRET, shown_header("Link", f'<https://h/v1?{name}={SECRET}>; rel="next"'))
    assert_no_piece(SECRET, shown_header("Referer", f"https://h/app#{name}={SECRET}&state=2"))


def shown_header(name: str, value: str) -> str:
    (values,) = mask_headers([(name.encode(), value.encode())]).values()
    return values[0]


@pytest.mark.parametrize(
    "name",
    [
        "model",
        "max_tokens",
        "maxOutputTokens",
        "alt",
        "api-version",
        "keyword",
        "author",
        "passage",
        "design",
    ],
)
def test_a_parameter_that_a_reader_needs_stays(name: str) -> None:
    assert mask_query(f"{name}=gpt-5.1") == f"{name}=gpt-5.1"


@pytest.mark.parametrize(
    "name", ["X-AuthToken", "XAuthToken", "X-AccessKey", "X-ClientSecret", "sas", "apiKey"]
)
def test_a_header_is_masked_by_the_words_of_its_name(name: str) -> None:
    assert shown_header(name, SECRET) == "..."


@pytest.mark.parametrize(
    "value",
    [
        f"https://user:{SECRET}@github.com/o/r.git",
        f"https://{SECRET}@github.com/o/r.git",
        f"postgres://app:p@{SECRET}@db:5432/x",
        f'{{"virtual_key":"{SECRET}","provider":"openai"}}',
        f'{{"a":[{{"apiKey":"{SECRET}"}}]}}',
        f'{{"workspaces":{{"/src":{{"remotes":{{"origin":"https://x:{SECRET}@h/r.git"}}}}}}}}',
        f'{{"nested":"{{\\"token\\":\\"{SECRET}\\"}}"}}',
        f"https://h/openai/operations/1?api-version=1&sig={SECRET}",
        f"https://h/login?next=https%3A%2F%2Fu%3A{SECRET}%40h%2F",
        f"https://h/login?next=https%253A%252F%252Fh%252F%253Ftoken%253D{SECRET}",
        f"https:\\/\\/u:{SECRET}@h\\/x",
        f"//u:{SECRET}@h/x",
        f"0; url=https://h/?sas={SECRET}",
        f'<https://h/x?sig={SECRET}&a=1>; rel="next", <https://h/y?clientSecret={SECRET}>; rel="prev"',
        f'{{"env":[{{"name":"OPENAI_API_KEY","value":"{SECRET}"}}]}}',
        f'{{"note":"Authorization: Bearer {SECRET}"}}',
        f'{{"api_key":"{SECRET}", and it breaks off',
        f'retry with {{"api_key": "{SECRET}"}}',
        f"%7B%22clientSecret%22: %22{SECRET}%22%7D",
        f"api_key: {SECRET}",
        f"run --api-key {SECRET} --verbose",
        f"Bearer {SECRET}",
        f"Cookie: a={SECRET}; b={SECRET}",
        f"basic {SECRET}",
    ],
)
def test_a_secret_within_a_value_is_masked(value: str) -> None:
    assert_no_piece(SECRET, shown_header("X-Note", value))


@pytest.mark.parametrize(
    "value",
    [
        "https://api.example.com/v1/operations/1?api-version=2024-02-01",
        '{"thread_id":"019b","sandbox":"none","turn":3}',
        "git@github.com:org/repo.git",
        "text/html; charset=utf-8",
        'Bearer realm="x", error="invalid_request"',
        "max-age=5, s-maxage=3",
        "claude-cli/2.1.0 (external, cli)",
        '<https://api.example.com/v1/files?after=file_011CNha8iCJcU1wXNR6q4V8w>; rel="next"',
        "https://h/v1/threads/thread_abc123?limit=20&order=desc",
        '{"model":"claude-sonnet-5-5","session_id":"0f1e2d3c-0000-4000-8000-0123456789ab","max_tokens":5}',
        "20%25 of 5:00, at 12:30:00",
        "npm --silent run build -- --watch",
    ],
)
def test_a_value_without_a_secret_stays_as_it_is(value: str) -> None:
    assert shown_header("X-Note", value) == value


@pytest.mark.parametrize(
    ("prefix", "rest"),
    [
        ("sk-proj-", SECRET),
        ("gsk_", SECRET),
        ("r8_", SECRET),
        ("nvapi-", SECRET),
        ("pplx-", SECRET),
        ("lsv2_pt_", SECRET),
        ("ABSK", SECRET * 2),
        ("AKIA", "Q3EGRIZ7WXYBDTCF"),
        ("ya29.", SECRET),
        ("1//0", SECRET * 2),
        ("GOCSPX-", SECRET),
        ("dop_v1_", "0123456789abcdef" * 4),
        ("hvs.", SECRET),
        ("glsa_", SECRET),
        ("ghp_", SECRET),
        ("github_pat_", SECRET),
        ("npm_", SECRET * 2),
        ("pypi-", SECRET * 2),
        ("xoxb-", SECRET),
        ("SG.", f"{SECRET}.{SECRET[::-1]}"),
        ("sk_live_", SECRET),
        ("shpat_", "0123456789abcdef" * 2),
        ("lin_api_", SECRET),
        ("eyJ", f"{SECRET}.{SECRET}.x"),
        ("123456789:", f"{SECRET}AbCdEfGhIjKlMnO"),
        ("secret_", SECRET * 2),
        ("key-", "0123456789abcdef" * 2),
        ("pscale_tkn_", SECRET),
        ("vcp_", SECRET),
        ("pat", "AbCdEfGhIjKlMn." + "0123456789abcdef" * 4),
        ("NRAK-", "ABCDEF0123456789ABCDEF01234"),
        ("pa-", SECRET * 2),
        ("MTk4NjIyNDgzNDcxOTI1MjQ4.", f"AbCdEf.{SECRET}AbCdEfG"),
        ("dt0c01.", "ABCDEFGHIJKLMNOPQRSTUVWX." + "ABCDEFGH" * 8),
    ],
)
def test_a_shape_is_masked_wherever_it_stands(prefix: str, rest: str) -> None:
    secret = prefix + rest

    assert looks_secret(f"x {secret}")
    assert_no_piece(rest, mask_path(f"/v1/{secret}/chat/completions"))
    assert_no_piece(rest, mask_path(f"/v1/{quote(secret, safe='')}/chat"))
    assert_no_piece(rest, mask_query(f"note={secret}"))
    mask = compile_patterns(SHAPES)
    assert mask is not None
    shown, hits = mask(f'{{"content": "my key is {secret}, keep it"}}')
    assert hits
    assert_no_piece(rest, shown)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/messages",
        "/v1beta/models/gemini-2.5-pro:generateContent",
        "/model/a.b-v1%3A0/converse",
        "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.anthropic.claude/invoke",
        "/v1/responses/resp_68a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5",
        "/v1/messages/batches/msgbatch_01HkcTjaV5uDC8jWR4ZsDMQUmN/results",
        "/v1/threads/thread_abcDEF123abcDEF123abcDEF/runs/run_abcDEF123abcDEF123abcDEF",
        "/v1beta/interactions/v1ChdKZ0NWYTlEdUc2cUVkbXNQa0xhUjR3",
        "/openai/deployments/gpt-4o-2024-08-06/chat/completions",
        "/v1/messages/count_tokens",
    ],
)
def test_a_path_without_a_secret_stays_as_it_is(path: str) -> None:
    assert mask_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "/v1/t/{}/messages",
        "/token/{}/v1/messages",
        "/keys/{}",
        "/key={}/v1/messages",
        "/v1/https%3A%2F%2Fu%3A{}%40h/messages",
        "/bot123456789:{}AbCdEfGhIjKlMnO/messages",
    ],
)
def test_a_token_in_a_path_is_masked_and_the_rest_stays(path: str) -> None:
    shown = mask_path(path.format(SECRET + "9aB2"))

    assert_no_piece(SECRET, shown)
    assert shown.rpartition("/")[2] == path.rpartition("/")[2].replace("{}", "...")


@pytest.mark.parametrize("hostile", ["a=", "http://a", "key=a ", "--a ", "%25"])
def test_masking_takes_time_in_proportion_to_a_text(hostile: str) -> None:
    def seconds(size: int) -> float:
        text = hostile * (size // len(hostile))
        spent = []
        for _ in range(3):
            begun = time.process_time()
            mask_text(text)
            spent.append(time.process_time() - begun)
        return min(spent)

    assert seconds(32_000) < 10 * seconds(8_000)  # were it quadratic, it would be 16


@pytest.mark.parametrize("times", [0, 1, 2, 3])
def test_a_pattern_matches_what_a_json_text_says_however_it_is_escaped(times: int) -> None:
    mask = compile_patterns(["Müller", "multi\nline"])
    assert mask is not None
    text = "Herr Müller, multi\nline"
    for _ in range(times):
        text = json.dumps({"said": text})

    shown, hits = mask(text)

    assert hits == 2
    for _ in range(times):
        shown = json.loads(shown)["said"]
    assert shown == "Herr [redacted], [redacted]"


@given(st.text())
def test_masking_leaves_a_json_text_without_a_hit_as_it_is(text: str) -> None:
    mask = compile_patterns(["no such thing anywhere"])
    assert mask is not None
    written = json.dumps([text, {"a": text}])

    assert mask(written) == (written, 0)


@given(st.text(max_size=200))
def test_no_value_is_an_error(text: str) -> None:
    for mask in (mask_text, mask_query, mask_path):
        mask(text)


@pytest.mark.parametrize("piece", ["x", "a://", "a b ", "k=v&", "sk-", "a@", "-----BEGIN ", 'a="', "%41"])
def test_the_time_for_a_text_grows_with_its_length_only(piece: str) -> None:
    """Ten times the text may take ten times as long; a hundred times as long would stop all calls."""

    def took(length: int) -> float:
        text = piece * (length // len(piece))
        began = time.process_time()
        mask_text(text)
        return time.process_time() - began

    short = min(took(4_000) for _ in range(5))

    assert min(took(40_000) for _ in range(3)) < 40 * short + 0.01
