import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundwork.utf8 import is_text, texts

LONG = st.builds(lambda text, times: text.encode() * times, st.text(min_size=1), st.integers(1, 30_000))


@given(LONG)
def test_a_text_in_pieces_is_the_text(data: bytes) -> None:
    assert "".join(texts(data)) == data.decode()
    assert is_text(data)


@given(LONG, st.binary(min_size=1, max_size=9), st.integers(0))
def test_what_is_no_text_whole_is_none_in_pieces(data: bytes, fault: bytes, place: int) -> None:
    place %= len(data)
    spoiled = data[:place] + fault + data[place:]
    try:
        whole = spoiled.decode()
    except UnicodeDecodeError:
        assert not is_text(spoiled)
        with pytest.raises(UnicodeDecodeError):
            list(texts(spoiled))
    else:
        assert "".join(texts(spoiled)) == whole


def test_no_run_of_bytes_that_begin_nothing_is_a_text() -> None:
    assert not is_text(b"\x80" * 100_000)
    assert not is_text(b"a" * (16 * 1024 - 2) + b"\x80" * 100_000)
