"""Losses of PyTorch's tensors: values and gradients of arrays, to the bit; what autograd, `torch.compile`,
`torch.func` and modules ask of them; training with them.
"""

import ast
import copy
import gc
import inspect
import io
import pickle
import weakref
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: losses of tensors are not tested")
import torch
from torch.autograd import forward_ad, gradcheck, gradgradcheck

import fastloss as fl
from fastloss._core import threads
from fastloss._core.runtime import GRAD, VALUE
from fastloss.composition.linear_layer import Layer
from fastloss.integrations import torch as flt
from fastloss.integrations.torch import functional
from fastloss.integrations.torch._calls import Call
from fastloss.integrations.torch._text import loss_of, text_of
from fastloss.regions.regions import RegionLoss
from tests.inputs import draw, draw_arrays
from tests.support import EVERY, assert_same_bits, fresh, generator

DTYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16]
COMPOSED = [
    fl.SquaredError() - 0.5 * fl.LogCosh(),
    fl.CrossEntropy() + 0.5 * fl.SoftmaxFocal(),
    fl.NTXent(temperature=0.5) + 0.25 * fl.SupCon(),
    fl.Chained(fl.SquaredError(half=True), "sigmoid"),
    fl.Chained(fl.SquaredError(), "softmax"),
    fl.Chained(fl.ForwardKL(scores="log_probabilities"), "softmax"),
]
LOSSES = [*EVERY, *COMPOSED]


def drawn(loss, dtype, size=300):
    """Arrays for a loss by name, in the order of its signature."""
    rng = generator(type(loss).__name__)
    if isinstance(loss, fl.WeightedSum):
        return drawn(loss.terms[0][1], dtype, size)
    if isinstance(loss, fl.Chained):
        rows = rng.dirichlet(np.ones(5), 7).astype(dtype)
        arrays = rows, rng.standard_normal((7, 5)).astype(dtype)
    else:
        arrays = draw_arrays(loss, size, dtype, rng)
    names = [argument.name for argument in loss.signature.arguments if not argument.keyword]
    return dict(zip(names, map(np.ascontiguousarray, arrays), strict=True))


def tensor(array):
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(array.view(np.uint16)).view(torch.bfloat16).clone()
    return torch.from_numpy(array).clone()


def array(tensor):
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.uint16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def predictions(loss, tensors):
    return [argument.name for argument in loss.signature.predictions if argument.name in tensors]


def leaves(loss, arrays):
    """The arrays as tensors, of which predictions require a gradient."""
    tensors = {name: tensor(given) for name, given in arrays.items()}
    for name in predictions(loss, tensors):
        tensors[name].requires_grad_()
    return tensors


def each_gradient(loss, arrays, grads):
    """The gradients in predictions by name."""
    return zip(predictions(loss, arrays), grads if isinstance(grads, tuple) else [grads], strict=False)


def reductions(loss, arrays):
    """Those that the loss has."""
    for reduction in ("mean", "batch_mean", "sum", "none"):
        try:
            loss(*arrays.values(), reduction=reduction)
        except ValueError:
            continue
        yield reduction


# Values and gradients -------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_values_and_gradients_are_those_of_arrays(loss):
    for dtype in DTYPES:
        arrays = drawn(loss, dtype)
        for reduction in reductions(loss, arrays):
            value, grads = loss.value_and_grad(*arrays.values(), reduction=reduction)
            tensors = leaves(loss, arrays)
            found = flt.LossModule(loss, reduction)(**tensors)
            wide = np.float64 if dtype is np.float64 else np.float32
            assert_same_bits(found.detach().numpy(), np.asarray(value, wide), reduction)
            found.sum().backward()
            coupled = isinstance(loss, RegionLoss) and not loss._separate and reduction == "none"
            for name, grad in zip(
                predictions(loss, tensors), grads if isinstance(grads, tuple) else [grads], strict=False
            ):
                own = array(tensors[name].grad)
                if coupled:  # computed by the rule of the chain, since factors might differ
                    np.testing.assert_allclose(own.astype(float), grad.astype(float), rtol=0.02, atol=1e-8)
                else:
                    assert_same_bits(own, grad, f"{name} {reduction}")


def gradient_of_sum(loss, arrays, factors):
    """The gradients of a sum of losses under factors of any sign, by weights, which have none."""
    total = {name: np.zeros(arrays[name].shape) for name in predictions(loss, arrays)}
    for sign in (1, -1):
        weight = np.maximum(sign * factors, 0)
        if not weight.any():
            continue
        for some, options in parts(loss, weight):
            grads = some.grad(*arrays.values(), reduction="sum", **options)
            for name, grad in zip(total, grads if isinstance(grads, tuple) else [grads], strict=False):
                total[name] += sign * grad
    return total


