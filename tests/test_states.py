"""Loss.states against sums over each group's elements in NumPy, and against the state of these elements alone."""

from __future__ import annotations

import copy
import gc
import math
import pickle
import signal
import tracemalloc
from dataclasses import FrozenInstanceError, astuple, fields, replace
from fractions import Fraction

import numpy as np
import pytest

import fastloss as fl
from fastloss import registry
from fastloss._core import groups as _groups
from fastloss._core import labels as _labels
from fastloss._core.isa import kernels
from fastloss._core.tables import room
from fastloss.state import NUMBERS as FIELDS
from fastloss.state import LossState
from tests.inputs import draw, draw_rows
from tests.support import DEFAULTS, IN_ORDER, REORDERED, generator

RNG = np.random.default_rng(0)  # of what is drawn when this is imported; each test has its own
N = 1000
compiled = kernels("groups")


@pytest.fixture(autouse=True)
def own_numbers(request, monkeypatch):
    monkeypatch.setitem(globals(), "RNG", generator(request.node.name))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(_groups, "CHUNK", 128)


@pytest.fixture(params=["parts", "owners"])
def either_way(request, monkeypatch):
    """Few groups, whose sums are those of parts, or many, of which each thread has its own."""
    monkeypatch.setattr(_groups, "FEW", 4096 if request.param == "parts" else 0)


def arrays(shape=(N,), dtype=np.float64):
    return RNG.normal(size=shape).astype(dtype), RNG.normal(size=shape).astype(dtype)


def assert_states(found, losses, weight, counted, groups):
    """The states are those of these losses and weights, by the formulas."""
    assert list(found) == np.unique(groups).tolist()
    losses, weight, counted = (a.reshape(len(groups), -1).astype(np.float64) for a in (losses, weight, counted))
    for label, state in found.items():
        rows = groups == label
        w, count = weight[rows] * counted[rows], counted[rows].sum()
        value = np.where(w != 0, losses[rows], 0)
        least, most = value[w != 0].min(initial=np.inf), value[w != 0].max(initial=-np.inf)
        assert (state.count, state.ignored, state.nonfinite) == (count, w.size - count, 0)
        np.testing.assert_allclose([state.minimum, state.maximum], [least, most], rtol=1e-13, atol=1e-15)
        wanted = [w.sum(), (w * value).sum(), (w**2).sum(), (w**2 * value).sum(), (w**2 * value**2).sum()]
        scale = np.abs(value).max(initial=0)
        tolerance = 1e-13 * np.array([1, scale, 1, scale, scale**2])
        found = [state.weight, state.total, state.square, state.first, state.second]
        assert np.all(np.abs(np.subtract(found, wanted)) <= 1e-11 * np.abs(wanted) + tolerance), label
        sums = (state.weight, state.total, state.square, state.first, state.second)
        lows = (state.weight_low, state.total_low, state.square_low, state.first_low, state.second_low)
        assert all(abs(low) <= math.ulp(high) / 2 for high, low in zip(sums, lows, strict=True))


def assert_alike(found, wanted):
    """The states are the same to the last digit."""
    for name in ("count", "ignored", "nonfinite", "minimum", "maximum"):
        assert getattr(found, name) == getattr(wanted, name), name
    for name in ("weight", "total", "square", "first", "second", "mean", "standard_error"):
        one, other = getattr(found, name), getattr(wanted, name)
        assert abs(one - other) <= math.ulp(other) or (math.isnan(one) and math.isnan(other)), name


def assert_as_alone(loss, y, x, groups, sample_weight=None, mask=None, **options):
    found = loss.states(y, x, groups=groups, sample_weight=sample_weight, mask=mask, **options)
    labels = np.unique(groups)
    assert list(found) == labels.tolist()
    for label in labels:
        rows = np.flatnonzero(groups == label)
        part = {name: a[rows] for name, a in [("sample_weight", sample_weight), ("mask", mask)] if a is not None}
        alone = loss.state(y[rows], x[rows], **part, **options)
        assert_alike(found[label], alone)


# The mapping ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "groups",
    [
        lambda rng: rng.integers(-5, 20, N),
        lambda rng: rng.choice(["north", "south", "west"], N),
        lambda rng: np.rec.fromarrays([rng.integers(0, 3, N), rng.choice(["a", "b"], N)]),
    ],
    ids=["integers", "words", "columns"],
)
def test_the_arrays_are_those_of_the_states(groups):
    y, x = arrays()
    weight = RNG.integers(0, 3, N).astype(float)
    labels = groups(RNG)
    found = fl.SquaredError().states(y, x, groups=labels, sample_weight=weight * (labels != labels[0]))
    one_by_one = [found[label] for label in found]
    assert list(found.values()) == one_by_one
    assert list(found.items()) == list(zip(found.labels, one_by_one, strict=True))
    for name in (
        "count", "ignored", "nonfinite", "minimum", "maximum", "weight", "sum", "mean", "standard_error", "perplexity",
    ):  # fmt: skip
        np.testing.assert_array_equal(getattr(found, name), [getattr(state, name) for state in one_by_one])
    assert np.isnan(found.mean).sum() == np.isnan(found.standard_error).sum() == 1


