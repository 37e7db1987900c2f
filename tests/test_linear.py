"""Linear objectives: values, derivatives and fits against NumPy, finite differences and scikit-learn."""

import copy
import math
import pickle
import signal
import threading
import tracemalloc
from functools import cache

import ml_dtypes
import numpy as np
import pytest

import fastloss as fl
from fastloss import LinearObjective
from fastloss._core.loss import RAW
from fastloss.linear import solvers
from tests.inputs import draw
from tests.support import DEFAULTS, ROW_LOSSES, additive, assert_same_bits, fresh, generator, spaced, unaligned
from tests.test_threads import FENV, ROUNDING

linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
scipy_optimize = pytest.importorskip("scipy.optimize")
import scipy.sparse  # noqa: E402
from sklearn import datasets  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

ONE_PREDICTION = [loss for loss in additive(DEFAULTS) if loss.signature.single]
OF_CLASSES = [
    fl.CrossEntropy(),
    fl.CrossEntropy(label_smoothing=0.2, temperature=2.0),
    fl.CrossEntropy(class_weight=(1.0, 0.5, 2.0, 0.0, 1.5, 1.0, 3.0), label_smoothing=0.1, ignore_index=2),
    fl.CrossEntropy(softcap=3.0, z_loss=0.1),
    *(
        loss
        for loss in ROW_LOSSES
        if loss.signature.labels and loss.scores in RAW and not isinstance(loss, fl.CrossEntropy)
    ),
]
LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "rows of a larger array": lambda X: np.pad(X, ((2, 1), (3, 5)), constant_values=np.nan)[2:-1, 3:-5],
    "columns of a larger array": lambda X: np.pad(X.T, ((2, 1), (3, 5)), constant_values=np.nan)[2:-1, 3:-5].T,
    "backwards": lambda X: np.ascontiguousarray(X[::-1])[::-1],
    "unaligned to the cache": lambda X: np.concatenate([[0], X.ravel()]).astype(X.dtype)[1:].reshape(X.shape),
    "CSR": scipy.sparse.csr_array,
    "CSR of wide indices": lambda X: wide(scipy.sparse.csr_array(X)),
}


def wide(X):
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def problem(loss, n, columns, dtype, rng):
    """Features, targets of the loss's domain, weights, and coefficients whose predictions are in its domain."""
    y, _ = draw(loss, n, np.float64, rng)
    X = rng.normal(size=(n, columns)).astype(dtype)
    X[:, 1::3] *= rng.random((n, len(range(1, columns, 3)))) < 0.5
    w = rng.normal(size=columns) / math.sqrt(columns)
    low, high = loss.domains()[1].low, loss.domains()[1].high
    if low > -math.inf:
        X, w = np.abs(X) / 10, np.abs(w) / (columns if high < math.inf else 1)
    b = 0.25 if low > -math.inf else -0.1
    weight = rng.random(n) * (rng.random(n) < 0.9)
    return X, y.astype(dtype), weight, np.append(w, b)


def textbook(loss, X, y, weight, coef, direction):
    """The means by their formulas, in float64, from the loss's own derivatives in the predictions."""
    X = np.asarray(X, np.float64)
    ones = np.column_stack([X, np.ones(len(X))])
    x = ones @ coef
    y = np.asarray(y, np.float64)
    values = loss(y, x, sample_weight=weight, reduction="none")
    grad, hess = loss.grad_and_hess(y, x, sample_weight=weight, reduction="sum")
    return (
        math.fsum(values) / math.fsum(weight),
        *(part / weight.sum() for part in (ones.T @ grad, (ones**2).T @ hess, ones.T @ (hess * (ones @ direction)))),
        [np.abs(ones).T @ np.abs(grad) / weight.sum(), (ones**2).T @ np.abs(hess) / weight.sum()],
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", ONE_PREDICTION, ids=repr)
def test_every_loss_against_its_formulas(loss, dtype):
    rng = generator(loss, dtype)
    X, y, weight, coef = problem(loss, 700, 11, dtype, rng)
    direction = rng.normal(size=coef.size)
    value, grad, hess, product, (scale, bend) = textbook(loss, X, y, weight, coef, direction)
    objective = LinearObjective(loss, X, y, sample_weight=weight)
    tolerance = 1e-13 if dtype == np.float64 else 1e-4  # a step of the loss may lie between two float32 predictions
    if dtype == np.float32 and isinstance(loss, (fl.ZeroOne, fl.Slide)):
        tolerance = 1e-2
    assert objective(coef) == pytest.approx(value, rel=tolerance, abs=tolerance)
    found_value, found = objective.value_and_grad(coef)
    assert found_value == objective(coef)
    assert_same_bits(found, objective.grad(coef))
    assert np.all(np.abs(found - grad) <= 30 * tolerance * (scale + tolerance))
    if isinstance(loss, fl.Slide):
        return  # its steps depend on a neighbourhood
    found, found_hess = objective.grad_and_hess(coef)
    assert np.all(np.abs(found - grad) <= 30 * tolerance * (scale + tolerance))
    assert np.all(np.abs(found_hess - hess) <= 100 * tolerance * (bend + 1))
    assert np.all(np.abs(objective.hessp(coef, direction) - product) <= 1000 * tolerance * (bend.max() + 1))


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (17, 1), (100, 7), (513, 8), (1300, 33), (70, 600), (9, 9000)])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_and_layouts(shape, layout, dtype):
    rng = generator(shape, dtype)
    X, y, weight, coef = problem(fl.LogCosh(), *shape, dtype, rng)
    direction = rng.normal(size=coef.size)
    value, grad, hess, product, (scale, bend) = textbook(fl.LogCosh(), X, y, weight + 0.1, coef, direction)
    objective = LinearObjective(fl.LogCosh(), LAYOUTS[layout](X), y, sample_weight=weight + 0.1)
    tolerance = 1e-13 if dtype == np.float64 else 3e-5
    assert objective(coef) == pytest.approx(value, rel=tolerance)
    assert np.allclose(objective.grad(coef), grad, rtol=0, atol=tolerance * scale.max())
    assert np.allclose(objective.grad_and_hess(coef)[1], hess, rtol=0, atol=10 * tolerance * bend.max())
    assert np.allclose(objective.hessp(coef, direction), product, rtol=0, atol=100 * tolerance * (bend.max() + 1))