def parts(loss, weight):
    """Losses, and options of calls, that add up to the weighted sum of a loss."""
    groups = loss.parameters().get("groups") if isinstance(loss, RegionLoss) else None
    if groups not in ("class", "image_class"):
        yield loss, {"sample_weight": weight} if weight.ndim else {}
        return
    own = loss.parameters()["class_weight"] or (1.0,) * weight.shape[-1]
    for k in range(weight.shape[-1]):
        of_class = [0.0] * weight.shape[-1]
        of_class[k] = own[k] * (weight[k] if groups == "class" else 1.0)
        options = {} if groups == "class" else {"sample_weight": weight[:, k]}
        yield type(loss)(**loss.parameters() | {"class_weight": of_class}), options


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_losses_that_are_not_reduced_may_have_any_factors(loss):
    arrays = drawn(loss, np.float64)
    if "none" not in reductions(loss, arrays) or isinstance(loss, fl.WeightedSum):
        return
    tensors = leaves(loss, arrays)
    found = flt.LossModule(loss, "none")(**tensors)
    factors = generator("factors", loss).standard_normal(found.shape)
    if not found.ndim:
        factors = np.ones(())
    (found * torch.from_numpy(factors)).sum().backward()
    for name, wanted in gradient_of_sum(loss, arrays, factors).items():
        np.testing.assert_allclose(tensors[name].grad.numpy(), wanted, rtol=1e-9, atol=1e-9 * np.abs(wanted).max())


COUPLED = [
    fl.NTXent(temperature=0.5),
    fl.InfoNCE(temperature=0.5, symmetric=True),
    fl.Center(),
    COMPOSED[2],
    COMPOSED[4],
    fl.Dice(mode="multiclass", from_logits=True, groups="image_class"),
]


@pytest.mark.parametrize("loss", COUPLED, ids=repr)
def test_gradients_of_losses_that_share_predictions(loss):
    arrays = drawn(loss, np.float64, 60)
    tensors = leaves(loss, arrays)
    module = flt.LossModule(loss, "none")
    names = predictions(loss, tensors)
    assert gradcheck(
        lambda *given: module(**tensors | dict(zip(names, given, strict=True))), [tensors[n] for n in names]
    )


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_what_is_foretold_is_what_comes(loss):
    for transposed in (False, True):
        tensors = {name: tensor(given) for name, given in drawn(loss, np.float32).items()}
        for name in predictions(loss, tensors) if transposed else ():
            tensors[name] = tensors[name].transpose(0, -1).contiguous().transpose(0, -1)
        for reduction in ("mean", "none"):
            call = Call(loss, tuple(tensors), tuple(predictions(loss, tensors)), reduction, "propagate")
            try:
                value, grads = call.compute(list(tensors.values()))
            except ValueError:
                assert not loss.signature.additive
                continue
            meta = call.outputs([given.to("meta") for given in tensors.values()])
            for own, foretold in zip([value, *grads], [meta[0], *meta[1]], strict=True):
                assert (own.dtype, own.shape, own.stride()) == (foretold.dtype, foretold.shape, foretold.stride())


@pytest.mark.parametrize("loss", [fl.Huber(), fl.CrossEntropy(), fl.TripletMargin(), fl.GaussianNLL()], ids=repr)
def test_layouts_are_read_in_place(loss):
    arrays = drawn(loss, np.float32)
    wanted = loss.value_and_grad(*arrays.values())
    for layout in (
        lambda t: torch.stack([t, t], -1)[..., 0],
        lambda t: torch.cat([t, t])[: len(t)],
        lambda t: t.flip(0).flip(0),
        lambda t: t.transpose(0, -1).contiguous().transpose(0, -1),
    ):
        tensors = {name: layout(tensor(given)) for name, given in arrays.items()}
        names = predictions(loss, tensors)
        given = [tensors[name].requires_grad_() for name in names]
        found = flt.LossModule(loss)(**tensors)
        assert found.item() == pytest.approx(wanted[0], rel=1e-6)
        grads = torch.autograd.grad(found, given)
        for own, grad in zip(grads, wanted[1] if isinstance(wanted[1], tuple) else [wanted[1]], strict=True):
            np.testing.assert_allclose(own.numpy(), grad, rtol=1e-6)


def test_expanded_and_broadcast_predictions_add_up():
    y = torch.randn(6, dtype=torch.float64)
    bias = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    flt.huber(y, bias.expand(6)).backward()
    assert bias.grad.item() == pytest.approx(fl.Huber().grad(y.numpy(), np.zeros(6)).sum(), rel=1e-14)


def test_numbers_and_nothing():
    number = torch.zeros((), requires_grad=True)
    for reduction in ("mean", "none"):
        loss = flt.squared_error(torch.ones(()), number, reduction=reduction)
        assert (loss.shape, loss.item()) == ((), 1.0)
        assert torch.autograd.grad(loss, number)[0].item() == -2
    nothing = torch.zeros(0, requires_grad=True)
    assert flt.squared_error(torch.ones(0), nothing, reduction="sum").item() == 0
    assert flt.squared_error(torch.ones(0), nothing, reduction="none").shape == (0,)
    with pytest.warns(RuntimeWarning, match=r"^SquaredError: no element counts"):
        loss = flt.squared_error(torch.ones(0), nothing)
    loss.backward()
    assert loss.isnan()
    assert nothing.grad.shape == (0,)


def test_weights_masks_and_policies():
    rng = generator("weights")
    y, x = draw(fl.Huber(), 50, np.float64, rng)
    y[3] = np.nan
    options = {"sample_weight": rng.random(50), "mask": rng.random(50) < 0.8}
    tensors = {name: torch.from_numpy(given) for name, given in options.items()}
    at = torch.from_numpy(x).requires_grad_()
    for reduction in ("mean", "batch_mean", "sum"):
        wanted = fl.Huber().value_and_grad(y, x, nan_policy="omit", reduction=reduction, **options)
        loss = flt.huber(torch.from_numpy(y), at, nan_policy="omit", reduction=reduction, **tensors)
        assert loss.item() == wanted[0]
        assert_same_bits(torch.autograd.grad(loss, at)[0].numpy(), wanted[1])
    with pytest.raises(ValueError, match=r"^Huber: y_true\[3\] is nan, must be a number with nan_policy='raise'$"):
        flt.huber(torch.from_numpy(y), at, nan_policy="raise")


