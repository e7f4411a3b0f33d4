"""`detect_anomaly` blames no rule for what it was given."""

import numpy as np
import pytest
from networks import leaf

import tinygrad_seq as ts


def test_a_rule_that_was_given_inf_is_not_to_blame():
    w = leaf([4.0, 1.0])
    for start in ([1.0, np.nan], [1.0, np.inf]):
        with pytest.raises(RuntimeError) as caught, ts.detect_anomaly():
            (w * 2.0).backward(start)
        assert f"; the gradient of its output came in with {start[1]} at [1] of (2,)" in str(caught.value)
    y = w * 2.0
    y.register_hook(lambda g: ts.tensor([np.nan, 1.0], dtype=g.dtype))
    with pytest.raises(RuntimeError, match=r"multiply .*; the .* came in with nan at \[0\]"), ts.detect_anomaly():
        y.sum().backward()