def test_states_of_groups_are_a_mapping():
    found = fl.SquaredError().states([0.0, 0.0, 0.0], [1.0, 2.0, 4.0], groups=[np.nan, 1.0, 1.0])
    assert found.labels == [1.0, np.nan]
    assert 1.0 in found
    assert 2.0 not in found
    assert len(found) == 2
    assert found[np.nan].total == 1
    assert found == dict(found)
    with pytest.raises(KeyError):
        found[2.0]
    again = pickle.loads(pickle.dumps(fl.SquaredError().states([0.0, 0.0], [1.0, 2.0], groups=["a", "b"])))
    assert again == {
        "a": LossState(1, 0, 0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
        "b": LossState(1, 0, 0, 4.0, 4.0, 1.0, 4.0, 1.0, 4.0, 16.0),
    }
    assert repr(again).startswith("GroupStates({'a': LossState(")
    assert repr(fl.SquaredError().states(*arrays(), groups=np.arange(N))) == "<GroupStates of 1,000 groups>"
    for array in (found.mean, found.count, found.columns["group"]):
        array[:] = 0
    assert found.mean[0] == 10
    assert found.count[0] == 2
    assert found.columns["group"][0] == 1


# Sums ---------------------------------------------------------------------------------------------


def options_of(kind, rng, y, shape):
    """Weights, a mask and missing targets; which elements count; their weights."""
    weight, counted = np.ones(shape), np.ones(shape, bool)
    options = {}
    if "weights" in kind:
        options["sample_weight"] = weight = rng.integers(0, 4, shape) * rng.random(shape)
    if "mask" in kind:
        options["mask"] = counted = rng.random(shape) < 0.7
    if "omit" in kind:
        options["nan_policy"] = "omit"
        missing = rng.random(y.shape) < 0.2
        y[missing] = np.nan
        counted = counted & ~(
            missing.any(axis=-1) if len(shape) < y.ndim else missing.reshape(-1, *[1] * (len(shape) - 1))
        )
    return options, weight, counted


KINDS = ("plain", "weights, mask, omit")


@pytest.mark.parametrize("loss", DEFAULTS, ids=lambda loss: loss.function_name)
@pytest.mark.parametrize("kind", KINDS)
def test_elementwise_losses(loss, kind, either_way):
    rng = generator("states", kind)
    y, x = draw(loss, 300, np.float64, rng)
    y, x = y.astype(np.float64), np.array(x)
    groups = rng.integers(-2, 3, 300)
    if loss.signature.additive:
        losses = loss(y, x, reduction="none")
    else:
        losses = np.array([loss.state(y[i : i + 1], x[i : i + 1]).total for i in range(300)])
    options, weight, counted = options_of(kind, rng, y, losses.shape)
    losses[~counted] = np.nan
    assert_states(loss.states(y, x, groups=groups, **options), losses, weight, counted, groups)


ROWS = [
    (loss, dense)
    for loss in (cls() for cls in registry.values())
    for dense in (False, True)
    if (loss.signature.dense if dense else loss.signature.labels)
]


@pytest.mark.parametrize(("loss", "dense"), ROWS, ids=lambda value: repr(value))
@pytest.mark.parametrize("kind", KINDS)
def test_rowwise_losses(loss, dense, kind, either_way):
    rng = generator("states of rows", kind)
    y, x = draw_rows(loss, 150, 5, np.float64, rng, dense=dense)
    units = np.ones(150)
    parameters = loss.parameters()
    if "class_weight" in parameters:
        weights = np.array([1.0, 2.0, 0.5, 0.0, 3.0])
        loss = replace(loss, class_weight=tuple(weights))
        if loss.function_name != "multilabel_soft_margin":
            units = y @ weights / y.sum(axis=-1, dtype=np.float64) if dense else weights[y]
    counted = np.ones(150, bool)
    if not dense and parameters.get("ignore_index") is not None:
        counted[::7] = False
        y[~counted] = loss.ignore_index
    y = y.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        losses = loss(y, x, reduction="none") / units
    options, weight, chosen = options_of(kind, rng, y, (150,))
    groups = rng.choice(["a", "b", "c"], 150)
    assert_states(loss.states(y, x, groups=groups, **options), losses, weight * units, counted & chosen, groups)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("options", [{"label_smoothing": 0.2}, {"z_loss": 0.1}, {"label_smoothing": 0.1, "z_loss": 1}])
def test_losses_of_a_class_of_weight_0(options, weighted, either_way):
    rng = generator("losses without weight")
    classes = np.array([0.0, 1.0, 2.0, 0.5])
    loss = fl.CrossEntropy(class_weight=tuple(classes), **options)
    y, x, groups = rng.integers(0, 4, 300), rng.normal(size=(300, 4)), rng.integers(0, 5, 300)
    factor = rng.integers(0, 3, 300) * 0.7 if weighted else np.ones(300)
    given = {"sample_weight": factor} if weighted else {}
    losses, weight = loss(y, x, reduction="none"), factor * classes[y]
    assert np.all(losses[y == 0] > 0)

    state = loss.state(y, x, **given)
    mean = (factor * losses).sum() / weight.sum()
    assert state.mean == pytest.approx(mean, rel=1e-14)
    assert state.mean == pytest.approx(loss(y, x, **given), rel=1e-14)
    squares = ((factor * losses - mean * weight) ** 2).sum()
    assert state.standard_error == pytest.approx(
        np.sqrt(state.count / (state.count - 1) * squares) / weight.sum(), rel=1e-12
    )
    units = np.where(classes[y] != 0, losses / np.where(classes[y] != 0, classes[y], 1), losses)[factor != 0]
    assert (state.minimum, state.maximum) == pytest.approx((units.min(), units.max()), rel=1e-15)

    table = loss.states(y, x, groups=groups, **given)
    assert fl.LossState.merge(table.values()).mean == pytest.approx(mean, rel=1e-14)
    for label, one in table.items():
        some = groups == label
        assert one.total == pytest.approx((factor * losses)[some].sum(), rel=1e-14)
        assert one.weight == pytest.approx(weight[some].sum(), rel=1e-14)
    both = loss + 2 * loss
    assert both.state(y, x, **given).mean == pytest.approx(both(y, x, **given), rel=1e-14)


@pytest.mark.parametrize("per", ["element", "row"])
@pytest.mark.parametrize("shape", [(N, 3, 2), (5, 70, 4), (3, 2, 300), (2, 1, 129), (1, 1, 1), (7, 128)])
def test_predictions_of_several_dimensions(per, shape, either_way):
    y, x = arrays(shape)
    weight = RNG.integers(0, 3, shape if per == "element" else shape[:1]).astype(float)
    mask = RNG.random(shape if per == "element" else shape[:1]) < 0.7
    assert_as_alone(fl.AbsoluteError(), y, x, RNG.choice(["b", "a"], shape[0]), weight, mask)
    assert_as_alone(fl.AbsoluteError(), y, x, np.arange(shape[0]) // 2)


@pytest.mark.parametrize("layout", IN_ORDER | REORDERED)
def test_arrays_of_any_layout(layout):
    change = (IN_ORDER | REORDERED)[layout]
    y, x = (change(array) for array in arrays((40, 6)))
    groups = change(RNG.integers(0, 5, 40).astype(np.int32))
    losses = fl.Huber()(y, x, reduction="none")
    ones = np.ones((40, 6))
    assert_states(fl.Huber().states(y, x, groups=groups), losses, ones, ones, np.ascontiguousarray(groups))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int32, ">f8"])
