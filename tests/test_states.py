"""Loss.states against the state of each group's elements alone."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest

import fastloss as fl
from fastloss import _groups

RNG = np.random.default_rng(0)
N = 1000


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(_groups, "CHUNK", 128)


def arrays(shape=(N,), dtype=np.float64):
    return RNG.normal(size=shape).astype(dtype), RNG.normal(size=shape).astype(dtype)


def assert_as_alone(loss, y, x, groups, sample_weight=None, mask=None, **options):
    found = loss.states(y, x, groups=groups, sample_weight=sample_weight, mask=mask, **options)
    labels = np.unique(groups)
    assert list(found) == labels.tolist()
    for label in labels:
        rows = np.flatnonzero(groups == label)
        part = {name: a[rows] for name, a in [("sample_weight", sample_weight), ("mask", mask)] if a is not None}
        alone = loss.state(y[rows], x[rows], **part, **options)
        np.testing.assert_allclose(astuple(found[label]), astuple(alone), rtol=1e-11, atol=1e-13)


GROUPS = {
    "integers": RNG.integers(-3, 4, N),
    "bytes": RNG.integers(-128, 128, N).astype(np.int8),
    "unsigned": RNG.integers(2**64 - 5, 2**64, N, dtype=np.uint64),
    "far apart": RNG.integers(0, 5, N) * 10**12,
    "strings": RNG.choice(["north", "south", "a"], N),
    "objects": RNG.choice(["north", "south", "a"], N).astype(object),
    "floats": RNG.choice([0.5, -1.0, 2.0], N),
    "bools": RNG.choice([True, False], N),
    "each its own": RNG.permutation(N),
}


@pytest.mark.parametrize("groups", GROUPS.values(), ids=GROUPS)
@pytest.mark.parametrize("weighted", [False, True])
def test_groups_of_every_kind(groups, weighted):
    assert_as_alone(fl.Huber(), *arrays(), groups, RNG.random(N) if weighted else None)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int32, ">f8"])
def test_types(dtype):
    y, x = RNG.integers(-9, 9, (2, N))
    assert_as_alone(fl.SquaredError(), y.astype(dtype), x.astype(dtype), GROUPS["integers"])


@pytest.mark.parametrize("per", ["element", "row"])
def test_predictions_of_several_dimensions(per):
    shape = (N, 3, 2)
    weight = RNG.integers(0, 3, shape if per == "element" else N).astype(float)
    mask = RNG.random(shape if per == "element" else N) < 0.7
    assert_as_alone(fl.AbsoluteError(), *arrays(shape), GROUPS["strings"], weight, mask)


def test_what_does_not_count_is_left_out_even_where_it_is_not_finite():
    y, x = arrays()
    x[::5], y[1::5], x[2::5] = np.inf, np.nan, np.nan
    mask = np.ones(N, bool)
    mask[2::5] = False
    weight = RNG.random(N)
    weight[::5] = 0
    assert_as_alone(fl.SquaredError(), y, x, GROUPS["integers"], weight, mask, nan_policy="omit")
    states = fl.SquaredError().states(
        y, x, groups=GROUPS["integers"], sample_weight=weight, mask=mask, nan_policy="omit"
    )
    assert all(math.isfinite(value) for state in states.values() for value in astuple(state))
    assert sum(state.count for state in states.values()) == N * 3 / 5


def test_nan_and_infinity_propagate_into_their_group_alone():
    states = fl.SquaredError().states(
        [np.nan, 0.0, 0.0, 1.0], [0.0, np.inf, 1.0, 3.0], groups=["nan", "inf", "ok", "ok"]
    )
    assert math.isnan(states["nan"].mean)
    assert states["inf"].mean == math.inf
    assert states["ok"].mean == 2.5


def test_spread_does_not_cancel():
    y = np.zeros(N)
    x = 1e8 + RNG.normal(size=N)
    assert_as_alone(fl.AbsoluteError(), y, x, GROUPS["integers"])


def test_groups_without_elements_that_count_are_there():
    states = fl.AbsoluteError().states([0.0, 1.0], [1.0, 1.0], groups=[7, 5], mask=np.array([True, False]))
    assert list(states) == [5, 7]
    assert states[5] == fl.AbsoluteError().state([], [])


def test_missing_labels_are_one_group():
    for groups in ([np.nan, 1.0, np.nan], np.array([float("nan"), "a", float("nan")], object)):
        states = fl.AbsoluteError().states([0.0, 0.0, 0.0], [1.0, 2.0, 3.0], groups=groups)
        assert [state.count for state in states.values()] == [1, 2]
        assert math.isnan(list(states)[-1])
    dates = np.array(["2024-01-02", "NaT", "2024-01-01", "NaT"], "M8[D]")
    states = fl.AbsoluteError().states([0.0] * 4, [1.0] * 4, groups=dates)
    assert [state.count for state in states.values()] == [1, 1, 2]


def test_nothing():
    assert fl.Huber().states([], [], groups=[]) == {}
    assert fl.Huber().states([], [], groups=np.array([], "U3")) == {}


def test_same_bits_for_every_number_of_threads():
    y, x = arrays(dtype=np.float32)
    one, two = (fl.Huber().states(y, x, groups=GROUPS["integers"], num_threads=k) for k in (1, 2))
    assert one == two


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"groups": np.zeros(3)}, r"Huber: groups has shape \(3,\), must be \(1000,\)"),
        ({"y_true": np.zeros(3)}, r"Huber: y_true has shape \(3,\)"),
        ({"sample_weight": np.r_[np.ones(N - 1), -1.0]}, r"Huber: sample_weight\[999\] is -1.0, must be finite"),
        ({"y_true": np.r_[np.ones(700), np.full(300, np.nan)], "nan_policy": "raise"}, r"y_true\[700\] is nan"),
        ({"y_true": 1.0, "y_pred": 1.0, "groups": 1}, "first axis"),
        ({"nan_policy": "no"}, "nan_policy is 'no'"),
    ],
)
def test_errors_name_the_element_of_the_whole(changed, message):
    given = {"y_true": np.zeros(N), "y_pred": np.zeros(N), "groups": GROUPS["integers"], **changed}
    with pytest.raises(ValueError, match=message):
        fl.Huber().states(given.pop("y_true"), given.pop("y_pred"), **given)
