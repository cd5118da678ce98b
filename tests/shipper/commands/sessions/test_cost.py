"""What a call costs, by the prices that come with genai-prices."""

from datetime import datetime

import pytest

from shipper.commands.sessions.cost import cost_of, prices_checked

SONNET = "claude-sonnet-4-5-20250929"
DOLLARS = 1e-6


@pytest.mark.parametrize(
    ("tokens", "cost"),
    [
        ({"input_tokens": 1000}, 3000),
        ({"output_tokens": 1000}, 15000),
        ({"input_tokens": 10, "cache_read_input_tokens": 1000}, 30 + 300),
        ({"cache_creation_input_tokens": 1000}, 3750),
        ({"cache_creation_input_tokens": 1000, "cache_creation_1h_tokens": 400}, 600 * 3.75 + 400 * 6),
        ({"input_tokens": 200_000}, 600_000),
        ({"input_tokens": 200_001}, 200_001 * 6),
        ({}, 0),
    ],
)
def test_each_kind_of_token_has_its_own_price(tokens: dict[str, float], cost: float) -> None:
    assert cost_of("anthropic", SONNET, tokens, "2026-01-05T10:00:00Z") == pytest.approx(cost * DOLLARS)


def test_what_the_provider_says_comes_first() -> None:
    assert cost_of("openai", "gpt-5", {"input_tokens": 5, "cost": 0.25}) == 0.25


@pytest.mark.parametrize(("provider", "model"), [("openai", "llama-mine"), ("nobody", SONNET), ("", "")])
def test_an_unknown_model_has_no_price(provider: str, model: str) -> None:
    assert cost_of(provider, model, {"input_tokens": 5}) is None


@pytest.mark.parametrize(
    ("provider", "model"),
    [("chatgpt", "gpt-5"), ("gemini", "gemini-2.5-pro"), ("vertex", "gemini-2.5-pro"), ("azure", "gpt-4o")],
)
def test_providers_are_known_by_the_names_on_record(provider: str, model: str) -> None:
    assert cost_of(provider, model, {"input_tokens": 1000, "output_tokens": 10})


def test_the_prices_tell_the_day_of_their_last_check() -> None:
    day = datetime.fromisoformat(prices_checked())

    # A day from which a price will hold is none.
    assert datetime(2025, 1, 1) < day < datetime(2026, 12, 1)  # noqa: DTZ001 - a day, as the prices name it
