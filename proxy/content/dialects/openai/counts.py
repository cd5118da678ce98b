"""OpenAI's token counts, and what other hosts made of them."""

from proxy.content.dialects.dialect import Answer
from proxy.content.document import Json, count_in, object_in

# No call costs more than this, in any currency; a number that does is none that every reader of JSON takes.
_DEAREST = 1_000_000


def openai_tokens(answer: Answer, counts: Json, into: str, out: str) -> None:
    """Read OpenAI's counts, as ``prompt`` and ``completion`` or ``input`` and ``output`` (``_tokens``).

    Cached tokens stand inside its input tokens, but some hosts count them beside. xAI counts reasoning
    tokens beside the completion's, which its total shows.
    """
    read, written = _cached(counts, into)
    given, said = count_in(counts, f"{into}_tokens"), count_in(counts, f"{out}_tokens")
    thought = count_in(_details(counts, out), "reasoning_tokens")
    if thought is None:
        thought = count_in(counts, "reasoning_tokens")
    total = count_in(counts, "total_tokens")
    if thought and given is not None and said is not None and total == given + said + thought:
        said += thought
    cached = (read or 0) + (written or 0)
    answer.count(
        {
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
            "input_tokens": given - cached if given is not None and given >= cached else given,
            "output_tokens": said,
            "reasoning_tokens": thought,
        }
    )
    cost = counts.get("cost")
    cost = cost.get("total_cost") if isinstance(cost, dict) else cost
    if isinstance(cost, int | float) and not isinstance(cost, bool) and 0 <= cost < _DEAREST:
        answer.tokens["cost"] = cost


def _details(counts: Json, side: str) -> Json:
    return object_in(counts, f"{side}_tokens_details") or object_in(counts, f"{side}_token_details")


def _cached(counts: Json, into: str) -> tuple[int | None, int | None]:
    """Return the tokens read from a cache and those written, by all the names that hosts have for them."""
    details = _details(counts, into)
    names = ("prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens", "cache_read_input_tokens")
    read = next(
        (
            count
            for count in (count_in(details, "cached_tokens"), *(count_in(counts, name) for name in names))
            if count is not None
        ),
        None,
    )
    written = count_in(details, "cache_write_tokens")
    return read, count_in(counts, "cache_creation_input_tokens") if written is None else written
