from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from proxy.recording.delta.checksum import same_range


@given(st.binary(), st.binary(), st.binary(max_size=5000))
def test_the_same_bytes_behind_different_ones_are_the_same(left: bytes, right: bytes, both: bytes) -> None:
    sums = [(crc32(before), crc32(before + both)) for before in (left, right)]

    assert same_range(sums[0], sums[1], len(both))


@given(st.binary(), st.binary(), st.binary(min_size=1, max_size=5000), st.data())
def test_a_byte_that_differs_is_noticed(left: bytes, right: bytes, one: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(one) - 1))
    other = one[:at] + bytes([one[at] ^ data.draw(st.integers(1, 255))]) + one[at + 1 :]

    assert not same_range((crc32(left), crc32(left + one)), (crc32(right), crc32(right + other)), len(one))
