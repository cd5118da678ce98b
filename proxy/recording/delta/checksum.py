"""Whether two texts have the same bytes in a range, told by the running CRC-32 of each at its two ends.

A CRC is linear: what stands before a range and what is in it can be told apart afterwards (zlib's
``crc32_combine``). It knows nothing of the keys of pieces, so it notices where two of them collide.
"""

_POLYNOMIAL = 0xEDB88320  # of CRC-32, its bits reversed
_ONE, _X = 1 << 31, 1 << 30
_BITS_OF_A_BYTE = 3  # as a power of two
_POWERS = 64


def same_range(left: tuple[int, int], right: tuple[int, int], length: int) -> bool:
    """Tell whether ``length`` bytes are the same; each side is the CRC-32 before them and behind them."""
    before = left[0] ^ right[0]
    return left[1] ^ right[1] == (_product(_zeros(length), before) if before else 0)


def _product(left: int, right: int) -> int:
    """Multiply two polynomials modulo that of CRC-32."""
    product = 0
    while left:
        if left & _ONE:
            product ^= right
        left = left << 1 & 0xFFFFFFFF
        right = right >> 1 ^ (_POLYNOMIAL if right & 1 else 0)
    return product


def _powers() -> list[int]:
    """Return x to the powers of 1, 2, 4, 8 and so on."""
    powers = [_X]
    while len(powers) < _POWERS:
        powers.append(_product(powers[-1], powers[-1]))
    return powers


_X_TO = _powers()


def _zeros(length: int) -> int:
    """Return what so many bytes of zeros multiply a CRC by."""
    factor = _ONE
    for power in range(length.bit_length()):
        if length >> power & 1:
            factor = _product(_X_TO[power + _BITS_OF_A_BYTE], factor)
    return factor
