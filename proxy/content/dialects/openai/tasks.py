"""Calls without a conversation: embeddings, images, speech, moderation, batches, counts of tokens.

OpenAI's shapes, and what Anthropic, Google, Cohere and Bedrock answer to the like.
"""

import re
from collections.abc import Iterator

from proxy.content.dialects.dialect import Answer, Dialect, Text
from proxy.content.dialects.openai.counts import openai_tokens
from proxy.content.document import Json, count_in, object_in, text_in

# A member of each kind of answer that no conversation's has.
_MEMBERS = frozenset(
    {
        "data",
        "embedding",
        "embeddings",
        "predictions",
        "results",
        "totalTokens",
        "input_tokens",
        "inputTokens",
        "request_counts",
        "text",
        "images",
        "deleted",
    }
)
_TYPES = frozenset({"message_batch", "message_batch_deleted"})


def _knows(document: Json) -> bool:
    return (
        not _MEMBERS.isdisjoint(document)
        or text_in(document, "type") in _TYPES
        or (text_in(document, "type") or "").startswith(("image_", "speech.", "transcript."))
        or text_in(document, "object") in {"batch", "file", "list"}
        # A batch's results are lines, each with an answer of its own.
        or "custom_id" in document
    )


def _read(answer: Answer, document: Json) -> None:
    kind = text_in(document, "type") or ""
    answer.model = text_in(document, "model") or answer.model
    answer.response_id = text_in(document, "id") or answer.response_id
    answer.stop_reason = text_in(document, "processing_status") or text_in(document, "status")
    counts = object_in(document, "usage")
    if "prompt_tokens" in counts:
        openai_tokens(answer, counts, "prompt", "completion")
    elif counts:
        openai_tokens(answer, counts, "input", "output")
    elif "inputTextTokenCount" in document:
        answer.count({"input_tokens": count_in(document, "inputTextTokenCount")})
    answer.ended = answer.ended or not kind.endswith((".delta", "partial_image"))


def _texts(_event: Json) -> Iterator[Text]:
    return iter(())


DIALECT = Dialect(
    name="tasks",
    paths=(
        re.compile(r"/deployments/(?P<model>[^/]+)/(?:embeddings|images/\w+|audio/\w+)$"),
        re.compile(
            r"/(?:embeddings|embed|rerank|moderations|count_tokens|input_tokens|images/\w+|audio/\w+|videos)$"
        ),
        re.compile(r"/(?:messages/)?batches(?:/[^/]+(?:/(?:results|cancel))?)?$"),
        re.compile(r"/files(?:/[^/]+(?:/content)?)?$"),
        re.compile(
            r"/models/(?P<model>[^/]+):(?:countTokens|embedContent|batchEmbedContents|embedText|predict\w*)$"
        ),
        re.compile(r"/model/(?P<model>[^/]+)/count-tokens$"),
        re.compile(r"/api/embed(?:dings)?$"),
    ),
    history=(),
    knows=_knows,
    read=_read,
    texts=_texts,
)
