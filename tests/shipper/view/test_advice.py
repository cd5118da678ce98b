import pytest

from shipper.metrics import Metrics
from shipper.view.advice import advice
from tests.shipper.view.reports import NOW, report


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("401: no org id", "refuses the credentials"),
        ("404: page not found", "/loki/api/v1/push"),
        ("429: ingestion rate limit", "limits the rate"),
        ("302", "leads elsewhere"),
        ("503: no healthy upstream", "in trouble"),
        ("unreachable: [Errno 111] Connection refused", "whether Loki runs"),
        ("checkpoint: No space left on device", "state folder"),
        ("something else", "llm-loki-ship check"),
    ],
)
def test_each_kind_of_error_has_its_advice(error: str, words: str) -> None:
    steps = advice(report(exhausted=True, metrics=Metrics(last_error=error, last_error_time=NOW))).steps

    assert words in steps[0]
    assert "llm-loki-ship check" in steps[-1]


def test_a_configuration_that_cannot_be_used_is_to_be_mended() -> None:
    assert "Mend that key" in advice(report(unusable="loki.url is empty")).steps[0]


def test_delivery_that_works_needs_no_advice() -> None:
    assert advice(report()).steps == ()
    assert advice(report()).summary == "All that is on record is in Loki."
    assert "2 KiB on their way" in advice(report(lag_bytes=2048)).summary
    assert advice(report(enabled=False)).steps