@pytest.mark.parametrize("kind", [torch.bool, torch.uint8, torch.int16, torch.int32, torch.int64, torch.float16])
def test_targets_of_any_type(kind):
    logits = torch.linspace(-3, 3, 8, requires_grad=True)
    labels = torch.tensor([0, 1] * 4)
    wanted = flt.binary_cross_entropy_with_logits(labels.float(), logits)
    assert flt.binary_cross_entropy_with_logits(labels.to(kind), logits) == wanted
    rows = logits.reshape(4, 2)
    assert flt.cross_entropy(labels[:4].to(kind), rows) == flt.cross_entropy(labels[:4], rows)


# Parameters that are tensors ------------------------------------------------------------------------


def test_parameters_may_be_tensors():
    y, x = torch.randn(9), torch.randn(9, requires_grad=True)
    for delta in (torch.tensor(0.5), torch.tensor(0.5, dtype=torch.bfloat16)):
        assert flt.huber(y, x, delta=delta) == flt.huber(y, x, delta=0.5)
    labels, logits = torch.tensor([0, 2, 1]), torch.randn(3, 3, requires_grad=True)
    weight = torch.tensor([1.0, 2.0, 0.5])
    loss = flt.cross_entropy(labels, logits, class_weight=weight, label_smoothing=0.1)
    assert loss == flt.cross_entropy(labels, logits, class_weight=weight.tolist(), label_smoothing=0.1)
    with pytest.raises(ValueError, match=r"^Huber: delta is -1, must be greater than 0$"):
        flt.huber(y, x, delta=torch.tensor(-1.0))
    with pytest.raises(ValueError, match=r"^CrossEntropy: class_weight\[1\] is -2, must be at least 0$"):
        flt.cross_entropy(labels, logits, class_weight=-weight * torch.tensor([-1.0, 1.0, 1.0]))
    with pytest.raises(ValueError, match=r"^Huber: delta requires a gradient, must not, as there is none in it"):
        flt.huber(y, x, delta=torch.tensor(1.0, requires_grad=True))


@pytest.mark.parametrize(
    "loss, learned", [(fl.InfoNCE(), ["temperature"]), (fl.SigmoidPairwise(), ["temperature", "bias"])], ids=repr
)
def test_parameters_with_a_derivative_are_learned(loss, learned):
    arrays = drawn(loss, np.float64, 80)
    tensors = leaves(loss, arrays)
    parameters = {"temperature": 0.4, "bias": -1.0}
    given = {name: torch.tensor(parameters[name], dtype=torch.float64, requires_grad=True) for name in learned}
    function = getattr(flt, loss.function_name)
    numbers = {name: parameters[name] for name in learned}
    wanted = type(loss)(**numbers).value_and_grad(*arrays.values())
    found = function(**tensors, **given)
    assert found.item() == wanted[0]
    found.backward()
    assert [given[name].grad.item() for name in learned] == [getattr(wanted[1], name) for name in learned]
    assert gradcheck(
        lambda *values: function(**tensors, **dict(zip(learned, values, strict=True))), tuple(given.values())
    )


# Autograd -------------------------------------------------------------------------------------------


def pair():
    rng = torch.Generator().manual_seed(0)
    y = torch.rand(7, dtype=torch.float64, generator=rng)
    return y, torch.randn(7, dtype=torch.float64, generator=rng).requires_grad_()


def rows():
    rng = torch.Generator().manual_seed(0)
    return torch.tensor([0, 3, 1, 2]), torch.randn(4, 5, dtype=torch.float64, generator=rng).requires_grad_()


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if Call(loss, (), (), "mean", "propagate").curved], ids=repr)
def test_second_derivatives_of_elements_are_their_curvature(loss):
    y, x = drawn(loss, np.float64, 40).values()
    weight = generator("curvature").random(x.shape)
    hess = loss.grad_and_hess(y, x, sample_weight=weight)[1]
    at = torch.from_numpy(x).requires_grad_()
    value = flt.LossModule(loss)(torch.from_numpy(y), at, sample_weight=torch.from_numpy(weight))
    (grad,) = torch.autograd.grad(value, at, create_graph=True)
    (product,) = torch.autograd.grad((2.0 * grad).sum(), at)
    np.testing.assert_array_equal(product.numpy(), 2 * hess)


def test_derivatives_against_differences():
    y, x = pair()
    assert gradgradcheck(lambda x: flt.binary_cross_entropy_with_logits(y, x, pos_weight=2.0), (x,))
    assert gradgradcheck(lambda x: flt.log_cosh(y, x, sample_weight=y, reduction="none"), (x,))
    labels, logits = rows()
    assert gradcheck(lambda z: flt.cross_entropy(labels, z, label_smoothing=0.1), (logits,))
    assert gradcheck(lambda z: flt.cross_entropy(labels, z, reduction="none"), (logits,))
    assert gradcheck(lambda z: flt.cross_entropy(labels, z.T, axis=0, reduction="none"), (logits,))


