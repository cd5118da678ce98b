"""The variables of the environment, as they are written."""

import pytest

from groundwork.settings.proxies import Proxy, ProxyVariableError, parse_proxy, proxies_of


@pytest.mark.parametrize(
    ("value", "proxy"),
    [
        ("127.0.0.1:7890", Proxy("http", "127.0.0.1", 7890)),
        ("proxy", Proxy("http", "proxy", 80)),
        ("http://proxy:3128/", Proxy("http", "proxy", 3128)),
        ("HTTPS://proxy", Proxy("https", "proxy", 443)),
        ("socks5://proxy", Proxy("socks5", "proxy", 1080)),
        ("socks5h://u:p%40x@[::1]:9", Proxy("socks5h", "::1", 9, "u", "p@x")),
        ("socks://127.0.0.1:1080/", Proxy("socks5", "127.0.0.1", 1080)),
        ("socks4a://proxy:1", Proxy("socks4a", "proxy", 1)),
        ("user:pass:word@proxy:8", Proxy("http", "proxy", 8, "user", "pass:word")),
        (" http://proxy:1 ", Proxy("http", "proxy", 1)),
    ],
)
def test_a_proxy_is_read(value: str, proxy: Proxy) -> None:
    assert parse_proxy(value, "X") == proxy


@pytest.mark.parametrize(
    "value",
    ["ftp://proxy", "http://", "http://proxy:99999", "http://proxy:x", "http://a b", "://x", "http://p:0"],
)
def test_what_is_no_proxy_is_one_line_without_its_login(value: str) -> None:
    scheme, mark, rest = value.partition("://")
    with pytest.raises(ProxyVariableError) as refused:
        proxies_of({"HTTPS_PROXY": f"{scheme}{mark}user:hunter2@{rest}"})

    assert str(refused.value).startswith("HTTPS_PROXY = ")
    assert "hunter2" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_login_is_not_shown() -> None:
    assert "secret" not in repr(parse_proxy("http://u:secret@p:1", "X"))


ALL = {"HTTP_PROXY": "h:1", "HTTPS_PROXY": "s:2", "ALL_PROXY": "socks5://a:3"}


@pytest.mark.parametrize(
    ("environ", "scheme", "expected"),
    [
        (ALL, "http", "http://h:1"),
        (ALL, "https", "http://s:2"),
        ({"ALL_PROXY": "a:3"}, "https", "http://a:3"),
        ({**ALL, "https_proxy": "low:4"}, "https", "http://low:4"),
        ({**ALL, "https_proxy": ""}, "https", "http://s:2"),
        ({"HTTP_PROXY": "h:1"}, "https", None),
        ({}, "http", None),
    ],
)
def test_the_variable_of_the_scheme_goes_before_all_proxy(
    environ: dict[str, str], scheme: str, expected: str | None
) -> None:
    proxy = proxies_of(environ).proxy_for(scheme, "api.example.com", 443)

    assert (proxy.url if proxy else None) == expected


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "direct"),
    [
        ("10.0.0.0/8", "10.1.2.3", 80, True),
        ("10.0.0.0/8", "11.1.2.3", 80, False),
        ("10.0.0.0/8", "ten.example", 80, False),
        ("10.1.2.3", "10.1.2.3", 80, True),
        ("10.1.2.3:81", "10.1.2.3", 80, False),
        ("fd00::/8", "[fd12::1]", 80, True),
        ("[fd12::1]", "fd12::1", 80, True),
        ("[fd12::1]:443", "fd12::1", 443, True),
        ("[fd12::1]:443", "fd12::1", 80, False),
        ("fd12::1", "[fd12::1]", 80, True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", 80, True),
        ("example.com", "example.com", 80, True),
        ("example.com", "api.Example.com", 80, True),
        ("example.com", "notexample.com", 80, False),
        (".example.com", "api.example.com", 80, True),
        (".example.com", "example.com", 80, True),
        ("*.example.com", "api.example.com", 80, True),
        ("example.com:8443", "api.example.com", 8443, True),
        ("example.com:8443", "api.example.com", 443, False),
        ("a.example, b.example c.example", "c.example", 80, True),
        ("*", "anything.example", 80, True),
        ("", "anything.example", 80, False),
        (", ,", "anything.example", 80, False),
        ("", "localhost", 80, True),
        ("", "127.0.0.9", 80, True),
        ("", "[::1]", 80, True),
        ("", "api.localhost", 80, True),
    ],
)
def test_no_proxy_names_suffixes_networks_and_ports(
    no_proxy: str, host: str, port: int, *, direct: bool
) -> None:
    proxies = proxies_of({"ALL_PROXY": "p:1", "NO_PROXY": no_proxy})

    assert (proxies.proxy_for("http", host, port) is None) is direct
