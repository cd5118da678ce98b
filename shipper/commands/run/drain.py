"""When to stop, once asked to: after the proxy, when all is delivered, or when time is up."""

from enum import StrEnum

# Every orchestrator ends what has not ended by itself; ECS is told 60 seconds.
HARD_END_SECONDS = 57.0


class Verdict(StrEnum):
    """What to do next."""

    GO_ON = "go_on"
    LOOK_ONCE_MORE = "look_once_more"
    SHIP_TORN = "ship_torn"
    DONE = "done"
    TIME_IS_UP = "time_is_up"


class Round:
    """The end of a process that ships what there is; it waits for Loki for as long as that takes."""

    def __init__(self) -> None:
        self._looked = False
        self._torn_shipped = False

    def next(self, _now: float, *, proxy_alive: bool, idle: bool) -> Verdict:
        """Decide; while a proxy lives, a last line without a newline is left to it."""
        if not self._looked:
            self._looked = True
            return Verdict.LOOK_ONCE_MORE
        if not idle:
            return Verdict.GO_ON
        if proxy_alive or self._torn_shipped:
            return Verdict.DONE
        self._torn_shipped = True
        return Verdict.SHIP_TORN


class Drain:
    """The end of a process; times are a monotonic clock's, ``budget`` is in seconds after the proxy's end."""

    def __init__(self, budget: float, now: float) -> None:
        self._budget = budget
        self._deadline = now + HARD_END_SECONDS
        self._proxy_gone = False
        self._torn_shipped = False

    def next(self, now: float, *, proxy_alive: bool, idle: bool) -> Verdict:
        """Decide; ``idle`` tells that everything found so far has been delivered."""
        if now >= self._deadline:
            return Verdict.TIME_IS_UP
        if not self._proxy_gone:
            return self._while_proxy(now, proxy_alive=proxy_alive)
        if not idle:
            return Verdict.GO_ON
        if not self._torn_shipped:
            self._torn_shipped = True
            return Verdict.SHIP_TORN
        return Verdict.DONE

    def _while_proxy(self, now: float, *, proxy_alive: bool) -> Verdict:
        if proxy_alive:
            return Verdict.GO_ON
        self._proxy_gone = True
        self._deadline = min(self._deadline, now + self._budget)
        return Verdict.LOOK_ONCE_MORE
