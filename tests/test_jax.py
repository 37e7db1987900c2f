"""Losses of JAX arrays: values and derivatives of every loss under JAX's transformations."""

import math
import pickle
import threading
from functools import partial

import numpy as np
import pytest

import fastloss as fl
from tests.inputs import draw_arrays, family
from tests.support import EVERY, fresh, generator

jax = pytest.importorskip("jax", reason="JAX is not installed: its integration is not tested")
import jax.numpy as jnp  # noqa: E402

from fastloss.integrations.jax import JaxLoss, loss_fn  # noqa: E402

TINY = float(np.finfo(np.float32).tiny)
DEFAULTS = [cls() for cls in fl.registry.values()]
COMPOSED = [
    fl.SquaredError() + 0.5 * fl.AbsoluteError(),
    fl.CrossEntropy(class_weight=(1, 2, 3, 1, 1)) + 0.5 * fl.SoftmaxFocal(),
    fl.BinaryCrossEntropyWithLogits() + fl.Dice(from_logits=True),
    fl.Chained(fl.SquaredError(half=True), "sigmoid"),
    fl.Chained(fl.SquaredError(), "softmax"),
]
# One loss of each way to be called: for what no formula changes.
KINDS = list({(loss._evaluation, loss.signature.predictions): loss for loss in reversed(DEFAULTS)}.values())[::-1]
KINDS += [*COMPOSED, fl.CrossEntropy(axis=0), fl.CTC(layout="TNC"), fl.Dice(from_logits=True, groups="image")]


def arrays_of(loss, size=60, dtype=np.float32):
    """The arrays of a call of a loss, also of one that is made of others."""
    rng = generator(loss, "jax")
    match loss:
        case fl.WeightedSum() if len(loss.terms) > 1 and isinstance(loss.terms[1][1], fl.Dice):
            return rng.integers(0, 2, (3, 4, 5)), rng.normal(size=(3, 4, 5)).astype(dtype)
        case fl.WeightedSum() if loss.signature.rowwise:
            return rng.integers(0, 5, 12), rng.normal(size=(12, 5)).astype(dtype)
        case fl.CrossEntropy(axis=0):
            return rng.integers(0, 5, 12), rng.normal(size=(5, 12)).astype(dtype)
        case fl.Chained() | fl.WeightedSum():
            return rng.random((12, 5)).astype(dtype), rng.normal(size=(12, 5)).astype(dtype)
    return draw_arrays(loss, size, dtype, rng)


def predictions(loss, arrays):
    """Where the arrays that have a gradient are."""
    names = loss.signature.names[: len(arrays)]
    return tuple(names.index(argument.name) for argument in loss.signature.predictions if argument.name in names)


def tupled(grads, places):
    """NumPy's gradients in arrays as a tuple; those in parameters are not JAX's."""
    return tuple(grads)[: len(places)] if isinstance(grads, tuple) else (grads,)


def assert_equal(found, wanted, rtol=0.0):
    """To the bit but for subnormal numbers, which XLA takes for 0, or up to rounding of the largest."""
    found, wanted = (np.asarray(array).astype(np.float64) for array in (found, wanted))
    finite = np.abs(wanted[np.isfinite(wanted)])
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=max(TINY, rtol * finite.max(initial=0.0)))


def total(loss, factors=1.0, **options):
    """A function of arrays whose result is a number whatever the reduction."""
    return lambda *arrays: (factors * loss_fn(loss)(*arrays, **options)).sum()


# Every loss -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [*EVERY, *COMPOSED], ids=repr)
def test_value_and_gradient_are_those_of_numpy(loss):
    arrays = arrays_of(loss)
    places = predictions(loss, arrays)
    value, grads = jax.value_and_grad(loss_fn(loss), places)(*arrays)
    wanted, wanted_grads = loss.value_and_grad(*arrays)
    assert_equal(value, np.float32(wanted))
    for place, grad, one in zip(places, grads, tupled(wanted_grads, places), strict=True):
        assert grad.dtype == arrays[place].dtype
        assert_equal(grad, one)


@pytest.mark.parametrize("loss", KINDS, ids=repr)
def test_compiled(loss):
    arrays = arrays_of(loss)
    places = predictions(loss, arrays)
    value, grads = jax.jit(jax.value_and_grad(loss_fn(loss), places))(*arrays)
    wanted, wanted_grads = loss.value_and_grad(*arrays)
    assert_equal(value, np.float32(wanted))
    for grad, one in zip(grads, tupled(wanted_grads, places), strict=True):
        assert_equal(grad, one)