def test_other_second_derivatives_are_refused_by_name():
    labels, logits = rows()
    factor = torch.ones((), dtype=torch.float64, requires_grad=True)
    (grad,) = torch.autograd.grad(flt.cross_entropy(labels, logits) * factor, logits, create_graph=True)
    wanted = fl.CrossEntropy().grad(labels.numpy(), logits.detach().numpy())
    (of_factor,) = torch.autograd.grad(grad.square().sum(), factor, retain_graph=True)
    assert of_factor.item() == pytest.approx(2 * np.square(wanted).sum(), rel=1e-12)
    with pytest.raises(NotImplementedError, match=r"^CrossEntropy: its gradient has no derivative here"):
        torch.autograd.grad(grad.sum(), logits)
    arrays = leaves(fl.NTXent(), drawn(fl.NTXent(), np.float64, 40))
    losses = flt.nt_xent(**arrays, reduction="none")
    (grad,) = torch.autograd.grad(losses @ torch.randn_like(losses), arrays["embeddings"], create_graph=True)
    with pytest.raises(NotImplementedError, match=r"^NTXent: its gradient has no derivative here"):
        grad.sum().backward()


def test_third_derivatives_are_refused_by_name():
    y, x = pair()
    (grad,) = torch.autograd.grad(flt.log_cosh(y, x), x, create_graph=True)
    (second,) = torch.autograd.grad(grad.sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match=r"^LogCosh: its second derivative has no derivative here$"):
        torch.autograd.grad(second.sum(), x)


def test_a_graph_that_is_kept_gives_the_same_again():
    y, x = pair()
    loss = flt.huber(y, x)
    wanted = torch.from_numpy(fl.Huber().grad(y.numpy(), x.detach().numpy()))
    for factor in (3.0, 1.0, -0.5):
        (grad,) = torch.autograd.grad(factor * loss, x, retain_graph=True)
        assert torch.equal(grad, factor * wanted)
        grad.zero_()  # it is the caller's
    assert torch.equal(torch.autograd.grad(2 * loss, x)[0], 2 * wanted)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        loss.backward()


def test_gradients_of_several_losses_add_up():
    y, x = pair()
    first, second = flt.huber(y, x), flt.squared_error(y, x)
    (first + 2 * second + first).backward()
    wanted = 2 * fl.Huber().grad(y.numpy(), x.detach().numpy()) + 2 * fl.SquaredError().grad(
        y.numpy(), x.detach().numpy()
    )
    np.testing.assert_allclose(x.grad.numpy(), wanted, rtol=1e-14)


def test_a_gradient_is_computed_once_kept_and_handed_out(monkeypatch):
    y, x = pair()
    operations, reduced = [], Call._reduced
    monkeypatch.setattr(Call, "_reduced", lambda *given: operations.append(given[1]) or reduced(*given))
    loss = flt.huber(y, x)
    (kept,) = loss.grad_fn.saved_tensors[:1]
    (0.5 * loss).backward()
    assert x.grad.data_ptr() == kept.data_ptr(), "multiplied in place, without a copy"
    with torch.no_grad():
        flt.huber(y, x)
    flt.huber(y, x.detach())
    assert operations == [VALUE | GRAD, VALUE, VALUE]


def test_only_gradients_that_are_required_are_kept(monkeypatch):
    anchor, positive, negative = torch.randn(3, 4, 5, dtype=torch.float64)
    wanted = fl.TripletMargin().grad(anchor.numpy(), positive.numpy(), negative.numpy())
    loss = flt.triplet_margin(anchor, positive.requires_grad_(), negative)
    assert len(loss.grad_fn.saved_tensors) == 1
    assert_same_bits(torch.autograd.grad(loss, positive)[0].numpy(), wanted.positive)

    hidden, weight, labels = torch.randn(6, 4), torch.randn(9, 4), torch.arange(6)
    whole = fl.linear_cross_entropy_value_and_grad(hidden.numpy(), weight.numpy(), labels.numpy())[1]
    computed, of_layer = [], Layer.value_and_grad
    monkeypatch.setattr(Layer, "value_and_grad", lambda layer, names: computed.append(names) or of_layer(layer, names))
    for names in (("hidden",), ("weight",), ("hidden", "weight")):
        given = {"hidden": hidden.clone(), "weight": weight.clone()}
        for name in names:
            given[name].requires_grad_()
        flt.linear_cross_entropy(targets=labels, **given).backward()
        for name, tensor in given.items():
            assert (tensor.grad is not None) == (name in names)
            if name in names:
                assert_same_bits(tensor.grad.numpy(), getattr(whole, name))
    assert computed == [("hidden",), ("weight",), ("hidden", "weight")]


def test_large_gradients_of_any_layout():
    x = torch.randn(3, 500, 1100).transpose(0, 2).requires_grad_()
    y = torch.randn(x.shape)
    (grad,) = torch.autograd.grad(flt.squared_error(y, x, reduction="sum"), x)
    assert grad.stride() == x.stride()
    assert torch.equal(grad, 2 * (x - y).detach())


