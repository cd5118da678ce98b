"""What calls cost, by the list prices that come with genai-prices; no network is needed.

A price list is linear in the tokens of a kind, at rates that may depend on the size of the prompt. The rates
are kept per model, day and step of the prompt's size, as one calculation of the library takes 0.4 ms.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

# The sizes at which prices change are multiples of it: 32k, 100k, 128k, 200k, 272k.
_STEP = 4000
# The library's name of each provider on record.
_PROVIDERS = {"chatgpt": "openai", "gemini": "google", "vertex": "google", "bedrock": "aws"}
_CHECKED = re.compile(r"\b(?:verified on|checked|as of) (20\d\d-\d\d-\d\d)\b")
_DAY_DIGITS = len("2026-11-23")


class _Rates(NamedTuple):
    """Dollars of one token."""

    fresh: float
    read: float
    written: float
    written_1h: float
    out: float


def cost_of(provider: str, model: str, tokens: Mapping[str, float], time: str = "") -> float | None:
    """Return the dollars of one call with ``tokens`` as ``usage`` on record; None where no price is known.

    What the provider itself says, ``cost``, comes first. ``time`` is RFC 3339; without it, the newest prices
    are meant.
    """
    if "cost" in tokens:
        return float(tokens["cost"])
    fresh, read = tokens.get("input_tokens", 0), tokens.get("cache_read_input_tokens", 0)
    hour = tokens.get("cache_creation_1h_tokens", 0)
    written = max(tokens.get("cache_creation_input_tokens", 0), hour)
    out = tokens.get("output_tokens", 0)
    if not fresh + read + written + out:
        return None if not model else 0.0
    step = max(0, int(fresh + read + written) - 1) // _STEP
    rates = _rates(_PROVIDERS.get(provider, provider), model, time[:_DAY_DIGITS], step)
    if rates is None:
        return None
    return (
        fresh * rates.fresh
        + read * rates.read
        + (written - hour) * rates.written
        + hour * rates.written_1h
        + out * rates.out
    )


@lru_cache(maxsize=8192)
def _rates(provider: str, model: str, day: str, step: int) -> _Rates | None:
    from genai_prices import Usage, calc_price  # noqa: PLC0415 - takes half a second, and only here

    size = step * _STEP + _STEP // 2

    def rate(counts: int = size, **tokens: int) -> float:
        price: Any = calc_price(
            Usage(**tokens), model, provider_id=provider, genai_request_timestamp=_moment(day)
        )
        return float(price.total_price) / counts

    try:
        fresh = rate(input_tokens=size)
        return _Rates(
            fresh,
            rate(input_tokens=size, cache_read_tokens=size),
            rate(input_tokens=size, cache_write_tokens=size),
            rate(input_tokens=size, cache_write_tokens=size, cache_write_1h_tokens=size),
            rate(input_tokens=size, output_tokens=size) - fresh,
        )
    except (LookupError, ValueError):
        return None


def _moment(day: str) -> datetime:
    try:
        return datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC)
    except ValueError:
        # Later than any price that the package knows.
        return datetime(9000, 1, 1, tzinfo=UTC)


def prices_checked() -> str:
    """Return the latest day on which the notes of the prices say that one was checked; as YYYY-MM-DD."""
    from genai_prices.data import providers  # noqa: PLC0415 - takes half a second, and only here

    notes = [model.price_comments or "" for each in providers for model in each.models]
    return max((day for note in notes for day in _CHECKED.findall(note)), default="")