@pytest.mark.parametrize("intercept", [True, False])
def test_derivatives_by_finite_differences(intercept):
    rng = generator("differences")
    X, y, weight, coef = problem(fl.PoissonNLL(), 300, 5, np.float64, rng)
    coef = coef[: 5 + intercept]
    objective = LinearObjective(
        fl.PoissonNLL(), X, y, sample_weight=weight, l1=0.3, l2=0.7, fit_intercept=intercept
    )  # fmt: skip
    step = 1e-5 * np.eye(coef.size)
    numeric = [(objective(coef + h) - objective(coef - h)) / 2e-5 for h in step]
    assert np.allclose(objective.grad(coef), numeric, rtol=1e-8, atol=1e-8)
    rows = np.array([(objective.grad(coef + h) - objective.grad(coef - h)) / 2e-5 for h in step])
    v = rng.normal(size=coef.size)
    assert np.allclose(objective.hessp(coef, v), rows @ v, rtol=1e-7, atol=1e-7)
    assert np.allclose(objective.grad_and_hess(coef)[1], np.diag(rows), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", OF_CLASSES, ids=repr)
def test_losses_of_classes(loss, dtype, layout):
    rng = generator(loss, dtype)
    n, columns, classes = 203, 11, 7
    X, y = rng.normal(size=(n, columns)).astype(dtype), rng.integers(0, classes, n)
    weight, coef = rng.random(n) * (rng.random(n) < 0.8), rng.normal(size=(classes, columns + 1)) / 3
    objective = LinearObjective(loss, LAYOUTS[layout](X), y, sample_weight=weight, l2=0.1, n_classes=classes)
    ones = np.column_stack([X, np.ones(n)]).astype(np.float64)
    w = coef * (np.arange(columns + 1) < columns)
    value, grad = loss.value_and_grad(y, ones @ coef.T, sample_weight=weight)
    hess = loss.grad_and_hess(y, ones @ coef.T, sample_weight=weight)[1]
    tolerance = 1e-14 if dtype == np.float64 else 1e-5
    found, found_grad = objective.value_and_grad(coef.ravel())
    assert found == pytest.approx(value + 0.05 * np.sum(w**2), rel=10 * tolerance)
    assert objective(coef.ravel()) == found
    assert np.allclose(found_grad, (grad.T @ ones + 0.1 * w).ravel(), rtol=0, atol=tolerance)
    flat = np.arange(columns + 1) < columns
    found_hess = objective.grad_and_hess(coef.ravel())[1]
    assert np.allclose(found_hess, (hess.T @ ones**2 + 0.1 * flat).ravel(), rtol=0, atol=10 * tolerance)
    direction = rng.normal(size=coef.size)
    if not isinstance(loss, fl.CrossEntropy) or loss.softcap or loss.z_loss:
        with pytest.raises(TypeError, match="must for hessp be CrossEntropy without softcap and z_loss"):
            objective.hessp(coef.ravel(), direction)
        return
    step = 1e-6 if dtype == np.float64 else 1e-2
    ends = [objective.grad(coef.ravel() + s * step * direction) for s in (-1, 1)]
    product = (ends[1] - ends[0]) / (2 * step)
    found = objective.hessp(coef.ravel(), direction)
    assert np.allclose(found, product, rtol=0, atol=1e-8 if dtype == np.float64 else 1e-3)


@pytest.mark.parametrize("classes", [2, 8, 33, 170, 400])
def test_numbers_of_classes(classes):
    rng = generator(classes)
    X, y = rng.normal(size=(150, 9)), rng.integers(0, classes, 150)
    coef = rng.normal(size=(classes, 9))
    value, grad = fl.CrossEntropy().value_and_grad(y, X @ coef.T)
    objective = LinearObjective(fl.CrossEntropy(), X, y, fit_intercept=False, n_classes=classes)
    found, found_grad = objective.value_and_grad(coef.ravel())
    assert found == pytest.approx(value, rel=1e-14)
    assert np.allclose(found_grad, (grad.T @ X).ravel(), rtol=0, atol=1e-15)
    for threads in (2, 5):
        assert_same_bits(objective.grad(coef.ravel(), num_threads=threads), found_grad)


@pytest.mark.parametrize("kind", ["i8", "u1", "f4", ">f8", ml_dtypes.bfloat16])
def test_the_largest_label_says_how_many_classes(kind):
    y = np.array([0, 6, 2, 1, 3]).astype(kind)
    assert LinearObjective(fl.CrossEntropy(), np.ones((5, 2)), y).n_classes == 7


def test_labels_of_rows_that_do_not_count_are_no_classes():
    y, weight = np.array([0.0, 255, 2, 9, math.nan]), np.array([1, 1, 1, 0, 0])
    objective = LinearObjective(fl.CrossEntropy(ignore_index=255), np.ones((5, 2)), y, sample_weight=weight)
    assert objective.n_classes == 3
    assert objective(np.zeros(9)) == pytest.approx(math.log(3))


def test_a_label_between_two_classes_counts_both():
    y, X = np.array([0.0, 2.5]), np.array([[1.0], [2.0]])
    objective = LinearObjective(fl.DistributionFocalLoss(), X, y, fit_intercept=False)
    assert objective.n_classes == 4
    coef = np.array([0.1, -0.3, 0.2, 0.4])
    assert objective(coef) == pytest.approx(fl.DistributionFocalLoss()(y, X * coef))


def test_penalties():
    X, y = np.array([[1.0, 2.0], [-1.0, 0.5]]), np.array([1.0, 0.0])
    plain = LinearObjective(fl.SquaredError(), X, y)
    objective = LinearObjective(fl.SquaredError(), X, y, l1=0.5, l2=3.0)
    w = np.array([0.2, -0.4, 7.0])
    assert objective(w) == pytest.approx(plain(w) + 0.5 * 0.6 + 1.5 * 0.2)
    assert np.allclose(objective.grad(w), plain.grad(w) + np.array([1.1, -1.7, 0]))
    # At zero, the least subgradient: it vanishes where the loss pulls less than l1.
    at = np.array([0.0, 0.0, 0.5])
    pull = plain.grad(at)
    assert np.allclose(pull, [-1.0, -0.75, 0.0])
    assert np.allclose(LinearObjective(fl.SquaredError(), X, y, l1=0.8).grad(at), [-0.2, 0, 0])


def test_weights_select():
    """A row of weight 0 takes no part, whatever it holds."""
    X, y, weight = np.ones((20, 3)), np.zeros(20), np.ones(20)
    X[4], y[9], weight[[4, 9]] = np.inf, np.nan, 0
    w = np.array([1.0, 2.0, 3.0, 4.0])
    for layout in ("C", "Fortran", "CSR"):
        objective = LinearObjective(fl.SquaredError(), LAYOUTS[layout](X), y, sample_weight=weight)
        assert objective(w) == 100
        assert np.array_equal(objective.grad(w), [20, 20, 20, 20])
        assert np.array_equal(objective.grad_and_hess(w)[1], [2, 2, 2, 2])
        assert np.array_equal(objective.hessp(w, np.ones(4)), [8, 8, 8, 8])
        objective = LinearObjective(fl.CrossEntropy(), LAYOUTS[layout](X), np.arange(20) % 2, sample_weight=weight)
        assert np.allclose(objective.grad(np.zeros(8)), 0)
        assert np.isfinite(objective.hessp(np.zeros(8), np.ones(8))).all()
    kept = np.delete(np.arange(20), [4, 9])
    assert LinearObjective(fl.SquaredError(), X[kept], y[kept])(w) == 100


def test_weights_are_repetitions():
    rng = generator("repetitions")
    X, y, _, coef = problem(fl.BinaryCrossEntropyWithLogits(), 50, 4, np.float64, rng)
    times = rng.integers(0, 4, 50)
    weighted = LinearObjective(fl.BinaryCrossEntropyWithLogits(), X, y, sample_weight=times)
    repeated = LinearObjective(fl.BinaryCrossEntropyWithLogits(), np.repeat(X, times, axis=0), np.repeat(y, times))
    assert weighted(coef) == pytest.approx(repeated(coef), rel=1e-14)
    assert np.allclose(weighted.grad(coef), repeated.grad(coef), rtol=1e-13)


# Compressed rows ----------------------------------------------------------------------------------


def rows_of(data, indices, indptr, columns=3):
    """A CSR matrix of just these arrays, which SciPy is not asked to check."""
    X = scipy.sparse.csr_array((len(indptr) - 1, columns))
    X.data, X.indices, X.indptr = data, indices, indptr
    return X


DATA = np.array([1.0, 2.0, 3.0, 4.0])
INDICES = np.array([2, 0, 1, 2], np.int32)
INDPTR = np.array([0, 1, 1, 4], np.int32)


@pytest.mark.parametrize("classes", [None, 3])
def test_entries_of_one_column_add_up(classes):
    """In any order, and of no matter how many: also where they cancel, and where the derivative is infinite."""
    X = rows_of(
        np.array([1.0, 5.0, 1.0, 3.0, -3.0, 0.0]), np.array([2, 0, 2, 1, 1, 1], np.int32), np.array([0, 3, 6], np.int32)
    )
    y, loss = np.array([0, 2]), fl.SquaredError() if classes is None else fl.CrossEntropy()
    objective = LinearObjective(loss, X, y, fit_intercept=False, n_classes=classes)
    dense = LinearObjective(loss, X.toarray(), y, fit_intercept=False, n_classes=classes)
    coef = np.linspace(-1, 1, objective.size)
    assert objective(coef) == dense(coef)
    for found, wanted in zip(objective.grad_and_hess(coef), dense.grad_and_hess(coef), strict=True):
        assert np.allclose(found, wanted, rtol=1e-15)
    for e in np.eye(coef.size):
        assert np.allclose(objective.hessp(coef, e), dense.hessp(coef, e), rtol=1e-15, atol=1e-16)


def test_what_is_squared_is_the_sum_of_entries():
    X = rows_of(np.ones(2), np.zeros(2, np.int32), np.array([0, 2], np.int32), columns=1)
    objective = LinearObjective(fl.SquaredError(half=True), X, [0.0], fit_intercept=False)
    assert np.array_equal(objective.grad_and_hess([1.0])[1], [4.0])


@pytest.mark.parametrize("step", [2, 3, -1, -2])
def test_strided_compressed_rows(step):
    wanted = LinearObjective(fl.Huber(), rows_of(DATA, INDICES, INDPTR), np.arange(3.0))
    coef = np.array([1.0, -2.0, 0.5, 0.1])
    parts = [spaced(part, step) for part in (DATA, INDICES, INDPTR)]
    for some in ([0], [1], [2], [0, 1, 2]):
        X = rows_of(*(parts[k] if k in some else (DATA, INDICES, INDPTR)[k] for k in range(3)))
        found = LinearObjective(fl.Huber(), X, np.arange(3.0))
        for a, b in zip(found.value_and_grad(coef), wanted.value_and_grad(coef), strict=True):
            assert_same_bits(a, b)
        assert_same_bits(found.grad_and_hess(coef)[1], wanted.grad_and_hess(coef)[1])


def of(data=DATA, indices=INDICES, indptr=INDPTR):
    return rows_of(data, np.asarray(indices), np.asarray(indptr))


def int32(*values):
    return np.array(values, np.int32)


INCONSISTENT = [
    (ValueError, r"X.indices has shape \(3,\), must be \(4,\), as long as X.data", of(indices=INDICES[:3])),
    (ValueError, r"X.indices has shape \(2, 2\), must be \(4,\)", of(indices=INDICES.reshape(2, 2))),
    (ValueError, r"X.data has shape \(2, 2\), must be \(4,\)", of(data=DATA.reshape(2, 2))),
    (TypeError, "X.indices has dtype int32 and X.indptr int64, must both", of(indptr=INDPTR.astype(np.int64))),
    (TypeError, "X.indices has dtype int16 and", of(indices=INDICES.astype(np.int16))),
    (TypeError, "X.indices has dtype >i4 and", of(indices=INDICES.astype(">i4"), indptr=INDPTR.astype(">i4"))),
    (TypeError, "X.indices has dtype uint32 and", of(indices=INDICES.astype("u4"), indptr=INDPTR.astype("u4"))),
    (TypeError, "X has dtype >f8, must be", of(data=DATA.astype(">f8"))),
    (ValueError, "X.data is not aligned in memory, must be", of(data=unaligned(DATA))),
    (ValueError, "X.indptr is not aligned", of(indptr=unaligned(INDPTR))),
    (ValueError, r"X.indptr\[0\] is 1, must be 0", of(indptr=int32(1, 1, 1, 4))),
    (ValueError, r"X.indptr\[0\] is -1, must be 0", of(indptr=int32(-1, 1, 1, 4))),
    (ValueError, r"X.indptr\[2\] is 0, must be from 1, the one before, to 4, the len", of(indptr=int32(0, 1, 0, 4))),
    (ValueError, r"X.indptr\[3\] is 5, must be from 1", of(indptr=int32(0, 1, 1, 5))),
    (ValueError, r"X.indptr\[1\] is 2147483647, must be", of(indptr=int32(0, 2**31 - 1, 1, 4))),
    (ValueError, r"X.indices\[2\] is 3, must be a column from 0 to 2", of(indices=int32(2, 0, 3, 2))),
    (ValueError, r"X.indices\[0\] is -1, must be a column", of(indices=int32(-1, 0, 1, 2))),
    (ValueError, r"X.indices\[3\] is -2147483648, must be", of(indices=int32(2, 0, 1, -(2**31)))),
]


@pytest.mark.parametrize("error, message, X", INCONSISTENT, ids=[message for _, message, _ in INCONSISTENT])
@pytest.mark.parametrize("loss", [fl.Huber(), fl.CrossEntropy()], ids=repr)
def test_inconsistent_compressed_rows_are_refused(loss, error, message, X):
    with pytest.raises(error, match="LinearObjective: " + message):
        LinearObjective(loss, X, [0, 1, 0], sample_weight=[0, 1, 0])


def test_row_pointers_one_too_few():
    X = scipy.sparse.csr_array((4, 3))
    X.data, X.indices, X.indptr = DATA, INDICES, INDPTR
    with pytest.raises(ValueError, match=r"X.indptr has shape \(4,\), must be \(5,\), one more than rows"):
        LinearObjective(fl.Huber(), X, np.zeros(4))


def test_more_is_stored_than_used():
    X = of(indptr=int32(0, 1, 1, 3))
    assert LinearObjective(fl.SquaredError(), X, np.zeros(3), fit_intercept=False)([1.0, 1.0, 1.0]) == (1 + 25) / 3


CALLS = {
    "value": lambda o, w: o(w),
    "gradient": lambda o, w: o.grad(w),
    "diagonal": lambda o, w: o.grad_and_hess(w),
    "product": lambda o, w: o.hessp(w, w),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("loss", [fl.SquaredError(), fl.CrossEntropy()], ids=repr)
@pytest.mark.parametrize(
    "part, index, wrong, message",
    [
        ("indices", 1, 3, r"X.indices\[1\] is 3, must be a column from 0 to 2"),
        ("indices", 3, -5, r"X.indices\[3\] is -5, must"),
        ("indptr", 3, 9, r"X.indptr\[3\] is 9, must be from 1"),
        ("indptr", 1, -9, r"X.indptr\[1\] is -9, must be from 0"),
    ],
)
def test_compressed_rows_that_change_between_calls(call, loss, part, index, wrong, message):
    X = of(DATA.copy(), INDICES.copy(), INDPTR.copy())
    objective = LinearObjective(loss, X, [0, 1, 0])
    w = np.linspace(0, 1, objective.size)
    before = call(objective, w)
    array = getattr(X, part)
    right, array[index] = array[index], wrong
    with pytest.raises(ValueError, match="LinearObjective: " + message):
        call(objective, w)
    array[index] = right
    assert np.array_equal(call(objective, w), before)
    X.data *= 2
    assert not np.array_equal(call(objective, w), before)


def test_compressed_rows_that_change_during_calls():
    """Any number or an error, but nothing outside is read or written: that would end the process."""
    code = """
import threading, time, numpy as np, scipy.sparse, fastloss as fl
rng = np.random.default_rng(0)
X = scipy.sparse.random_array((3000, 50), density=0.2, format="csr", rng=rng)
indices, indptr, running = X.indices.copy(), X.indptr.copy(), True
def change():
    while running:
        X.indices[::7], X.indptr[5::11] = rng.choice([2**31 - 1, -(2**31), 60]), rng.choice([2**31 - 1, -(2**31), 0])
        time.sleep(rng.choice([0, 1e-4, 1e-3]))  # else the interpreter may let the calls run in one of the states alone
        X.indices[:], X.indptr[:] = indices, indptr
        time.sleep(rng.choice([0, 1e-4, 1e-3]))
objectives = [fl.LinearObjective(loss, X, np.arange(3000) % 3) for loss in (fl.Huber(), fl.CrossEntropy())]
thread = threading.Thread(target=change, daemon=True)
thread.start()
refused = computed = 0
for k in range(100):
    for objective in objectives:
        w = np.ones(objective.size)
        for call in (objective, objective.grad, objective.grad_and_hess, lambda w: objective.hessp(w, w)):
            try:
                call(w)
                computed += 1
            except ValueError as error:
                assert str(error).startswith("LinearObjective: "), error
                refused += 1
running = False
thread.join()
assert computed and refused, (computed, refused)
"""
    fresh(code)


@pytest.mark.parametrize("name", ["X", "y", "sample_weight"])
def test_arrays_that_become_others(name):
    given = {"X": np.ones((4, 3)), "y": np.zeros(4), "sample_weight": np.ones(4)}
    objective = LinearObjective(fl.Huber(), **given)
    given[name].resize((2, 1) if name == "X" else (3,), refcheck=False)
    with pytest.raises(ValueError, match=f"LinearObjective: {name} is now of shape .* must stay of shape"):
        objective(np.zeros(4))


def test_weights_that_become_zero():
    weight = np.ones(5)
    objective = made(sample_weight=weight)
    weight[:] = 0
    with pytest.raises(ValueError, match="weights sum to 0, must be finite and leave a row"):
        objective.grad(np.zeros(3))


def test_copies_and_pickles():
    """Which may lie otherwise in memory."""
    X = np.asfortranarray(np.random.default_rng(0).normal(size=(9, 8)))[2:7, 1:4]
    for given in (X, spaced(X, 2), scipy.sparse.csr_array(X)):
        objective = LinearObjective(fl.Huber(), given, np.arange(5.0), l1=0.1)
        wanted = objective.grad([1.0, 2.0, 3.0, 4.0])
        for again in (copy.deepcopy(objective), pickle.loads(pickle.dumps(objective))):
            assert np.allclose(again.grad([1.0, 2.0, 3.0, 4.0]), wanted, rtol=1e-14)


# What is not finite -------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 3, 8, 13])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_features_that_are_not_finite(layout, bad, rows):
    """Are seen whatever the coefficient, in every layout; infinities stay infinite."""
    X = np.ones((rows, 5))
    X[rows // 2, 3] = bad
    objective = LinearObjective(fl.Huber(), LAYOUTS[layout](X), np.zeros(rows))
    assert math.isnan(objective(np.zeros(6)))
    value, grad = objective.value_and_grad(np.ones(6))
    assert_same_bits(value, bad)
    assert_same_bits(grad[3], bad)
    assert objective.grad_and_hess(np.ones(6))[1].shape == (6,)


def test_coefficients_that_are_not_finite():
    """Without a warning of NumPy's, which is an error in these tests."""
    for dtype in (np.float32, np.float64):
        objective = made(X=X.astype(dtype), l1=0.1, l2=0.2)
        for bad in (math.nan, math.inf, 1e300):
            w = np.array([1.0, bad, 0.0])
            assert not math.isfinite(objective(w)) or bad == 1e300
            objective.grad_and_hess(w)
            objective.hessp(w, w)
    assert made(l2=1e308)(np.full(3, 1e200)) == math.inf


@pytest.mark.parametrize("dtype", ["f2", "f4", "i8", "?", ">f8", ml_dtypes.bfloat16])
def test_coefficients_of_any_type(dtype):
    w = np.array([1, 0, 1]).astype(dtype)
    assert made()(w) == made()([1, 0, 1])
    assert_same_bits(made().hessp(w, spaced(w, -2)), made().hessp([1, 0, 1], [1, 0, 1]))


# Threads and memory -------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["C", "Fortran", "CSR"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(5000, 20), (40_000, 3), (600, 400)])
def test_same_bits_for_every_number_of_threads(layout, dtype, shape):
    rng = generator(layout, dtype, shape)
    X, y, weight, coef = problem(fl.BinaryCrossEntropyWithLogits(), *shape, dtype, rng)
    objective = LinearObjective(fl.BinaryCrossEntropyWithLogits(), LAYOUTS[layout](X), y, sample_weight=weight, l2=0.1)
    value, grad = objective.value_and_grad(coef, num_threads=1)
    product = objective.hessp(coef, coef, num_threads=1)
    for threads in (2, 3, 7, 64):
        again, again_grad = objective.value_and_grad(coef, num_threads=threads)
        assert again == value
        assert_same_bits(again_grad, grad)
        assert_same_bits(objective.hessp(coef, coef, num_threads=threads), product)


def test_same_bits_whatever_is_asked_for():
    rng = generator("wide")
    X, y, _, coef = problem(fl.Huber(), 3000, 1500, np.float32, rng)
    objective = LinearObjective(fl.Huber(), X, y)
    value, grad = objective.value_and_grad(coef)
    assert value == objective(coef)
    assert_same_bits(grad, objective.grad(coef))
    assert_same_bits(grad, objective.grad_and_hess(coef)[0])


def test_same_bits_for_every_alignment():
    rng = generator("alignment")
    X, y, _, coef = problem(fl.Huber(), 900, 19, np.float64, rng)
    value, grad = LinearObjective(fl.Huber(), X, y).value_and_grad(coef)
    buffer = np.empty(X.size + 8)
    for shift in range(8):
        moved = buffer[shift : shift + X.size].reshape(X.shape)
        moved[...] = X
        again, again_grad = LinearObjective(fl.Huber(), moved, y).value_and_grad(coef)
        assert again == value
        assert_same_bits(again_grad, grad)


@pytest.mark.parametrize("loss", [fl.Huber(), fl.CrossEntropy()], ids=repr)
@pytest.mark.parametrize("mode", ROUNDING.values(), ids=ROUNDING)
def test_same_bits_in_every_rounding_mode(loss, mode):
    rng = generator("modes")
    objective = LinearObjective(loss, rng.normal(size=(200, 5)), np.arange(200) % 3, l1=0.1, l2=0.3)
    w, v = rng.normal(size=(2, objective.size))

    def computed():
        return objective(w), *objective.value_and_grad(w), *objective.grad_and_hess(w), objective.hessp(w, v)

    wanted = computed()
    assert FENV.fesetround(mode) == 0
    try:
        found = computed()
    finally:
        FENV.fesetround(0)
    for one, other in zip(found, wanted, strict=True):
        assert_same_bits(one, other)


@pytest.mark.parametrize("n", [10_000, 300_000])
def test_memory_does_not_grow_with_rows(n):
    X, y = np.ones((n, 30)), np.zeros(n)
    objective = LinearObjective(fl.BinaryCrossEntropyWithLogits(), X, y)
    w = np.full(31, 0.01)
    tracemalloc.start()
    try:
        objective.value_and_grad(w)
        objective.grad_and_hess(w)
        assert tracemalloc.get_traced_memory()[1] < 4e6
    finally:
        tracemalloc.stop()


def test_in_a_forked_child():
    code = """
import os, numpy as np, fastloss as fl
objective = fl.LinearObjective(fl.Huber(), np.ones((100_000, 10)), np.zeros(100_000))
w = np.full(11, 0.1)
value = objective(w, num_threads=2)
pid = os.fork()
if pid == 0:
    os._exit(int(objective(w, num_threads=2) != value))
print(os.waitpid(pid, 0)[1])
"""
    assert fresh(code).strip() == "0"


# Fits ---------------------------------------------------------------------------------------------


def diabetes():
    X, y = datasets.load_diabetes(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def cancer():
    X, y = datasets.load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def ridge():
    X, y = diabetes()
    model = linear_model.Ridge(alpha=0.1 * len(y)).fit(X, y)
    return model, LinearObjective(fl.SquaredError(half=True), X, y, l2=0.1), 1e-6


def logistic():
    X, y = cancer()
    model = linear_model.LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(X, y)
    return model, LinearObjective(fl.BinaryCrossEntropyWithLogits(), X, y, l2=1 / len(y)), 1e-5


def weighted_logistic():
    X, y = cancer()
    weight = np.where(y == 1, 0.5, 2.0)
    model = linear_model.LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(X, y, sample_weight=weight)
    return (
        model,
        LinearObjective(fl.BinaryCrossEntropyWithLogits(), X, y, sample_weight=weight, l2=1 / weight.sum()),
        1e-5,
    )


def huber():
    X, y = diabetes()
    model = linear_model.HuberRegressor(alpha=0.5, tol=1e-10, max_iter=1000).fit(X, y)
    delta, l2 = 1.35 * model.scale_, 0.5 * model.scale_ / len(y)  # it scales the residuals by its own estimate
    return model, LinearObjective(fl.Huber(delta=delta), X, y, l2=l2), 1e-4


def poisson():
    X, y = diabetes()
    model = linear_model.PoissonRegressor(alpha=0.1, tol=1e-10, max_iter=10_000).fit(X, y)
    return model, LinearObjective(fl.PoissonNLL(), X, y, l2=0.1), 1e-5


def gamma():
    X, y = diabetes()
    model = linear_model.GammaRegressor(alpha=0.1, tol=1e-10, max_iter=10_000).fit(X, y)
    return model, LinearObjective(fl.GammaNLL(), X, y, l2=0.1), 1e-5


def tweedie():
    X, y = diabetes()
    model = linear_model.TweedieRegressor(power=1.5, alpha=0.1, link="log", tol=1e-10, max_iter=10_000).fit(X, y)
    return model, LinearObjective(fl.Tweedie(power=1.5), X, y, l2=0.1), 1e-5


def quantile():
    X, y = diabetes()
    model = linear_model.QuantileRegressor(quantile=0.8, alpha=0.0).fit(X, y)
    return model, LinearObjective(fl.Quantile(alpha=0.8), X, y), 1e-5


def median():
    X, y = diabetes()
    model = linear_model.QuantileRegressor(quantile=0.5, alpha=0.0).fit(X, y)
    return model, LinearObjective(fl.AbsoluteError(), X, y), 1e-5


def lasso():
    X, y = diabetes()
    model = linear_model.Lasso(alpha=2.0, tol=1e-12, max_iter=100_000).fit(X, y)
    return model, LinearObjective(fl.SquaredError(half=True), X, y, l1=2.0), 1e-6


def elastic_net():
    X, y = diabetes()
    model = linear_model.ElasticNet(alpha=1.0, l1_ratio=0.5, tol=1e-12, max_iter=100_000).fit(X, y)
    return model, LinearObjective(fl.SquaredError(half=True), X, y, l1=0.5, l2=0.5), 1e-6


MODELS = [ridge, logistic, weighted_logistic, huber, poisson, gamma, tweedie, quantile, median, lasso, elastic_net]


@cache
def fitted(make):
    return make()


@pytest.mark.parametrize("layout", ["C", "Fortran", "CSR"])
@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_fit_is_the_model_of_scikit_learn(make, layout):
    model, objective, tolerance = fitted(make)
    rows = objective._rows
    X, weight = LAYOUTS[layout](rows._x.parts["X"]), rows._weight and rows._weight.array
    objective = LinearObjective(
        objective.loss, X, rows._y.array, sample_weight=weight, l1=objective.l1, l2=objective.l2
    )
    fit = objective.fit(tol=1e-8)
    coef, intercept = np.ravel(model.coef_), np.ravel(model.intercept_)[0]
    assert fit.converged
    assert np.allclose(fit.coef, coef, rtol=0, atol=tolerance * np.abs(coef).max())
    assert fit.intercept == pytest.approx(intercept, rel=tolerance, abs=tolerance)
    assert fit.value == objective(np.append(fit.coef, fit.intercept))
    assert fit.value <= objective(np.append(coef, intercept)) + 1e-8 * abs(fit.value)
    if objective.l1:
        assert np.array_equal(fit.coef == 0, coef == 0)
    else:
        newton = objective.fit(solver="trust-ncg", tol=1e-8)
        assert np.allclose(newton.coef, coef, rtol=0, atol=tolerance * np.abs(coef).max())


@pytest.mark.parametrize("strength", range(5, 16))
def test_rounding_ends_a_fit_of_float32(strength):
    X, y = datasets.load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    loss, l2 = fl.BinaryCrossEntropyWithLogits(), 1e-3 * strength
    wanted = LinearObjective(loss, X, y.astype(float), l2=l2).fit(tol=1e-9)
    fit = LinearObjective(loss, X.astype(np.float32), y.astype(np.float32), l2=l2).fit(tol=1e-9)
    assert fit.converged, fit.message
    assert np.allclose(fit.coef, wanted.coef, rtol=0, atol=1e-3)


def test_a_line_without_a_step_down_ends_a_fit_only_within_rounding():
    scales = np.array([1.0, 100.0])

    def function(w):
        off = w - 1
        return 1 + off @ (scales * off) + 1e-8 * np.sin(1e9 * w).sum(), 2 * scales * off

    def found(eps):
        return solvers.scipy(function, lambda w, v: 2 * scales * v, np.zeros(2), "lbfgs", 1e-12, 1000, eps)

    assert found(np.finfo(np.float32).eps).converged
    assert "rounding" in found(np.finfo(np.float32).eps).message
    assert not found(np.finfo(np.float64).eps).converged


@cache
def multinomial(load):
    X, y = load(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    return X, y, linear_model.LogisticRegression(C=0.1, tol=1e-10, max_iter=10_000).fit(X, y)


@pytest.mark.parametrize("solver", ["lbfgs", "trust-ncg"])
@pytest.mark.parametrize("load", [datasets.load_iris, datasets.load_wine, datasets.load_digits])
def test_multinomial_fit_is_the_model_of_scikit_learn(load, solver):
    X, y, model = multinomial(load)
    fit = LinearObjective(fl.CrossEntropy(), X, y, l2=10 / len(y)).fit(solver=solver, tol=1e-9)
    assert fit.converged
    assert np.allclose(fit.coef, model.coef_, rtol=0, atol=1e-5)
    # The intercepts of all classes may move together.
    moved = [b - b.mean() for b in (fit.intercept, model.intercept_)]
    assert np.allclose(moved[0], moved[1], rtol=0, atol=1e-5)
    assert np.array_equal(fit.predict(X).argmax(axis=1), model.predict(X))


def test_sparse_multinomial_fit():
    X, y = datasets.load_digits(return_X_y=True)
    fit = LinearObjective(fl.CrossEntropy(), StandardScaler().fit_transform(X), y, l1=0.02).fit(tol=1e-6)
    assert fit.converged
    assert 0.3 < np.mean(fit.coef == 0) < 0.99
    assert np.mean(fit.predict(StandardScaler().fit_transform(X)).argmax(axis=1) == y) > 0.9


def test_fit_predicts():
    X, y = cancer()
    model = linear_model.LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(X, y)
    fit = LinearObjective(fl.BinaryCrossEntropyWithLogits(), X, y, l2=1 / len(y)).fit(tol=1e-8)
    assert np.allclose(fit.predict(X), model.decision_function(X), rtol=0, atol=1e-4)
    assert np.allclose(fit.predict(scipy.sparse.csr_array(X)), fit.predict(X))
    without = LinearObjective(fl.SquaredError(), X, y, fit_intercept=False).fit(tol=1e-8)
    assert without.intercept == 0
    assert np.allclose(without.predict(X), X @ np.linalg.lstsq(X, y)[0], rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match=r"LinearFit: X has shape \(2, 3\), must be \(n, 30\)"):
        fit.predict(np.ones((2, 3)))


def test_scipy_takes_it_as_it_is():
    X, y = cancer()
    objective = LinearObjective(fl.BinaryCrossEntropyWithLogits(), X, y, l2=0.01)
    start = np.zeros(31)
    results = [
        scipy_optimize.minimize(objective.value_and_grad, start, jac=True, method="L-BFGS-B"),
        scipy_optimize.minimize(objective.value_and_grad, start, jac=True, hessp=objective.hessp, method="trust-ncg"),
        scipy_optimize.minimize(objective, start, jac=objective.grad, hessp=objective.hessp, method="Newton-CG"),
    ]
    assert all(result.success for result in results)
    assert np.allclose(results[0].x, results[1].x, atol=1e-3)
    assert np.allclose(results[2].x, results[1].x, atol=1e-3)


def test_fit_says_when_it_stopped_early():
    X, y = cancer()
    for l1 in (0.0, 0.01):
        fit = LinearObjective(fl.BinaryCrossEntropyWithLogits(), X, y, l1=l1).fit(max_iter=2)
        assert not fit.converged
        assert fit.iterations == 2
        assert fit.message
    start = np.ones(31)
    for solver, l1 in (("lbfgs", 0), ("trust-ncg", 0), ("proximal", 0.1)):
        none = LinearObjective(fl.BinaryCrossEntropyWithLogits(), X, y, l1=l1).fit(start, solver=solver, max_iter=0)
        assert np.array_equal(none.coef, start[:30])
        assert not np.shares_memory(none.coef, start)
        assert (none.iterations, none.converged) == (0, False)


@pytest.mark.parametrize("solver", ["lbfgs", "trust-ncg", "proximal"])
def test_a_fit_is_interrupted(solver):
    """What has no minimum is fitted for ever, or until Ctrl-C; the objective is as it was."""
    X, y = diabetes()
    objective = LinearObjective(fl.MeanBias(), X, y)
    before = objective.grad(np.zeros(11))
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        objective.fit(solver=solver, tol=0, max_iter=10**9)
    timer.join()
    assert_same_bits(objective.grad(np.zeros(11)), before)


def test_steps_that_lead_out_of_the_domain_of_numbers():
    """Are taken back; a search without end is none."""
    X, y = np.array([[30.0], [-20.0], [1.0]]), np.array([1.0, 2.0, 3.0])
    for solver in ("lbfgs", "trust-ncg", "proximal"):
        objective = LinearObjective(fl.PoissonNLL(), X, y)
        fit = objective.fit([1.0, 0.0], solver=solver)
        assert fit.value <= objective([1.0, 0.0])
        assert np.isfinite(fit.coef).all()
    far = LinearObjective(fl.PoissonNLL(), X, y, l1=0.1).fit([20.0, 0.0], max_iter=20)
    assert not far.converged
    assert math.isfinite(far.value)


# Bad input ----------------------------------------------------------------------------------------

X, Y = np.ones((5, 2)), np.array([0, 1, 0, 1, 1])


def made(loss=fl.Huber(), X=X, y=Y, **options):  # noqa: B008
    return LinearObjective(loss, X, y, **options)


@pytest.mark.parametrize(
    "error, message, make",
    [
        (TypeError, "loss is 'huber', must be a loss object", lambda: made("huber")),
        (TypeError, "must be a mean over targets of one prediction", lambda: made(fl.GaussianNLL())),
        (TypeError, "must be a mean over targets", lambda: made(fl.RootMeanSquaredError())),
        (TypeError, "takes labels and log probabilities, must be", lambda: made(fl.NegativeLogLikelihood())),
        (TypeError, "ArcFace.* takes labels and cosines, must be a mean over targets", lambda: made(fl.ArcFace())),
        (TypeError, "ForwardKL.* takes targets of each class and logits, must be", lambda: made(fl.ForwardKL())),
        (
            ValueError,
            r"LinearObjective: y\[1\] is nan, must be a class from 0 on, or n_classes be given",
            lambda: made(fl.CrossEntropy(), y=[0, math.nan, 1, 1, 1]),
        ),
        (ValueError, r"y\[0\] is -1, must be a class", lambda: made(fl.CrossEntropy(), y=np.full(5, -1))),
        (ValueError, "weights sum to 0, must be finite", lambda: made(fl.CrossEntropy(), y=np.full(5, -100))),
        (
            ValueError,
            "coefficients, 2 .* each of 4611686018427387905 classes; must be at most",
            lambda: made(fl.CrossEntropy(), y=[0, 0, 2**62, 0, 1]),
        ),
        (ValueError, "n_classes is True, must be a positive", lambda: made(fl.CrossEntropy(), n_classes=True)),
        (IndexError, r"y\[1\] is 1, must be a class from 0 to 0", lambda: made(fl.CrossEntropy(), n_classes=1)),
        (IndexError, r"y\[1\] is -1, must be a class from 0 to 1", lambda: made(fl.CrossEntropy(), y=[0, -1, 1, 1, 1])),
        (ValueError, "n_classes is 0, must be a positive", lambda: made(fl.CrossEntropy(), n_classes=0)),
        (ValueError, "n_classes is 3, must be 2", lambda: made(fl.CrossEntropy(class_weight=(1, 2)), n_classes=3)),
        (TypeError, "n_classes is 2, must be None for Huber", lambda: made(n_classes=2)),
        (ValueError, r"must be \(6,\): 2 .* each of 2 classes", lambda: made(fl.CrossEntropy()).grad([1, 2, 3])),
        (ValueError, r"X has shape \(5,\), must be \(n, n_features\)", lambda: made(X=X[:, 0])),
        (ValueError, r"X has shape \(0, 2\)", lambda: made(X=X[:0], y=Y[:0])),
        (TypeError, "X has dtype int64, must be float32", lambda: made(X=X.astype(int))),
        (TypeError, "X has dtype >f8", lambda: made(X=X.astype(">f8"))),
        (ValueError, r"X has strides .*ascontiguousarray", lambda: made(X=np.ones((10, 4))[::2, ::2])),
        (TypeError, "csc format", lambda: made(X=scipy.sparse.csc_array(X))),
        (ValueError, r"y has shape \(4,\), must be \(5,\)", lambda: made(y=Y[:4])),
        (ValueError, r"sample_weight has shape \(5, 1\)", lambda: made(sample_weight=X[:, :1])),
        (ValueError, "l1 is -1, must be at least 0", lambda: made(l1=-1)),
        (ValueError, "l2 is nan, must be finite", lambda: made(l2=math.nan)),
        (TypeError, "fit_intercept is 1, must be True", lambda: made(fit_intercept=1)),
        (
            ValueError,
            r"BinaryCrossEntropyWithLogits: y\[2\] is 2, must be in \[0, 1\]",
            lambda: made(fl.BinaryCrossEntropyWithLogits(), y=[0, 1, 2, 3, 0]),
        ),
        (
            ValueError,
            r"GammaNLL: y\[1\] is -1.5, must be greater than 0",
            lambda: made(fl.GammaNLL(), y=[1, -1.5, 2, 3, 0]),
        ),
        (ValueError, r"sample_weight\[3\] is -1", lambda: made(sample_weight=[1, 1, 1, -1, 1])),
        (
            ValueError,
            r"sample_weight\[0\] is -2.0, must be",
            lambda: made(sample_weight=np.full(5, -2, ml_dtypes.bfloat16)),
        ),
        (
            ValueError,
            r"y\[0\] is 2.0, must be in",
            lambda: made(fl.BinaryCrossEntropyWithLogits(), y=np.full(5, 2, ml_dtypes.bfloat16)),
        ),
        (ValueError, "weights sum to 0", lambda: made(sample_weight=np.zeros(5))),
        (ValueError, "weights sum to inf, must be finite", lambda: made(sample_weight=np.full(5, 1e308))),
        (
            ValueError,
            r"coef has shape \(2,\), must be \(3,\): 2 coefficients and the intercept",
            lambda: made().grad([1, 2]),
        ),
        (
            ValueError,
            r"direction has shape \(4,\), must be \(2,\): 2 coeff",
            lambda: made(fit_intercept=False).hessp([1, 2], [1, 2, 3, 4]),
        ),
        (ValueError, "num_threads is 0", lambda: made()([0, 0, 0], num_threads=0)),
        (
            ValueError,
            "the prediction of row 0 is -1, must be",
            lambda: made(fl.PoissonNLL(log_input=False))([0, 0, -1]),
        ),
        (ValueError, "solver is 'newton', must be one of 'lbfgs'", lambda: made().fit(solver="newton")),
        (ValueError, "solver is 'lbfgs', must be 'proximal' with l1=1", lambda: made(l1=1).fit(solver="lbfgs")),
        (ValueError, "tol is -1, must be at least 0", lambda: made().fit(tol=-1)),
        (ValueError, "tol is nan, must be finite", lambda: made().fit(tol=math.nan)),
        (ValueError, "max_iter is -1, must be at least 0", lambda: made().fit(max_iter=-1)),
        (TypeError, "max_iter is 1.5, must be an integer", lambda: made().fit(max_iter=1.5)),
        (ValueError, r"start has shape \(2,\), must be", lambda: made().fit([1, 2])),
        (ValueError, "objective at the start is nan, must be finite", lambda: made(y=np.full(5, math.nan)).fit()),
        (ValueError, "objective at the start is inf", lambda: made(fl.PoissonNLL()).fit([0, 0, 1e3])),
        (AttributeError, "loss cannot be set, make another", lambda: setattr(made(), "loss", fl.GaussianNLL())),
    ],
)
def test_bad_input(error, message, make):
    with pytest.raises(error, match=message):
        make()


def test_repr():
    objective = made(l2=0.5)
    assert repr(objective) == "LinearObjective(Huber(delta=1.0), X of shape (5, 2), l1=0, l2=0.5, fit_intercept=True)"
