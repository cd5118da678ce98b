import re
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proxy.content.clients import Client
from proxy.content.messages.chain import Step
from proxy.content.request_info import Setting
from proxy.sessions.replay import Handle, LoggedRequest, Past, SessionHead, Unanswered
from proxy.sessions.sessions import Outcome, Placement, Sessions, session_name
from proxy.sessions.tree import Asked

HERE = ("anthropic", "api.anthropic.com")
NAMES = [f"20261123-101500-{number:08x}" for number in range(2000)]


class Rig:
    """Sessions whose new names are counted up, and what is on record of old ones."""

    def __init__(
        self, known: tuple[SessionHead, ...] = (), pasts: dict[str, Past] | None = None, **bounds: int
    ) -> None:
        self.recalled: list[str] = []
        self._pasts = pasts or {}
        self._fresh = iter(NAMES[1000:] if known else NAMES)
        self.sessions = Sessions(self._recall, known, **bounds)

    def _recall(self, _upstream: str, session: str) -> Past | None:
        self.recalled.append(session)
        return self._pasts.get(session)

    def place(
        self,
        history: str = "",
        key: str = "",
        where: tuple[str, str] = HERE,
        after: str = "",
        agent: str = "",
    ) -> Placement:
        """Place a call whose messages are single letters."""
        client = Client(key, previous=after, kept=True, agent=agent)
        return self.sessions.place(where, client, steps_of(history), Setting(), next(self._fresh))

    def session(self, history: str = "", key: str = "", **more: Any) -> int:
        """Place a call; return the number of its session."""
        return NAMES.index(self.place(history, key, **more).session.name)

    def answered(self, placement: Placement, response_id: str) -> None:
        """Give a call its answer."""
        self.sessions.answered(HERE, placement, Outcome(response_id=response_id))


def links_of(history: str) -> list[bytes]:
    return [history[: length + 1].encode().rjust(16) for length in range(len(history))]


def steps_of(history: str) -> list[Step]:
    return [Step(link) for link in links_of(history)]


def test_names_of_sessions_are_utc_time_and_token() -> None:
    assert session_name(1_795_428_900_999_999_999, "a1b2c3d4") == "20261123-101500-a1b2c3d4"
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{8}", session_name(0, "00000000"))


def test_calls_of_one_key_are_numbered_in_one_session() -> None:
    rig = Rig()
    placed = [rig.place(key=key) for key in ("k", "k", "other")]

    assert [(each.seq, each.is_new) for each in placed] == [(1, True), (2, False), (1, True)]
    assert placed[0].session is placed[1].session


def test_keys_are_separate_per_provider_and_upstream() -> None:
    rig = Rig()
    places = [HERE, ("anthropic", "other"), ("openai", HERE[1]), HERE]

    assert [rig.session(key="k", where=where) for where in places] == [0, 1, 2, 0]


def test_calls_without_key_and_messages_have_sessions_of_their_own() -> None:
    rig = Rig()

    assert [rig.session() for _ in range(3)] == [0, 1, 2]


def test_a_chain_of_responses_is_one_session() -> None:
    rig = Rig()
    rig.answered(rig.place("a"), "resp_1")
    rig.answered(rig.place(after="resp_1"), "resp_2")

    assert rig.place(after="resp_2").seq == 3
    assert rig.session(after="resp_1") == 0
    assert rig.session(after="resp_1", where=("openai", "other")) != 0
    assert rig.session(after="resp_9") != 0


def test_the_chain_of_responses_of_a_fork_stays_in_it() -> None:
    rig = Rig()
    for history in ("a", "aaa", "aaaaa"):
        rig.place(history, "k")
    rig.answered(rig.place("abb", "k"), "resp_1")

    assert rig.session(after="resp_1") == 3


def test_only_the_latest_sessions_are_remembered() -> None:
    rig = Rig(remembered=2)
    names = [rig.session(key=key) for key in ("a", "b", "a", "c", "a", "b")]

    assert names == [0, 1, 0, 3, 0, 5]