def test_types(dtype):
    y, x = RNG.integers(-9, 9, (2, N))
    assert_as_alone(fl.SquaredError(), y.astype(dtype), x.astype(dtype), RNG.integers(-3, 4, N))


def test_losses_are_not_rounded_to_the_type_of_the_predictions():
    y, x = arrays()
    x, groups = x.astype(np.float32), RNG.integers(-3, 4, N)
    assert_as_alone(fl.SquaredError(), y, x, groups)
    assert fl.SquaredError().states([1e34], np.zeros(1, np.float32), groups=[0])[0].total == 1e34**2
    logits = RNG.normal(size=(N, 3)).astype(np.float32)
    assert_as_alone(fl.CrossEntropy(), RNG.integers(0, 3, N), logits, groups)


def test_what_does_not_count_is_left_out_even_where_it_is_not_finite(either_way):
    y, x = arrays()
    groups = RNG.integers(-3, 4, N)
    x[::5], y[1::5], x[2::5] = np.inf, np.nan, np.nan
    mask = np.ones(N, bool)
    mask[2::5] = False
    weight = RNG.random(N)
    weight[::5] = 0
    assert_as_alone(fl.SquaredError(), y, x, groups, weight, mask, nan_policy="omit")
    states = fl.SquaredError().states(y, x, groups=groups, sample_weight=weight, mask=mask, nan_policy="omit")
    assert all(math.isfinite(value) for state in states.values() for value in astuple(state))
    assert not any(state.nonfinite for state in states.values())
    assert sum(state.count for state in states.values()) == N * 3 / 5