@pytest.mark.parametrize("loss", KINDS, ids=repr)
def test_a_batch_of_calls_has_the_results_of_each(loss):
    first = arrays_of(loss)
    shared = len(first) > 1 and loss.signature.names[0] == "y_true"  # the targets, of which there is one for all
    batch = [[array if shared and not k else np.roll(array, 1, 0) for k, array in enumerate(first)], first]
    axes = tuple(None if shared and not k else 0 for k in range(len(first)))
    stacked = [first[k] if axis is None else np.stack([arrays[k] for arrays in batch]) for k, axis in enumerate(axes)]
    places = predictions(loss, first)
    value, grads = jax.jit(jax.vmap(jax.value_and_grad(loss_fn(loss), places), axes))(*stacked)
    for k, arrays in enumerate(batch):
        wanted, wanted_grads = loss.value_and_grad(*arrays)
        assert_equal(value[k], wanted, 1e-6)
        for grad, one in zip(grads, tupled(wanted_grads, places), strict=True):
            assert_equal(grad[k], one, 1e-5)


UNWEIGHABLE = [loss for loss in KINDS if family(loss) in ("aggregate", "regions") or loss is COMPOSED[2]]
WEIGHABLE = [loss for loss in KINDS if loss not in UNWEIGHABLE] + [fl.Dice(from_logits=True, groups="image")]


@pytest.mark.parametrize("loss", WEIGHABLE, ids=repr)
def test_losses_under_factors_of_any_sign(loss):
    arrays = arrays_of(loss)
    losses = loss(*arrays, reduction="none")
    factors = generator(loss, "factors").normal(size=losses.shape).astype(np.float32)
    places = predictions(loss, arrays)
    value, grads = jax.jit(jax.value_and_grad(total(loss, reduction="none", factors=factors), places))(*arrays)
    assert_equal(value, np.sum(factors * losses, dtype=float), 1e-5)
    wanted = [np.zeros(arrays[place].shape) for place in places]
    for index in np.ndindex(losses.shape):  # the gradient of one loss at a time
        one = np.zeros(losses.shape)
        one[index] = 1
        for sum_of, grad in zip(
            wanted, tupled(loss.grad(*arrays, sample_weight=one, reduction="sum"), places), strict=True
        ):
            sum_of += factors[index] * grad.astype(float)
    for grad, one in zip(grads, wanted, strict=True):
        assert_equal(grad, one, 1e-5)


# Types, weights, masks ------------------------------------------------------------------------------

OPTIONS = [fl.Huber(), fl.GaussianNLL(), fl.CrossEntropy(), fl.CosineEmbedding(), fl.InfoNCE(), fl.IoU()]


@pytest.mark.parametrize("x64", [False, True], ids=["x32", "x64"])
@pytest.mark.parametrize("loss", OPTIONS, ids=repr)
def test_types_weights_and_masks(loss, dtype, x64):
    with jax.enable_x64(x64 or dtype == np.float64):
        arrays = arrays_of(loss, dtype=dtype)
        places, rng = predictions(loss, arrays), generator(loss, dtype)
        shape = loss(*arrays, reduction="none").shape
        weight = np.where(rng.random(shape) < 0.2, 0, rng.random(shape)).astype(np.float32)
        options = {"sample_weight": weight, "mask": rng.random(shape) < 0.8}
        for reduction in ("mean", "batch_mean", "sum", "none"):
            function = total(loss, reduction=reduction, **options)
            value, grads = jax.value_and_grad(function, places)(*arrays)
            wanted, wanted_grads = loss.value_and_grad(*arrays, reduction=reduction, **options)
            assert value.dtype == (np.float64 if dtype == np.float64 else np.float32)
            assert_equal(value, np.sum(wanted, dtype=float), 1e-6)
            for place, grad, one in zip(places, grads, tupled(wanted_grads, places), strict=True):
                assert grad.dtype == arrays[place].dtype
                assert_equal(grad, one, 0.0 if reduction != "none" or dtype.itemsize > 2 else 1e-2)


def test_what_is_no_jax_array_is_made_one():
    loss = loss_fn(fl.AbsoluteError())
    assert loss([0, 1], [2.0, 5.0]) == loss(np.array([0, 1]), np.array([2.0, 5.0])) == 3.0
    assert loss(np.int64(1), 3) == 2
    assert loss(jnp.array([0, 1]), jnp.array([1, 3])).dtype == np.float32  # integers, which have no gradient


