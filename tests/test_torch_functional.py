"""The losses of `torch.nn.functional` under their own names: values, gradients and errors are PyTorch's."""

import inspect
import itertools
import math
import warnings

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: its losses are not compared")
import torch
from torch.nn import functional as theirs

from fastloss.integrations.torch import functional as ours

REDUCTIONS = ("mean", "sum", "none")
EPSILON = {torch.float64: 1e-12, torch.float32: 1e-6, torch.bfloat16: 2**-7, torch.float16: 2**-10}


def generator(*key):
    return torch.Generator().manual_seed(sum(map(ord, repr(key))))


class Draw:
    """Arguments, in float64 and exact in bfloat16, so that all types see the same numbers."""

    def __init__(self, *key):
        self.generator = generator(*key)

    def normal(self, *shape):
        return self._exact(torch.randn(shape, dtype=torch.float64, generator=self.generator))

    def uniform(self, *shape):
        return self._exact(torch.rand(shape, dtype=torch.float64, generator=self.generator)).clamp(0.02, 0.98)

    def signs(self, *shape):
        return 2.0 * self.labels(2, *shape) - 1

    def labels(self, classes, *shape):
        return torch.randint(classes, shape, generator=self.generator)

    def _exact(self, numbers):
        return numbers.bfloat16().double()


def typed(given, dtype):
    return given.to(dtype) if isinstance(given, torch.Tensor) and given.is_floating_point() else given


def computed(library, name, dtype, inputs, arguments, options):
    """The value, and the gradients in the inputs of a sum of losses under factors that all types hold."""
    given = [tensor.to(dtype, copy=True).requires_grad_() for tensor in inputs]
    rest = [typed(one, dtype) for one in arguments]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = getattr(library, name)(*given, *rest, **{key: typed(one, dtype) for key, one in options.items()})
    factors = torch.tensor([1.0, -0.5, 2.0, 0.0])[torch.arange(value.numel()) % 4].reshape(value.shape)
    value.backward(factors.to(value.dtype))
    return [value.detach(), *(tensor.grad for tensor in given)]


def assert_alike(actual, wanted, dtype, what):
    """Within roundings of the largest number."""
    assert [one.shape for one in actual] == [one.shape for one in wanted]
    assert {one.dtype for one in actual} == {dtype}
    for own, exact in zip(actual, wanted, strict=True):
        scale = max(1e-3, float(exact.abs().max())) if exact.numel() else 1.0
        own = own.double()
        assert torch.allclose(own, exact.double(), rtol=0, atol=EPSILON[dtype] * scale, equal_nan=True), (
            what,
            own,
            exact,
        )


