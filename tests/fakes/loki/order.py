"""What a test may order of the Loki, as JSON by ``POST /_fake/script``, or with ``FakeLoki.order``."""

from typing import Literal

import msgspec


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happens to one request, a push where ``path`` says nothing else.

    - ``status``, ``body``, ``headers``: the answer instead of Loki's own
    - ``fault``: instead of an answer ``reset`` the connection, ``close`` it, or ``hang`` until it ends
    - ``stored``: whether the push takes effect all the same; it does when neither status nor fault is ordered
    - ``held``: the push takes effect so many seconds later, whatever has become of the connection, as behind
      a gateway; for use with a status or a fault
    - ``first``: only that many entries of the push take effect
    - ``early``: before the body is read; nothing is stored
    - ``delay``: seconds before the answer; the push has taken effect by then
    - ``times``: how many requests it is for, 0 for all until cleared
    - ``path``: how the paths end that it is for
    - ``containing``: only pushes with a line that contains this
    """

    status: int = 0
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    fault: Literal["", "reset", "close", "hang"] = ""
    stored: bool = False
    held: float = 0.0
    first: int | None = None
    early: bool = False
    delay: float = 0.0
    times: int = 1
    path: str = "/push"
    containing: str = ""

    @property
    def takes_effect(self) -> bool:
        return self.stored or not (self.status or self.fault)
