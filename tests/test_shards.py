"""Cross-entropy of rows whose classes are in several places."""

import math
import pickle

import numpy as np
import pytest

import fastloss as fl
from tests.support import assert_same_bits, generator

OPTIONS = [{}, {"temperature": 0.7}, {"softcap": 4.0, "z_loss": 0.1}, {"temperature": 2.0, "softcap": 3.0, "z_loss": 1}]


def state(loss, y, x, cuts):
    bounds = zip([0, *cuts], [*cuts, x.shape[loss.axis]], strict=True)
    return [fl.ShardState.of(loss, y, np.take(x, range(a, b), loss.axis), first_class=a) for a, b in bounds]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("classes, cuts", [(40, (13, 14, 30)), (40, ()), (70, (65,)), (1100, (300, 310))])
def test_shards_give_the_loss_and_the_gradient_of_whole_rows(options, classes, cuts, wide):
    rng = generator(classes)
    x, y, w = 3 * rng.standard_normal((67, classes)), rng.integers(0, classes, 67), rng.random(67)
    x, y[5] = x.astype(wide), -100
    x[0, : classes // 3], y[0] = -np.inf, classes - 1
    x[1, y[1]] = 60  # a confident right answer
    loss = fl.CrossEntropy(**options)
    whole = pickle.loads(pickle.dumps(fl.ShardState.merge(state(loss, y, x, cuts))))
    exact = x.astype(np.float64)
    tolerance = {"rtol": 3e-5 if wide == np.float32 else 1e-12, "atol": 1e-37 if wide == np.float32 else 1e-300}
    np.testing.assert_allclose(whole.lse, loss.rows(y, exact).lse, **tolerance)
    for reduction in ("mean", "batch_mean", "sum", "none"):
        value, grad = loss.value_and_grad(y, exact, sample_weight=w, reduction=reduction)
        np.testing.assert_allclose(whole.value(sample_weight=w, reduction=reduction), value, **tolerance)
        found = []
        for a, b in zip([0, *cuts], [*cuts, classes], strict=True):
            found.append(whole.grad(x[:, a:b], first_class=a, sample_weight=w, reduction=reduction))
        assert found[0].dtype == wide
        np.testing.assert_allclose(np.concatenate(found, axis=1), grad, **tolerance)


def test_any_layout_and_axis():
    rng = generator("axis")
    x, y = rng.standard_normal((4, 30, 5)), rng.integers(0, 30, (4, 5))
    loss = fl.CrossEntropy(axis=1)
    value, grad = loss.value_and_grad(y, x)
    for lay in (np.ascontiguousarray, np.asfortranarray):
        left, right = lay(x[:, :12]), lay(x[:, 12:])
        whole = fl.ShardState.of(loss, y, left, first_class=0) + fl.ShardState.of(loss, y, right, first_class=12)
        assert whole.value() == pytest.approx(value, rel=1e-14)
        np.testing.assert_allclose(whole.grad(right, first_class=12), grad[:, 12:], rtol=1e-12)
        assert whole.grad(right, first_class=12, grad_out=right) is right
        np.testing.assert_allclose(right, grad[:, 12:], rtol=1e-12)


def test_the_same_bits_in_either_order():
    rng = generator("order")
    x, y = rng.standard_normal((20, 30)), rng.integers(0, 30, 20)
    a, b = state(fl.CrossEntropy(), y, x, (11,))
    assert_same_bits((a + b).value(reduction="none"), (b + a).value(reduction="none"))
    assert_same_bits(sum([a, b]).total, fl.ShardState.merge(iter([a, b])).total)


@pytest.mark.parametrize(
    "row, label, value",
    [
        ([-np.inf, -np.inf, 0, 1], 2, math.log1p(math.e)),
        ([-np.inf, -np.inf, 0, 1], 0, np.inf),
        ([0, 1, -np.inf, -np.inf], 0, math.log1p(math.e)),
        ([-np.inf, 5, -np.inf, -np.inf], 1, 0),
        ([-np.inf] * 4, 1, np.nan),
        ([0, np.inf, 0, 0], 1, 0),
        ([0, np.inf, 0, 0], 2, np.nan),
        ([np.nan, 0, 0, 0], 3, np.nan),
    ],
)
def test_rows_with_infinities(row, label, value):
    x = np.array([row])
    for cuts in ((2,), (1, 2, 3)):
        whole = fl.ShardState.merge(state(fl.CrossEntropy(), [label], x, cuts))
        np.testing.assert_allclose(whole.value(), value, rtol=1e-14)
        np.testing.assert_allclose(whole.value(), fl.cross_entropy([label], x), rtol=1e-14)


def test_the_log_sum_exp_of_rows_with_infinities():
    x = np.zeros((4, 6))
    x[0], x[1, 0], x[2, 5], x[3, 4] = -np.inf, np.inf, np.inf, np.nan
    for y in ([0] * 4, [5] * 4):
        for cuts in ((), (3,), (1, 5)):
            whole = fl.ShardState.merge(state(fl.CrossEntropy(), np.array(y), x, cuts))
            np.testing.assert_array_equal(whole.lse, [-np.inf, np.inf, np.inf, np.nan])


def test_a_label_in_no_shard_is_named():
    x = np.zeros((3, 2, 4))
    y = np.array([[0, 1], [2, 8], [-100, 3]], np.int16)
    first = fl.ShardState.of(fl.CrossEntropy(), y, x, first_class=0)
    for call in (first.value, lambda: first.grad(x, first_class=0)):
        with pytest.raises(IndexError, match=r"ShardState: y_true\[1, 1\] is 8, must be a class of one of the shards"):
            call()
    assert (first + fl.ShardState.of(fl.CrossEntropy(), y, x[..., :1], first_class=8)).value() > 0
    with pytest.raises(IndexError, match=r"y_true\[0\] is -1, must be"):
        fl.ShardState.of(fl.CrossEntropy(), [-1], x[0, :1], first_class=4).value()


def test_states_that_do_not_belong_together_are_refused():
    x, loss = np.zeros((2, 4)), fl.CrossEntropy()
    one = fl.ShardState.of(loss, [0, 1], x, first_class=0)
    with pytest.raises(ValueError, match="ShardState: both states hold class 0"):
        one + one
    with pytest.raises(ValueError, match="ShardState: the states are of different labels"):
        one + fl.ShardState.of(loss, [0, 2], x, first_class=4)
    with pytest.raises(ValueError, match="must be of one loss"):
        one + fl.ShardState.of(fl.CrossEntropy(temperature=2.0), [0, 1], x, first_class=4)
    with pytest.raises(TypeError, match="unsupported operand"):
        one + 1
    for option in ({"label_smoothing": 0.1}, {"class_weight": [1, 1, 1, 1]}):
        with pytest.raises(ValueError, match="must have neither class_weight nor label_smoothing"):
            fl.ShardState.of(fl.CrossEntropy(**option), [0, 1], x, first_class=0)
    with pytest.raises(TypeError, match="ShardState: y_true has dtype float64, must be of integers"):
        fl.ShardState.of(loss, [0.0, 1.0], x, first_class=0)


def test_of_ignored_rows_alone():
    x = np.ones((2, 3))
    whole = fl.ShardState.of(fl.CrossEntropy(), [-100, -100], x, first_class=0)
    with pytest.warns(RuntimeWarning, match="no element counts"):
        assert math.isnan(whole.value())
    assert not whole.grad(x, first_class=0).any()
