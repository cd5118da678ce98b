"""The page in a real browser, in each state that a shipper can be in."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests import clock
from tests.browser import states
from tests.browser.visit import PHONE, WIDE, Visit
from tests.e2e.stack import Shipper
from tests.fakes.loki import FakeLoki, Order
from tests.process import eventually

State = Callable[[states.Stage], Shipper]
Look = Callable[..., Visit]

STATES: list[tuple[State, set[str], str]] = [
    (states.with_nothing, {"OK"}, "No calls yet"),
    (states.all_well, {"OK"}, "All that is on record is in Loki"),
    (states.catching_up, {"Catching up"}, "still to go"),
    (states.loki_down, {"Error"}, "does Loki run"),
    (states.wrong_token, {"Error"}, "refuses the credentials"),
    (states.disabled, {"Disabled"}, "set loki.enabled = true"),
    (states.ten_thousand_files, {"OK", "Catching up"}, "10,000"),
]
MOST_BYTES = 100_000
# The page looks for news after so long.
RENEWAL_MS = 5_000


@pytest.mark.parametrize(("state", "words", "part"), STATES, ids=[each.__name__ for each, _, _ in STATES])
def test_each_state_is_shown_in_one_small_document_that_all_can_read(
    look: Look, stage: states.Stage, state: State, words: set[str], part: str
) -> None:
    shipper = state(stage)
    seen = look(shipper.url)

    assert seen.requests == [f"{shipper.url}/"]
    assert seen.size < MOST_BYTES
    assert seen.state in words
    assert part in seen.text
    assert states.WRONG_TOKEN not in seen.page.content()
    for screen, scheme in ((WIDE, "light"), (PHONE, "dark")):
        seen.as_on(screen, scheme)
        assert seen.overhang <= 0
        assert not seen.barriers()
    assert not seen.complaints


def test_without_scripts_all_is_there(look: Look, well: Shipper) -> None:
    seen = look(well.url, java_script_enabled=False)
    seen.as_on(PHONE, "light")

    assert seen.state == "OK"
    for heading in ("Last 15 minutes", "Files", "Last errors", "Since the start", "Configuration"):
        expect(seen.page.get_by_role("heading", name=heading)).to_be_visible()
    expect(seen.page.get_by_role("img")).to_have_count(2)
    seen.page.locator("#defaults summary").click()
    expect(seen.page.get_by_text("loki.batch_size")).to_be_visible()
    assert seen.overhang <= 0


def test_a_name_of_a_file_is_text_whatever_it_is(look: Look, well: Shipper) -> None:
    seen = look(well.url)

    expect(seen.page.get_by_text("<img src=x onerror=alert(1)>")).to_be_visible()
    assert seen.page.locator("img").count() == 0
    assert not seen.complaints


def test_the_page_follows_by_itself_and_says_when_nobody_answers(look: Look, stage: states.Stage) -> None:
    loki = stage.loki()
    loki.order(Order(status=503, body="no healthy upstream", times=0))
    logs = stage.folder("changing")
    states.write_lines(logs, f"{clock.session(10)}.jsonl")
    shipper = stage.shipper(logs, loki.push_url)
    seen = with_own_clock(look(shipper.url))
    seen.page.evaluate("window.stayed = true")

    eventually(lambda: shipper.health["status"] == "error")
    renew(seen)
    expect(seen.page.locator("h1")).to_have_text("Error")
    loki.clear_orders()
    eventually(lambda: shipper.delivered(1))
    renew(seen)
    expect(seen.page.locator("h1")).to_have_text("OK")
    expect(seen.page).to_have_title("OK · llm-loki-ship")
    assert seen.page.evaluate("window.stayed")
    assert not seen.complaints
    shipper.process.kill()
    seen.page.clock.run_for(RENEWAL_MS)
    expect(seen.page.get_by_role("alert")).to_contain_text("No answer from the shipper since")


def test_a_page_that_nobody_sees_asks_for_nothing(look: Look, well: Shipper) -> None:
    seen = with_own_clock(look(well.url))
    renew(seen)
    asked = seen.renewals

    turn(seen, hidden=True)
    seen.page.clock.run_for(100 * RENEWAL_MS)
    assert seen.renewals == asked
    with seen.page.expect_response("**/"):
        turn(seen, hidden=False)


def with_own_clock(seen: Visit) -> Visit:
    """Load the page again with timers that run when the test says so."""
    seen.page.clock.install()
    seen.page.reload()
    seen.page.clock.pause_at(datetime.now(UTC) + timedelta(hours=1))
    return seen


def renew(seen: Visit) -> None:
    """Let the time go by after which the page looks for news, and await them."""
    with seen.page.expect_response("**/"):
        seen.page.clock.run_for(RENEWAL_MS)


def turn(seen: Visit, *, hidden: bool) -> None:
    """Let the page believe that its tab is hidden, or seen again."""
    seen.page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def test_what_the_reader_has_unfolded_and_where_the_keyboard_is_stays(look: Look, well: Shipper) -> None:
    seen = with_own_clock(look(well.url))
    summary = seen.page.locator("#defaults summary")
    summary.focus()
    seen.page.keyboard.press("Enter")
    seen.page.locator("#settings h2").evaluate("each => { each.textContent = 'old' }")

    renew(seen)

    expect(seen.page.get_by_role("heading", name="Configuration")).to_be_visible()
    expect(seen.page.get_by_text("loki.batch_size")).to_be_visible()
    expect(summary).to_be_focused()


def test_a_web_page_that_had_its_name_rebound_reads_nothing(look: Look, well: Shipper) -> None:
    seen = look(well.url.replace("127.0.0.1", "evil.example"))

    assert seen.status == 403
    assert "Configuration" not in seen.text
    assert look(well.url.replace("127.0.0.1", "localhost")).state == "OK"


def test_a_web_page_elsewhere_can_neither_read_nor_frame_it(
    look: Look, well: Shipper, fake_loki: FakeLoki
) -> None:
    elsewhere = look(fake_loki.url.replace("127.0.0.1", "evil.example") + "/ready").page
    fetched = "url => fetch(url).then(() => 'read', () => 'refused')"
    framed = """url => new Promise(resolve => {
        const frame = document.body.appendChild(document.createElement("iframe"));
        frame.onload = resolve;
        frame.src = url;
    })"""

    assert elsewhere.evaluate(fetched, f"{well.url}/status") == "refused"
    elsewhere.evaluate(framed, f"{well.url}/")
    assert elsewhere.frames[1].locator("main").count() == 0
