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
SPOILS = (np.nan, np.inf, -np.inf)


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
    """Value, gradient, Hessian times a vector (without softcap and z_loss) and weight of each row."""
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
    curve = p * (share / loss.temperature**2)[:, np.newaxis]

    def product(u):
        return curve * (u - (p * u).sum(axis=1, keepdims=True))

    return value, grad, curve * (1 - p), product, np.where(counts, c[label], 0)


# Problems -----------------------------------------------------------------------------------------


@dataclass
class Problem:
    """An objective, and what it is made of in float64; what does not count is 0 there."""

    objective: LinearObjective
    X: Any
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


def compressed(spoiled, columns, dtype, rng):
    """A CSR matrix with what SciPy lets stand, and the sums of its entries."""
    n, most = len(spoiled), min(3 * columns, 40)
    lengths = rng.integers(0, most, n) * (rng.random(n) < 0.8)
    index = pick(rng, np.int32, np.int64)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(index)
    spare = pick(rng, 0, 0, 3)
    indices = rng.integers(0, columns, indptr[-1] + spare).astype(index)
    data = rng.normal(size=len(indices)).astype(dtype)
    data[rng.random(len(data)) < 0.1] = 0
    X, row = np.zeros((n, columns)), np.repeat(np.arange(n), lengths)
    np.add.at(X, (row, indices[: len(row)]), data[: len(row)])
    data[: len(row)][spoiled[row]] = pick(rng, *SPOILS)
    made = pick(rng, sparse.csr_array, sparse.csr_matrix)((n, columns), dtype=dtype)
    made.data, made.indices, made.indptr = (
        vector_layout(part, rng, byte_order=False) for part in (data, indices, indptr)
    )
    return made, X


def targets(kind, spoiled, rng):
    n = len(spoiled)
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
    wanted = y.astype(np.float64)
    if y.dtype.kind == "f":
        y[spoiled] = pick(rng, *SPOILS)
    return vector_layout(y, rng), wanted


def draw_problem(seed):
    rng = np.random.default_rng(seed)
    dtype = pick(rng, np.float32, np.float64)
    n, columns = pick(rng, *ROWS), pick(rng, *COLUMNS)
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
    spoiled = (weight64 == 0) & (rng.random() < 0.5)  # rows that do not count, whatever they hold
    if rng.random() < 0.5:
        X, X64 = compressed(spoiled, columns, dtype, rng)
        layout = f"CSR of {X.indices.dtype}"
    else:
        X = rng.normal(size=(n, columns)).astype(dtype)
        X[spoiled & (np.arange(n) > 0)] = pick(rng, *SPOILS)
        X, layout = dense_layout(X, rng)
        X64 = np.where(spoiled[:, np.newaxis], 0, X.astype(np.float64))
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
        y[spoiled] = 250  # which is no class
        labels = vector_layout(y.astype(pick(rng, "i8", "i4", "u1", "f4", "f8", "u8")), rng)
        objective = LinearObjective(loss, X, labels, sample_weight=weight, n_classes=classes, **options)

        def formula(y, x):
            return softmax_cross_entropy(loss, np.where(spoiled, 0, y), x)

        jumps = False
    else:
        loss, of_one, jumps, kind = pick(rng, *OF_ONE)
        labels, y = targets(kind, spoiled, rng)
        objective = LinearObjective(loss, X, labels, sample_weight=weight, **options)

        def formula(y, x):
            value, grad, hess = of_one(y, x[:, 0])
            hess = hess[:, np.newaxis]
            return value, grad[:, np.newaxis], hess, lambda u: hess * u, np.ones(len(y))

    what = f"seed {seed}: {objective!r}, {layout}, y {labels.dtype} {labels.strides}"
    what += "" if weight is None else f", weight {weight.dtype} {weight.strides}"
    return Problem(objective, X64, y, weight64, formula, jumps, rng, what)


# The comparison -----------------------------------------------------------------------------------


