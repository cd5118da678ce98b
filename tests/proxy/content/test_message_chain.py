from typing import Any

import pytest

from proxy.content.messages.chain import chain, messages_of

USER = {"role": "user", "content": "Hello"}
ASSISTANT = {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]}


@pytest.mark.parametrize(
    ("document", "messages"),
    [
        ({"messages": [USER, ASSISTANT]}, [USER, ASSISTANT]),
        ({"input": [USER]}, [USER]),
        ({"input": "Hello"}, [USER]),
        ({"messages": [], "input": [USER]}, []),
        ({"contents": [USER]}, [USER]),
        ({"messages": 7}, []),
        ({}, []),
    ],
)
def test_messages_are_found_in_every_dialect(document: dict[str, Any], messages: list[Any]) -> None:
    assert messages_of(document) == messages


def test_a_continuation_has_the_links_of_its_prefix() -> None:
    short, long = chain([USER, ASSISTANT]), chain([USER, ASSISTANT, USER])

    assert long[:2] == short
    assert len(set(long)) == 3


def test_an_edit_changes_every_link_from_there_on() -> None:
    edited = {"role": "assistant", "content": [{"type": "text", "text": "Ho"}]}
    before, after = chain([USER, ASSISTANT, USER]), chain([USER, edited, USER])

    assert before[0] == after[0]
    assert not set(before[1:]) & set(after[1:])


@pytest.mark.parametrize(
    "same",
    [
        {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
        {"content": "Hello", "role": "user"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}],
        },
    ],
)
def test_cache_markers_order_and_shape_of_a_text_make_no_difference(same: Any) -> None:
    assert chain([same]) == chain([USER])


def test_a_cache_marker_that_is_a_block_makes_no_difference() -> None:
    marked = {"role": "user", "content": [{"text": "Hello"}, {"cachePoint": {"type": "default"}}]}

    assert chain([marked]) == chain([{"role": "user", "content": [{"text": "Hello"}]}])


@pytest.mark.parametrize("odd", [[None], ["text"], [7], [[]], [{"content": None}], [{"content": 1.5}]])
def test_odd_messages_have_links_too(odd: list[Any]) -> None:
    assert len(chain(odd)) == 1
