from shipper.telemetry.metrics import Metrics
from shipper.telemetry.page.hints import advice
from tests.shipper.telemetry.page.reports import NOW, report


def test_what_helps_comes_first_and_a_test_of_the_way_last() -> None:
    metrics = Metrics(last_error="503", last_error_time=NOW, advice="Look at its log.")

    assert advice(report(exhausted=True, metrics=metrics)).steps == (
        "Look at its log.",
        "llm-loki-ship check tests the way to Loki step by step.",
    )
    assert len(advice(report(exhausted=True)).steps) == 1


def test_a_configuration_that_cannot_be_used_is_to_be_mended() -> None:
    assert "Mend that key" in advice(report(unusable="loki.url is empty")).steps[0]


def test_delivery_that_works_needs_no_advice() -> None:
    assert advice(report()).steps == ()
    assert advice(report()).summary == "All that is on record is in Loki."
    assert "2 KiB on their way" in advice(report(lag_bytes=2048)).summary
    assert advice(report(enabled=False)).steps