def expected(problem, coef, directions):
    """Value, gradient, diagonal of the Hessian and its products; and for each what rounding may change, in units."""
    objective, s = problem.objective, problem.weight
    columns, classes = problem.X.shape[1], objective.n_classes or 1
    A = np.column_stack([problem.X, np.ones(len(s))]) if objective.fit_intercept else problem.X
    w = coef.reshape(classes, -1)
    slopes = np.arange(w.shape[1]) < columns
    penal = w * slopes
    value, g, curve, times, unit = problem.formula(problem.y, A @ w.T)
    size = (s * unit).sum()
    s = s * (unit > 0) / size  # class weights are in the losses

    def back(rows, A):
        return (s[:, np.newaxis] * rows).T @ A

    value = (s * value)[s > 0].sum() + objective.l1 * np.abs(penal).sum() + objective.l2 / 2 * (penal**2).sum()
    grad = back(g, A) + objective.l2 * penal
    pull = np.sign(grad) * np.maximum(np.abs(grad) - objective.l1, 0)
    grad = np.where(slopes, np.where(w != 0, grad + objective.l1 * np.sign(w), pull), grad)
    diagonal = back(curve, A**2) + objective.l2 * slopes
    products = [(back(times(A @ v.T), A) + objective.l2 * slopes * v).ravel() for v in directions.reshape(-1, *w.shape)]

    a = np.abs(A)
    moved = (a @ np.abs(w).T).max(axis=1) + np.abs(problem.y) + 1  # predictions
    bend = 2 * np.abs(curve).sum(axis=1) + 1
    steep = np.abs(g).sum(axis=1) + bend * moved
    third = (bend + steep) * moved
    swung = [(a @ np.abs(v).T).max(axis=1) for v in directions.reshape(-1, *w.shape)]
    of_value = (s * steep * moved).sum() + abs(value)
    of_grad = np.tile((s * steep) @ a + 1, (classes, 1)) + np.abs(grad)
    of_diagonal = np.tile((s * third) @ a**2 + 1, classes)
    of_products = [np.tile((s * third * u) @ a + 1 + objective.l2, classes) + np.abs(p)
                   for u, p in zip(swung, products, strict=True)]  # fmt: skip
    found = value, grad.ravel(), diagonal.ravel(), np.array(products)
    return found, (of_value, of_grad.ravel(), of_diagonal, np.array(of_products))


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
    unit = 40 * np.finfo(problem.objective._rows._x.dtype).eps
    directions = np.eye(coef.size) if coef.size <= FULL_HESSIAN else np.empty((0, coef.size))
    directions = np.concatenate([v[np.newaxis], directions])
    (value, grad, diagonal, products), scales = expected(problem, coef, directions)
    threads = pick(rng, None, 1, 1, 2, 5)

    found, found_grad = objective.value_and_grad(given, num_threads=threads)
    close(found, value, scales[0], unit, f"{what}: value")
    close(found_grad, grad, scales[1], unit, f"{what}: gradient")
    assert objective(coef) == found, what
    assert_same_bits(objective.grad(coef, num_threads=1), found_grad, what)
    again, found_diagonal = objective.grad_and_hess(coef, num_threads=threads)
    assert_same_bits(again, found_grad, what)
    if problem.jumps and objective._rows._x.dtype == np.float32:
        return
    if objective.n_classes and (objective.loss.softcap or objective.loss.z_loss):
        return
    close(found_diagonal, diagonal, scales[2], unit, f"{what}: diagonal of the Hessian")
    found_products = np.array([objective.hessp(given, u, num_threads=threads) for u in directions])
    close(found_products, products, scales[3], unit, f"{what}: Hessian times vectors")


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_random_problems(first):
    for seed in range(first, first + 100):
        compare(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 20_000, 1000))
def test_many_random_problems(first):
    for seed in range(1_000_000 + first, 1_000_000 + first + 1000):
        compare(seed)
