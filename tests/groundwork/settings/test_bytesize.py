import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundwork.settings.units import format_bytesize, parse_bytesize


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("262144", 262_144),
        ("512B", 512),
        ("512KiB", 524_288),
        ("64MiB", 67_108_864),
        ("64 mib", 67_108_864),
        ("1.5GiB", 1_610_612_736),
        ("1TiB", 1 << 40),
        ("500KB", 500_000),
        ("1mb", 1_000_000),
        ("2GB", 2_000_000_000),
        ("1TB", 10**12),
        ("9007199254740993", 2**53 + 1),
    ],
)
def test_reads_binary_and_decimal_units(text: str, size: int) -> None:
    assert parse_bytesize(text) == size


@pytest.mark.parametrize(
    "text", ["", "many", "-1", "1e3", "1.", ".5GiB", "5 XB", "1,5GiB", "GiB", "\u0665MiB"]
)
def test_refuses_all_else_with_the_form(text: str) -> None:
    with pytest.raises(ValueError, match="expected a size such as 512KiB, 64MiB or 1GiB"):
        parse_bytesize(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (1024 * 1024 - 1, "1 MiB"),
        (1 << 30, "1 GiB"),
        (5 << 40, "5 TiB"),
        (1 << 60, "1048576 TiB"),
    ],
)
def test_formats_for_people(size: int, text: str) -> None:
    assert format_bytesize(size) == text


@given(st.integers(min_value=0, max_value=1 << 70))
def test_what_is_formatted_reads_back_to_four_digits(size: int) -> None:
    assert parse_bytesize(format_bytesize(size)) == pytest.approx(size, rel=6e-4, abs=1)


@given(
    st.integers(min_value=0, max_value=1 << 80),
    st.sampled_from([("KiB", 1024), ("GiB", 1 << 30), ("MB", 10**6)]),
)
def test_whole_numbers_of_a_unit_are_exact(number: int, unit: tuple[str, int]) -> None:
    assert parse_bytesize(f"{number}{unit[0]}") == number * unit[1]