def test_what_is_remembered_of_histories_is_bounded() -> None:
    rig = Rig(histories=5)
    for length in range(1, 6):
        rig.place("a" * length, "k")
    assert rig.session("b", "other") == 5
    assert rig.session("a" * 6, "k") == 6

    alone = Rig(histories=3)
    for length in range(1, 9):
        assert alone.session("a" * length, "k") == 0
    last = alone.place("a" * 9, "k")
    assert last.parent == 8
    tree = last.family.tree
    found = [tree.match(Asked.of(steps_of("a" * length))).same for length in range(1, 10)]
    assert [len(each) for each in found] == [0] * 6 + [1, 1, 1]


def test_of_equal_calls_side_by_side_the_latest_are_known() -> None:
    rig = Rig()
    calls = [rig.place("a", "k") for _ in range(100)]

    known = calls[0].family.tree.match(Asked.of(steps_of("a"))).same
    assert [node.seq for node in known] == list(range(37, 101))


# Forks.


def forks(*histories: str, key: str = "k") -> list[tuple[int, tuple[int, int] | None]]:
    """Place calls; return each one's session, and the session and call that it left."""
    rig = Rig()
    placed = []
    for history in histories:
        place = rig.place(history, key)
        left = place.forked_from
        placed.append((NAMES.index(place.session.name), (NAMES.index(left[0]), left[1]) if left else None))
    return placed


def test_a_main_thread_with_subagents_retries_side_questions_and_a_compaction_does_not_fork() -> None:
    calls = forks(
        "m", "mno", "s", "mnopq", "tu", "sxy", "mnopq", "mnopq?", "mnopqrs", "tuvw", "sxyz1", "mnopqrs",
        "compacted", "compacted+1", "s", "sxyz12",
    )  # fmt: skip

    assert calls == [(0, None)] * 16


def test_one_edited_turn_forks_and_goes_on_in_its_own_session() -> None:
    assert forks("a", "abc", "abcde", "abcdefg", "abcXY", "abcXYzz", "abcdefghi", "abcXY", "new") == [
        (0, None),
        (0, None),
        (0, None),
        (0, None),
        (4, (0, 2)),
        (4, None),
        (0, None),
        (4, None),
        (4, None),
    ]


def test_a_continuation_that_was_not_continued_itself_is_given_up_without_a_fork() -> None:
    assert forks("a", "abc", "aXY", "aXYde", "aXYdefg") == [(0, None)] * 5


def test_a_call_tells_which_one_it_continues() -> None:
    rig = Rig()
    histories = ("a", "abc", "abcde", "q", "abcde", "abcXY")

    assert [rig.place(each, "k").parent for each in histories] == [0, 1, 2, 0, 2, 2]


@dataclass(frozen=True)
class Made:
    """A call that was made: its messages, whose continuation it is, its session."""

    history: str
    parent: int | None
    session: int


def parent_by_the_rule(made: list[Made], history: str) -> int | None:
    """Return the longest proper prefix: of several one that nothing continues, then the latest."""
    continued = {each.parent for each in made}
    prefixes = [
        (len(each.history), at not in continued, at)
        for at, each in enumerate(made)
        if each.history and history.startswith(each.history) and each.history != history
    ]
    return max(prefixes, default=(0, False, None))[2]


@given(st.lists(st.text("ab", max_size=5), max_size=25))
def test_placing_is_what_the_rule_says(histories: list[str]) -> None:
    rig, latest = Rig(), 0
    made: list[Made] = []
    for number, history in enumerate(histories):
        continued = {each.parent for each in made}
        replayed = [each for at, each in enumerate(made) if each.history == history and at in continued]
        parent = parent_by_the_rule(made, history)
        siblings = {at for at, each in enumerate(made) if parent is not None and each.parent == parent}
        is_fork = not replayed and bool(siblings & continued)
        if replayed:
            expected = replayed[-1].session
        elif is_fork:
            expected = latest = number
        else:
            expected = latest if parent is None else made[parent].session
        place = rig.place(history, "k")

        assert NAMES.index(place.session.name) == expected
        assert (place.forked_from is not None) == is_fork
        if not replayed:
            made.append(Made(history, parent, expected))


# Clients without a key.


