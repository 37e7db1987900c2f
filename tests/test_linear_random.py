"""Linear objectives of random problems, options and layouts against plain NumPy in float64."""

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fastloss as fl
from fastloss import LinearObjective
from tests.support import assert_same_bits, spaced, swapped, unaligned

sparse = pytest.importorskip("scipy.sparse")

ROWS = (1, 2, 3, 7, 8, 9, 31, 33, 64, 65, 130, 600)
COLUMNS = (1, 2, 3, 7, 8, 9, 15, 17, 33, 130)
CLASSES = (1, 2, 3, 7, 8, 9, 16, 17, 33, 161, 170)
MOST_ENTRIES = 60_000  # of rows times columns times classes
FULL_HESSIAN = 12  # coefficients


# The formulas -------------------------------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def huber(y, x, delta=0.7):
    r = x - y
    near = np.abs(r) <= delta
    value = np.where(near, r * r / 2, delta * (np.abs(r) - delta / 2))
    return value, np.where(near, r, delta * np.sign(r)), np.where(near, 1.0, 0.0)


def pseudo_huber(y, x, delta=1.5):
    root = np.sqrt(1 + ((x - y) / delta) ** 2)
    return delta * delta * (root - 1), (x - y) / root, root**-3


def log_cosh(y, x):
    slope = np.tanh(x - y)
    return np.logaddexp(x - y, y - x) - np.log(2), slope, 1 - slope**2


def cross_entropy_of_logits(y, x):
    p = sigmoid(x)
    return np.logaddexp(0, x) - y * x, p - y, p * (1 - p)


def squared_hinge(y, x):
    lacking = np.maximum(1 - y * x, 0)
    return lacking**2, -2 * y * lacking, np.where(lacking > 0, 2.0, 0.0)


# A loss, its value with derivatives, whether these jump, and how its targets are drawn.
OF_ONE = (
    (fl.SquaredError(), lambda y, x: ((x - y) ** 2, 2 * (x - y), 2 + 0 * x), False, "real"),
    (fl.Huber(delta=0.7), huber, True, "real"),
    (fl.PseudoHuber(delta=1.5), pseudo_huber, False, "real"),
    (fl.LogCosh(), log_cosh, False, "real"),
    (fl.BinaryCrossEntropyWithLogits(), cross_entropy_of_logits, False, "binary"),
    (fl.PoissonNLL(), lambda y, x: (np.exp(x) - y * x, np.exp(x) - y, np.exp(x)), False, "count"),
    (fl.SquaredHinge(), squared_hinge, True, "sign"),
)


def softmax_cross_entropy(loss, y, x):
    """Value, gradient and, without softcap and z_loss, Hessian of each row, and its weight."""
    classes = x.shape[1]
    z = (loss.softcap * np.tanh(x / loss.softcap) if loss.softcap else x) / loss.temperature
    top = z.max(axis=1)
    lse = top + np.log(np.exp(z - top[:, np.newaxis]).sum(axis=1))
    p = np.exp(z - lse[:, np.newaxis])
    c = np.ones(classes) if loss.class_weight is None else np.array(loss.class_weight)
    counts = np.ones(len(y), bool) if loss.ignore_index is None else y != loss.ignore_index
    label = np.where(counts, y, 0).astype(int)
    e = loss.label_smoothing
    t = c * ((1 - e) * np.eye(classes)[label] + e / classes)
    share = t.sum(axis=1)
    value = (t * (lse[:, np.newaxis] - z)).sum(axis=1) + loss.z_loss * lse**2
    slope = 1 - np.tanh(x / loss.softcap) ** 2 if loss.softcap else 1.0
    grad = ((share + 2 * loss.z_loss * lse)[:, np.newaxis] * p - t) * slope / loss.temperature
    hess = p[:, :, np.newaxis] * (np.eye(classes) - p[:, np.newaxis, :])
    hess *= (share / loss.temperature**2)[:, np.newaxis, np.newaxis]
    return value, grad, hess, np.where(counts, c[label], 0)


