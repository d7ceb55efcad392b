"""The comparison that test_readme.py rests on: it forgives a processor's last digits, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.printed import RELATIVE, SMALL, says_the_same

TABLE = """\
  conv       34.256  in 1,438 rows
total                        34.256
difference                 3.65e-06
rounding can make          9.67e-04
Explanation('conv' at channel 0, row 503: 6.76580381, agrees, residual -1.4e-05)
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("3.65e-06", "-1.2e-05"),
        ("difference                 3.65e-06", "difference                        0"),
        ("9.67e-04", "9.81e-04"),
        ("residual -1.4e-05", "residual 0"),
        ("6.76580381", "6.76580429"),
        ("total                        34.256", "total                        34.257"),
    ],
)
def test_what_differs_between_processors_is_forgiven(old: str, new: str) -> None:
    assert old in TABLE
    assert says_the_same(TABLE, TABLE.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("34.256", "34.266"),
        ("34.256", "-34.256"),
        ("34.256", "3.4256"),
        ("34.256", "34"),
        ("34.256", "nan"),
        ("6.76580381", "6.77580381"),
        ("3.65e-06", "3.65e-02"),
        ("3.65e-06", "nan"),
        ("9.67e-04", "0.5"),
        ("residual -1.4e-05", "residual 1"),
        ("agrees", "differs"),
        ("channel 0", "channel 1"),
        ("row 503", "row 504"),
        ("1,438", "1,439"),
        ("  conv", "    conv"),
        ("rounding can make          9.67e-04\n", ""),
        ("total", "\ntotal"),
    ],
)
def test_a_false_number_or_word_is_not(old: str, new: str) -> None:
    assert old in TABLE
    assert not says_the_same(TABLE, TABLE.replace(old, new, 1))


@settings(deadline=None, max_examples=200)
@given(st.floats(-1e6, 1e6).map(lambda x: f"{x:.5f}"), st.floats(1e-3, 1e3), st.booleans())
def test_no_number_further_off_than_the_tolerance_passes(number: str, off: float, up: bool) -> None:
    value = float(number)
    other = value + (1 if up else -1) * (abs(value) * RELATIVE + 2e-5) * (1 + off)
    assert not says_the_same(f"value {number}", f"value {other:.5f}")


@given(st.floats(SMALL * 1.01, 1e6), st.sampled_from(["residual", "difference", "rounding can make"]))
def test_no_residual_is_large(value: float, word: str) -> None:
    assert not says_the_same(f"{word} 1.00e-06", f"{word} {value:.6e}")
