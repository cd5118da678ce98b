import base64
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.telemetry.metrics import LoggedProblem, Metrics
from shipper.telemetry.page.assets import page
from shipper.telemetry.page.files import MOST_ROWS, FileRow, FileState
from shipper.telemetry.page.state import About
from tests.shipper.telemetry.page.reports import ABOUT, NOW, STARTED, report

LIMIT = 100_000
# Markup, quotes, what turns text around, what cannot be seen, and what is no text.
HOSTILE = "<script>alert(1)</script>\"'&{{ 7 * 7 }}\u202e\x00\n\udcff"


class Seen(HTMLParser):
    """The elements of a document, and its text."""

    def __init__(self, document: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(document.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def shown(**more: Any) -> Seen:
    return Seen(page().render(report(**more)))


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({}, "OK"),
        ({"enabled": False}, "Disabled"),
        ({"exhausted": True}, "Error"),
        ({"draining": True}, "Draining"),
        ({"oldest_time": int((NOW - 600) * 1e9), "lag_bytes": 2048}, "Catching up"),
    ],
)
def test_the_state_stands_in_the_title_and_the_heading(more: dict[str, Any], word: str) -> None:
    document = page().render(report(**more)).decode()

    assert f"<title>{word} · llm-loki-ship</title>" in document
    assert f"<h1>{word}</h1>" in document


def test_an_error_is_told_in_words_with_what_to_do() -> None:
    failed = Metrics(last_error="401: no org id", last_error_time=NOW, advice="Loki refuses the credentials.")
    text = shown(exhausted=True, metrics=failed, lag_bytes=2048).text

    assert "401: no org id" in text
    assert "refuses the credentials" in text
    assert "2 KiB are waiting. Nothing is lost" in text


def test_a_loop_that_stands_still_is_no_good_state() -> None:
    seen = shown(ticked_at=0.0)

    assert "No sign of life" in seen.text
    assert "The shipper itself stands still" in seen.text


def test_files_settings_and_drops_are_told() -> None:
    metrics = Metrics()
    metrics.dropped["too_old"] = 3
    seen = shown(metrics=metrics)

    assert "a.jsonl" in seen.text
    assert [each["value"] for each in seen.all("progress")] == ["25", "100"]
    assert "environment variable LLM_PROXY_LOKI_PASSWORD" in seen.text
    assert "1 keys at their default" in seen.text
    assert "too_old" in seen.text


def test_before_anything_has_happened_the_page_says_so() -> None:
    text = shown(rows=(), history=()).text

    for words in ("No calls yet", "No session files yet", "None since the start"):
        assert words in text


def test_nothing_is_loaded_and_only_the_own_style_and_script_may_run() -> None:
    document = page().render(report()).decode()
    for tag in ("style", "script"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", document, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in page().policy

    seen = Seen(document.encode())
    assert {each["href"] for each in seen.all("a")} == {"/status", "/health/loki", "/metrics"}
    assert [str(each["href"])[:18] for each in seen.all("link")] == ["data:image/svg+xml"]
    assert not [
        attributes for _, attributes in seen.elements if {"src", "style", "onclick"} & attributes.keys()
    ]


def hostile_report(text: str) -> dict[str, Any]:
    """Return a report as large as can be, with this text wherever text comes from outside."""
    rows = [FileRow(text, 1, 0, 10**15, FileState.UNREADABLE, 0.0)] * MOST_ROWS
    settings = [{"key": "k" * 30, "value": text, "origin": text}] * 60
    metrics = Metrics(last_error=text, last_error_time=NOW)
    metrics.mishaps.extend([LoggedProblem(NOW, "loki.push_failed", text, 10**9)] * 20)
    metrics.dropped = dict.fromkeys(metrics.dropped, 10**12)
    about = About("1.2.3", STARTED, text, text, settings)
    return report(rows=tuple(rows), about=about, metrics=metrics, exhausted=True)


def test_hostile_text_is_shown_and_never_obeyed() -> None:
    document = page().render(hostile_report(HOSTILE))
    seen = Seen(document)

    assert len(seen.all("script")) == 1
    assert "<script>alert(1)</script>\"'&{{ 7 * 7 }}" in seen.text
    assert not set("\u202e\x00\udcff") & set(document.decode())


@pytest.mark.parametrize("text", [HOSTILE * 100, "'" * 5000, "\U0001f600" * 5000, "/" * 5000, "\n" * 5000])
def test_the_page_stays_small(text: str) -> None:
    assert len(page().render(hostile_report(text))) < LIMIT


@given(st.text())
def test_any_text_can_be_shown(text: str) -> None:
    assert len(Seen(page().render(hostile_report(text))).all("script")) == 1


def test_a_page_without_settings_or_versions_can_be_shown() -> None:
    assert b"<h1>" in page().render(report(about=About()))


def lines(document: bytes, kind: str) -> Iterator[str]:
    yield from re.findall(rf'class="{kind}" d="([^"]+)"', document.decode())


def test_the_charts_are_drawn_on_the_server_with_a_text_for_each() -> None:
    document = page().render(report())
    labels = [each["aria-label"] for each in Seen(document).all("svg") if "aria-label" in each]

    assert len(list(lines(document, "line"))) == 2
    assert labels == [
        "Throughput over the last 15 minutes: now 0 B/s, at most 4 KiB/s",
        "Waiting over the last 15 minutes: now 0 B, at most 89 KiB",
    ]
    assert ABOUT.version in document.decode()
