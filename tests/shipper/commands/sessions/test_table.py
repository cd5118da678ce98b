import io
from collections import Counter

import pytest
from rich.console import Console

from shipper.commands.sessions.summary import Summary
from shipper.commands.sessions.table import json_rows, sessions_shown, short, started

NOON = 1_795_435_200
SESSION = "20261123-101500-a1b2c3d4"


def summary(name: str = SESSION, **more: object) -> Summary:
    made = Summary(name, "anthropic", "dev@workstation", first=NOON * 10**9, last=(NOON + 60) * 10**9)
    made.requests, made.responses, made.errors = 12, 11, 2
    made.tokens = Counter(input_tokens=1234, cache_read_input_tokens=5_000_000, output_tokens=99_960)
    made.models, made.tools = Counter({"claude-sonnet-5-5": 9, "haiku": 1}), Counter(Bash=7, Read=3)
    for field, value in more.items():
        setattr(made, field, value)
    return made


def printed(sessions: list[Summary], width: int, most: int = 50, *, colour: bool = False) -> str:
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        highlight=False,
        force_terminal=colour,
        color_system="standard" if colour else None,
    )
    console.print(sessions_shown(sessions, most, NOON + 120.0, width))
    return out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100, 120, 140, 160, 200])
def test_no_line_is_wider_than_the_terminal_and_the_name_is_whole(width: int) -> None:
    tools = Counter({f"tool-{number}": 3 for number in range(40)})
    told = printed([summary(tools=tools, models=tools, provider="p" * 40)] * 3, width)

    assert max(map(len, told.splitlines())) <= width
    assert told.count(SESSION) == 3
    assert len(told.splitlines()) == 5


def test_a_wide_terminal_shows_all() -> None:
    head, row, total = (line.split() for line in printed([summary()], 200).splitlines())

    assert " ".join(head) == "session last calls errors in out cached cost provider started models tools"
    assert " ".join(row) == (
        f"{SESSION} 1 min ago 12 2 1.2k 100.0k 5.0M - anthropic 2026-11-23 10:15 "
        "claude-sonnet-5-5, haiku Bash 7, Read 3"
    )
    assert " ".join(total) == "1 sessions, 12 calls, 2 errors"


def test_only_a_terminal_gets_colours() -> None:
    assert "\x1b[31m" in printed([summary()], 80, colour=True)
    assert "\x1b" not in printed([summary()], 80)


@pytest.mark.slow
def test_what_is_not_shown_is_told() -> None:
    told = printed([summary(f"s{number}") for number in range(10_000)], 80, most=2)

    assert len(told.splitlines()) == 5
    assert "10,000 sessions" in told
    assert "9,998 older sessions" in told


def test_a_name_from_outside_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in printed([summary("\x1b[2J", tools=Counter({"\x1b[31mx\n": 1}))], 200)


def test_rows_of_json_have_whole_counts_and_times() -> None:
    (row,) = json_rows([summary()])

    assert row == {
        "session": SESSION,
        "started": "2026-11-23T10:15:00.000Z",
        "last_activity": "2026-11-23T12:01:00.000Z",
        "provider": "anthropic",
        "machine": "dev@workstation",
        "models": ["claude-sonnet-5-5", "haiku"],
        "calls": 12,
        "errors": 2,
        "fork": False,
        "input_tokens": 1234,
        "output_tokens": 99_960,
        "cache_read_input_tokens": 5_000_000,
        "cache_creation_input_tokens": 0,
        "cache_creation_5m_tokens": 0,
        "cache_creation_1h_tokens": 0,
        "reasoning_tokens": 0,
        "cost": 0.0,
        "unpriced_calls": 0,
        "tools": {"Bash": 7, "Read": 3},
    }


def test_a_name_without_a_time_began_with_its_first_entry() -> None:
    assert started(summary("odd")) == NOON * 10**9


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (999, "999"), (1000, "1.0k"), (999_400, "999.4k"), (999_900, "1.0M"), (5 * 10**9, "5.0G")],
)
def test_counts_are_short(count: int, text: str) -> None:
    assert short(count) == text


@pytest.mark.parametrize(
    ("cost", "unpriced", "shown"), [(0.0, 0, "-"), (0.25, 0, "0.2500"), (0.25, 2, "0.2500+?"), (0.0, 2, "?")]
)
def test_calls_of_unknown_price_are_never_shown_as_free(cost: float, unpriced: int, shown: str) -> None:
    each = summary()
    each.cost, each.unpriced = cost, unpriced

    assert f" {shown} " in printed([each], 100)
    assert json_rows([each])[0]["unpriced_calls"] == unpriced
