import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.telemetry.page.chart import HEIGHT, SPAN_SECONDS, curve, scale

NOW = 10_000.0


@pytest.mark.parametrize(
    ("peak", "top"),
    [(0, 1024), (1024, 1024), (1025, 2048), (600 * 1024, 1024**2), (3 * 1024**2, 5 * 1024**2)],
)
def test_the_upper_edge_is_a_round_number(peak: float, top: float) -> None:
    assert scale(peak) == top


def test_time_runs_to_the_right_and_bytes_run_up() -> None:
    drawn = curve([(NOW - 20, 0.0), (NOW - 10, 512.0), (NOW, 1024.0)], NOW)

    assert drawn.line == "M880 100.0L890 50.0L900 0.0"
    assert drawn.area == "M880 100L880 100.0L890 50.0L900 0.0V100Z"
    assert (drawn.top, drawn.last, drawn.peak) == (1024, 1024, 1024)


def test_a_time_of_which_nothing_is_known_is_left_open() -> None:
    assert curve([(NOW - 300, 0.0), (NOW - 100, 0.0)], NOW).line == "M600 100.0h0M800 100.0h0"


def test_without_points_there_is_no_line() -> None:
    drawn = curve([], NOW)

    assert (drawn.line, drawn.area, drawn.last, drawn.peak) == ("", "", 0.0, 0.0)


@given(st.lists(st.tuples(st.floats(NOW - 2000, NOW + 2000), st.floats(-1e3, 1e18))))
def test_the_line_stays_in_its_box(points: list[tuple[float, float]]) -> None:
    for x, y in re.findall(r"([\d.-]+) ([\d.-]+)", curve(sorted(points), NOW).line):
        assert 0 <= float(x) <= SPAN_SECONDS
        assert 0 <= float(y) <= HEIGHT
