"""Where a text is cut, so that the same content is cut at the same places wherever it stands.

The units are long JSON strings and what stands between them. Nothing but quotes and backslashes is looked at,
so any text has cuts, and no provider's dialect is known here.
"""

from collections.abc import Iterator

# A string from here on is a piece of its own; shorter ones cost more as ranges than they save.
LONG_STRING = 200
# Longer strings are cut again, so that one that grows is not new as a whole.
LONGEST_STRING = 4 << 10
# So is what stands between them, as the short messages of a chat; where an object begins, if one does.
LONGEST_BETWEEN = 384
# What is searched at once: its copies without escapes stay in the processor's cache.
_WINDOW = 64 << 10
_BACKSLASH = ord("\\")
_CONTINUATION, _CONTINUATION_MASK = 0x80, 0xC0


def cuts(text: bytes, start: int, stop: int) -> list[int]:
    """Return the places, rising, at which ``text`` is cut between ``start`` and ``stop``, both left out.

    ``text`` is UTF-8, ``start`` stands outside of any JSON string; no cut is amid a character.
    """
    found: list[int] = []
    last = start
    for begin, end in (*_long_strings(text, start, stop), (stop, stop)):
        while begin - last > LONGEST_BETWEEN:
            last = _between(text, last)
            found.append(last)
        found.append(begin)
        last = begin
        while end - last > LONGEST_STRING:
            last = _character(text, last + LONGEST_STRING)
            found.append(last)
        found.append(end)
        last = end
    return [place for place in found if start < place < stop]


def _long_strings(text: bytes, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield where long strings begin and end, with their quotes."""
    begin = start
    inside = False
    for at, window in _windows(text, start, stop):
        # Of the same length, and every quote that is left begins or ends a string.
        plain = window.replace(rb"\\", b"..").replace(rb"\"", b"..")
        place = at
        for segment in plain.split(b'"')[:-1]:
            place += len(segment)
            if inside and place - begin >= LONG_STRING:
                yield begin - 1, place + 1
            place += 1
            begin = place
            inside = not inside
    if inside and stop - begin >= LONG_STRING:
        yield begin - 1, stop


def _between(text: bytes, last: int) -> int:
    """Return the next cut of what stands between strings."""
    brace = text.find(b"{", last + LONGEST_BETWEEN // 2, last + LONGEST_BETWEEN)
    return brace if brace > 0 else _character(text, last + LONGEST_BETWEEN)


def _windows(text: bytes, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
    """Yield the text in windows of which none ends amid an escape."""
    while start < stop:
        end = min(start + _WINDOW, stop)
        while end < stop and text[end - 1] == _BACKSLASH:
            end += 1
        yield start, text[start:end]
        start = end


def _character(text: bytes, place: int) -> int:
    """Return where the character at a place begins."""
    while text[place] & _CONTINUATION_MASK == _CONTINUATION:
        place -= 1
    return place
