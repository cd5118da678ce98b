import pytest

from shipper.telemetry.export.host_check import may_read


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:12072",
        "10.1.2.3",
        "[::1]:12072",
        "localhost:12072",
        "app.localhost",
        "Shipper:12072",
        "Ship.Internal:12072",
    ],
)
def test_addresses_and_names_of_ours_are_served(host: str) -> None:
    assert may_read(host, ("ship.internal", "shipper"))


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:12072", "127.0.0.1.evil.example", "[evil.example]", "", ":1", "shipper"],
)
def test_a_name_that_a_page_can_have_is_not(host: str) -> None:
    assert not may_read(host, ("127.0.0.1", ""))