def test_small_gradients_of_float16_are_there_to_be_scaled():
    x = np.full(4096, 2.0**-8, np.float16)
    scaled = jax.grad(lambda x: 2.0**14 * loss_fn(fl.SquaredError(half=True))(np.zeros(4096), x))(x)
    assert fl.SquaredError(half=True).grad(np.zeros(4096), x).max() < 1e-6  # with few bits
    np.testing.assert_array_equal(scaled, np.full(4096, 2.0**-6, np.float16))


def test_factors_that_are_no_numbers_make_gradients_that_are_none():
    y, x = arrays_of(fl.CrossEntropy())
    factors = np.ones(len(y), np.float32)
    factors[[1, 2]] = np.nan, np.inf
    grad = jax.grad(lambda x: (factors * loss_fn(fl.CrossEntropy())(y, x, reduction="none")).sum())(x)
    wanted = fl.CrossEntropy().grad(y, x, reduction="sum")
    assert np.isnan(grad[1:3]).all()
    np.testing.assert_array_equal(np.delete(grad, [1, 2], 0), np.delete(wanted, [1, 2], 0))
    assert np.isnan(jax.grad(lambda x: np.nan * loss_fn(fl.CrossEntropy())(y, x))(x)).all()


def test_nothing_to_average():
    with pytest.warns(RuntimeWarning, match="Huber: no element counts, the mean is NaN"):
        assert math.isnan(loss_fn(fl.Huber())(np.zeros(0), np.zeros(0), reduction="batch_mean"))
    assert loss_fn(fl.Huber())(np.zeros((2, 0)), np.zeros((2, 0)), reduction="none").shape == (2, 0)
    rows = np.zeros((3, 2), np.float32), np.ones((3, 2), np.float32)
    kept = np.array([[True, True], [False, False], [True, False]])
    function = jax.vmap(jax.value_and_grad(lambda y, x, m: loss_fn(fl.SquaredError())(y, x, mask=m), 1))
    value, grad = function(*rows, kept)
    np.testing.assert_array_equal(value, [1, np.nan, 1])
    np.testing.assert_array_equal(grad, [[1, 1], [0, 0], [2, 0]])


def test_arrays_by_name_and_arrays_left_out():
    y, x = arrays_of(fl.SoftmaxEntropy())
    assert loss_fn(fl.SoftmaxEntropy())(None, x) == np.float32(fl.SoftmaxEntropy()(None, x))
    y, x = np.array([1, 2, 3, 1, 2]), np.random.default_rng(0).normal(size=(2, 9, 5)).astype(np.float32)
    lengths = {"input_lengths": np.array([9, 7]), "target_lengths": np.array([3, 2])}
    value, grad = jax.jit(jax.value_and_grad(lambda x, n: loss_fn(fl.CTC())(y, x, **n)))(x, lengths)
    wanted, wanted_grad = fl.CTC().value_and_grad(y, y_pred=x, **lengths)
    assert value == np.float32(wanted)
    assert_equal(grad, wanted_grad)
    labels, rows = np.arange(8) // 2, np.random.default_rng(1).normal(size=(8, 4)).astype(np.float32)
    named = {"references": rows[::-1].copy(), "reference_labels": labels[::-1].copy()}
    grads = jax.grad(lambda rows, more: loss_fn(fl.NTXent())(labels, rows, **more), (0, 1), allow_int=True)(rows, named)
    wanted = fl.NTXent().grad(labels, rows, **named)
    assert_equal(grads[0], wanted.embeddings)
    assert_equal(grads[1]["references"], wanted.references)


# Transformations ------------------------------------------------------------------------------------

SMOOTH = [fl.SquaredError(), fl.PseudoHuber(), fl.BinaryCrossEntropyWithLogits(), fl.MultiQuantile(), *COMPOSED[::3]]