def test_calls_leave_no_cycles():
    y, x = pair()
    gc.collect()
    gc.disable()
    try:
        x = x.detach().clone().requires_grad_()
        loss = flt.huber(y, x)
        watched = [weakref.ref(loss), weakref.ref(x)]
        loss.backward()
        del loss, x
        assert [one() for one in watched] == [None, None]
    finally:
        gc.enable()


def test_what_was_saved_and_changed_is_noticed():
    y, x = pair()
    moved = x * 1
    loss = flt.huber(y, moved)  # whose curvature may be asked for
    moved.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    labels, logits = rows()
    moved = logits * 1
    loss = flt.cross_entropy(labels, moved)
    wanted = fl.CrossEntropy().grad(labels.numpy(), logits.detach().numpy())
    moved.add_(1)
    loss.backward()
    assert_same_bits(logits.grad.numpy(), wanted)


def test_checkpoints_and_hooks_of_saved_tensors():
    y, x = pair()
    (wanted,) = torch.autograd.grad(flt.huber(y, 2 * x), x)
    (found,) = torch.autograd.grad(
        torch.utils.checkpoint.checkpoint(lambda x: flt.huber(y, 2 * x), x, use_reentrant=False), x
    )
    assert torch.equal(found, wanted)
    with torch.autograd.graph.save_on_cpu():
        loss = flt.huber(y, 2 * x)
    assert torch.equal(torch.autograd.grad(loss, x)[0], wanted)


def test_modes_of_pytorch():
    y, x = pair()
    wanted = flt.huber(y, x)
    with torch.inference_mode():
        assert flt.huber(y, x) == wanted
        assert flt.huber(y, x).is_inference()
    with torch.no_grad():
        assert not flt.huber(y, x).requires_grad
    with torch.device("meta"):  # which concerns new tensors alone
        assert flt.huber(y, x) == wanted
    torch.use_deterministic_algorithms(True)
    try:
        assert flt.huber(y, x) == wanted
    finally:
        torch.use_deterministic_algorithms(False)
    with torch.autocast("cpu"):
        assert flt.huber(y.bfloat16(), x.bfloat16()).dtype == torch.float32


def test_threads_are_pytorchs(monkeypatch):
    seen = []
    monkeypatch.setattr(threads, "available", lambda found=threads.available: seen.append(found()) or seen[-1])
    y, x = torch.zeros(1 << 18), torch.zeros(1 << 18)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    flt.squared_error(y, x)
    assert seen == [(1, "the library that calls")]
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1 << 20)
    flt.squared_error(y, x)
    assert seen[1] == threads.available()


# torch.func -----------------------------------------------------------------------------------------


def test_transforms_of_functions():
    labels, logits = rows()
    logits = logits.detach()
    each = torch.func.vmap(lambda z, label: flt.cross_entropy(label, z))(logits, labels)
    assert torch.equal(each, flt.cross_entropy(labels, logits, reduction="none"))
    grads = torch.func.vmap(torch.func.grad(lambda z, label: flt.cross_entropy(label, z)))(logits, labels)
    wanted = fl.CrossEntropy().grad(labels.numpy(), logits.numpy(), reduction="none")
    assert_same_bits(grads.numpy(), wanted)
    jacobian = torch.func.jacrev(lambda z: flt.cross_entropy(labels, z, reduction="none"))(logits)
    assert_same_bits(jacobian.sum(0).numpy(), wanted)
    arrays = {name: torch.from_numpy(given) for name, given in drawn(fl.NTXent(), np.float64, 60).items()}
    factors = torch.linspace(-1, 1, len(arrays["y_true"]), dtype=torch.float64)

    def weighted(embeddings):
        return flt.nt_xent(arrays["y_true"], embeddings, reduction="none") @ factors

    at = arrays["embeddings"].clone().requires_grad_()
    (wanted,) = torch.autograd.grad(weighted(at), at)
    assert torch.equal(torch.func.grad(weighted)(at.detach()), wanted)
    y, x = pair()
    hessian = torch.func.jacrev(torch.func.jacrev(lambda x: flt.log_cosh(y, x)))(x.detach())
    np.testing.assert_array_equal(
        hessian.numpy(), np.diag(fl.LogCosh().grad_and_hess(y.numpy(), x.detach().numpy())[1])
    )
    with pytest.raises(NotImplementedError, match=r"^CrossEntropy: its gradient has no derivative here"):
        torch.func.jacrev(torch.func.jacrev(lambda z: flt.cross_entropy(labels, z)))(logits)


@pytest.mark.filterwarnings("ignore:`torch.jit.:DeprecationWarning")  # that PyTorch itself calls
def test_forward_mode_is_refused_by_name():
    y, x = pair()
    x = x.detach()
    with pytest.raises(NotImplementedError, match=r"^Huber: it has no forward mode of differentiation"):
        torch.func.jvp(lambda x: flt.huber(y, x), (x,), (torch.ones_like(x),))
    with forward_ad.dual_level():
        assert flt.huber(y, x) == fl.huber(y.numpy(), x.numpy())
        with pytest.raises(NotImplementedError, match=r"^Huber: it has no forward mode of differentiation"):
            flt.huber(y, forward_ad.make_dual(x, torch.ones_like(x)))


# torch.compile --------------------------------------------------------------------------------------