def cases():
    """Of each function: the draws of its inputs and other arguments, and options that are all tried together."""
    shapes = [(7,), (4, 5), (2, 3, 4), ()]
    for shape in shapes:
        yield "mse_loss", lambda d, s=shape: ([d.normal(*s)], [d.normal(*s)]), {}
        yield "l1_loss", lambda d, s=shape: ([d.normal(*s)], [d.normal(*s)]), {}
        yield "smooth_l1_loss", lambda d, s=shape: ([d.normal(*s)], [d.normal(*s)]), {"beta": [0.0, 0.5, 1.0]}
        yield "huber_loss", lambda d, s=shape: ([d.normal(*s)], [d.normal(*s)]), {"delta": [0.5, 2.0]}
        yield "soft_margin_loss", lambda d, s=shape: ([d.normal(*s)], [d.signs(*s)]), {}
        yield "hinge_embedding_loss", lambda d, s=shape: ([d.normal(*s)], [d.signs(*s)]), {"margin": [0.5, 1.0]}
        yield (
            "poisson_nll_loss",
            lambda d, s=shape: ([d.normal(*s)], [d.labels(4, *s).double()]),
            {"full": [False, True]},
        )
        yield (
            "poisson_nll_loss",
            lambda d, s=shape: ([d.uniform(*s)], [d.labels(4, *s).double()]),
            {"log_input": [False], "full": [False, True], "eps": [1e-8, 0.1]},
        )
        yield "binary_cross_entropy", lambda d, s=shape: ([d.uniform(*s)], [d.uniform(*s)]), {}
        yield "binary_cross_entropy_with_logits", lambda d, s=shape: ([d.normal(*s)], [d.uniform(*s)]), {}
        yield (
            "margin_ranking_loss",
            lambda d, s=shape: ([d.normal(*s), d.normal(*s)], [d.signs(*s)]),
            {"margin": [0, 0.5]},
        )
        yield (
            "gaussian_nll_loss",
            lambda d, s=shape: ([d.normal(*s)], [d.normal(*s), d.uniform(*s)]),
            {"full": [False, True], "eps": [1e-6, 0.01]},
        )
        if shape:
            yield "multilabel_soft_margin_loss", lambda d, s=shape: ([d.normal(*s)], [d.labels(2, *s).double()]), {}
    for shape, labels in (((5,), ()), ((4, 5), (4,)), ((2, 5, 3), (2, 3)), ((2, 5, 2, 3), (2, 2, 3))):
        yield (
            "cross_entropy",
            lambda d, s=shape, n=labels: ([d.normal(*s)], [d.labels(5, *n)]),
            {"weight": [None, "classes"], "ignore_index": [-100, 3], "label_smoothing": [0.0, 0.2]},
        )
        yield (
            "cross_entropy",
            lambda d, s=shape: ([d.normal(*s)], [d.uniform(*s)]),
            {"weight": [None, "classes"], "label_smoothing": [0.0, 0.2]},
        )
        yield (
            "nll_loss",
            lambda d, s=shape, n=labels: ([d.normal(*s)], [d.labels(5, *n)]),
            {"weight": [None, "classes"], "ignore_index": [-100, 3]},
        )
        if len(shape) < 3:
            yield (
                "multi_margin_loss",
                lambda d, s=shape, n=labels: ([d.normal(*s)], [d.labels(5, *n)]),
                {"p": [1, 2], "margin": [0.5, 1.0], "weight": [None, "classes"]},
            )
    for rows in ((), (4,)):
        yield (
            "cosine_embedding_loss",
            lambda d, n=rows: ([d.normal(*n, 6), d.normal(*n, 6)], [d.signs(*n)]),
            {"margin": [0, 0.3]},
        )
        yield (
            "triplet_margin_loss",
            lambda d, n=rows: ([d.normal(*n, 6), d.normal(*n, 6), d.normal(*n, 6)], []),
            {"margin": [0.5, 1.0], "p": [1.0, 2.0, 3.0], "swap": [False, True]},
        )
        yield (
            "triplet_margin_with_distance_loss",
            lambda d, n=rows: ([d.normal(*n, 6), d.normal(*n, 6), d.normal(*n, 6)], []),
            {"distance_function": [None, cosine_distance], "margin": [0.5, 1.0], "swap": [False, True]},
        )
    yield "multilabel_margin_loss", lambda d: ([d.normal(4)], [torch.tensor([3, 0, -1, 1])]), {}
    yield (
        "multilabel_margin_loss",
        lambda d: ([d.normal(3, 4)], [torch.tensor([[3, 0, -1, 1], [-1, 2, 2, 2], [0, 1, 2, 3]])]),
        {},
    )


def cosine_distance(left, right):
    return 1 - theirs.cosine_similarity(left, right, dim=-1)


CASES = [pytest.param(*case, id=f"{case[0]}-{k}") for k, case in enumerate(cases())]


def drawn(name, draw, options, values):
    numbers = Draw(name, values)
    inputs, arguments = draw(numbers)
    given = dict(zip(options, values, strict=True))
    if given.get("weight") == "classes":
        given["weight"] = numbers.uniform(5)
    return inputs, arguments, given


@pytest.mark.parametrize("name, draw, options", CASES)
def test_values_and_gradients_are_pytorchs(name, draw, options):
    for values in itertools.product(*options.values()):
        inputs, arguments, given = drawn(name, draw, options, values)
        for reduction in REDUCTIONS:
            call = name, torch.float64, inputs, arguments, given | {"reduction": reduction}
            assert_alike(computed(ours, *call), computed(theirs, *call), torch.float64, call)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name, draw, options", CASES)