@pytest.mark.parametrize("loss", SMOOTH, ids=repr)
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_second_derivatives(loss, reduction):
    y, x = arrays_of(loss)
    direction = generator(loss, "direction").normal(size=x.shape).astype(np.float32)
    gradient = jax.grad(lambda x: total(loss, reduction=reduction)(y, x))
    grad, hess = loss.grad_and_hess(y, x, reduction=reduction)
    found = jax.jit(lambda x, v: jax.jvp(gradient, (x,), (v,)))(x, direction)
    assert_equal(found[0], grad, 1e-6)
    assert_equal(found[1], hess * direction, 1e-6)
    assert_equal(jax.grad(lambda x: jnp.vdot(gradient(x), direction))(x), hess * direction, 1e-6)
    hessian = jax.hessian(lambda x: total(loss, reduction=reduction)(y, x))(x)
    assert_equal(hessian.reshape(x.size, x.size), np.diag(hess.ravel()), 1e-6)
    of_each = jax.vmap(jax.vmap(jax.grad(gradient_of_one := jax.grad(loss_fn(loss), 1), 1)))
    if loss.signature.single:
        pair = (y.reshape(-1, 1), x.reshape(-1, 1))
        assert_equal(of_each(*pair).ravel(), loss.grad_and_hess(y, x, reduction="none")[1].ravel(), 1e-6)
        assert gradient_of_one(*(array[0, 0] for array in pair)).shape == ()


def test_forward_mode():
    for loss in (fl.Huber(), fl.CrossEntropy(), fl.Center(), fl.Dice(from_logits=True)):
        arrays = arrays_of(loss)
        places = predictions(loss, arrays)
        moves = [generator(loss, place).normal(size=arrays[place].shape).astype(np.float32) for place in places]

        def of_predictions(*given, arrays=arrays, places=places, loss=loss):
            by_place = dict(zip(places, given, strict=True))
            return loss_fn(loss)(*(by_place.get(k, array) for k, array in enumerate(arrays)))

        value, move = jax.jvp(of_predictions, tuple(arrays[place] for place in places), tuple(moves))
        wanted, grads = loss.value_and_grad(*arrays)
        products = (np.vdot(grad, one) for grad, one in zip(tupled(grads, places), moves, strict=True))
        assert value == np.float32(wanted)
        assert move == pytest.approx(sum(products), rel=1e-4)


def test_a_jacobian_is_a_batch_of_factors():
    y, x = arrays_of(fl.CrossEntropy())
    jacobian = jax.jacrev(lambda x: loss_fn(fl.CrossEntropy())(y, x, reduction="none"))(x)
    wanted = fl.CrossEntropy().grad(y, x, reduction="sum")
    assert_equal(jacobian, np.eye(len(y))[:, :, np.newaxis] * wanted, 1e-6)
    labels, rows, centers = arrays_of(fl.Center())
    jacobian = jax.jacrev(lambda centers: loss_fn(fl.Center())(labels, rows, centers, reduction="none"))(centers)
    wanted = fl.Center().grad(labels, rows, centers, reduction="sum").centers
    assert_equal(jacobian.sum(0), wanted, 1e-5)


def test_batches_of_batches_with_weights():
    rng = np.random.default_rng(3)
    y, x = rng.integers(0, 5, (4, 6)), rng.normal(size=(3, 4, 6, 5)).astype(np.float32)
    weight, mask = rng.random((4, 6)).astype(np.float32), rng.random((3, 6)) < 0.7
    loss = fl.CrossEntropy(class_weight=(1, 2, 3, 4, 5), ignore_index=0)
    for reduction in ("mean", "batch_mean", "sum", "none"):

        def one(y, x, w, m, reduction=reduction):
            return total(loss, reduction=reduction, sample_weight=w, mask=m)(y, x)

        inner = jax.vmap(jax.value_and_grad(one, 1), (0, 0, 0, None))
        value, grad = jax.vmap(inner, (None, 0, None, 0))(y, x, weight, mask)
        for i, j in np.ndindex(3, 4):
            options = {"reduction": reduction, "sample_weight": weight[j], "mask": mask[i]}
            wanted, wanted_grad = loss.value_and_grad(y[j], x[i, j], **options)
            assert_equal(value[i, j], np.sum(wanted, dtype=float), 1e-6)
            assert_equal(grad[i, j], wanted_grad, 1e-5)