# Problems -----------------------------------------------------------------------------------------


@dataclass
class Problem:
    """An objective, and what it is made of in float64: `stored` says which entries of X are there."""

    objective: LinearObjective
    X: Any
    stored: Any
    y: Any
    weight: Any
    formula: Any
    jumps: bool
    rng: Any
    what: str


def pick(rng, *options):
    return options[rng.integers(len(options))]


def dense_layout(X, rng):
    """The same numbers in some layout that is taken as it is."""
    n, columns = X.shape
    name = pick(rng, "C", "Fortran", "part of C", "part of Fortran", "every second row", "every second column",
                "backwards", "columns backwards", "one row again and again", "at any multiple of its size",
                "read-only")  # fmt: skip
    if name == "Fortran":
        X = np.asfortranarray(X)
    elif name == "part of C":
        X = np.pad(X, ((1, 2), (2, 1)), constant_values=np.nan)[1:-2, 2:-1]
    elif name == "part of Fortran":
        X = np.pad(X.T, ((1, 2), (2, 1)), constant_values=np.nan)[1:-2, 2:-1].T
    elif name == "every second row":
        X = spaced(X, 2)
    elif name == "every second column":
        X = spaced(np.ascontiguousarray(X.T), -2).T
    elif name == "backwards":
        X = spaced(X, -1)
    elif name == "columns backwards":
        X = spaced(np.ascontiguousarray(X.T), -1).T
    elif name == "one row again and again":
        X = np.broadcast_to(X[0], X.shape)
    elif name == "at any multiple of its size":
        room = np.empty(X.size + 16, X.dtype)
        shift = rng.integers(16)
        room[shift : shift + X.size] = X.ravel()
        X = room[shift : shift + X.size].reshape(n, columns)
    elif name == "read-only":
        X = X.copy()
        X.flags.writeable = False
    return X, name


def vector_layout(v, rng, *, ordinary=0.5, byte_order=True):
    if rng.random() < ordinary or not len(v):
        return v
    changes = [lambda v: spaced(v, 2), lambda v: spaced(v, -1), lambda v: spaced(v, -3)]
    if byte_order:
        changes += [unaligned] + ([swapped] if v.dtype.itemsize > 1 and v.dtype.kind in "iuf" else [])
    return pick(rng, *changes)(v)


def compressed(n, columns, dtype, rng):
    """A CSR matrix with what SciPy lets stand, the sum of its entries, and where there are any."""
    most = min(3 * columns, 40)
    lengths = rng.integers(0, most, n) * (rng.random(n) < 0.8)
    index = pick(rng, np.int32, np.int64)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(index)
    spare = pick(rng, 0, 0, 3)
    indices = rng.integers(0, columns, indptr[-1] + spare).astype(index)
    data = rng.normal(size=len(indices)).astype(dtype)
    data[rng.random(len(data)) < 0.1] = 0
    X, stored = np.zeros((n, columns)), np.zeros((n, columns), bool)
    row = np.repeat(np.arange(n), lengths)
    used = slice(len(row))
    np.add.at(X, (row, indices[used]), data[used])
    stored[row, indices[used]] = True
    made = pick(rng, sparse.csr_array, sparse.csr_matrix)((n, columns), dtype=dtype)
    made.data, made.indices, made.indptr = (
        vector_layout(part, rng, byte_order=False) for part in (data, indices, indptr)
    )
    return made, X, stored


def targets(kind, n, rng):
    if kind == "real":
        y = 2 * rng.normal(size=n)
        dtype = pick(rng, "f8", "f4", "i1", "f2")
    elif kind == "sign":
        y, dtype = rng.choice([-1.0, 1.0], n), pick(rng, "f8", "f4", "i1", "i8", ml_dtypes.bfloat16)
    elif kind == "binary":
        y, dtype = rng.random(n).round(), pick(rng, "f8", "f4", "?", "u2", "u8", ml_dtypes.bfloat16)
    else:
        y, dtype = rng.poisson(2, n), pick(rng, "f8", "f4", "i4", "u1")
    y = y.astype(dtype)
    return vector_layout(y, rng), y.astype(np.float64)