def test_nan_and_infinity_propagate_into_their_group_alone(either_way):
    states = fl.SquaredError().states(
        [np.nan, 0.0, 0.0, 1.0, 0.0], [0.0, np.inf, 1.0, 3.0, 2.0], groups=["nan", "inf", "ok", "ok", "inf"]
    )
    assert math.isnan(states["nan"].mean)
    assert states["inf"].mean == math.inf
    assert states["ok"].mean == 2.5
    assert [state.nonfinite for state in states.values()] == [1, 1, 0]
    assert (states["inf"].minimum, states["inf"].maximum) == (4, math.inf)
    assert (states["nan"].minimum, states["nan"].maximum) == (math.inf, -math.inf)


# Accuracy -----------------------------------------------------------------------------------------


def exact_error(values, weights):
    """The standard error of the mean, rounded at the end."""
    values, weights = list(map(Fraction, values)), list(map(Fraction, weights))
    mean = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
    squares = sum((w * (v - mean)) ** 2 for w, v in zip(weights, values, strict=True))
    square = squares * len(values) / (len(values) - 1) / sum(weights) ** 2
    return math.isqrt(int(square * 4**700)) / 2**700


HARD = {
    "far from 0": (1e8 + RNG.normal(size=N), np.ones(N)),
    "an outlier first": (np.r_[1e12, RNG.random(N - 1)], np.ones(N)),
    "an outlier first, of little weight": (np.r_[1e12, RNG.random(N - 1)], np.r_[1e-11, np.ones(N - 1)]),
    "an outlier last": (np.r_[1 + RNG.random(N - 1), 1e12], np.r_[np.ones(N - 1), 1e-11]),
    "weights that grow": (1e6 + RNG.random(N), 1.03 ** np.arange(N)),
    "weights that shrink": (1e6 + RNG.random(N), 0.97 ** np.arange(N)),
    "a step": (np.r_[np.full(N // 2, 1e6), 1e6 + 1e-3 * RNG.random(N // 2)], np.ones(N)),
    "a slope": (1e7 + np.arange(N), np.ones(N)),
    "of every size": (10.0 ** RNG.uniform(-100, 100, N), np.ones(N)),
    "all the same": (np.full(N, 1 / 3), np.ones(N)),
    "all the same, weighted": (np.full(N, 1 / 3), RNG.random(N)),
    "all so large that squares overflow": (np.full(N, 1e200), np.ones(N)),
}


@pytest.mark.parametrize("case", HARD)
def test_standard_errors_do_not_cancel(case, either_way):
    values, weights = HARD[case]
    groups = np.arange(N) % 2
    states = fl.AbsoluteError().states(np.zeros(N), values, groups=groups, sample_weight=weights)
    plain = fl.AbsoluteError().states(np.zeros(N), values, groups=groups) if np.all(weights == 1) else states
    for group, state in states.items():
        mine = groups == group
        alone = fl.AbsoluteError().state(np.zeros(mine.sum()), values[mine], sample_weight=weights[mine])
        wanted = exact_error(values[mine], weights[mine])
        # The squares about the mean are what is left of those about 0, which are known to 31 digits.
        cancelled = state.second / (state.weight * wanted) ** 2 if wanted else 0.0
        for found in (state.standard_error, plain[group].standard_error, alone.standard_error):
            assert abs(found - wanted) <= (2.0**-52 + 2.0**-98 * cancelled) * wanted


# Threads and sizes --------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.uint64])
def test_same_bits_for_every_number_of_threads(either_way, weighted, dtype):
    y, x = arrays(dtype=np.float32)
    groups = RNG.integers(0, 40, N).astype(dtype)
    weight = RNG.random(N) if weighted else None
    one, *others = (
        fl.Huber().states(y, x, groups=groups, sample_weight=weight, num_threads=k) for k in (1, 2, 3, 7, None)
    )
    assert all(other == one for other in others)
    rows = RNG.normal(size=(N, 3)).astype(np.float32)
    one, *others = (
        fl.CrossEntropy().states(groups.astype(int) % 3, rows, groups=groups, num_threads=k) for k in (1, 2, 3)
    )
    assert all(other == one for other in others)


def test_weights_of_one_change_no_bit(either_way):
    y, x = arrays(dtype=np.float32)
    groups = RNG.integers(0, 40, N)
    plain = fl.Huber().states(y, x, groups=groups)
    assert fl.Huber().states(y, x, groups=groups, sample_weight=np.ones(N)) == plain
    assert fl.Huber().states(y, x, groups=groups, mask=np.ones(N, bool)) == plain


def test_many_groups(monkeypatch):
    monkeypatch.undo()  # chunks of the size that they have
    n, number = 100_000, 30_000
    y, x = arrays((n,), np.float32)
    groups = RNG.integers(0, number, n)
    losses = fl.SquaredError()(y, x, reduction="none").astype(np.float64)
    for step in (1, 10**12, -3):
        one, two, three = (
            fl.SquaredError().states(y, x, groups=groups * step, num_threads=threads) for threads in (1, 2, 3)
        )
        assert one == two == three
        labels = np.unique(groups * step)
        assert list(one) == labels.tolist()
        sums = np.bincount(np.searchsorted(labels, groups * step), losses)
        np.testing.assert_allclose([state.total for state in one.values()], sums, rtol=1e-13)


def test_every_size_about_that_of_a_chunk(monkeypatch):
    for size in (1, 7, 8, 9, 127, 128, 129, 255, 256, 257):
        y, x = arrays((size,))
        assert_as_alone(fl.Huber(), y, x, np.arange(size) % 3)
        assert_as_alone(fl.Huber(), y, x, np.arange(size)[::-1] * 7)


def test_integers_that_the_first_do_not_tell_of(monkeypatch):
    monkeypatch.setattr(_labels, "PIECE", 100)
    lasts = [np.array(last) for last in (5, -5, 10**12, 2**64 - 1)]
    for groups in (
        np.arange(N) // 9,
        -np.arange(N) // 9,
        *(np.r_[np.zeros(N - 1, last.dtype), last] for last in lasts),
    ):
        assert_as_alone(fl.Huber(), *arrays(), groups, RNG.random(N))
        assert_as_alone(fl.Huber(), *arrays(), groups)


def test_an_interrupt_does_not_wait_for_the_end(monkeypatch):
    monkeypatch.undo()
    done = []
    add = compiled.add_to_groups
    monkeypatch.setattr(compiled, "add_to_groups", lambda *given: done.append(add(*given)))
    y, labels = np.broadcast_to(np.float32(1), 1 << 29), np.broadcast_to(np.int8(3), 1 << 29)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            fl.SquaredError().states(y, y, groups=labels)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(done) < y.size // _groups.CHUNK


def test_memory_is_bounded(monkeypatch):
    monkeypatch.undo()
    y, x = np.zeros((2, 4_000_000), np.float32)
    groups = np.arange(y.size) % 1000
    tracemalloc.start()
    try:
        fl.SquaredError().states(y, x, groups=groups)
        fl.SquaredError().states(y[None], x[None], groups=[0])
        assert tracemalloc.get_traced_memory()[1] < 12e6
    finally:
        tracemalloc.stop()


def test_codes_are_bounded_and_lengths_agree():
    table, losses = np.zeros(2 * 4 * 8), np.ones(16)
    codes = np.array([0, 1, 2, 3, -1, 2**62, -(2**63), 5] * 2)
    places, found = np.array([2, 0]), room(2, False)
    columns = tuple(found.values())
    for part, threads in ((8, 1), (0, 1), (0, 3)):
        parts = 2 if part else 1
        compiled.begin_groups(table, 3, parts, False, threads)
        compiled.add_to_groups(table, 3, codes, 0, losses, None, 16, part, threads)
        compiled.publish_groups(table, 3, parts, False, places, columns, threads)
        assert found["count"].tolist() == [2, 2]
    short = np.ones(15)
    for given in (
        (table[:31], 3, codes, 0, losses, None, 16, 0, 1), (table, 3, codes, 0, losses, None, 16, 4, 1),
        (table, 3, codes, 0, short, None, 16, 0, 1), (table, 3, codes, 0, losses, short, 16, 0, 1),
        (table, 3, codes[:5], 0, losses, None, 16, 0, 1), (table, 3, codes[:0], 0, losses, None, 16, 0, 1),
        (table, -1, codes, 0, losses, None, 16, 0, 1), (table, 3, codes, 0, losses[:8].astype("f4"), None, 8, 0, 1),
        (table, 3, codes.astype(complex), 0, losses, None, 16, 0, 1),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"table without room|lengths that do not agree|memory of another type"):
            compiled.add_to_groups(*given)
    flags = np.zeros(3, bool)
    for given in ((table, 3, 3, False), (table, 3, 2, True), (table, 3, 0, False), (table, -1, 2, False)):
        with pytest.raises(ValueError, match="table without room"):
            compiled.begin_groups(*given, 1)
        with pytest.raises(ValueError, match="table without room"):
            compiled.look_at_groups(*given, flags, 1)
        with pytest.raises(ValueError, match="table without room"):
            compiled.publish_groups(*given, places, columns, 1)
    with pytest.raises(ValueError, match="a table that is not aligned"):
        compiled.begin_groups(np.zeros(1000, np.uint8)[1:], 3, 1, False, 1)
    with pytest.raises(ValueError, match="lengths that do not agree"):
        compiled.look_at_groups(table, 3, 2, False, flags[:2], 1)
    for wrong in (np.array([0, 3]), np.array([-1, 0])):
        with pytest.raises(ValueError, match="a place that there is none"):
            compiled.publish_groups(table, 3, 2, False, wrong, columns, 1)
    for given in ((places[:1], columns), (places, (*columns[:7], columns[7][:1]))):
        with pytest.raises(ValueError, match="lengths that do not agree"):
            compiled.publish_groups(table, 3, 2, False, *given, 1)
    for wrong in (columns[::-1], (columns[1], columns[2], *columns[2:])):
        with pytest.raises(ValueError, match="memory of another type"):
            compiled.publish_groups(table, 3, 2, False, places, wrong, 1)
    with pytest.raises(ValueError, match="7 columns of numbers"):
        compiled.publish_groups(table, 3, 2, False, places, columns[:7], 1)
    with pytest.raises(ValueError, match="no integers"):
        compiled.ends_of(codes[:0], True, 1)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_ends_of_integers(dtype):
    info = np.iinfo(dtype)
    codes = RNG.integers(info.min, info.max, 200_000, dtype=dtype, endpoint=True)
    for threads in (1, 2):
        assert compiled.ends_of(codes, info.min < 0, threads) == (codes.min(), codes.max())
        assert compiled.ends_of(codes[:1], info.min < 0, threads) == (codes[0], codes[0])


# Labels -------------------------------------------------------------------------------------------

NUMBERS = {
    "integers": RNG.integers(-3, 4, N),
    "bytes": RNG.integers(-128, 128, N).astype(np.int8),
    "unsigned": RNG.integers(2**64 - 5, 2**64, N, dtype=np.uint64),
    "the ends of 64 bits": RNG.choice([-(2**63), 2**63 - 1, 0], N),
    "far apart": RNG.integers(0, 5, N) * 10**12,
    "floats": RNG.choice([0.5, -1.0, 2.0], N),
    "half floats": RNG.choice([0.5, -1.0, 2.0], N).astype(np.float16),
    "swapped floats": RNG.choice([0.5, -1.0, 2.0], N).astype(">f8"),
    "long floats": RNG.choice([0.5, -1.0, 2.0], N).astype(np.longdouble),
    "bools": RNG.choice([True, False], N),
    "each its own": RNG.permutation(N),
    "every other of some": np.repeat(RNG.integers(0, 9, N), 2)[::2],
    "backwards": RNG.integers(0, 9, N)[::-1],
    "swapped": RNG.integers(-9, 9, N).astype(">i4"),
}
GROUPS = NUMBERS | {
    "strings": RNG.choice(["north", "south", "a"], N),
    "bytes of text": RNG.choice([b"north", b"south", b"a"], N),
    "objects": RNG.choice(["north", "south", "a"], N).astype(object),
}


@pytest.fixture(params=["numpy", "pandas"])
def with_pandas_or_not(request, monkeypatch):
    if request.param == "pandas":
        pytest.importorskip("pandas")
    else:
        monkeypatch.setitem(_labels.sys.modules, "pandas", None)


@pytest.mark.parametrize("groups", GROUPS.values(), ids=GROUPS)
@pytest.mark.parametrize("weighted", [False, True])
def test_groups_of_every_kind(groups, weighted, with_pandas_or_not):
    assert_as_alone(fl.Huber(), *arrays(), groups, RNG.random(N) if weighted else None)


def test_groups_without_elements_that_count_are_there(either_way):
    states = fl.AbsoluteError().states([0.0, 1.0, 2.0], [1.0] * 3, groups=[7, 5, 3], mask=np.array([True, False, True]))
    assert list(states) == [3, 5, 7]
    assert states[5] == LossState(ignored=1)
    states = fl.AbsoluteError().states([0.0, 1.0], [1.0, 2.0], groups=["b", "a"], sample_weight=[0.0, 1.0])
    assert states["b"] == LossState(count=1)


def counts(groups, **options):
    """The number of elements in each group."""
    n = len(groups)
    states = fl.AbsoluteError().states(np.zeros(n), np.ones(n), groups=groups, **options)
    assert all(state.total == state.count for state in states.values())
    return {label: state.count for label, state in states.items()}


def assert_counts(groups, wanted):
    """These counts, in this order; NaN is the last label where the last is given as None."""
    found = counts(groups)
    labels = list(found)
    assert list(found.values()) == list(wanted.values())
    for label, other in zip(labels, wanted, strict=True):
        assert (label is np.nan) if other is None else (label == other and type(label) is type(other)), label


def test_missing_labels_are_one_group(with_pandas_or_not):
    nan = float("nan")
    assert_counts([np.nan, 1.0, np.nan], {1.0: 1, None: 2})
    assert_counts(np.array([float("nan"), "a", nan, None], object), {"a": 1, None: 3})
    assert_counts(["b", nan, "a", "a"], {"a": 2, "b": 1, None: 1})
    assert_counts([nan, nan], {None: 2})
    days = np.array(["2024-01-02", "NaT", "2024-01-01", "NaT"], "M8[D]")
    assert_counts(days, {days[2]: 1, days[0]: 1, None: 2})
    assert_counts(days - days[0], {days[2] - days[0]: 1, days[0] - days[0]: 1, None: 2})


def test_dates_are_groups():
    days = np.datetime64("2024-01-01") + RNG.integers(0, 3, N)
    for unit in ("D", "ns"):
        found = counts(days.astype(f"M8[{unit}]"))
        assert list(found) == np.unique(days).astype(f"M8[{unit}]").tolist() or list(found) == list(np.unique(days))
        assert list(found.values()) == np.unique(days, return_counts=True)[1].tolist()


def test_labels_that_do_not_compare_are_sorted_by_their_text():
    assert_counts(np.array(["b", 2, (1, 2), "a", 2], object), {(1, 2): 1, 2: 2, "a": 1, "b": 1})


def test_fields_of_structured_arrays_are_columns():
    both = np.array([("b", 2), ("a", 2), ("b", 1), ("a", 2)], [("site", "U3"), ("day", "i4")])
    assert_counts(both, {("a", 2): 2, ("b", 1): 1, ("b", 2): 1})


def test_many_columns(monkeypatch):
    columns = [RNG.integers(0, 4, N) * 10**10 for _ in range(3)] + [RNG.choice(["x", "y"], N)]
    table = np.rec.fromarrays(columns)
    wanted = {}
    for row in zip(*(column.tolist() for column in columns), strict=True):
        wanted[row] = wanted.get(row, 0) + 1
    wanted = dict(sorted(wanted.items()))
    for limits in ({}, {"RANGE": 10}, {"RANGE": 10, "LIMIT": 20}):
        for name, value in limits.items():
            monkeypatch.setattr(_labels, name, value)
        found = counts(table)
        assert found == wanted
        assert list(found) == list(wanted)


def test_pandas():
    pd = pytest.importorskip("pandas")
    assert_counts(pd.Series([3, 1, 3]), {1: 1, 3: 2})
    assert_counts(pd.Series([10**15, 1, 10**15]), {1: 1, 10**15: 2})
    assert_counts(pd.Series([3, None, 3], dtype="Int64"), {3: 2, None: 1})
    assert_counts(pd.Series(["b", "a", None, "b"]), {"a": 1, "b": 2, None: 1})
    assert_counts(pd.Series(["b", "a", None, pd.NA], dtype=object), {"a": 1, "b": 1, None: 2})
    assert_counts(np.array(["b", pd.NA, None, "b"], object), {"b": 2, None: 2})
    assert_counts(pd.Index([2.5, np.nan, 1.0]), {1.0: 1, 2.5: 1, None: 1})
    assert_counts(pd.Categorical(["b", "a", None, "b"], categories=["c", "b", "a"]), {"a": 1, "b": 2, None: 1})
    assert_counts(pd.Series(["b", "a", "b"], dtype="category"), {"a": 1, "b": 2})
    days = pd.Series(pd.to_datetime(["2024-01-02", "2024-01-01", None, "2024-01-02"]))
    assert_counts(days, {days[1]: 1, days[0]: 2, None: 1})
    assert_counts(days.dt.tz_localize("UTC"), {days[1].tz_localize("UTC"): 1, days[0].tz_localize("UTC"): 2, None: 1})
    table = pd.DataFrame({"site": ["b", "a", None, "b"], "day": [1, 2, 2, 1]}, index=[5, 5, 6, 7])
    wanted = {("a", 2): 1, ("b", 1): 2, (np.nan, 2): 1}
    assert_counts(table, wanted)
    assert_counts(pd.MultiIndex.from_frame(table), wanted)
    assert_counts(table.set_axis(["one", "one"], axis=1), wanted)


def test_polars():
    pl = pytest.importorskip("polars")
    assert_counts(pl.Series([3, 1, 3]), {1: 1, 3: 2})
    assert_counts(pl.Series([3, None, 3]), {3: 2, None: 1})
    assert_counts(pl.Series(["b", "a", None, "b"]), {"a": 1, "b": 2, None: 1})
    assert_counts(pl.Series(["b", "a", None, "b"], dtype=pl.Categorical), {"a": 1, "b": 2, None: 1})
    assert_counts(pl.Series(["b", "a", "b"], dtype=pl.Enum(["c", "b", "a"])), {"a": 1, "b": 2})
    assert_counts(pl.Series([2.5, float("nan"), None, 1.0]), {1.0: 1, 2.5: 1, None: 2})
    assert_counts(pl.Series([True, False, True]), {False: 1, True: 2})
    days = pl.Series(["2024-01-02", "2024-01-01", "2024-01-02"]).str.to_date()
    assert_counts(days, {days[1]: 1, days[0]: 2})
    table = pl.DataFrame({"site": ["b", "a", None, "b"], "day": [1, 2, 2, 1]})
    assert_counts(table, {("a", 2): 1, ("b", 1): 2, (np.nan, 2): 1})


def test_arrow():
    pa = pytest.importorskip("pyarrow")
    assert_counts(pa.array([3, 1, 3]), {1: 1, 3: 2})
    assert_counts(pa.chunked_array([[3], [1, 3], []]), {1: 1, 3: 2})
    assert_counts(pa.array([3, None, 3]), {3: 2, None: 1})
    assert_counts(pa.chunked_array([["b", "a"], [None, "b"]]), {"a": 1, "b": 2, None: 1})
    assert_counts(pa.array(["b", "a", None, "b"]).dictionary_encode(), {"a": 1, "b": 2, None: 1})
    same = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3, None], pa.uint8()), ["b", "a", "b", None])
    assert_counts(same, {"a": 1, "b": 2, None: 2})
    assert_counts(pa.array([2.5, float("nan"), None, 1.0]), {1.0: 1, 2.5: 1, None: 2})
    days = pa.array([19724, 19723, 19724], pa.date32())
    assert_counts(days, {days[1].as_py(): 1, days[0].as_py(): 2})
    table = pa.table({"site": ["b", "a", None, "b"], "day": [1, 2, 2, 1]})
    assert_counts(table, {("a", 2): 1, ("b", 1): 2, (np.nan, 2): 1})