def test_training_in_a_scan():
    X, y = np.random.default_rng(4).normal(size=(2, 50, 3)).astype(np.float32)
    y = y @ np.ones(3, np.float32)
    loss, rate = fl.LogCosh(), np.float32(0.5)

    @partial(jax.jit, donate_argnums=0)
    def train(w):
        def step(w, _):
            value, grad = jax.value_and_grad(lambda w: loss_fn(loss)(y, X @ w))(w)
            return w - rate * grad, value

        return jax.lax.scan(step, w, length=20)

    given = jnp.zeros(3)
    found, values = train(given)
    assert given.is_deleted()
    w = np.zeros(3, np.float32)
    for wanted in values:
        value, grad = loss.value_and_grad(y, X @ w)
        assert value == pytest.approx(float(wanted), rel=1e-5)
        w -= rate * (X.T @ grad)
    assert_equal(found, w, 1e-5)


def test_control_flow_and_recomputing():
    y, x = arrays_of(fl.Huber())
    wanted = fl.Huber().grad(y, x)

    def branched(x):
        return jax.lax.cond(x[0] > 1e9, lambda x: x.sum(), lambda x: loss_fn(fl.Huber())(y, x), x)

    assert_equal(jax.jit(jax.grad(branched))(x), wanted)
    assert_equal(jax.jit(jax.grad(jax.checkpoint(lambda x: loss_fn(fl.Huber())(y, x))))(x), wanted)
    value, pullback = jax.vjp(partial(loss_fn(fl.Huber()), y), x)
    assert_equal(pullback(value)[0], wanted * value, 1e-6)
    assert jax.lax.while_loop(lambda v: v < 0, lambda v: v + loss_fn(fl.Huber())(y, x), -1.0) > 0


def test_equal_losses_are_compiled_once():
    y, x = arrays_of(fl.Huber())
    traced = []

    @jax.jit
    def function(y, x):
        traced.append(1)
        return loss_fn(fl.Huber())(y, x)

    function(y, x), function(y, x)
    assert len(traced) == 1
    first, second = loss_fn(fl.Huber()), loss_fn(fl.Huber())
    assert first == second == pickle.loads(pickle.dumps(first)) == JaxLoss(fl.Huber())
    assert hash(first) == hash(second) != hash(loss_fn(fl.Huber(delta=2.0)))
    compiled = jax.jit(lambda loss, y, x: loss(y, x), static_argnums=0)
    compiled(first, y, x), compiled(second, y, x)
    assert compiled._cache_size() == 1


# Against JAX's own ----------------------------------------------------------------------------------


def test_against_jax_and_optax():
    optax = pytest.importorskip("optax", reason="optax is not installed: its losses are not compared")
    rng = np.random.default_rng(5)
    y, x = rng.normal(size=(2, 40)).astype(np.float32)
    label, logits = rng.integers(0, 7, 40), 3 * rng.normal(size=(40, 7)).astype(np.float32)
    sign, share = np.where(y > 0, 1.0, -1.0), np.asarray(jax.nn.softmax(rng.normal(size=(40, 7)).astype(np.float32)))
    for loss, target, given, theirs in (
        (fl.SquaredError(), y, x, lambda x: optax.squared_error(x, y)),
        (fl.Huber(delta=0.7), y, x, lambda x: optax.huber_loss(x, y, delta=0.7)),
        (fl.LogCosh(), y, x, lambda x: optax.log_cosh(x, y)),
        (fl.Hinge(), sign, x, lambda x: optax.hinge_loss(x, sign)),
        (fl.BinaryCrossEntropyWithLogits(), y > 0, x, lambda x: optax.sigmoid_binary_cross_entropy(x, y > 0)),
        (fl.SigmoidFocal(alpha=-1), y > 0, x, lambda x: optax.sigmoid_focal_loss(x, y > 0)),
        (fl.CrossEntropy(), label, logits, lambda z: -jax.nn.log_softmax(z)[jnp.arange(40), label]),
        (fl.CrossEntropy(), share, logits, lambda z: optax.softmax_cross_entropy(z, share)),
        (fl.CrossEntropy(), label, logits, lambda z: optax.softmax_cross_entropy_with_integer_labels(z, label)),
        (fl.ForwardKL(), share, logits, lambda z: optax.kl_divergence(jax.nn.log_softmax(z), share)),
    ):
        found = jax.value_and_grad(loss_fn(loss), 1)(target, given)
        wanted = jax.value_and_grad(lambda x, f=theirs: f(x).mean())(given)
        assert_equal(found[0], wanted[0], 2e-6)
        assert_equal(found[1], wanted[1], 5e-6)


# What is refused ------------------------------------------------------------------------------------

Y, X = np.array([0.0, 1.0, 1.0], np.float32), np.array([0.5, -1.0, 2.0], np.float32)
LOGITS = np.eye(3, 5, dtype=np.float32)