def draw_problem(seed):
    rng = np.random.default_rng(seed)
    dtype = pick(rng, np.float32, np.float64)
    n, columns = pick(rng, *ROWS), pick(rng, *COLUMNS)
    if rng.random() < 0.5:
        X, X64, stored = compressed(n, columns, dtype, rng)
        layout = f"CSR of {X.indices.dtype}"
    else:
        X, layout = dense_layout(rng.normal(size=(n, columns)).astype(dtype), rng)
        X64, stored = X.astype(np.float64), np.ones(X.shape, bool)
    options = {
        "l1": pick(rng, 0.0, 0.0, 0.3), "l2": pick(rng, 0.0, 0.0, 0.5), "fit_intercept": bool(rng.integers(2)),
    }  # fmt: skip
    weight, weight64 = None, np.ones(n)
    if rng.random() < 0.6:
        weight = rng.random(n) * (rng.random(n) < 0.8) * pick(rng, 1.0, 4.0, 1e-6)
        weight[rng.integers(n)] = 1
        weight = weight.astype(pick(rng, "f8", "f4", "f2", "i4", "?", ml_dtypes.bfloat16))
        weight64 = weight.astype(np.float64)
        weight = vector_layout(weight, rng)
    if rng.random() < 0.4 and n * columns <= MOST_ENTRIES // 2:
        classes = pick(rng, *(k for k in CLASSES if k * n * columns <= MOST_ENTRIES))
        class_weight = tuple(rng.random(classes) + 0.1) if rng.random() < 0.3 else None
        y = rng.integers(0, classes, n)
        y[rng.random(n) < 0.1] = 200  # which may also be a class
        y[np.argmax(weight64)] = 0
        loss = fl.CrossEntropy(
            class_weight=class_weight, ignore_index=200, label_smoothing=pick(rng, 0.0, 0.0, 0.2),
            temperature=pick(rng, 1.0, 0.5), softcap=pick(rng, 0.0, 0.0, 3.0), z_loss=pick(rng, 0.0, 0.0, 0.1),
        )  # fmt: skip
        labels = vector_layout(y.astype(pick(rng, "i8", "i4", "u1", "f4", "f8", "u8")), rng)
        objective = LinearObjective(loss, X, labels, sample_weight=weight, n_classes=classes, **options)

        def formula(y, x):
            return softmax_cross_entropy(loss, y, x)

        jumps = False
    else:
        loss, of_one, jumps, kind = pick(rng, *OF_ONE)
        labels, y = targets(kind, n, rng)
        objective = LinearObjective(loss, X, labels, sample_weight=weight, **options)

        def formula(y, x):
            value, grad, hess = of_one(y, x[:, 0])
            return value, grad[:, np.newaxis], hess[:, np.newaxis, np.newaxis], np.ones(len(y))

    what = f"seed {seed}: {objective!r}, {layout}, y {labels.dtype} {labels.strides}"
    what += "" if weight is None else f", weight {weight.dtype} {weight.strides}"
    return Problem(objective, X64, stored, y, weight64, formula, jumps, rng, what)


# The comparison -----------------------------------------------------------------------------------