def test_nothing():
    assert fl.Huber().states([], [], groups=[]) == {}
    assert fl.Huber().states([], [], groups=np.array([], "U3")) == {}
    assert fl.Huber().states([], [], groups=np.array([], [("a", "i4")])) == {}
    nothing = np.zeros((3, 0))
    assert fl.SquaredError().states(nothing, nothing, groups=[4, 1, 4]) == {1: LossState(), 4: LossState()}
    assert fl.SquaredError().states(nothing, nothing, groups=["b", "a", "b"]) == {"a": LossState(), "b": LossState()}


# Errors and states --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"groups": np.zeros(3)}, r"Huber: groups has shape \(3,\), must be \(1000,\)"),
        ({"groups": np.zeros((N, 2))}, r"Huber: groups has shape \(1000, 2\), must have one axis"),
        ({"groups": 1}, r"Huber: groups has shape \(\), must have one axis"),
        ({"y_true": np.zeros(3)}, r"Huber: y_true has shape \(3,\)"),
        ({"sample_weight": np.r_[np.ones(N - 1), -1.0]}, r"Huber: sample_weight\[999\] is -1.0, must be finite"),
        ({"y_true": np.r_[np.ones(700), np.full(300, np.nan)], "nan_policy": "raise"}, r"y_true\[700\] is nan"),
        ({"y_true": 1.0, "y_pred": 1.0, "groups": 1}, "first axis"),
        ({"nan_policy": "no"}, "nan_policy is 'no'"),
    ],
)
def test_errors_name_the_element_of_the_whole(changed, message):
    given = {"y_true": np.zeros(N), "y_pred": np.zeros(N), "groups": NUMBERS["integers"], **changed}
    with pytest.raises(ValueError, match=message):
        fl.Huber().states(given.pop("y_true"), given.pop("y_pred"), **given)