@pytest.mark.parametrize(
    ("error", "message", "make"),
    [
        (TypeError, "loss_fn: loss is 'huber', must be a loss object", lambda: loss_fn("huber")),
        (
            TypeError,
            r"^Huber: there is no derivative in y_true, must be constant to JAX: jax.lax.stop_gradient\(y_true\)",
            lambda: jax.grad(loss_fn(fl.Huber()))(Y, X),
        ),
        (
            TypeError,
            "CrossEntropy: there is no derivative in sample_weight, .* or multiply the losses of reduction='none'",
            lambda: jax.jit(
                jax.grad(
                    lambda w: loss_fn(fl.CrossEntropy())([0, 1, 2], LOGITS, sample_weight=w, reduction="none").sum()
                )
            )(Y),
        ),
        (
            TypeError,
            "Huber: there is no third derivative",
            lambda: jax.grad(lambda x: jax.hessian(lambda x: loss_fn(fl.Huber())(Y, x))(x).sum())(X),
        ),
        (
            TypeError,
            "CrossEntropy: there is no second derivative, the Hessian is not diagonal",
            lambda: jax.hessian(lambda x: loss_fn(fl.CrossEntropy())([0, 1, 2], x))(LOGITS),
        ),
        (
            TypeError,
            "GaussianNLL: there is no second derivative",
            lambda: jax.hessian(lambda x: loss_fn(fl.GaussianNLL())(Y, x))(np.ones((3, 2))),
        ),
        (
            TypeError,
            "CrossEntropy: there is no second derivative, the Hessian",
            lambda: jax.jacrev(jax.grad(lambda x: total(fl.CrossEntropy(), reduction="none")([0, 1, 2], x)))(LOGITS),
        ),
        (
            TypeError,
            "Dice: there is no derivative of reduction='none' of these regions, must be another reduction",
            lambda: jax.grad(total(fl.Dice(groups="class", mode="multilabel"), reduction="none"), 1)(LOGITS, LOGITS),
        ),
        (
            ValueError,
            r"^Huber: y_true has shape \(3,\), must match y_pred's \(2,\)",
            lambda: jax.jit(loss_fn(fl.Huber()))(Y, X[:2]),
        ),
        (
            ValueError,
            "Huber: reduction is 'average', must be one of",
            lambda: loss_fn(fl.Huber())(Y, X, reduction="average"),
        ),
        (ValueError, "Huber: nan_policy is 'no', must be one of", lambda: loss_fn(fl.Huber())(Y, X, nan_policy="no")),
        (ValueError, "Huber: num_threads is 0, must be", lambda: loss_fn(fl.Huber())(Y, X, num_threads=0)),
        (
            TypeError,
            "Huber: mask has dtype float32, must be bool",
            lambda: jax.jit(lambda m: loss_fn(fl.Huber())(Y, X, mask=m))(Y),
        ),
        (TypeError, "Huber: y_pred has dtype complex64, must be a real", lambda: loss_fn(fl.Huber())(Y, X * 1j)),
        (
            TypeError,
            "Huber: y_pred has dtype float8_e4m3fn, must be a real",
            lambda: loss_fn(fl.Huber())(Y, jnp.asarray(X, jnp.float8_e4m3fn)),
        ),
        (TypeError, "Huber: y_pred has dtype <U1, must be", lambda: loss_fn(fl.Huber())(Y, ["a", "b", "c"])),
        (TypeError, "Huber: y_pred is missing, must be given with y_true, y_pred", lambda: loss_fn(fl.Huber())(Y)),
        (
            TypeError,
            "Huber: unknown parameter 'sample_wieght', did you mean 'sample_weight'",
            lambda: loss_fn(fl.Huber())(Y, X, sample_wieght=Y),
        ),
        (
            ValueError,
            r"BinaryCrossEntropy: y_pred\[1\] is -1.0, must be in \[0, 1\]",
            lambda: loss_fn(fl.BinaryCrossEntropy())(Y, X),
        ),
        (
            IndexError,
            r"CrossEntropy: y_true\[1\] is 7, must be a class",
            lambda: jax.grad(loss_fn(fl.CrossEntropy()), 1)(np.array([0, 7, 1]), LOGITS),
        ),
    ],
)
def test_refusals(error, message, make):
    with pytest.raises(error, match=message):
        make()