def test_narrow_types_are_those_of_float64_rounded(name, draw, options, dtype):
    options = {key: values for key, values in options.items() if key != "distance_function"}  # which PyTorch rounds
    inputs, arguments, given = drawn(name, draw, options, [values[-1] for values in options.values()])
    for reduction in ("mean", "none"):
        named = given | {"reduction": reduction}
        actual = computed(ours, name, dtype, inputs, arguments, named)
        assert_alike(actual, computed(theirs, name, torch.float64, inputs, arguments, named), dtype, (name, named))


# What every function shares -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ours.__all__)
def test_signatures_are_pytorchs(name):
    mine, its = (inspect.signature(getattr(library, name)).parameters for library in (ours, theirs))
    assert list(mine) == list(its)
    for key in mine:
        assert (mine[key].kind, mine[key].default) == (its[key].kind, its[key].default), key


def test_every_loss_of_pytorch_is_here():
    names = {name for name in dir(theirs) if name.endswith("_loss") or "cross_entropy" in name or name == "kl_div"}
    assert names - {"adaptive_log_softmax_with_loss"} == set(ours.__all__)


def any_arguments(name):
    draw = next(
        (case[1] for case in cases() if case[0] == name), lambda d: ([d.uniform(4, 5).log()], [d.uniform(4, 5)])
    )
    return draw(Draw(name))


def test_what_is_no_loss_is_pytorchs():
    assert ours.relu is theirs.relu
    with pytest.raises(AttributeError, match="no attribute 'hubber_loss'"):
        ours.hubber_loss  # noqa: B018


DEPRECATED = sorted(
    name for name in ours.__all__ if "size_average" in inspect.signature(getattr(ours, name)).parameters
)


@pytest.mark.parametrize("name", DEPRECATED)
def test_deprecated_arguments_are_what_they_are_there(name):
    inputs, arguments = any_arguments(name)
    for size_average, reduce in itertools.product([None, False, True], repeat=2):
        if size_average is None and reduce is None:
            continue
        found = []
        for library in (theirs, ours):
            with pytest.warns(UserWarning, match="^size_average and reduce") as caught:
                found.append(getattr(library, name)(*inputs, *arguments, size_average=size_average, reduce=reduce))
            found.append([str(one.message) for one in caught])
        assert found[1] == found[3]
        assert found[0].shape == found[2].shape
        assert torch.allclose(found[0], found[2], rtol=1e-12)


@pytest.mark.parametrize("name", sorted(set(ours.__all__) - {"ctc_loss", "linear_cross_entropy"}))
def test_reductions_that_are_none_are_refused(name):
    inputs, arguments = any_arguments(name)
    for reduction in ("batch_mean", "average", ""):
        with pytest.raises(ValueError, match="not a valid value for reduction"):
            getattr(ours, name)(*inputs, *arguments, reduction=reduction)


def test_warnings_are_raised_where_the_caller_is():
    x, y = torch.zeros(2, 3), torch.zeros(3)
    for call in (
        lambda: ours.mse_loss(x, y),
        lambda: ours.mse_loss(x, x, size_average=True),
        lambda: ours.kl_div(x, x),
    ):
        with pytest.warns(UserWarning, match="size|reduction") as caught:
            call()
        assert [one.filename for one in caught] == [__file__]


# What some have beyond that -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_weights_of_residuals(name, reduction):
    numbers = Draw(name, reduction)
    inputs, arguments = [numbers.normal(4, 3)], [numbers.normal(4, 3)]
    call = name, torch.float64, inputs, arguments, {"weight": numbers.uniform(4, 3), "reduction": reduction}
    assert_alike(computed(ours, *call), computed(theirs, *call), torch.float64, call)
    with pytest.raises(ValueError, match=r"^Weights and input must have the same size\.$"):
        getattr(ours, name)(*inputs, *arguments, weight=torch.ones(3))


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_targets_of_residuals_have_a_gradient(name, reduction):
    numbers = Draw(name, reduction)
    call = name, torch.float64, [numbers.normal(4, 3), numbers.normal(4, 3)], [], {"reduction": reduction}
    assert_alike(computed(ours, *call), computed(theirs, *call), torch.float64, call)