COMPILED = [
    (fl.Huber(delta=0.5), "mean"),
    (fl.GaussianNLL(), "none"),
    (fl.MultiQuantile(), "mean"),
    (fl.RootMeanSquaredError(), "mean"),
    (fl.CrossEntropy(label_smoothing=0.1), "none"),
    (fl.TripletMargin(), "none"),
    (fl.NTXent(), "none"),
    (fl.CIoU(), "mean"),
    (fl.Dice(mode="multiclass", from_logits=True, groups="class"), "none"),
    (fl.CTC(), "none"),
    (fl.VAE(), "mean"),
    (COMPOSED[1], "mean"),
    (COMPOSED[4], "none"),
]


@pytest.mark.parametrize("loss, reduction", COMPILED, ids=lambda case: repr(case))
def test_compiled_without_graph_breaks(loss, reduction):
    torch.compiler.reset()
    arrays = drawn(loss, np.float32)
    module = flt.LossModule(loss, reduction)
    found = []
    for make in (
        lambda call: call,
        lambda call: torch.compile(call, fullgraph=True, dynamic=True, backend="aot_eager"),
    ):
        tensors = leaves(loss, arrays)

        def scaled(tensors):
            losses = module(**tensors)
            return (losses * torch.arange(1, losses.numel() + 1).reshape(losses.shape)).sum()

        total = make(scaled)(tensors)
        total.backward()
        found.append([total.detach(), *(tensors[name].grad for name in predictions(loss, tensors))])
    for own, wanted in zip(found[1], found[0], strict=True):
        assert torch.allclose(own, wanted, rtol=1e-5, atol=1e-6 * float(wanted.abs().max()))


def test_compiled_functions_take_numbers_and_tensors():
    torch.compiler.reset()
    y, x = pair()
    labels, logits = rows()

    def total(x, logits, delta, weight):
        of_rows = flt.cross_entropy(labels, logits, class_weight=weight, ignore_index=2)
        return flt.huber(y, x, delta=delta, sample_weight=y) + of_rows

    compiled = torch.compile(total, fullgraph=True, backend="aot_eager")
    for delta in (0.5, 0.25, 1.0):  # the second time a number may be a symbol
        weight = torch.rand(5)
        loss = compiled(x, logits, delta, weight)
        assert torch.allclose(loss, total(x, logits, delta, weight), rtol=1e-14)
        assert torch.equal(torch.autograd.grad(loss, x)[0], torch.autograd.grad(total(x, logits, delta, weight), x)[0])


def test_compiled_linear_layers():
    torch.compiler.reset()
    labels, hidden = rows()
    weight = torch.randn(5, 5, dtype=torch.float64, requires_grad=True)

    def total(hidden, weight):
        smooth = flt.linear_cross_entropy(hidden, weight, labels, label_smoothing=0.1)
        return smooth + flt.linear_loss(fl.SoftmaxFocal(gamma=1.5), hidden, weight, labels)

    wanted = torch.autograd.grad(total(hidden, weight), (hidden, weight))
    found = torch.autograd.grad(
        torch.compile(total, fullgraph=True, backend="aot_eager")(hidden, weight), (hidden, weight)
    )
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize(
    "loss, reduction",
    [
        (fl.LogCosh(), "mean"),
        (fl.Huber(), "none"),
        (fl.CrossEntropy(), "none"),
        (fl.InfoNCE(), "none"),
        (fl.CosineEmbedding(), "sum"),
    ],
    ids=repr,
)
def test_the_operator_is_what_pytorch_expects(loss, reduction):
    tensors = leaves(loss, drawn(loss, np.float32, 40))
    wanted = " ".join(predictions(loss, tensors))
    arguments = text_of(loss), " ".join(tensors), list(tensors.values()), wanted, reduction, "propagate"
    assert set(torch.library.opcheck(torch.ops.fastloss.loss.default, arguments).values()) == {"SUCCESS"}


@pytest.mark.filterwarnings("ignore:`torch.jit.:DeprecationWarning")
def test_graphs_are_exported_and_traced():
    y, x = pair()
    x = x.detach()
    buffer = io.BytesIO()
    torch.export.save(torch.export.export(flt.Huber(delta=0.5), (y, x)), buffer)
    buffer.seek(0)
    assert torch.export.load(buffer).module()(y, x) == flt.huber(y, x, delta=0.5)
    traced = torch.jit.trace(lambda y, x: flt.huber(y, x), (y, x))
    assert traced(y + 1, x) == flt.huber(y + 1, x)
    graph = torch.fx.experimental.proxy_tensor.make_fx(lambda x: flt.huber(y, x))(x)
    assert graph(x + 1) == flt.huber(y, x + 1)


def test_a_loss_is_what_its_text_says():
    for loss in LOSSES:
        assert loss_of(text_of(loss)) == loss


def test_no_other_text_is_read():
    for text in ("__import__('os')", "print(1)", "Huber(2.0)", "(lambda: 1)()", "Huber.__init__()", "1 + 1", "'a'"):
        with pytest.raises((KeyError, ValueError, TypeError, AssertionError)):
            loss_of(text)


# Modules --------------------------------------------------------------------------------------------


