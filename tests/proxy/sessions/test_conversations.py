"""Conversations as clients have them: whose continuation each call is, also over restarts of the proxy."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.recording.capture import Failure
from tests.proxy.sessions.conversing import Recorder, Where

Json = dict[str, Any]
Talk = Callable[..., Where]


@pytest.fixture(params=[False, True], ids=["one run", "restarted before each call"])
def recorder(request: pytest.FixtureRequest, tmp_path: Path) -> Recorder:
    return Recorder(tmp_path, restarts=request.param)


class Dialect:
    """How requests and answers are written."""

    provider = "anthropic"
    path = "/v1/messages"

    def user(self, text: str) -> Any:
        return {"role": "user", "content": text}

    def said(self, text: str) -> Any:
        return {"role": "assistant", "content": text}

    def ask(self, messages: list[Any], model: str, system: str = "") -> Json:
        body: Json = {"model": model, "messages": messages}
        return body | ({"system": system} if system else {})

    def answer(self, text: str) -> Any:
        return {"type": "message", "id": "msg", "model": "m", "content": [{"type": "text", "text": text}]}


class AnthropicStream(Dialect):
    def said(self, text: str) -> Any:
        return {"role": "assistant", "content": [{"type": "text", "text": text}]}

    def answer(self, text: str) -> Any:
        deltas = [
            {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": piece}}
            for piece in (text[:2], text[2:])
        ]
        thinking = {"type": "thinking_delta", "thinking": "Hm, text: "}
        return [
            {"type": "message_start", "message": {"id": "msg", "model": "m"}},
            {"type": "content_block_delta", "index": 0, "delta": thinking},
            {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
            *deltas,
            {"type": "message_stop"},
        ]


class Chat(Dialect):
    provider = "openai"
    path = "/v1/chat/completions"

    def ask(self, messages: list[Any], model: str, system: str = "") -> Json:
        first = [{"role": "system", "content": system}] if system else []
        return {"model": model, "messages": first + messages}

    def answer(self, text: str) -> Any:
        return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}


class ChatStream(Chat):
    def answer(self, text: str) -> Any:
        return [
            {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
            for piece in (text[:3], text[3:])
        ]


class Responses(Dialect):
    provider = "openai"
    path = "/v1/responses"

    def said(self, text: str) -> Any:
        content = [{"type": "output_text", "text": text}]
        return {"type": "message", "role": "assistant", "id": "m_1", "content": content}

    def ask(self, messages: list[Any], model: str, system: str = "") -> Json:
        return {"model": model, "input": messages, "instructions": system}

    def answer(self, text: str) -> Any:
        return {"object": "response", "id": "resp", "output": [{"type": "reasoning"}, self.said(text)]}


class ResponsesStream(Responses):
    def answer(self, text: str) -> Any:
        return [
            {"type": "response.output_text.delta", "delta": text},
            {"type": "response.output_item.done", "item": self.said(text)},
            {"type": "response.completed", "response": {"id": "resp", "output": []}},
        ]


class Gemini(Dialect):
    provider = "gemini"
    path = "/v1beta/models/m:generateContent"

    def user(self, text: str) -> Any:
        return {"role": "user", "parts": [{"text": text}]}

    def said(self, text: str) -> Any:
        return {"role": "model", "parts": [{"text": text[:3]}, {"text": text[3:]}]}

    def ask(self, messages: list[Any], model: str, system: str = "") -> Json:  # noqa: ARG002 - in the path
        instruction = {"parts": [{"text": system}]}
        return {"contents": messages, "systemInstruction": instruction}

    def answer(self, text: str) -> Any:
        parts = [{"text": "hm", "thought": True}, {"text": text}]
        return {"candidates": [{"content": {"role": "model", "parts": parts}}]}


class Converse(Dialect):
    provider = "bedrock"
    path = "/model/m/converse"

    def user(self, text: str) -> Any:
        return {"role": "user", "content": [{"text": text}]}

    def said(self, text: str) -> Any:
        return {"role": "assistant", "content": [{"text": text}]}

    def answer(self, text: str) -> Any:
        return {"output": {"message": self.said(text)}}


DIALECTS = [
    Dialect(), AnthropicStream(), Chat(), ChatStream(), Responses(), ResponsesStream(), Gemini(), Converse()
]  # fmt: skip
dialects = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda each: type(each).__name__)


class Client:
    """A client that names no session and repeats what was said."""

    def __init__(self, recorder: Recorder, dialect: Dialect, model: str = "m", system: str = "") -> None:
        self._recorder = recorder
        self._dialect = dialect
        self._model = model
        self._system = system
        self._messages: list[Any] = []
        self._call: Any = None

    def ask(self, text: str) -> Where:
        self._messages.append(self._dialect.user(text))
        body = self._dialect.ask(self._messages, self._model, self._system)
        self._call, where = self._recorder.ask(body, self._dialect.path, self._dialect.provider)
        return where

    def answered(self, text: str) -> None:
        self._recorder.answer(self._call, self._dialect.answer(text))
        self._messages.append(self._dialect.said(text))

    def talk(self, text: str, reply: str) -> Where:
        where = self.ask(text)
        self.answered(reply)
        return where


@dialects
def test_equal_prompts_at_once_go_on_in_their_own_conversations(recorder: Recorder, dialect: Dialect) -> None:
    clients = [Client(recorder, dialect) for _ in range(4)]
    began = [client.ask("Name a colour, at length.").session for client in clients]
    for client, colour in zip(clients, ("red", "green", "blue", "grey"), strict=True):
        client.answered(f"Of all colours I name {colour}.")
    went_on = {}
    for number in (2, 0, 3, 1):
        went_on[number] = clients[number].ask("Another one.")
    for number in (0, 1, 2, 3):
        clients[number].answered("None.")

    assert sorted(began) == [0, 1, 2, 3]
    assert {number: each.session for number, each in went_on.items()} == dict(enumerate(began))
    assert [client.talk("Why?", "So.").session for client in clients] == began


@dialects
def test_answers_tell_conversations_apart_that_are_held_one_after_the_other(
    recorder: Recorder, dialect: Dialect
) -> None:
    first, second = Client(recorder, dialect), Client(recorder, dialect)
    first.talk("Hello", "Hello to you")
    second.talk("Hello", "What is it?")

    assert first.talk("Go on", "On").session == 0
    assert second.talk("Go on", "On").session == 1
    assert first.talk("Go on", "On").session == 0


@pytest.mark.parametrize("dialect", [Dialect(), Chat(), Responses()], ids=lambda each: type(each).__name__)
def test_one_question_to_three_models_with_the_same_answer(recorder: Recorder, dialect: Dialect) -> None:
    clients = [Client(recorder, dialect, model) for model in ("large", "middle", "small")]
    for client in clients:
        client.talk("6 x 7?", "42")

    assert [client.talk("Sure?", "Yes").session for client in clients] == [0, 1, 2]


@pytest.mark.parametrize(
    "dialect", [Dialect(), Chat(), Responses(), Gemini()], ids=lambda e: type(e).__name__
)
def test_system_prompts_tell_conversations_apart(tmp_path: Path, dialect: Dialect) -> None:
    recorder = Recorder(tmp_path)
    clients = [Client(recorder, dialect, system=f"You are {name}.") for name in ("A", "B", "C")]
    for client in clients:
        client.talk("6 x 7?", "42")

    assert [client.talk("Sure?", "Yes").session for client in clients] == [0, 1, 2]


@dialects
def test_a_client_that_trims_replies_goes_on(recorder: Recorder, dialect: Dialect) -> None:
    asked = [dialect.user("a")]
    more: Json = {"path": dialect.path, "provider": dialect.provider}
    recorder.say(dialect.ask(asked, "m"), dialect.answer("  Of course,\n\nall of it. \n"), **more)
    recorder.say(dialect.ask(asked, "m"), dialect.answer("Something else"), **more)
    asked += [dialect.said("Of course,\nall of it."), dialect.user("b")]

    assert recorder.say(dialect.ask(asked, "m"), dialect.answer("x"), **more) == Where(0, 2, 1)


def test_a_reply_that_a_client_changes_beyond_recognition_is_continued_where_no_other_begins_alike(
    recorder: Recorder,
) -> None:
    dialect = Dialect()
    first = [dialect.user("a")]
    other = [dialect.user("b")]
    for messages in (first, other, other):
        recorder.say(dialect.ask(messages, "m"), dialect.answer("said"))
    changed = [dialect.said("{}"), dialect.user("more")]

    assert recorder.say(dialect.ask(first + changed, "m"), dialect.answer("x")).session == 0
    assert recorder.say(dialect.ask(other + changed, "m"), dialect.answer("x")).session == 3


TOOLS: dict[str, tuple[str, Callable[[str, str], Json], Callable[[str, str], list[Json]]]] = {
    "anthropic": (
        "messages",
        lambda call, path: {
            "type": "message",
            "content": [{"type": "tool_use", "id": call, "name": "Read", "input": {"path": path}}],
        },
        lambda call, path: [
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": call, "name": "Read", "input": {"path": path}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call, "content": "text"}]},
        ],
    ),
    "chat": (
        "messages",
        lambda call, path: {
            "choices": [{"message": {"tool_calls": [_chat_call(call, f'{{"path": "{path}"}}')]}}]
        },
        lambda call, path: [
            {"role": "assistant", "content": None, "tool_calls": [_chat_call(call, f'{{"path":"{path}"}}')]},
            {"role": "tool", "tool_call_id": call, "content": "text"},
        ],
    ),
    "responses": (
        "input",
        lambda call, path: {"object": "response", "output": [_item(call, path) | {"id": "fc_1"}]},
        lambda call, path: [
            _item(call, path),
            {"type": "function_call_output", "call_id": call, "output": "text"},
        ],
    ),
}


def _chat_call(call: str, arguments: str) -> Json:
    return {"id": call, "type": "function", "function": {"name": "Read", "arguments": arguments}}


def _item(call: str, path: str) -> Json:
    return {"type": "function_call", "call_id": call, "name": "Read", "arguments": f'{{"path":"{path}"}}'}


@pytest.mark.parametrize("kind", TOOLS)
@pytest.mark.parametrize(
    ("calls", "paths"),
    [(["call_1", "call_2"], ["a", "a"]), (["call_1", "call_1"], ["a", "b"])],
    ids=["by their ids", "by their arguments"],
)
def test_tool_calls_tell_conversations_apart(
    recorder: Recorder, kind: str, calls: list[str], paths: list[str]
) -> None:
    field, answer, repeat = TOOLS[kind]
    user = {"role": "user", "content": "Read it"}
    for call, path in zip(calls, paths, strict=True):
        recorder.say({field: [user]}, answer(call, path))
    went_on = [
        recorder.say({field: [user, *repeat(call, path)]}, answer("call_9", "z")).session
        for call, path in zip(calls, paths, strict=True)
    ]

    assert went_on == [0, 1]


def test_streamed_tool_calls_are_known_again(recorder: Recorder) -> None:
    user = {"role": "user", "content": "Read it"}
    for call, path in (("c1", "a"), ("c2", "b")):
        recorder.say(
            {"messages": [user]},
            [
                {"type": "message_start", "message": {"model": "m"}},
                {
                    "type": "content_block_start",
                    "index": 0,
                    "content_block": {"type": "tool_use", "id": call, "name": "Read", "input": {}},
                },
                *(
                    {
                        "type": "content_block_delta",
                        "index": 0,
                        "delta": {"type": "input_json_delta", "partial_json": piece},
                    }
                    for piece in ('{"path":', f' "{path}"}}')
                ),
            ],
        )
    repeat = TOOLS["anthropic"][2]

    assert recorder.say({"messages": [user, *repeat("c1", "a")]}, {}).session == 0
    assert recorder.say({"messages": [user, *repeat("other", "b")]}, {}).session == 1


# Subagents.

KEYED: Json = {"x_claude_code_session_id": "k"}


def _turns(*texts: str) -> Json:
    roles = ("user", "assistant")
    return {
        "model": "m",
        "messages": [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)],
    }


def _reply(text: str) -> Json:
    return Dialect().answer(text)  # type: ignore[no-any-return] # a document


def test_subagents_that_inherit_the_history_fork_nothing(recorder: Recorder) -> None:
    """Both subagents leave at the same call, run at the same time as the main conversation, and go on."""
    agent: dict[str, Json] = {
        "agent-1": {"x_claude_code_agent_id": "agent-1"},
        "agent-2": {"x_claude_code_agent_id": "agent-2"},
    }
    placed = [recorder.say(_turns("a"), _reply("b"), **KEYED)]
    for name, headers in agent.items():
        placed.append(recorder.say(_turns("a", "b", name), _reply("x"), **KEYED, **headers))
        placed.append(recorder.say(_turns("a", "b", name, "x", "go"), _reply("y"), **KEYED, **headers))
        placed.append(
            recorder.say(_turns("a", "b", name, "x", "go", "y", "on"), _reply("z"), **KEYED, **headers)
        )
    placed.append(recorder.say(_turns("a", "b", "c"), _reply("d"), **KEYED))
    placed.append(recorder.say(_turns("a", "b", "c", "d", "e"), _reply("f"), **KEYED))

    assert {(each.session, each.left) for each in placed} == {(0, None)}
    assert [each.parent for each in placed] == [0, 1, 2, 3, 1, 5, 6, 1, 8]


def test_an_edit_forks_beside_subagents(recorder: Recorder) -> None:
    recorder.say(_turns("a"), _reply("b"), **KEYED)
    recorder.say(_turns("a", "b", "sub"), _reply("x"), **KEYED, x_claude_code_agent_id="agent-1")
    recorder.say(_turns("a", "b", "c"), _reply("d"), **KEYED)
    recorder.say(_turns("a", "b", "c", "d", "e"), _reply("f"), **KEYED)

    assert recorder.say(_turns("a", "b", "edited"), _reply("x"), **KEYED) == Where(1, 1, 0, (0, 1))
    assert recorder.say(_turns("a", "b", "edited", "x", "y"), _reply("z"), **KEYED) == Where(1, 2, 1)
    assert recorder.say(_turns("a", "b", "c", "d", "e", "f", "g"), _reply("h"), **KEYED).session == 0


@pytest.mark.parametrize("own_session", [False, True])
def test_codex_agents_are_in_the_session_of_their_parent(recorder: Recorder, own_session: bool) -> None:  # noqa: FBT001
    root: Json = {"session_id": "root", "thread_id": "root"}
    child: Json = {
        "session_id": "child" if own_session else "root",
        "thread_id": "child",
        "x_codex_parent_thread_id": "root",
        "x_openai_subagent": "collab_spawn",
    }
    placed = [
        recorder.say(_turns("a"), _reply("b"), **root),
        recorder.say(_turns("a", "b", "task"), _reply("x"), **child),
        recorder.say(_turns("a", "b", "task", "x", "y"), _reply("z"), **child),
        recorder.say(_turns("a", "b", "c"), _reply("d"), **root),
        recorder.say(_turns("a", "b", "c", "d", "e"), _reply("f"), **root),
        recorder.say(_turns("a", "b", "task", "x", "y", "z", "w"), _reply("v"), **child),
    ]

    assert {(each.session, each.left) for each in placed} == {(0, None)}
    assert [each.meta.agent for each in recorder.records if hasattr(each, "method")] == [
        "", "child", "child", "", "", "child",
    ]  # fmt: skip


def test_opencode_agents_are_in_the_session_of_their_parent(recorder: Recorder) -> None:
    root: Json = {"x_session_id": "ses_a"}
    child: Json = {"x_session_id": "ses_b", "x_parent_session_id": "ses_a"}
    grandchild: Json = {"x_session_id": "ses_c", "x_parent_session_id": "ses_b"}
    placed = [
        recorder.say(_turns("a"), _reply("b"), **root),
        recorder.say(_turns("task"), _reply("x"), **child),
        recorder.say(_turns("deeper"), _reply("x"), **grandchild),
        recorder.say(_turns("task", "x", "y"), _reply("z"), **child),
        recorder.say(_turns("deeper", "x", "y"), _reply("z"), **grandchild),
        recorder.say(_turns("a", "b", "c"), _reply("d"), **root),
    ]

    assert [(each.session, each.parent) for each in placed] == [
        (0, 0),
        (0, 0),
        (0, 0),
        (0, 2),
        (0, 3),
        (0, 1),
    ]


# Retries.


@pytest.mark.parametrize("headers", [{}, {"x_session_id": "k"}], ids=["without a session", "with one"])
@pytest.mark.parametrize("says_so", [False, True])
def test_a_retry_of_a_failed_call_is_the_same_place(
    recorder: Recorder,
    headers: Json,
    says_so: bool,  # noqa: FBT001
) -> None:
    retry: list[Json] = [{"x_stainless_retry_count": str(n)} if says_so else {} for n in range(3)]
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
    placed = [
        recorder.say(_turns("a"), error, 429, **headers, **retry[0]),
        recorder.say(_turns("a"), error, 429, **headers, **retry[1]),
        recorder.say(_turns("a"), _reply("b"), **headers, **retry[2]),
        recorder.say(_turns("a", "b", "c"), error, 529, **headers),
        recorder.say(_turns("a", "b", "c"), _reply("d"), **headers),
        recorder.say(_turns("a", "b", "c", "d", "e"), _reply("f"), **headers),
    ]

    assert [(each.session, each.parent) for each in placed] == [(0, 0)] * 3 + [(0, 1), (0, 1), (0, 4)]


def test_retries_of_equal_prompts_take_the_places_of_those_that_failed(recorder: Recorder) -> None:
    calls = [recorder.ask(_turns("a")) for _ in range(4)]
    for number, (call, _) in enumerate(calls):
        recorder.answer(call, _reply(f"reply {number}") if number % 2 else {}, 200 if number % 2 else 429)
    retried = [recorder.ask(_turns("a"), x_stainless_retry_count="1") for _ in range(2)]
    for number, (call, _) in enumerate(retried):
        recorder.answer(call, _reply(f"retried {number}"))
    said = {"reply 1": 1, "reply 3": 3} | {
        f"retried {n}": where.session for n, (_, where) in enumerate(retried)
    }

    assert sorted(said.values()) == [0, 1, 2, 3]
    for reply, session in said.items():
        assert recorder.say(_turns("a", reply, "b"), _reply("c")).session == session


def test_a_call_that_the_client_left_is_made_again_at_its_place(recorder: Recorder) -> None:
    call, _ = recorder.ask(_turns("a"))
    recorder.answer(call, [{"type": "message_start"}], failure=Failure("client_gone", "the client left"))

    assert recorder.say(_turns("a"), _reply("b")) == Where(0, 2)
    assert recorder.say(_turns("a"), _reply("b")) == Where(1, 1)


def test_a_count_of_tokens_is_no_part_of_a_conversation(recorder: Recorder) -> None:
    count: Json = {"path": "/v1/messages/count_tokens"}
    placed = [
        recorder.say(_turns("a"), {"input_tokens": 1}, **count),
        recorder.say(_turns("a"), _reply("b")),
        recorder.say(_turns("a", "b", "c"), {"input_tokens": 3}, **count),
        recorder.say(_turns("a", "b", "c"), _reply("d")),
        recorder.say(_turns("a", "b", "c", "d", "e"), _reply("f")),
    ]

    assert [(each.session, each.parent) for each in placed] == [(0, 0), (1, 0), (0, 0), (1, 1), (1, 2)]


def test_a_compaction_is_not_continued(recorder: Recorder) -> None:
    history: Json = {"input": _turns("a")["messages"]}
    compacted = {
        "object": "response.compaction",
        "output": [{"type": "compaction", "encrypted_content": "x"}],
    }
    path: Json = {"session_id": "k", "provider": "openai"}
    placed = [
        recorder.say(history, Responses().answer("b"), path="/v1/responses", **path),
        recorder.say(
            {"input": _turns("a", "b", "c")["messages"]}, compacted, path="/v1/responses/compact", **path
        ),
        recorder.say({"input": compacted["output"]}, Responses().answer("d"), path="/v1/responses", **path),
    ]

    assert [(each.session, each.left) for each in placed] == [(0, None)] * 3


# What the provider keeps, and what clients do with their sessions.


@pytest.mark.parametrize(
    ("path", "following", "answer"),
    [
        (
            "/v1/responses",
            lambda after, text: {"input": text, "previous_response_id": after},
            lambda name: {"object": "response", "id": name, "output": []},
        ),
        (
            "/v1/messages",
            lambda after, text: {
                "messages": [{"role": "user", "content": text}],
                "thread": {"type": "continue", "previous_message_id": after},
            },
            lambda name: {"type": "message", "id": name, "content": []},
        ),
        (
            "/v1beta/interactions",
            lambda after, text: {"input": text, "previous_interaction_id": after},
            lambda name: {"object": "response", "id": name, "output": []},
        ),
    ],
    ids=["responses", "threads", "interactions"],
)
def test_branches_of_what_the_provider_keeps_fork(
    recorder: Recorder, path: str, following: Callable[[str, str], Json], answer: Callable[[str], Json]
) -> None:
    begin = (
        {"input": "first"} if path != "/v1/messages" else {**_turns("first"), "thread": {"type": "create"}}
    )
    placed = [recorder.say(begin, answer("r1"), path=path)]
    for after, name in (("r1", "r2"), ("r2", "r3"), ("r3", "r4"), ("r2", "r5"), ("r5", "r6"), ("r4", "r7")):
        placed.append(recorder.say(following(after, name), answer(name), path=path))

    assert placed == [
        Where(0, 1),
        Where(0, 2, 1),
        Where(0, 3, 2),
        Where(0, 4, 3),
        Where(1, 1, 0, (0, 2)),
        Where(1, 2, 1),
        Where(0, 5, 4),
    ]


def test_a_session_that_a_client_forks_under_a_new_name_is_told_as_one(recorder: Recorder) -> None:
    old: Json = {"x_claude_code_session_id": "old"}
    new: Json = {"x_claude_code_session_id": "new"}
    recorder.say(_turns("a"), _reply("b"), **old)
    recorder.say(_turns("a", "b", "c"), _reply("d"), **old)
    placed = [
        recorder.say(_turns("a", "b", "c", "d", "other way"), _reply("x"), **new),
        recorder.say(_turns("a", "b", "c", "d", "other way", "x", "y"), _reply("z"), **new),
        recorder.say(_turns("a", "b", "c", "d", "e"), _reply("f"), **old),
    ]

    assert placed == [Where(1, 1, 0, (0, 2)), Where(1, 2, 1), Where(0, 3, 2)]


def test_sessions_that_only_begin_with_the_same_words_are_no_forks(recorder: Recorder) -> None:
    recorder.say(_turns("a"), _reply("b"), x_claude_code_session_id="one")

    assert recorder.say(_turns("a"), _reply("c"), x_claude_code_session_id="two") == Where(1, 1)
    assert recorder.say(_turns("a", "z", "b"), _reply("c"), x_claude_code_session_id="three") == Where(2, 1)


def test_a_system_text_that_holds_the_time_begins_no_other_conversation(recorder: Recorder) -> None:
    for n in range(4):
        turns = ["question 0"]
        for turn in range(n):
            turns += [f"reply {turn}", f"question {turn + 1}"]
        body = _turns(*turns)
        body["messages"].insert(0, {"role": "system", "content": f"It is 10:0{n}."})

        where = recorder.say(body, _reply(f"reply {n}"))
        assert (where.session, where.parent) == (0, n)


def test_a_window_that_slides_stays_in_its_conversation(recorder: Recorder) -> None:
    turns: list[str] = []
    other = recorder.say(_turns("something else"), _reply("reply"))
    for n in range(6):
        turns.append(f"question {n}")
        assert recorder.say(_turns(*turns[-5:]), _reply(f"reply {n}")).session == other.session + 1
        turns.append(f"reply {n}")


def test_aider_rewrites_its_history_and_stays_in_its_conversation(recorder: Recorder) -> None:
    """What was said moves ahead of the files, and the reminder behind the question goes."""
    system = {"role": "system", "content": "Act as an expert."}
    example = _turns("Change the greeting", "Done.")["messages"]
    files = _turns("These are the files", "Ok.")["messages"]
    first = [{"role": "user", "content": "Add a test\n\nReply in diffs."}]
    said = _turns("Add a test", "I add test_x to the file.")["messages"]
    second = [{"role": "user", "content": "And another\n\nReply in diffs."}]

    assert (
        recorder.say(
            {"messages": [system, *example, *files, *first]}, _reply("I add test_x to the file.")
        ).seq
        == 1
    )
    assert recorder.say({"messages": [system, *example, *said, *files, *second]}, _reply("x")) == Where(
        0, 2, 1
    )


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"x_opencode_session": "ses_1"}, {}),
        ({"helicone_session_id": "s"}, {}),
        ({"x_litellm_session_id": "s"}, {}),
        ({}, {"litellm_session_id": "s"}),
        ({}, {"litellm_metadata": {"session_id": "s"}}),
        ({}, {"session_id": "s"}),
        ({}, {"metadata": {"thread_id": "s"}}),
    ],
)
def test_sessions_that_other_tools_name_are_followed(recorder: Recorder, headers: Json, body: Json) -> None:
    names = [recorder.say(_turns(text) | body, _reply("x"), **headers).session for text in "abc"]

    assert names == [0, 0, 0]
