"""The pages of explore in a real browser, in each state that they have to show."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser import sessions
from tests.browser.visit import PHONE, WIDE, Visit
from tests.process import eventually, free_port, running

Look = Callable[..., Visit]

PLACES = {
    "list": "/",
    "filters": "/?tool=get_weather&errors=1",
    "nothing fits": "/?host=x",
    "session": f"/session/{sessions.TALK}",
    "fork": f"/session/{sessions.FORK}",
    "running": f"/session/{sessions.RUNNING}",
    "planted": f"/session/{sessions.ALIEN}",
    "planted call": f"/session/{sessions.ALIEN}/call/1",
    "call": f"/session/{sessions.TALK}/call/3",
    "search": "/search?q=berlin",
    "no hit": "/search?q=nowhere",
}


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explored") / "logs"
    sessions.write_all(folder)
    return folder


@contextlib.contextmanager
def exploring(logs: Path, *args: str, **env: str) -> Iterator[str]:
    command = ("llm-loki-ship", "explore", "--log-dir", str(logs), "--explore-port", "0", *args)
    with running(*command, home=logs.parent, env=env) as process:
        yield process.wait_for_line("exploring ").rpartition(" on ")[2]


@pytest.fixture(scope="module")
def explored(logs: Path) -> Iterator[str]:
    with exploring(logs) as address:
        yield address


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    folder = tmp_path / "logs"
    sessions.write_all(folder)
    with exploring(folder) as address:
        yield folder, address


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_each_page_can_be_read_by_all_and_asks_nobody_else(look: Look, explored: str, place: str) -> None:
    seen = look(explored + place)

    for screen, scheme in ((WIDE, "light"), (PHONE, "dark"), (WIDE, "dark"), (PHONE, "light")):
        seen.as_on(screen, scheme)
        assert seen.overhang <= 0
        assert not seen.barriers()
    assert not seen.complaints
    assert {urlsplit(each).netloc for each in seen.requests if not each.startswith("data:")} == {
        urlsplit(explored).netloc
    }


@pytest.mark.parametrize("place", ["/", "planted", "planted call", "/search?q=click"])
def test_what_was_planted_is_text(look: Look, explored: str, place: str) -> None:
    seen = look(explored + PLACES.get(place, place))
    eventually(lambda: seen.page.reload() and "<script>window.hit=1" in seen.text)

    assert seen.page.evaluate("window.hit") is None
    assert (
        seen.page.locator("iframe, main style, main script, main img[onerror], a[href^=javascript]").count()
        == 0
    )
    assert not {"\x1b", "\u202e"} & set(seen.text)
    assert not seen.complaints


def test_the_list_leads_to_the_session_and_the_fork_both_ways(look: Look, explored: str) -> None:
    page = look(explored).page

    expect(page.get_by_role("heading", name="4 sessions")).to_be_visible()
    page.get_by_role("list", name="Subagents").get_by_role("link", name="explorer").click()
    expect(page.locator("#call-4")).to_be_in_viewport()
    page.get_by_role("link", name="And in Paris?").click()
    expect(page.get_by_text("It rains in Paris.")).to_be_visible()
    page.get_by_role("link", name=sessions.TALK).click()
    expect(page.locator("#call-1")).to_be_in_viewport()
    page.get_by_role("navigation", name="Subagents").get_by_role("link", name="explorer").click()
    expect(page.locator("#call-4")).to_be_in_viewport()


def test_filters_are_set_in_the_form_and_stand_in_the_address(look: Look, explored: str) -> None:
    page = look(explored).page
    page.get_by_label("Tool").select_option("get_weather")
    page.get_by_label("Errors only").check()
    page.get_by_role("button", name="Filter").click()

    expect(page.get_by_role("heading", name="1 session")).to_be_visible()
    assert "tool=get_weather" in page.url
    page.get_by_role("link", name="Clear").click()
    expect(page.get_by_role("heading", name="4 sessions")).to_be_visible()


def test_a_session_shows_its_image_code_error_and_what_changed(look: Look, explored: str) -> None:
    page = look(explored + PLACES["session"]).page

    assert page.locator("article img").first.evaluate("each => each.naturalWidth") == 1
    expect(page.locator("code .k").first).to_be_attached()
    expect(page.get_by_text("529 provider: overloaded_error")).to_be_visible()
    expect(page.get_by_text("The same messages as in call 2.")).to_be_visible()
    result = page.locator("details.result").first
    expect(result).not_to_have_attribute("open", "")
    result.locator("summary").click()
    expect(result.get_by_text("sunny, 21 degrees").first).to_be_visible()
    page.get_by_text("Changed: system prompt").click()
    expect(page.get_by_text("+Be verbose.")).to_be_visible()


def test_a_running_call_gets_its_answer_while_one_looks(look: Look, own: tuple[Path, str]) -> None:
    folder, address = own
    seen = look(f"{address}/session/{sessions.RUNNING}")
    expect(seen.page.get_by_text("Waiting for the answer")).to_be_visible()

    sessions.append(
        folder, sessions.RUNNING, sessions.response(sessions.RUNNING, 1, sessions.said("Spice and sea."))
    )
    expect(seen.page.get_by_text("Spice and sea.")).to_be_visible()
    expect(seen.page.get_by_text("Waiting for the answer")).to_have_count(0)
    assert not seen.complaints


def test_a_new_session_appears_in_the_list(look: Look, own: tuple[Path, str]) -> None:
    folder, address = own
    page = look(address).page
    name = sessions.RUNNING[:-1] + "9"

    sessions.append(folder, name, sessions.request(name, 1, sessions.user("Nobody has asked this before.")))
    expect(page.get_by_role("link", name="Nobody has asked this before.")).to_be_visible()


def test_hits_come_while_one_types_and_open_the_turn(look: Look, explored: str) -> None:
    seen = look(f"{explored}/search")
    eventually(lambda: seen.page.reload() and seen.page.locator("progress").count() == 0)
    seen.page.get_by_role("searchbox").press_sequentially("zanzi")

    expect(seen.page.locator("mark")).to_have_text("Zanzibar")
    seen.page.get_by_role("link", name="Write a poem about Zanzibar.").click()
    expect(seen.page.locator("#call-1")).to_be_visible()
    assert not seen.complaints


def test_without_scripts_all_is_there(look: Look, explored: str) -> None:
    page = look(explored, java_script_enabled=False).page
    page.get_by_role("searchbox").fill("overloaded_error")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="What is the weather in Berlin?").click()

    expect(page.get_by_text("529 provider: overloaded_error")).to_be_visible()
    page.locator("#call-3").get_by_role("link", name="raw").click()
    expect(page.get_by_role("heading", name="1 chunk")).to_be_visible()


def test_a_call_is_copied_as_curl_without_its_secret(look: Look, explored: str) -> None:
    seen = look(explored + PLACES["call"], permissions=["clipboard-read", "clipboard-write"])
    seen.page.get_by_role("link", name="Copy as curl").click()

    expect(seen.page.get_by_role("link", name="Copied")).to_be_visible()
    copied = seen.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("curl -X POST https://api.anthropic.com/v1/messages")
    assert "sk-ant-live-secret" not in copied


def test_an_empty_folder_and_a_loki_that_is_away_say_so(look: Look, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    with exploring(tmp_path / "logs") as address:
        seen = look(address)
        expect(seen.page.get_by_text("No session yet")).to_be_visible()
        assert not seen.barriers()
        assert not seen.complaints
    away = f"http://127.0.0.1:{free_port()}/loki/api/v1/push"
    with exploring(tmp_path / "logs", "--loki", LLM_PROXY_LOKI_URL=away) as address:
        seen = look(address)
        expect(seen.page.get_by_role("alert")).to_be_visible()
        assert not seen.barriers()
        assert not seen.complaints


def test_a_web_page_that_had_its_name_rebound_reads_nothing(look: Look, explored: str) -> None:
    seen = look(explored.replace("127.0.0.1", "evil.example"))

    assert seen.status == 421
    assert "sessions" not in seen.text