def test_every_loss_is_a_module_and_a_function():
    named = {}
    for cls in fl.registry.values():
        module, function = getattr(flt, cls.__name__), getattr(flt, cls.function_name)
        assert issubclass(module, flt.LossModule)
        assert module().loss == cls()
        assert inspect.signature(module).parameters.keys() - {"reduction", "nan_policy"} == cls()._fields.keys()
        assert all(getattr(flt, alias) is function for alias in cls.aliases)
        assert inspect.getdoc(module).partition("\n")[0] == inspect.getdoc(function).partition("\n")[0]
        named |= dict.fromkeys([cls.__name__, cls.function_name, *cls.aliases])
    assert set(flt.__all__) == named.keys() | {"LossModule", "functional", "linear_cross_entropy", "linear_loss"}


def test_the_type_stub_has_the_same_names():
    tree = ast.parse((Path(flt.__file__).parent / "__init__.pyi").read_text())
    names = set()
    for statement in tree.body:
        match statement:
            case ast.ImportFrom(names=imported):
                names |= {alias.asname for alias in imported if alias.asname}
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
                names.add(name)
    assert names - {"__all__"} == set(flt.__all__)


def test_docstrings_are_numpydoc():
    from tests.test_docs import NOT_ASKED, validate

    names = [f"{flt.__name__}.{name}" for name in flt.__all__ if not inspect.ismodule(getattr(flt, name))]
    names += [f"{functional.__name__}.{name}" for name in functional.__all__]
    for name in (*names, f"{flt.__name__}.LossModule.forward", f"{flt.__name__}.LossModule.extra_repr"):
        errors = [(code, text) for code, text in validate(name)["errors"] if code not in NOT_ASKED]
        assert not errors, (name, errors)


def test_names_of_arrays_and_of_parameters_differ():
    for cls in fl.registry.values():
        assert not cls._fields.keys() & {*cls().signature.names, "sample_weight", "mask", "reduction", "nan_policy"}


def test_modules_are_copied_pickled_and_shown():
    labels, logits = rows()
    module = flt.CrossEntropy(class_weight=torch.arange(1.0, 6.0), label_smoothing=0.1, reduction="sum")
    buffer = io.BytesIO()
    torch.save(module, buffer)
    buffer.seek(0)
    copies = copy.deepcopy(module), pickle.loads(pickle.dumps(module)), torch.load(buffer, weights_only=False)
    for other in copies:
        assert type(other) is flt.CrossEntropy
        assert other(labels, logits) == module(labels, logits)
    assert list(module.state_dict()) == ["class_weight"]
    assert module.to(torch.float64).class_weight.dtype == torch.float64
    assert repr(flt.Huber(2.0)) == "Huber(delta=2.0, reduction='mean')"
    shown = "LossModule(SquaredError(half=False) + -0.5 * LogCosh(), reduction='none')"
    assert repr(flt.LossModule(COMPOSED[0], "none")) == shown


def test_learned_parameters_are_the_modules():
    module = flt.InfoNCE(temperature=torch.nn.Parameter(torch.tensor(0.5)), symmetric=True)
    assert [name for name, _ in module.named_parameters()] == ["temperature"]
    queries, keys = torch.eye(4) + 0.1, torch.eye(4)
    optimizer, before = torch.optim.SGD(module.parameters(), lr=0.1), module(queries, keys).item()
    for _ in range(5):
        optimizer.zero_grad()
        module(queries, keys).backward()
        optimizer.step()
    assert module(queries, keys).item() < before


# What is refused ------------------------------------------------------------------------------------


def test_errors_name_the_loss_and_the_argument():
    y, x = pair()
    labels, logits = rows()
    for call, error, message in (
        (
            lambda: flt.huber(y.clone().requires_grad_(), x),
            ValueError,
            "Huber: y_true requires a gradient, must not, as there is none in it; pass y_true.detach()",
        ),
        (lambda: flt.huber(y.to("meta"), x), ValueError, "Huber: y_true is on the device meta, must be on the CPU"),
        (
            lambda: flt.huber(y, x.to_sparse()),
            TypeError,
            "Huber: y_pred is a Tensor that NumPy cannot view as an array: can't convert Sparse",
        ),
        (
            lambda: flt.huber(y, x.to(torch.complex64)),
            TypeError,
            "Huber: y_pred has dtype complex64, must be a real number type",
        ),
        (lambda: flt.huber([1.0], x), TypeError, "Huber: y_true is a list, must be a tensor"),
        (lambda: flt.huber(y), TypeError, "Huber: y_pred is missing, must be given with y_true, y_pred"),
        (
            lambda: flt.huber(y, x, y),
            TypeError,
            "Huber: 3 arrays are given by position, must be at most 2: y_true, y_pred",
        ),
        (lambda: flt.huber(y, x, y_pred=x), TypeError, "Huber: y_pred is given twice"),
        (lambda: flt.huber(y, x, detla=2.0), TypeError, "huber: unknown parameter 'detla', did you mean 'delta'?"),
        (lambda: flt.huber(y, x, delta=-1.0), ValueError, "Huber: delta is -1, must be greater than 0"),
        (lambda: flt.huber(y, x, reduction="avg"), ValueError, "Huber: reduction is 'avg', must be one of"),
        (lambda: flt.huber(y[:3], x), ValueError, "Huber: y_true has shape (3,), must match y_pred's (7,)"),
        (lambda: flt.huber(y, x, sample_weight=-y), ValueError, "Huber: sample_weight[0] is"),
        (
            lambda: flt.cross_entropy(labels + 2, logits),
            IndexError,
            "CrossEntropy: y_true[1] is 5, must be a class from 0 to 4",
        ),
        (lambda: flt.Huber(reduction="avg"), ValueError, "Huber: reduction is 'avg', must be one of"),
        (lambda: flt.Huber(nan_policy="drop"), ValueError, "Huber: nan_policy is 'drop', must be one of"),
        (
            lambda: flt.Huber()(y, x, weight=y),
            TypeError,
            "Huber: unknown parameter 'weight', did you mean 'sample_weight'?",
        ),
        (lambda: flt.LossModule(fl.huber), TypeError, "LossModule: loss is <function huber"),
        (lambda: flt.LossModule(fl.Huber(), detla=y), TypeError, "LossModule: unknown parameter 'detla'"),
        (lambda: flt.LossModule(fl.Huber(), delta=2.0), TypeError, "LossModule: delta is 2.0, must be a tensor"),
        (
            lambda: flt.linear_loss(fl.Huber(), logits, logits, labels),
            TypeError,
            "linear_loss: loss is Huber(delta=1.0), must be",
        ),
        (
            lambda: flt.linear_cross_entropy(logits, logits[:, :3], labels),
            ValueError,
            "linear_cross_entropy: weight has shape",
        ),
        (
            lambda: flt.linear_cross_entropy(logits, logits, labels, smoothing=0.1),
            TypeError,
            "linear_cross_entropy: unknown parameter 'smoothing', did you mean 'label_smoothing'?",
        ),
    ):
        with pytest.raises(error) as caught:
            call()
        assert str(caught.value).startswith(message)