def test_errors_name_the_row_of_the_whole():
    labels = np.zeros(N, int)
    labels[900] = 7
    with pytest.raises(IndexError, match=r"CrossEntropy: y_true\[900\] is 7, must be a class from 0 to 2"):
        fl.CrossEntropy().states(labels, np.zeros((N, 3)), groups=labels)


def test_a_state_is_a_frozen_dataclass_of_numbers():
    state = LossState(1, weight=2.0, second_low=6.0)
    assert astuple(state) == (1, 0, 0, math.inf, -math.inf, 2, *[0] * 8, 6)
    assert [field.name for field in fields(state)] == list(FIELDS)
    assert repr(state).startswith("LossState(count=1, ignored=0, nonfinite=0, minimum=inf, maximum=-inf, weight=2.0, ")
    assert (
        state == replace(state) == copy.deepcopy(state) == pickle.loads(pickle.dumps(state)) != replace(state, count=9)
    )
    assert len({state, copy.copy(state)}) == 1
    with pytest.raises(FrozenInstanceError):
        state.count = 2.0
    with pytest.raises(TypeError):
        LossState(1, number=2)
    with pytest.raises((AttributeError, TypeError)):
        object.__setattr__(state, "other", 2.0)


def test_the_collector_of_garbage_is_not_troubled_with_states():
    states = fl.AbsoluteError().states(np.zeros(N), np.ones(N), groups=np.arange(N))
    gc.collect()
    assert not any(map(gc.is_tracked, states.values()))


def test_what_does_not_count_leaves_the_precision_of_its_neighbours():
    y, x = np.zeros(3, np.float32), np.array([2.00005, np.inf, 1.5], np.float32)
    mask, loss = np.array([True, False, True]), fl.SquaredEpsilonInsensitive(epsilon=2.0)
    groups = loss.states(y, x, groups=np.zeros(3), mask=mask)
    assert groups[0] == loss.state(y, x, mask=mask)
