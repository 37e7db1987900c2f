"""States of any partition of the elements, merged in any order, are the same to one unit in the last place."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import fastloss as fl
from fastloss import registry
from fastloss._core import groups as _groups
from fastloss.state import LossState
from tests.inputs import draw_arrays
from tests.support import generator

PARTITIONS = (1, 7, 64)
EXACT = ("count", "ignored", "nonfinite", "minimum", "maximum")
ROUNDED = ("weight", "sum", "square", "first", "second", "mean", "standard_error")


def cut(n, parts, rng):
    """The indices of so many parts of n elements, some of them empty, in random order."""
    ends = np.sort(rng.integers(0, n + 1, parts - 1))
    found = np.split(np.arange(n), ends)
    return [found[k] for k in rng.permutation(parts)]


def near(found, wanted, ulps=1):
    if math.isnan(wanted) or math.isinf(wanted):
        return found == wanted or (math.isnan(found) and math.isnan(wanted))
    return abs(found - wanted) <= ulps * math.ulp(wanted)


def assert_alike(found, wanted, rel=0.0):
    for name in EXACT:
        assert getattr(found, name) == pytest.approx(getattr(wanted, name), rel=rel, abs=0), name
    for name in ROUNDED:
        one, other = getattr(found, name), getattr(wanted, name)
        assert near(one, other) or one == pytest.approx(other, rel=rel, abs=0), name


# Against exact sums -------------------------------------------------------------------------------

SAMPLES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "positive": lambda rng, n: rng.exponential(size=n),
    "heavy tails": lambda rng, n: rng.pareto(0.5, n),
    "heavy tails of both signs": lambda rng, n: rng.standard_cauchy(n),
    "of many sizes": lambda rng, n: 10.0 ** rng.uniform(-30, 30, n),
    "far from 0": lambda rng, n: 1e4 + rng.normal(size=n),
    "alike": lambda rng, n: np.full(n, 0.1),
    "tiny": lambda rng, n: 1e-37 * rng.random(n),
    "huge": lambda rng, n: 1e37 * rng.random(n),
}


def exact_state(values, weights):
    """The sum, the mean and the standard error, each rounded once."""
    values, weights = list(map(Fraction, values.tolist())), list(map(Fraction, weights.tolist()))
    weight = sum(weights)
    total = sum(w * v for w, v in zip(weights, values, strict=True))
    mean = total / weight
    square = sum((w * (v - mean)) ** 2 for w, v in zip(weights, values, strict=True))
    square *= Fraction(len(values), len(values) - 1) / weight**2
    scale = 4 ** (200 - math.frexp(float(square))[1] // 2)
    error = math.isqrt(int(square * scale)) / math.isqrt(scale)
    return float(total), float(mean), error


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
def test_any_partition_is_exact_to_the_last_digit(sample, dtype, weighted):
    rng = generator("partitions", sample, dtype.__name__, weighted)
    n = 3000
    zeros, values = np.zeros(n, dtype), SAMPLES[sample](rng, n).astype(dtype)
    weight = rng.pareto(2.0, n) if weighted else np.ones(n)
    groups = rng.integers(0, 3, n)
    loss = fl.MeanBias()
    losses = loss(zeros, values, reduction="none").astype(np.float64)
    options = {"sample_weight": weight} if weighted else {}
    wanted = exact_state(losses, weight)
    by_group = [exact_state(losses[groups == k], weight[groups == k]) for k in range(3)]
    for parts in PARTITIONS:
        states, tables = [], []
        for part in cut(n, parts, rng):
            mine = {name: array[part] for name, array in options.items()}
            states.append(loss.state(zeros[part], values[part], **mine))
            tables.append(loss.states(zeros[part], values[part], groups=groups[part], **mine))
        for merged in (sum(states), LossState.merge(states), sum(tables).total):
            for found, exact in zip((merged.sum, merged.mean, merged.standard_error), wanted, strict=True):
                assert near(found, exact)
        table = fl.GroupStates.merge(tables)
        for column, name in enumerate(("sum", "mean", "standard_error")):
            for found, exact in zip(getattr(table, name), by_group, strict=True):
                assert near(found, exact[column]), name


# All losses ---------------------------------------------------------------------------------------

ADDITIVE = [loss for loss in (cls() for cls in registry.values()) if loss.signature.additive]
BY_BLAS = {fl.AMSoftmaxIsland()}  # the cosines of a vector are rounded by how many others there are
OF_IMAGES = [
    fl.Dice(groups="image"),
    fl.Tversky(groups="image_class", mode="multiclass"),
    fl.LovaszHinge(groups="image_class"),
]


@pytest.mark.parametrize("loss", [*ADDITIVE, *OF_IMAGES, fl.Huber() + 0.5 * fl.SquaredError()], ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parts_of_any_loss_come_to_the_whole(loss, dtype, monkeypatch):
    monkeypatch.setattr(_groups, "CHUNK", 128)
    rng = generator("parts of", repr(loss), dtype.__name__)
    arrays = draw_arrays(loss.terms[0][1] if isinstance(loss, fl.WeightedSum) else loss, 20_000, dtype, rng)
    n = len(arrays[-1]) if loss in OF_IMAGES else loss(*arrays, reduction="none").shape[0]
    common = [argument.shared for argument in loss.signature.arguments[: len(arrays)]]
    weight, mask = np.round(rng.exponential(size=n), 3), rng.random(n) < 0.9
    weight[rng.random(n) < 0.1] = 0
    groups = rng.choice(["a", "b", "c"], n)

    def of(part, verb, **options):
        given = [array if shared else array[part] for array, shared in zip(arrays, common, strict=True)]
        return getattr(loss, verb)(*given, sample_weight=weight[part], mask=mask[part], **options)

    rel = 0.0 if loss not in BY_BLAS else 1e-12 if dtype == np.float64 else 1e-4
    everything = np.arange(n)
    whole, by_group = of(everything, "state"), of(everything, "states", groups=groups)
    assert whole.count + whole.ignored >= n
    for parts in PARTITIONS:
        chosen = cut(n, parts, rng)
        assert_alike(sum(of(part, "state") for part in chosen), whole, rel)
        merged = fl.GroupStates.merge([of(part, "states", groups=groups[part]) for part in chosen])
        assert merged.labels == by_group.labels
        for label, state in merged.items():
            assert_alike(state, by_group[label], rel)
        assert_alike(merged.total, whole, rel)


def test_a_loss_does_not_depend_on_what_it_has_for_neighbours():
    """One that is none of float32 is computed in float64, and it alone."""
    y, x = np.zeros(1000, np.float32), generator("neighbours").normal(size=1000).astype(np.float32)
    x[::97] = 1e30
    for loss in (fl.SquaredError(), fl.SquaredEpsilonInsensitive(epsilon=0.1), fl.SquaredError() + fl.Huber()):
        whole = loss.state(y, x)
        assert_alike(sum(loss.state(y[k : k + 1], x[k : k + 1]) for k in range(1000)), whole)
        assert whole.nonfinite == 0
        assert_alike(loss.states(y, x, groups=np.zeros(1000, int))[0], whole)
    boxes = np.abs(generator("boxes").normal(size=(300, 4))).astype(np.float32)
    boxes[:, 2:] += boxes[:, :2] + 1
    far = boxes + np.float32(0.1)
    far[::97, 2] = 1e30
    whole = fl.MPDIoU().state(boxes, far)
    assert not np.isfinite(fl.MPDIoU()(boxes, far, reduction="none")).all()
    assert whole.nonfinite == 0
    assert_alike(sum(fl.MPDIoU().state(boxes[k : k + 1], far[k : k + 1]) for k in range(300)), whole)
    assert_alike(fl.MPDIoU().states(boxes, far, groups=np.zeros(300, int))[0], whole)


def test_what_is_not_finite_is_counted_whatever_the_partition():
    y, x = np.zeros(700), generator("not finite").normal(size=700)
    x[3], x[300], x[301] = np.inf, np.nan, np.inf
    weight = np.ones(700)
    weight[3] = 0
    for options in ({}, {"sample_weight": weight}):
        whole = fl.AbsoluteError().state(y, x, **options)
        assert whole.nonfinite == (2 if options else 3)
        assert math.isnan(whole.mean)
        assert math.isnan(whole.standard_error)
        assert whole.maximum == np.inf
        assert whole.minimum == np.abs(x).min(where=np.isfinite(x), initial=np.inf)
        halves = [slice(0, 299), slice(299, None)]
        parts = [fl.AbsoluteError().state(y[h], x[h], **{k: v[h] for k, v in options.items()}) for h in halves]
        assert_alike(sum(parts), whole)
        assert parts[0].mean == (np.abs(x[:299])[weight[:299] > 0].mean() if options else np.inf)


def test_squares_that_overflow():
    state = fl.AbsoluteError().state(np.zeros(4), [1e200, 1e200, 3e200, 5e200])
    assert state.mean == 2.5e200
    assert state.second == state.standard_error == math.inf
    assert state.nonfinite == 0
    assert fl.AbsoluteError().state(np.zeros(4), np.full(4, 1e200)).standard_error == 0
    beyond = fl.AbsoluteError().state(np.zeros(2), [1.7e308, 1.7e308])
    assert (beyond.total, beyond.total_low, beyond.mean) == (math.inf, 0, math.inf)
    assert (beyond + beyond).total == math.inf


def test_elements_that_do_not_count_are_told_apart():
    y = np.array([0.0, np.nan, 0.0, 0.0])
    state = fl.AbsoluteError().state(
        y, [1.0, 2.0, 3.0, 4.0], sample_weight=[1.0, 1.0, 0.0, 1.0], mask=[True, True, True, False], nan_policy="omit"
    )
    assert (state.count, state.ignored, state.weight, state.mean) == (2, 2, 1, 1)
    labels = fl.CrossEntropy(ignore_index=-1).state([0, -1, 1], np.zeros((3, 2)))
    assert (labels.count, labels.ignored) == (2, 1)
    nothing = fl.AbsoluteError().state([0.0, 0.0], [1.0, 2.0], mask=[False, False])
    assert nothing == LossState(ignored=2)
    assert (nothing.minimum, nothing.maximum) == (math.inf, -math.inf)
    assert math.isnan(nothing.mean)
    assert nothing + state == state + nothing == LossState.merge([state, LossState(ignored=2)])


def test_tiny_numbers_keep_what_they_have():
    values = np.array([5e-324, 1e-310, 3e-320, 1e-300])
    state = fl.AbsoluteError().state(np.zeros(4), values)
    assert state.total == math.fsum(values)
    assert (state.minimum, state.maximum) == (5e-324, 1e-300)
    assert state.second == 0