def test_a_compiled_function_tells_the_error_of_the_loss():
    for make in (
        lambda: jax.jit(loss_fn(fl.BinaryCrossEntropy()))(Y, X),
        lambda: jax.vmap(loss_fn(fl.BinaryCrossEntropy()))(Y, X),
        lambda: jax.jit(jax.grad(total(fl.BinaryCrossEntropy()), 1))(Y, X),
    ):
        with pytest.raises(jax.errors.JaxRuntimeError) as caught:
            jax.block_until_ready(make())
        assert str(caught.value).endswith("ValueError: BinaryCrossEntropy: y_pred[1] is -1.0, must be in [0, 1]")


def test_without_jax_the_import_says_what_to_install():
    code = """
import sys
sys.modules["jax"] = None
try:
    import fastloss.integrations.jax
except ImportError as error:
    print(error)
"""
    assert fresh(code).startswith("fastloss.integrations.jax needs JAX 0.8 or newer: run `pip install '.[jax]'`")


# Threads and devices --------------------------------------------------------------------------------

EVERYWHERE = """
import faulthandler
import numpy as np, jax, jax.numpy as jnp, fastloss as fl
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from fastloss.integrations.jax import loss_fn
faulthandler.dump_traceback_later(100, exit=True)
devices = jax.device_count()
mesh = jax.make_mesh((devices,), ("rows",), axis_types=(AxisType.Auto,))
loss = loss_fn(fl.BinaryCrossEntropyWithLogits())
for n in (100, 30_000, 1_000_000):
    rng = np.random.default_rng(n)
    y, x = rng.integers(0, 2, (devices, n)), rng.normal(size=(devices, n)).astype("f")
    wanted = [fl.BinaryCrossEntropyWithLogits().value_and_grad(*one) for one in zip(y, x)]
    values, grads = (np.stack(some) for some in zip(*wanted))

    def check(found, scale=1.0):
        np.testing.assert_allclose(found[0], values if np.ndim(found[0]) else values.mean(), rtol=1e-6)
        np.testing.assert_allclose(found[1], grads * scale, rtol=1e-5, atol=1e-12)

    of_one = jax.value_and_grad(lambda x, y: loss(y, x))
    in_parts = NamedSharding(mesh, PartitionSpec("rows"))
    each = PartitionSpec("rows")
    parts = jax.shard_map(jax.vmap(of_one), mesh=mesh, in_specs=(each, each), out_specs=(each, each))
    for turn in range(3):
        check(jax.pmap(of_one)(x, y))
        check(jax.jit(of_one)(jax.device_put(x, in_parts), jax.device_put(y, in_parts)), 1 / devices)
        check(jax.jit(parts)(x, y))
        pending = [jax.jit(of_one)(x[k], y[k]) for k in range(devices)]  # dispatched before the first is done
        check(tuple(np.stack(some) for some in zip(*pending)))
print(devices, "devices")
"""


@pytest.mark.parametrize("devices", [1, 4])
def test_many_devices(devices):
    flags = f"--xla_force_host_platform_device_count={devices}"
    assert fresh(EVERYWHERE, XLA_FLAGS=flags).endswith(f"{devices} devices\n")


def test_a_single_processor():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})" + EVERYWHERE
    assert fresh(code, XLA_FLAGS="--xla_force_host_platform_device_count=2").endswith("2 devices\n")


def test_several_threads_at_once():
    y, x = arrays_of(fl.CrossEntropy(), 2_000_000)
    function = jax.jit(jax.value_and_grad(loss_fn(fl.CrossEntropy()), 1))
    value, grad = function(y, x)
    found = [None] * 4

    def call(k):
        found[k] = jax.block_until_ready(function(y, x))

    threads = [threading.Thread(target=call, args=(k,)) for k in range(len(found))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for one in found:
        assert one[0] == value
        np.testing.assert_array_equal(one[1], grad)


def test_nothing_of_the_size_of_the_arrays_is_copied():
    n = 1 << 22
    y, x = jnp.zeros(n), jnp.ones(n)
    seen = []

    class Watched(fl.SquaredError):
        def _called(self, arrays, *options):
            seen.extend(array.ctypes.data for array in arrays)
            return super()._called(arrays, *options)

    jax.block_until_ready(jax.jit(loss_fn(Watched()))(y, x))
    assert seen[-2:] == [y.unsafe_buffer_pointer(), x.unsafe_buffer_pointer()]