def expected(problem, coef, v):
    """Value, gradient, Hessian, its product with v, and for each a scale of what rounding changes of it."""
    objective, s = problem.objective, problem.weight
    A, there = problem.X, problem.stored
    if objective.fit_intercept:
        A, there = (np.column_stack([part, np.ones(len(part), part.dtype)]) for part in (A, there))
    w, v = (u.reshape(objective.n_classes or 1, -1) for u in (coef, v))
    x = A @ w.T
    value, g, h, unit = problem.formula(problem.y, x)
    s = s * (unit > 0)  # of the losses, where class weights are included
    size = (problem.weight * unit).sum()
    columns = problem.X.shape[1]
    slopes = np.arange(w.shape[1]) < columns
    penal = w * slopes
    value = (s * value)[s > 0].sum() / size
    grad = np.einsum("i,ic,ij->cj", s, g, A) / size + objective.l2 * penal
    hess = np.einsum("i,icd,ij,ik->cjdk", s, h, A, A, optimize=True) / size
    for c in range(len(w)):
        hess[c, :, c, :] += np.diag(objective.l2 * slopes)
    product = np.einsum("cjdk,dk->cj", hess, v)
    value += objective.l1 * np.abs(penal).sum() + objective.l2 / 2 * (penal**2).sum()
    pull = np.sign(grad) * np.maximum(np.abs(grad) - objective.l1, 0)
    grad = np.where(w != 0, grad + objective.l1 * np.sign(w), pull) * slopes + grad * ~slopes

    a = np.abs(A)
    moved = (a @ np.abs(w).T + np.abs(problem.y)[:, np.newaxis]).max(axis=1) + 1  # predictions, in units of rounding
    bend = np.abs(h).sum(axis=(1, 2)) + 1
    steep = np.abs(g).sum(axis=1) + bend * moved
    of_value = (s * (steep * moved)).sum() / size + abs(value)
    of_grad = (s * steep) @ a / size + np.abs(grad) + 1
    of_hess = (s * (bend + steep) * moved) @ a**2 / size + 1
    of_product = (s * (bend + steep) * moved * (a @ np.abs(v).T).max(axis=1)) @ a / size + np.abs(v) + 1
    return (value, grad.ravel(), hess.reshape(coef.size, -1), product.ravel()), (
        of_value,
        np.broadcast_to(of_grad, w.shape).ravel(),
        np.broadcast_to(of_hess, w.shape).ravel(),
        np.broadcast_to(of_product, w.shape).ravel(),
    )


def close(found, wanted, scale, unit, what):
    error = np.max(np.abs(found - wanted) / (unit * scale))
    assert error <= 1, f"{what}: {error:g} times the tolerance; {found} must be {wanted}"


def compare(seed):
    """Everything that one random objective computes."""
    problem = draw_problem(seed)
    objective, rng, what = problem.objective, problem.rng, problem.what
    coef = rng.normal(size=objective.size) / np.sqrt(problem.X.shape[1])
    coef *= rng.random(objective.size) < pick(rng, 1.0, 1.0, 0.5, 0.0)
    coef = coef.astype(np.float32).astype(np.float64)
    v = rng.normal(size=objective.size).astype(np.float32).astype(np.float64)
    given = vector_layout(coef, rng, ordinary=0.8)
    unit = 40 * np.finfo(problem.objective._x.dtype).eps
    (value, grad, hess, product), scales = expected(problem, coef, v)
    threads = pick(rng, None, 1, 2, 5)

    found, found_grad = objective.value_and_grad(given, num_threads=threads)
    close(found, value, scales[0], unit, f"{what}: value")
    close(found_grad, grad, scales[1], unit, f"{what}: gradient")
    assert objective(coef) == found, what
    assert_same_bits(objective.grad(coef, num_threads=1), found_grad, what)
    again, diagonal = objective.grad_and_hess(coef, num_threads=threads)
    assert_same_bits(again, found_grad, what)
    if problem.jumps and objective._x.dtype == np.float32:
        return
    if objective.n_classes and (objective.loss.softcap or objective.loss.z_loss):
        return
    close(diagonal, np.diag(hess), scales[2], unit, f"{what}: diagonal of the Hessian")
    close(objective.hessp(given, v, num_threads=threads), product, scales[3], unit, f"{what}: Hessian times a vector")
    if coef.size <= FULL_HESSIAN:
        full = np.array([objective.hessp(coef, e) for e in np.eye(coef.size)])
        across = np.sqrt(scales[2][:, np.newaxis] * scales[2])
        close(full, hess, across, unit, f"{what}: Hessian")


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_random_problems(first):
    for seed in range(first, first + 100):
        compare(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 100_000, 1000))
def test_many_random_problems(first):
    for seed in range(1_000_000 + first, 1_000_000 + first + 1000):
        compare(seed)
