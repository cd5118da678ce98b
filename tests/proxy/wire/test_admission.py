import pytest

from proxy.wire.admission import Admission
from proxy.wire.routing import RefusedError

HERE = Admission.of("", ())
TOKEN = Admission.of("s3cret-token", ())
HOSTS = Admission.of("", ("proxy.internal", "10.0.0.5:12071"))
BOTH = Admission.of("s3cret-token", ("proxy.internal",))


def admits(admission: Admission, *headers: tuple[bytes, bytes]) -> bool:
    try:
        admission.check(headers)
    except RefusedError:
        return False
    return True


def test_a_refusal_is_told_as_forbidden() -> None:
    with pytest.raises(RefusedError, match="Host is not served") as refused:
        HERE.check((host(b"evil.example"),))

    assert refused.value.status == 403


def host(value: bytes) -> tuple[bytes, bytes]:
    return (b"Host", value)


@pytest.mark.parametrize(
    "value", [b"localhost:12071", b"127.0.0.1:12071", b"[::1]:12071", b"localhost", b"LOCALHOST:1"]
)
def test_this_machines_names_are_served(value: bytes) -> None:
    assert admits(HERE, host(value))


@pytest.mark.parametrize(
    "value", [b"evil.example", b"evil.example:12071", b"localhost.evil.example", b"", b"10.0.0.5"]
)
def test_other_names_are_not_served_so_that_rebinding_fails(value: bytes) -> None:
    assert not admits(HERE, host(value))


@pytest.mark.parametrize(
    "header",
    [
        (b"Origin", b"https://evil.example"),
        (b"origin", b"null"),
        (b"Origin", b"http://localhost:12071"),
        (b"Sec-Fetch-Site", b"cross-site"),
        (b"sec-fetch-site", b"same-origin"),
    ],
)
@pytest.mark.parametrize("admission", [HERE, HOSTS])
def test_web_pages_are_refused(admission: Admission, header: tuple[bytes, bytes]) -> None:
    assert not admits(admission, host(b"localhost"), header)


def test_what_node_and_coding_agents_send_is_no_web_page() -> None:
    headers = (
        (b"sec-fetch-mode", b"cors"),
        (b"anthropic-dangerous-direct-browser-access", b"true"),
        (b"Sec-Fetch-Site", b"none"),
    )
    assert admits(HERE, host(b"localhost"), *headers)


def test_a_token_opens_every_name_but_only_with_the_token() -> None:
    good = (b"x-llm-proxy-token", b"s3cret-token")

    assert admits(TOKEN, host(b"anything.example"), good)
    assert not admits(TOKEN, host(b"localhost"))
    assert not admits(TOKEN, host(b"localhost"), (b"X-LLM-Proxy-Token", b"s3cret-tokem"))
    assert not admits(TOKEN, host(b"localhost"), (b"X-LLM-Proxy-Token", b"s3cret-token\xff"))


def test_allowed_hosts_are_served_beside_this_machine() -> None:
    assert admits(HOSTS, host(b"proxy.internal:12071"))
    assert admits(HOSTS, host(b"Proxy.Internal"))
    assert admits(HOSTS, host(b"10.0.0.5:12071"))
    assert admits(HOSTS, host(b"localhost:12071"))
    assert not admits(HOSTS, host(b"10.0.0.5:1"))
    assert not admits(HOSTS, host(b"evil.example"))


def test_token_and_hosts_together_ask_for_both() -> None:
    good = (b"X-LLM-Proxy-Token", b"s3cret-token")

    assert admits(BOTH, host(b"proxy.internal"), good)
    assert not admits(BOTH, host(b"evil.example"), good)
    assert not admits(BOTH, host(b"proxy.internal"))


NAMED = Admission.of("", (), {"alice": "a" * 16, "nightly": "n" * 16})


def test_a_named_token_tells_its_caller() -> None:
    assert NAMED.check((host(b"x.example"), (b"X-LLM-Proxy-Token", b"n" * 16))) == "nightly"
    assert NAMED.check((host(b"x.example"), (b"X-LLM-Proxy-Token", b"a" * 16))) == "alice"
    assert not admits(NAMED, host(b"localhost"))
    assert not admits(NAMED, host(b"localhost"), (b"X-LLM-Proxy-Token", b"a" * 17))
    assert not admits(NAMED, host(b"localhost"), (b"X-LLM-Proxy-Token", b"alice"))


def test_the_one_token_beside_named_ones_has_no_name() -> None:
    both = Admission.of("s3cret-token", (), {"alice": "a" * 16})

    assert both.check((host(b"localhost"), (b"X-LLM-Proxy-Token", b"s3cret-token"))) == ""
    assert both.check((host(b"localhost"), (b"X-LLM-Proxy-Token", b"a" * 16))) == "alice"


def test_an_empty_entry_of_allowed_hosts_serves_nobody() -> None:
    assert not admits(Admission.of("", ("",)), host(b""))


def test_tokens_are_in_no_text_of_their_values() -> None:
    assert "aaaa" not in repr(NAMED)
