"""The laws of an op, for your own ops, too: Hypothesis draws the arguments, `check` tests the op.

    @given(testing.together(2, testing.nonzero))
    def test_hypot(case):
        testing.check(hypot, case, reference=np.hypot)

Cases are in `cases.py`, laws in `laws.py`. Only this room needs the extra `test`.
"""

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise ImportError('tinygrad_seq.testing needs Hypothesis: pip install "tinygrad-seq[test]"') from error

from tinygrad_seq.checks.gradcheck import as_list
from tinygrad_seq.testing.cases import (
    Case,
    Fill,
    Shape,
    distinct,
    filled,
    nonzero,
    normal,
    off_grid,
    one,
    positive,
    seeds,
    shapes,
    together,
)
from tinygrad_seq.testing.laws import (
    LAWS,
    any_layout_will_do,
    applied,
    assert_near,
    assert_same,
    check,
    floats,
    gradient_is_linear,
    gradient_is_the_slope,
    host_arrays,
    leaves,
    like,
    nothing_is_written,
    recorded_is_raw,
    second_gradient_is_the_slope,
    single_stays_single,
    values_match,
    wanted,
)

__all__ = [
    "LAWS",
    "Case",
    "Fill",
    "Shape",
    "any_layout_will_do",
    "applied",
    "as_list",
    "assert_near",
    "assert_same",
    "check",
    "distinct",
    "filled",
    "floats",
    "gradient_is_linear",
    "gradient_is_the_slope",
    "host_arrays",
    "leaves",
    "like",
    "nonzero",
    "normal",
    "nothing_is_written",
    "off_grid",
    "one",
    "positive",
    "recorded_is_raw",
    "second_gradient_is_the_slope",
    "seeds",
    "shapes",
    "single_stays_single",
    "st",
    "together",
    "values_match",
    "wanted",
]