@pytest.mark.parametrize("name", ["mse_loss", "huber_loss", "poisson_nll_loss", "kl_div"])
def test_shapes_are_broadcast(name):
    numbers = Draw(name)
    call = name, torch.float64, [numbers.normal(4, 1, 3)], [numbers.signs(5, 1).abs()], {"reduction": "sum"}
    assert_alike(computed(ours, *call), computed(theirs, *call), torch.float64, call)


@pytest.mark.parametrize("name", ["binary_cross_entropy", "binary_cross_entropy_with_logits"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_weights_and_positive_weights_of_binary_cross_entropy(name, reduction):
    numbers = Draw(name, reduction)
    weights = [numbers.uniform(4, 3), numbers.uniform(3), numbers.uniform(4, 1), numbers.uniform()]
    positive = [None]
    if name.endswith("logits"):
        positive += [numbers.uniform(3) * 4, numbers.uniform(1) * 4, numbers.uniform(4, 3), torch.zeros(3).double()]
    targets = [numbers.uniform(4, 3), numbers.labels(2, 4, 3).double()]
    for weight, pos_weight, target in itertools.product([None, *weights], positive, targets):
        options = {"weight": weight, "reduction": reduction} | (
            {"pos_weight": pos_weight} if pos_weight is not None else {}
        )
        call = name, torch.float64, [numbers.uniform(4, 3)], [target], options
        assert_alike(computed(ours, *call), computed(theirs, *call), torch.float64, call)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_weights_of_multilabel_soft_margin(reduction):
    numbers = Draw(reduction)
    for weight in (numbers.uniform(3), numbers.uniform(4, 3), numbers.uniform(4, 1)):
        options = {"weight": weight, "reduction": reduction}
        call = "multilabel_soft_margin_loss", torch.float64, [numbers.normal(4, 3)], [numbers.uniform(4, 3)], options
        assert_alike(computed(ours, *call), computed(theirs, *call), torch.float64, call)


@pytest.mark.parametrize("reduction", [*REDUCTIONS, "batchmean"])
@pytest.mark.parametrize("log_target", [False, True])
def test_kl_div(reduction, log_target):
    for shape in ((4, 5), (2, 3, 4), (6,), ()):
        numbers = Draw(reduction, shape)
        target = numbers.uniform(*shape)
        target = target.log() if log_target else target * (target > 0.3)
        options = {"reduction": reduction, "log_target": log_target}
        call = "kl_div", torch.float64, [numbers.uniform(*shape).log()], [target], options
        assert_alike(computed(ours, *call), computed(theirs, *call), torch.float64, call)


def test_variances_of_any_shape_that_pytorch_takes():
    for shape, of_variance in (((4, 3), (4,)), ((4, 3), (4, 1)), ((4, 3), (1, 3)), ((5,), ())):
        numbers = Draw(shape, of_variance)
        inputs, options = [numbers.normal(*shape)], {"var": numbers.uniform(*of_variance), "full": True}
        call = "gaussian_nll_loss", torch.float64, inputs, [numbers.normal(*shape)], options
        if of_variance == ():  # a zero-dimensional tensor is one for all
            options["var"] = 0.5
        assert_alike(computed(ours, *call), computed(theirs, *call), torch.float64, call)
    with pytest.raises(ValueError, match="var is of incorrect size"):
        ours.gaussian_nll_loss(torch.zeros(4, 3), torch.zeros(4, 3), torch.ones(2, 3))
    with pytest.raises(ValueError, match=r"^GaussianNLL: y_pred\[1, 1\] is -1\.0, must be at least 0$"):
        ours.gaussian_nll_loss(torch.zeros(2), torch.zeros(2), torch.tensor([1.0, -1.0]))


def test_the_gradient_in_a_variance():
    numbers = Draw("variance")
    inputs = [numbers.normal(4, 3), numbers.normal(4, 3), numbers.uniform(4, 3)]
    found = []
    for library in (theirs, ours):
        mean, target, var = (one.clone() for one in inputs)
        library.gaussian_nll_loss(mean.requires_grad_(), target, var.requires_grad_()).backward()
        found.append((mean.grad, var.grad))
    assert all(torch.allclose(a, b, rtol=1e-12) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("concatenated", [False, True])
def test_ctc(reduction, concatenated):
    numbers = Draw("ctc", reduction)
    scores, targets = numbers.normal(12, 3, 6), 1 + numbers.labels(5, 3, 4)
    frames, labels = torch.tensor([12, 10, 5]), torch.tensor([4, 2, 1])
    given = torch.cat([row[:n] for row, n in zip(targets, labels, strict=True)]) if concatenated else targets
    for lengths in ((frames, labels), (frames.tolist(), tuple(labels.tolist()))):
        found = []
        for library in (theirs, ours):
            logits = scores.clone().requires_grad_()
            loss = library.ctc_loss(logits.log_softmax(-1), given, *lengths, reduction=reduction)
            loss.sum().backward()
            found.append((loss.detach(), logits.grad))
        assert all(torch.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in zip(*found, strict=True))


def test_ctc_of_one_sequence_and_of_one_without_alignment():
    numbers = Draw("ctc")
    log_probs, target = numbers.normal(9, 6).log_softmax(-1), 1 + numbers.labels(5, 4)
    arguments = log_probs, target, torch.tensor(9), torch.tensor(4)
    assert torch.allclose(ours.ctc_loss(*arguments), theirs.ctc_loss(*arguments), rtol=1e-12)
    for zero_infinity, wanted in ((False, math.inf), (True, 0.0)):
        short = log_probs[:3, None], target[None], torch.tensor([3]), torch.tensor([4])
        assert ours.ctc_loss(*short, zero_infinity=zero_infinity).item() == wanted
        assert theirs.ctc_loss(*short, zero_infinity=zero_infinity).item() == wanted


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_linear_cross_entropy(reduction):
    numbers = Draw(reduction)
    inputs = [numbers.normal(6, 4), numbers.normal(5, 4)]
    labels, shares = numbers.labels(5, 6), numbers.uniform(6, 5)
    for target, bias, weight, smoothing, ignored in itertools.product(
        (labels, shares), (None, numbers.normal(5)), (None, numbers.uniform(5)), (0.0, 0.1), (None, 2)
    ):
        if target is shares and ignored is not None:
            continue
        options = {"linear_bias": bias, "weight": weight, "label_smoothing": smoothing, "ignore_index": ignored}
        call = "linear_cross_entropy", torch.float64, inputs, [target], options | {"reduction": reduction}
        assert_alike(computed(ours, *call), computed(theirs, *call), torch.float64, call)


def test_the_gradient_in_a_bias():
    numbers = Draw("bias")
    hidden, weight, bias = numbers.normal(6, 4), numbers.normal(5, 4), numbers.normal(5)
    found = []
    for library in (theirs, ours):
        leaf = bias.clone().requires_grad_()
        library.linear_cross_entropy(hidden, weight, numbers.labels(1, 6), linear_bias=leaf).backward()
        found.append(leaf.grad)
    assert torch.allclose(*found, rtol=1e-12)


def test_linear_cross_entropy_of_further_axes_one_row_and_narrow_types():
    numbers = Draw("linear")
    hidden, weight, labels = numbers.normal(6, 4), numbers.normal(5, 3, 4), numbers.labels(5, 6, 3)
    call = "linear_cross_entropy", torch.float64, [hidden, weight], [labels], {}
    assert_alike(computed(ours, *call), computed(theirs, *call), torch.float64, call)
    call = "linear_cross_entropy", torch.float64, [hidden[0], weight[:, 0]], [labels[0, 0]], {}
    assert_alike(computed(ours, *call), computed(theirs, *call), torch.float64, call)
    narrow = "linear_cross_entropy", torch.bfloat16, [hidden, weight[:, 0]], [labels[:, 0]], {}
    wide = "linear_cross_entropy", torch.float64, [hidden, weight[:, 0]], [labels[:, 0]], {}
    assert_alike(computed(ours, *narrow), computed(theirs, *wide), torch.bfloat16, narrow)


def test_errors_of_arguments_are_pytorchs():
    x, rows = torch.zeros(3), torch.zeros(2, 3)
    for call in (
        lambda library: library.binary_cross_entropy_with_logits(x, rows),
        lambda library: library.multi_margin_loss(rows, torch.tensor([0, 1]), p=3),
        lambda library: library.multi_margin_loss(rows, torch.tensor([0, 1]), weight=rows),
        lambda library: library.triplet_margin_loss(rows, rows, rows, margin=0),
        lambda library: library.triplet_margin_with_distance_loss(rows, rows, rows, margin=-1.0),
        lambda library: library.margin_ranking_loss(x, rows, x),
        lambda library: library.cross_entropy(rows, torch.tensor([0, 3])),
    ):
        raised = []
        for library in (theirs, ours):
            with pytest.raises((ValueError, RuntimeError, IndexError)) as caught:
                call(library)
            raised.append(caught.type)
        assert raised[0] is raised[1]


def test_autocast_gives_float32():
    x, y = torch.zeros(4, dtype=torch.bfloat16, requires_grad=True), torch.ones(4, dtype=torch.bfloat16)
    assert ours.mse_loss(x, y).dtype == theirs.mse_loss(x, y).dtype == torch.bfloat16
    with torch.autocast("cpu"):
        loss = ours.mse_loss(x, y)
        assert loss.dtype == theirs.mse_loss(x, y).dtype == torch.float32
    loss.backward()
    assert x.grad.dtype == torch.bfloat16


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
def test_empty_inputs(shape):
    x = torch.zeros(shape)
    for name in ("mse_loss", "binary_cross_entropy_with_logits", "soft_margin_loss", "kl_div"):
        for reduction in ("sum", "none"):
            wanted = getattr(theirs, name)(x, x, reduction=reduction)
            assert torch.equal(getattr(ours, name)(x, x, reduction=reduction), wanted), name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert getattr(ours, name)(x, x).isnan()


def test_nothing_that_counts():
    logits, labels = torch.zeros(2, 3, requires_grad=True), torch.full((2,), -100)
    with pytest.warns(RuntimeWarning, match="^CrossEntropy: no element counts, the mean is NaN$"):
        loss = ours.cross_entropy(logits, labels)
    loss.backward()
    assert loss.isnan()
    assert torch.equal(logits.grad, torch.zeros(2, 3))


def test_compiled_without_graph_breaks():
    numbers = Draw("compiled")
    x, y, classes = numbers.normal(4, 3), numbers.uniform(4, 3), numbers.labels(3, 4)

    def losses(x):
        return (
            ours.mse_loss(ours.relu(x), y, weight=y)
            + ours.huber_loss(x, y, delta=0.5)
            + ours.cross_entropy(x, classes, weight=y[0], label_smoothing=0.1)
            + ours.binary_cross_entropy_with_logits(x, y, pos_weight=y[0])
            + ours.kl_div(x.log_softmax(-1), y, reduction="batchmean")
            + ours.triplet_margin_loss(x, y, y.flip(0))
            + ours.multilabel_margin_loss(x, torch.tensor([[0, -1, 1]] * 4))
            + ours.ctc_loss(x[:, None].log_softmax(-1), torch.tensor([[1]]), [4], [1])
            + ours.linear_cross_entropy(x, y[:, :3], classes % 3)
        )

    found = []
    for function in (losses, torch.compile(losses, fullgraph=True, backend="aot_eager")):
        given = x.clone().requires_grad_()
        loss = function(given)
        loss.backward()
        found.append((loss.detach(), given.grad))
    assert all(torch.allclose(a, b, rtol=1e-12) for a, b in zip(*found, strict=True))
