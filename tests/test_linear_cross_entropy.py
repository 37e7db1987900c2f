"""Cross-entropy of a linear layer: against the logits that it does not hold, in any chunks, and its memory."""

import math
import tracemalloc
import warnings

import numpy as np
import pytest

import fastloss as fl
from fastloss.testing import check_grad
from tests.support import generator

CLASSES, FEATURES = 40, 6
OPTIONS = [
    {},
    {"label_smoothing": 0.1, "z_loss": 0.05},
    {"temperature": 0.7, "softcap": 4.0},
    {"class_weight": tuple(np.linspace(0, 2, CLASSES))},
    {"class_weight": tuple(np.linspace(0, 2, CLASSES)), "label_smoothing": 0.2, "softcap": 3.0, "z_loss": 0.1},
]


def drawn(dtype, dense=False, shape=(4, 9)):
    rng = generator(shape, dense)
    hidden = rng.standard_normal((*shape, FEATURES)).astype(dtype)
    weight, bias = rng.standard_normal((CLASSES, FEATURES)).astype(dtype), rng.standard_normal(CLASSES).astype(dtype)
    labels = np.where(rng.random(shape) < 0.3, -100, rng.integers(0, CLASSES, shape))
    targets = rng.random((*shape, CLASSES)) if dense else labels
    sample_weight, mask = np.where(rng.random(shape) < 0.2, 0, rng.random(shape)), rng.random(shape) < 0.8
    return hidden, weight, targets, bias, {"sample_weight": sample_weight, "mask": mask}


def unfused(hidden, weight, targets, bias, options, reduction, counted):
    """The same in float64, with the logits."""
    hidden, weight = hidden.astype(np.float64), weight.astype(np.float64)
    logits = hidden @ weight.T + (0 if bias is None else bias)
    value, grad = fl.CrossEntropy(**options).value_and_grad(targets, logits, reduction=reduction, **counted)
    flat = grad.reshape(-1, CLASSES)
    return value, grad @ weight, flat.T @ hidden.reshape(-1, FEATURES), flat.sum(axis=0)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("chunk_bytes", [1, 3000, 1 << 26])
def test_as_with_the_logits(options, dense, chunk_bytes, wide):
    hidden, weight, targets, bias, counted = drawn(wide, dense)
    tolerance = {"rtol": 2e-5, "atol": 1e-5} if wide == np.float32 else {"rtol": 1e-11, "atol": 1e-13}
    for reduction in ("mean", "batch_mean", "sum", "none"):
        for b, kept in ((bias, counted), (None, {})):
            wanted = unfused(hidden, weight, targets, b, options, reduction, kept)
            given = {"reduction": reduction, "chunk_bytes": chunk_bytes, **kept, **options}
            found, grads = fl.linear_cross_entropy_value_and_grad(hidden, weight, targets, b, **given)
            value = fl.linear_cross_entropy(hidden, weight, targets, b, **given)
            np.testing.assert_array_equal(found, value)
            np.testing.assert_allclose(value, wanted[0], **tolerance)
            for mine, other, like in zip(grads[:2], wanted[1:3], (hidden, weight), strict=True):
                assert (mine.dtype, mine.shape) == (wide, like.shape)
                np.testing.assert_allclose(mine, other, **tolerance)
            if b is None:
                assert grads.bias is None
            else:
                np.testing.assert_allclose(grads.bias, wanted[3], **tolerance)


def test_gradients_are_differences_of_values():
    hidden, weight, targets, bias, counted = drawn(np.float64)
    shapes = [hidden.shape, weight.shape, bias.shape]
    cuts = np.cumsum([math.prod(shape) for shape in shapes])[:-1]

    def value_and_grad(theta):
        h, w, b = (part.reshape(shape) for part, shape in zip(np.split(theta, cuts), shapes, strict=True))
        value, grads = fl.linear_cross_entropy_value_and_grad(
            h, w, targets, b, label_smoothing=0.1, softcap=5.0, z_loss=0.1, chunk_bytes=4000, **counted
        )
        return value, np.concatenate([grad.ravel() for grad in grads])

    check_grad(value_and_grad, np.concatenate([hidden.ravel(), weight.ravel(), bias]))


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 3, 4)])
def test_any_leading_shape(shape):
    hidden, weight, targets, bias, _ = drawn(np.float64, shape=shape)
    for reduction in ("sum", "none"):
        value, grads = fl.linear_cross_entropy_value_and_grad(hidden, weight, targets, bias, reduction=reduction)
        wanted = unfused(hidden, weight, targets, bias, {}, reduction, {})
        assert np.shape(value) == np.shape(wanted[0])
        np.testing.assert_allclose(value, wanted[0], rtol=1e-12)
        np.testing.assert_allclose(grads.hidden, wanted[1], rtol=1e-11, atol=1e-14)