def test_a_client_without_a_key_is_followed_by_its_history() -> None:
    rig = Rig()

    assert [rig.session(each) for each in ("a", "abc", "b", "abcde", "bcd", "abcde")] == [0, 0, 2, 0, 2, 0]
    assert rig.session("abcdefg", where=("anthropic", "other")) == 6
    assert rig.session("abcdefg", key="k") == 7


def test_a_client_without_a_key_forks_too() -> None:
    rig = Rig()

    assert [rig.session(each) for each in ("a", "abc", "abcde", "aXY", "aXYzz", "abcdefg")] == [
        0,
        0,
        0,
        3,
        3,
        0,
    ]


def test_conversations_that_begin_alike_are_kept_apart() -> None:
    rig = Rig()
    began = [rig.session("a") for _ in range(3)]
    went_on = [rig.session(each) for each in ("a12", "a34", "a56", "a1234", "a3456", "a5678")]

    assert began == [0, 1, 2]
    assert went_on == [2, 1, 0, 2, 1, 0]


def test_nothing_is_left_of_forgotten_clients_without_a_key() -> None:
    rig = Rig(remembered=3)
    for number in range(500):
        rig.session(chr(1000 + number % 250) + "x")

    held = vars(rig.sessions._families)
    assert [len(held["_families"]), held["_histories"]] == [3, 3]
    assert sum(map(len, held["_begun"][HERE].values())) == 3


# After a restart.

TOLD = (
    LoggedRequest(1, links_of("a")[-1], 0),
    LoggedRequest(2, links_of("abc")[-1], 1),
    LoggedRequest(3, links_of("abcde")[-1], 2),
)
OPEN = Unanswered(NAMES[1], 3, "r3", "", "")
FORKED = (LoggedRequest(1, links_of("aXY")[-1], 0), LoggedRequest(2, links_of("aXYzz")[-1], 1))


def known(number: int, key: str = "", **more: Any) -> SessionHead:
    return SessionHead(HERE[1], NAMES[number], HERE[0], key, **more)


def restarted(key: str = "k") -> Rig:
    return Rig(
        (
            known(2, key, parent=NAMES[1]),
            known(1, key, begun=links_of("a")[-1], handles=(Handle("response_id", "resp_1", 3),)),
        ),
        {NAMES[1]: Past(3, TOLD, None, (OPEN,)), NAMES[2]: Past(2, FORKED, (NAMES[1], 1))},
    )


def test_a_session_on_record_goes_on_after_a_restart() -> None:
    rig = restarted()
    placed = rig.place("abcdefg", "k")

    assert (placed.session.name, placed.seq, placed.is_new, placed.parent) == (NAMES[1], 4, False, 3)
    assert placed.interrupted == [OPEN]
    assert rig.place("aXYzz11", "k").session.name == NAMES[2]
    assert rig.place("other", "k").session.name == NAMES[2]
    assert rig.recalled == NAMES[1:3]


def test_forks_are_told_after_a_restart() -> None:
    assert restarted().place("abcUV", "k").forked_from is None
    assert restarted().place("aUV", "k").forked_from == (NAMES[1], 1)


def test_a_client_without_a_key_is_followed_after_a_restart() -> None:
    rig = restarted(key="")

    assert rig.place("other").session.name not in NAMES[1:3]
    assert rig.recalled == []
    assert rig.place("abcdefg").session.name == NAMES[1]
    assert rig.place("aXYzz11").session.name == NAMES[2]


def test_a_response_on_record_leads_to_its_session_after_a_restart() -> None:
    placed = restarted(key="").place(after="resp_1")

    assert (placed.session.name, placed.seq) == (NAMES[1], 4)


def test_a_session_whose_file_is_gone_starts_again() -> None:
    placed = Rig((known(1, "k"),)).place("a", "k")

    assert (placed.session.name, placed.seq, placed.is_new) == (NAMES[1], 1, True)


def test_the_latest_sessions_on_record_are_remembered() -> None:
    rig = Rig((known(3, "c"), known(1, "a"), known(2, "b")), remembered=2)

    assert [rig.place(key=key).session.name in NAMES[1:4] for key in ("a", "b", "c")] == [True, True, False]
