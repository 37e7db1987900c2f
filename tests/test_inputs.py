"""The inputs that other tests and the benchmarks draw are worth drawing: in the domain, and varied."""

import math

import numpy as np
import pytest

from tests.inputs import draw


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_drawn_inputs_are_in_the_domain_and_varied(loss, dtype):
    y, x = draw(loss, 1000, dtype, np.random.default_rng(0))
    assert y.shape == (1000,)
    assert y.dtype == x.dtype == dtype
    target, prediction, second = loss.domains()
    predictions = [(prediction, x[:, 0]), (second, x[:, 1])] if loss.signature.pair else [(prediction, x)]
    for domain, values in [(target, y), *predictions]:
        assert all(float(v) in domain for v in values.ravel())
        if domain.ternary:
            assert set(values.tolist()) == {domain.low, domain.high}
        else:
            assert len(np.unique(values)) > values.size / 4
    assert math.isfinite(loss(y, x))
    assert loss(y, x) != loss(*draw(loss, 1000, dtype, np.random.default_rng(1)))
