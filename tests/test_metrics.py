"""Metrics that are no losses: scikit-learn's numbers, also of weights, several outputs and constant targets."""

import numpy as np
import pytest

import fastloss as fl
from fastloss import metrics as ours

metrics = pytest.importorskip("sklearn.metrics")
NAMES = ours.__all__


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.mark.parametrize("shape", [(2,), (41,), (40, 3), (40, 1)])
@pytest.mark.parametrize("weighted", [False, True])
def test_scikit_learns_number(name, shape, weighted):
    rng = np.random.default_rng(len(name))
    y, x = rng.standard_normal((2, *shape))
    w = rng.integers(0, 4, shape[0]).astype(float) if weighted else None
    if weighted:
        w[0] = 2.0
    found = getattr(fl, name)(y, x, sample_weight=w)
    assert type(found) is float
    assert found == pytest.approx(getattr(metrics, name)(y, x, sample_weight=w), rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("name", ["r2_score", "explained_variance_score"])
def test_constant_targets(name):
    y = np.array([[1.0, 2.0, 1.0], [1.0, 3.0, 1.0], [1.0, 4.0, 1.0]])
    x = np.array([[1.0, 2.0, 1.0], [1.0, 3.0, 2.0], [1.0, 5.0, 1.0]])
    assert getattr(fl, name)(y, x) == pytest.approx(getattr(metrics, name)(y, x), rel=1e-14)


def test_one_target_has_no_variance():
    with pytest.warns(RuntimeWarning, match="r2_score: of fewer than 2 targets") as caught:
        assert np.isnan(fl.r2_score([1.0], [2.0]))
    assert caught[0].filename == __file__
    assert fl.explained_variance_score([1.0], [2.0]) == 1


@pytest.mark.parametrize("dtype", ["f2", "f4", "i4", ">f8"])
def test_other_types(name, dtype):
    y, x = np.arange(6).astype(dtype), np.array([0, 1, 2, 3, 4, 7], "f4")
    assert getattr(fl, name)(y, x) == pytest.approx(getattr(metrics, name)(np.arange(6), x.astype(float)), rel=1e-12)


def test_a_missing_value_is_nan(name):
    assert np.isnan(getattr(fl, name)([0.0, np.nan, 2.0], [1.0, 2.0, 3.0]))
    assert np.isnan(getattr(fl, name)([0.0, np.nan, 2.0], [1.0, 2.0, 3.0], sample_weight=[1, 1, 1]))


@pytest.mark.parametrize(
    "y, x, options, text",
    [
        ([0.0], [0.0, 1.0], {}, r"y_true has shape \(1,\), must match y_pred's \(2,\)"),
        ([], [], {}, r"y_true has shape \(0,\), must be \(n,\) or \(n, outputs\), and not empty"),
        (np.zeros((2, 2, 2)), np.zeros((2, 2, 2)), {}, r"y_true has shape \(2, 2, 2\), must be"),
        ([0.0, 1.0], [0.0, 1.0], {"sample_weight": [1.0]}, r"sample_weight has shape \(1,\), must be \(2,\)"),
        ([0.0, 1.0], [0.0, 1.0], {"sample_weight": [1.0, -1.0]}, "sample_weight"),
    ],
)
def test_bad_input(name, y, x, options, text):
    with pytest.raises(ValueError, match=text):
        getattr(fl, name)(y, x, **options)


def test_text_is_refused(name):
    with pytest.raises(TypeError, match=f"^{name}: y_true has dtype <U1, must be a real number type"):
        getattr(fl, name)(["a", "b"], [0.0, 1.0])