def flat(found):
    value, grads = found
    return value, *grads


def test_other_layouts():
    hidden, weight, targets, bias, _ = drawn(np.float64)
    wanted = fl.linear_cross_entropy_value_and_grad(hidden, weight, targets, bias)
    wide = np.zeros((4, 18, FEATURES))
    wide[:, ::2] = hidden
    for h, w in ((np.asfortranarray(hidden), np.asfortranarray(weight)), (wide[:, ::2], weight[::-1][::-1])):
        found = fl.linear_cross_entropy_value_and_grad(h, w, targets, bias)
        for mine, other in zip(flat(found), flat(wanted), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-15)


def test_weights_for_each_index_of_the_first_axis():
    hidden, weight, targets, bias, _ = drawn(np.float64)
    w = np.array([0.5, 0, 2, 1])
    first = fl.linear_cross_entropy(hidden, weight, targets, bias, sample_weight=w, mask=w != 2)
    each = fl.linear_cross_entropy(
        hidden, weight, targets, bias, sample_weight=np.tile(w[:, None], 9), mask=np.tile(w[:, None] != 2, 9)
    )
    assert first == each


def test_tokens_that_do_not_count_are_not_even_multiplied():
    hidden, weight, targets, bias, _ = drawn(np.float64)
    ignored = targets < 0
    wanted = fl.linear_cross_entropy_value_and_grad(hidden, weight, targets, bias)
    hidden[ignored] = np.nan
    found = fl.linear_cross_entropy_value_and_grad(hidden, weight, targets, bias)
    for mine, other in zip(flat(found), flat(wanted), strict=True):
        np.testing.assert_array_equal(mine, other)
    assert not found[1].hidden[ignored].any()


def test_where_nothing_counts():
    hidden, weight, _, bias, _ = drawn(np.float64)
    targets = np.full((4, 9), -100)
    with pytest.warns(RuntimeWarning, match="linear_cross_entropy: no element counts, the mean is NaN") as told:
        value, grads = fl.linear_cross_entropy_value_and_grad(hidden, weight, targets, bias)
    assert told[0].filename == __file__
    assert math.isnan(value)
    assert not any(grad.any() for grad in grads)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fl.linear_cross_entropy(hidden, weight, targets, reduction="sum") == 0


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"targets": np.full((4, 9), CLASSES)}, IndexError, r"targets\[0, 0\] is 40, must be a class from 0 to 39"),
        (
            {"targets": np.zeros(4, int)},
            ValueError,
            r"targets has shape \(4,\), must have logits's \(4, 9\) for labels",
        ),
        ({"weight": np.zeros((CLASSES, 5))}, ValueError, r"weight has shape \(40, 5\), must be \(classes, 6\)"),
        ({"weight": np.zeros((CLASSES, 6), np.float32)}, TypeError, "weight has dtype float32, must be"),
        (
            {"hidden": np.zeros((4, 9, 6), np.float16)},
            TypeError,
            "hidden has dtype float16, must be float32 or float64",
        ),
        ({"hidden": np.float64(0)}, ValueError, r"hidden has shape \(\), must have an axis of features"),
        ({"bias": np.zeros(3)}, ValueError, r"bias has shape \(3,\), must be \(40,\)"),
        ({"sample_weight": -np.ones((4, 9))}, ValueError, r"sample_weight\[0, [0-9]\] is -1.0, must be finite"),
        ({"mask": np.ones(5, bool)}, ValueError, r"mask has shape \(5,\), must have"),
        ({"chunk_bytes": 0}, ValueError, "chunk_bytes is 0, must be a positive integer"),
        ({"reduction": "max"}, ValueError, "reduction is 'max', must be one of"),
        ({"num_threads": 0}, ValueError, "num_threads is 0, must be a positive integer"),
    ],
)
def test_errors_name_the_function_and_the_argument(change, error, message):
    hidden, weight, targets, bias, _ = drawn(np.float64)
    given = {"hidden": hidden, "weight": weight, "targets": targets, "bias": bias, **change}
    for call in (fl.linear_cross_entropy, fl.linear_cross_entropy_value_and_grad):
        with pytest.raises(error, match=f"linear_cross_entropy: {message}"):
            call(**given)