def test_without_pytorch_the_import_says_what_to_install():
    lines = ["import sys", "sys.modules['torch'] = None", "try: import fastloss.integrations.torch"]
    shown = fresh("\n".join([*lines, "except ImportError as error: print(error)"]))
    how = "run `pip install '.[torch]'` in a clone of fastloss"
    assert shown == f"fastloss.integrations.torch needs PyTorch: {how}\n"


# Training -------------------------------------------------------------------------------------------


def digits():
    sklearn = pytest.importorskip("sklearn.datasets")
    images, labels = sklearn.load_digits(return_X_y=True)
    return torch.from_numpy(images[:500] / 16), torch.from_numpy(labels[:500])


def trained(criterion, images, labels, steps=15):
    """The losses of a small network's training."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(64, 16), torch.nn.Tanh(), torch.nn.Linear(16, 10)).double()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5, momentum=0.9)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = criterion(network(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


CRITERIA = {
    "cross_entropy": lambda F: lambda x, y: F.cross_entropy(x, y, label_smoothing=0.05),
    "weighted cross_entropy": lambda F: lambda x, y: F.cross_entropy(x, y, weight=torch.linspace(0.5, 2, 10).double()),
    "nll_loss": lambda F: lambda x, y: F.nll_loss(x.log_softmax(-1), y),
    "binary_cross_entropy_with_logits": lambda F: lambda x, y: F.binary_cross_entropy_with_logits(x, one_hot(y)),
    "mse_loss": lambda F: lambda x, y: F.mse_loss(x, one_hot(y)),
    "huber_loss": lambda F: lambda x, y: F.huber_loss(x, one_hot(y), delta=0.3),
    "multi_margin_loss": lambda F: lambda x, y: F.multi_margin_loss(x, y, p=2),
    "kl_div": lambda F: lambda x, y: F.kl_div(x.log_softmax(-1), 0.9 * one_hot(y) + 0.01, reduction="batchmean"),
    "accumulated": lambda F: lambda x, y: (F.cross_entropy(x[:250], y[:250]) + F.cross_entropy(x[250:], y[250:])) / 2,
}


def one_hot(labels):
    return torch.nn.functional.one_hot(labels, 10).double()


@pytest.mark.parametrize("name", CRITERIA)
def test_a_network_trains_on_digits_as_with_pytorchs_losses(name):
    images, labels = digits()
    wanted = trained(CRITERIA[name](torch.nn.functional), images, labels)
    found = trained(CRITERIA[name](functional), images, labels)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)
    assert found[-1] < 0.75 * found[0]


def test_a_head_of_a_language_model_trains():
    rng = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, 5, (8, 12), generator=rng).cumsum(1) % 40  # each says something of the next one
    tokens[:, -2:] = -100

    def train(loss_of_head):
        torch.manual_seed(1)
        embedding, mixing = torch.nn.Embedding(40, 16).double(), torch.nn.GRU(16, 16, batch_first=True).double()
        head = torch.nn.Linear(16, 40).double()
        parameters = [*embedding.parameters(), *mixing.parameters(), *head.parameters()]
        optimizer, losses = torch.optim.Adam(parameters, lr=0.05), []
        for _ in range(15):
            optimizer.zero_grad()
            hidden, _ = mixing(embedding(tokens[:, :-1].clamp(min=0)))
            loss = loss_of_head(hidden, head, tokens[:, 1:])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    def by_logits(hidden, head, targets):
        return torch.nn.functional.cross_entropy(head(hidden).flatten(0, 1), targets.flatten())

    def by_layer(hidden, head, targets):
        return flt.linear_cross_entropy(hidden, head.weight, targets, head.bias)

    found = train(by_layer)
    np.testing.assert_allclose(found, train(by_logits), rtol=1e-8)
    assert found[-1] < 0.7 * found[0]
