"""Allowed names that lead where nobody may go."""

import socket
from typing import Any

import pytest

from groundwork.settings.proxies import proxies_of
from proxy.wire.routing import may_be_here, parse_upstreams
from proxy.wire.upstream.dial import Dialer
from proxy.wire.upstream.failure import ConnectError
from proxy.wire.upstream.request import Origin
from proxy.wire.upstream.resolver import AddressInfo, GuardedResolver
from tests.proxy.inside import run


@pytest.fixture
def leads_to(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that every name has."""
    addresses: list[str] = []

    async def look_up(_self: Any, _host: str, port: int) -> list[AddressInfo]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (each, port)) for each in addresses]

    monkeypatch.setattr(GuardedResolver, "_look_up", look_up)
    return addresses


def resolved(leads_to: list[str], *addresses: str, here: bool = False) -> list[str]:
    leads_to[:] = addresses
    found: list[str] = []

    async def test() -> None:
        results = await GuardedResolver(lambda _: here).resolve("name.example", 443)
        found.extend(each[4][0] for each in results)

    run(test)
    return found


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "169.254.170.2", "fe80::1%2", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1", "fd00:ec2::254", "100.100.100.200", "0.0.0.0", "::",  # noqa: S104 - where nothing is bound
        "fd00:ec2::23", "fd20:ce::254", "168.63.129.16", "192.0.0.192", "64:ff9b:1::a9fe:a9fe",
        "64:ff9b::a83f:8110", "2001:0:53aa:64c:0:5601:5601:5601", "::169.254.169.254", "::ffff:168.63.129.16",
        "224.0.0.1", "127.0.0.1",
        "::1", "::ffff:127.0.0.1",
    ],
)  # fmt: skip
def test_no_name_leads_to_metadata_and_none_of_a_suffix_to_this_machine(
    leads_to: list[str], address: str
) -> None:
    assert resolved(leads_to, address, "93.184.215.14") == ["93.184.215.14"]
    with pytest.raises(OSError, match="its address must not be reached"):
        resolved(leads_to, address)


@pytest.mark.parametrize("address", ["93.184.215.14", "10.1.2.3", "192.168.1.1", "2606:2800::1", "fd12::1"])
def test_public_and_private_addresses_are_reached(leads_to: list[str], address: str) -> None:
    assert resolved(leads_to, address) == [address]


def test_a_name_that_was_configured_may_be_of_this_machine(leads_to: list[str]) -> None:
    assert resolved(leads_to, "127.0.0.1", here=True) == ["127.0.0.1"]
    with pytest.raises(OSError, match="must not"):
        resolved(leads_to, "169.254.169.254", here=True)


@pytest.mark.parametrize(
    ("host", "may"),
    [
        ("api.anthropic.com", True),
        ("localhost", True),
        ("vllm", True),
        ("gpu.corp.example", True),
        ("evil.corp.example", False),
    ],
)
def test_a_suffix_vouches_for_nobody(host: str, *, may: bool) -> None:
    upstreams = parse_upstreams(["vllm:8000", "gpu.corp.example", "*.corp.example"])

    assert may_be_here(host, upstreams) is may


def test_a_refused_address_is_told_and_never_connected_to(leads_to: list[str]) -> None:
    leads_to[:] = ["169.254.169.254"]

    async def test() -> None:
        upstreams = parse_upstreams(["*.example"])
        dialer = Dialer(GuardedResolver(lambda host: may_be_here(host, upstreams)), proxies_of({}))
        with pytest.raises(ConnectError, match="its address must not be reached"):
            await dialer.open(Origin("http", "metadata.example", 80))

    run(test)