def test_options_are_those_of_cross_entropy():
    hidden, weight, targets, _, _ = drawn(np.float64)
    with pytest.raises(ValueError, match="temperature is -1, must be greater than 0"):
        fl.linear_cross_entropy(hidden, weight, targets, temperature=-1)
    with pytest.raises(TypeError, match="gamma"):
        fl.linear_cross_entropy(hidden, weight, targets, gamma=2)


@pytest.mark.parametrize("tokens", [300, 1200])
@pytest.mark.parametrize("chunk_bytes", [1 << 20, 1 << 21])
def test_memory_is_a_chunk_whatever_the_number_of_tokens(tokens, chunk_bytes):
    rng = generator("memory")
    hidden, weight = rng.standard_normal((tokens, 16), np.float32), rng.standard_normal((5000, 16), np.float32)
    targets = rng.integers(0, 5000, tokens)
    fl.linear_cross_entropy(hidden[:1], weight, targets[:1])
    tracemalloc.start()
    value = fl.linear_cross_entropy(hidden, weight, targets, chunk_bytes=chunk_bytes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    same, grads = fl.linear_cross_entropy_value_and_grad(hidden, weight, targets, chunk_bytes=chunk_bytes)
    peak_with_grads = tracemalloc.get_traced_memory()[1] - grads.hidden.nbytes - grads.weight.nbytes
    tracemalloc.stop()
    assert same == value
    assert 0.8 * chunk_bytes < max(peak, peak_with_grads) < 1.05 * chunk_bytes
    assert tokens * 5000 * 4 > 2.8 * chunk_bytes


@pytest.mark.parametrize("smoothing", [0, 0.1])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_as_pytorch_has_it(smoothing, reduction):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    arrays = drawn(np.float64)
    hidden, weight, bias = (torch.tensor(arrays[k], requires_grad=True) for k in (0, 1, 3))
    logits = torch.nn.functional.linear(hidden, weight, bias)
    wanted = torch.nn.functional.cross_entropy(
        logits.reshape(-1, CLASSES), torch.tensor(arrays[2].ravel()), reduction=reduction, label_smoothing=smoothing
    )
    wanted.backward()
    value, grads = fl.linear_cross_entropy_value_and_grad(
        *arrays[:4], reduction=reduction, label_smoothing=smoothing, chunk_bytes=5000
    )
    np.testing.assert_allclose(value, wanted.item(), rtol=1e-12)
    for mine, leaf in zip(grads, (hidden, weight, bias), strict=True):
        np.testing.assert_allclose(mine, leaf.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_a_layer_of_any_loss_of_rows():
    hidden, weight, targets, bias, counted = drawn(np.float64)
    targets = np.abs(targets) % CLASSES
    for loss in (fl.SoftmaxFocal(), fl.MultiMargin(), fl.CrossEntropy(label_smoothing=0.1)):
        value, slope = loss.value_and_grad(targets, hidden @ weight.T + bias, **counted)
        found, grads = fl.linear_loss_value_and_grad(loss, hidden, weight, targets, bias, chunk_bytes=3000, **counted)
        assert found == fl.linear_loss(loss, hidden, weight, targets, bias, chunk_bytes=3000, **counted)
        np.testing.assert_allclose(found, value, rtol=1e-12)
        flat = slope.reshape(-1, CLASSES)
        for grad, wanted in zip(
            grads, (slope @ weight, flat.T @ hidden.reshape(-1, FEATURES), flat.sum(axis=0)), strict=True
        ):
            np.testing.assert_allclose(grad, wanted, rtol=1e-10, atol=1e-14)
    dense = np.exp(fl.CrossEntropy().grad(targets, hidden @ weight.T))
    kl = fl.ForwardKL()
    np.testing.assert_allclose(fl.linear_loss(kl, hidden, weight, dense), kl(dense, hidden @ weight.T), rtol=1e-12)


def test_a_layer_of_another_loss_is_refused():
    hidden, weight, targets, _, _ = drawn(np.float64)
    for loss in (fl.Huber(), fl.CrossEntropy(axis=0)):
        with pytest.raises(TypeError, match=r"linear_loss: loss is .*, must be one of rows along the last axis"):
            fl.linear_loss(loss, hidden, weight, targets)
    with pytest.raises(TypeError, match="linear_loss: loss is 'focal', must be a loss object"):
        fl.linear_loss("focal", hidden, weight, targets)
