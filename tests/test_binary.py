"""Binary losses: limits, kinks, identities, and what other libraries say."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastloss as fl
from fastloss import registry

Z = np.linspace(-30, 30, 241)
Y = np.linspace(0, 1, 241)
HARD = (np.arange(241) % 2).astype(float)
INF = np.inf
BINARY = [cls() for cls in dict.fromkeys(registry.values()) if cls.__module__.endswith("binary")]


def each(loss, y, x):
    value, grad = loss.value_and_grad(y, x, reduction="none")
    hess = loss.grad_and_hess(y, x, reduction="none")[1]
    return value.tolist(), grad.tolist(), hess.tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "loss",
    [
        fl.BinaryCrossEntropyWithLogits(),
        fl.BinaryCrossEntropyWithLogits(pos_weight=3.0),
        fl.SigmoidFocal(alpha=-1.0),
        fl.SigmoidFocal(alpha=-1.0, gamma=0.5),
        fl.SigmoidFocal(alpha=-1.0, gamma=0.0),
        fl.ReducedFocal(),
        fl.AsymmetricLoss(),
        fl.AsymmetricLoss(clip=0.0),
        fl.CrossEntropyLambda(),
        fl.Slide(),
    ],
    ids=repr,
)
def test_infinite_right_answers_cost_nothing(loss, dtype):
    value, grad, _ = each(loss, [1, 0], np.array([INF, -INF], dtype))
    assert value == [0, 0]
    assert grad == [0, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinite_wrong_answers(dtype):
    z = np.array([-INF, INF], dtype)
    for loss in (fl.BinaryCrossEntropyWithLogits(), fl.SigmoidFocal(alpha=-1.0, gamma=0.5), fl.ReducedFocal()):
        assert each(loss, [1, 0], z) == ([INF, INF], [-1, 1], [0, 0])
    assert each(fl.BinaryCrossEntropyWithLogits(pos_weight=3.0), [1, 0], z) == ([INF, INF], [-3, 1], [0, 0])
    assert each(fl.BrierWithLogits(), [1, 0], z) == ([1, 1], [0, 0], [0, 0])


def test_confident_right_answers_keep_their_accuracy():
    z = np.array([40.0, 100.0, 700.0])
    value, grad, hess = each(fl.BinaryCrossEntropyWithLogits(), [1, 1, 1], z)
    np.testing.assert_allclose(value, np.exp(-z), rtol=1e-15)
    np.testing.assert_allclose(grad, -np.exp(-z), rtol=1e-15)
    np.testing.assert_allclose(hess, np.exp(-z), rtol=1e-15)
    np.testing.assert_allclose(
        fl.BrierWithLogits()([1, 1], [40.0, 300.0], reduction="none"), np.exp([-80.0, -600.0]), rtol=1e-14
    )
    np.testing.assert_allclose(fl.SigmoidFocal(alpha=-1.0)([1], [200.0]), np.exp(-600.0), rtol=1e-14)


def test_cross_entropy_smoothing_is_a_softer_target():
    soft = fl.BinaryCrossEntropyWithLogits()(0.9 * Y + 0.05, Z, reduction="none")
    np.testing.assert_allclose(
        fl.BinaryCrossEntropyWithLogits(label_smoothing=0.1)(Y, Z, reduction="none"), soft, rtol=1e-14
    )


def test_probability_limits():
    bce = fl.BinaryCrossEntropy()
    value, grad, hess = each(bce, [0, 1, 1, 0, 0.5, 0.5], [0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    assert value == [0, 0, INF, INF, INF, INF]
    assert grad == [1, -1, -INF, INF, -INF, INF]
    assert hess == [1, 1, INF, INF, INF, INF]


def test_probability_bounds():
    clamped = fl.BinaryCrossEntropy(log_clamp=-100)
    value, grad, hess = each(clamped, [1, 0, 0.5], [0.0, 1.0, 0.0])
    assert value == [100, 100, 50]
    assert grad == [0, 0, 0.5]
    assert hess == [0, 0, 0.5]
    clipped = fl.BinaryCrossEntropy(eps=1e-3)
    value, grad, hess = each(clipped, [1, 0, 1, 0], [0.0, 1.0, 1e-3, 0.0])
    np.testing.assert_allclose(value, [-np.log(1e-3), -np.log(1e-3), -np.log(1e-3), -np.log1p(-1e-3)], rtol=1e-15)
    assert grad == [0, 0, -1000, 0]
    assert hess == [0, 0, 1e6, 0]


def test_probability_agrees_with_logit():
    p = 1 / (1 + np.exp(-Z / 3))
    np.testing.assert_allclose(
        fl.BinaryCrossEntropy()(Y, p, reduction="none"),
        fl.BinaryCrossEntropyWithLogits()(Y, Z / 3, reduction="none"),
        rtol=1e-10,
    )


@pytest.mark.parametrize("verb", ["__call__", "grad"])
def test_focal_without_focus_is_cross_entropy(verb):
    focal = getattr(fl.SigmoidFocal(alpha=-1.0, gamma=0.0), verb)(Y, Z, reduction="none")
    entropy = getattr(fl.BinaryCrossEntropyWithLogits(), verb)(Y, Z, reduction="none")
    np.testing.assert_allclose(focal, entropy, rtol=1e-14, atol=1e-16)
    balanced = getattr(fl.SigmoidFocal(alpha=0.7, gamma=0.0), verb)(HARD, Z, reduction="none")
    entropy = getattr(fl.BinaryCrossEntropyWithLogits(), verb)(HARD, Z, reduction="none")
    np.testing.assert_allclose(balanced, np.where(HARD > 0, 0.7, 0.3) * entropy, rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("gamma", [0.0, 0.1, 0.5, 1.0, 2.0, 5.0])
def test_focal_is_finite_everywhere(gamma, dtype):
    z = np.array([-1e38, -1000, -745, -90, 0, 90, 745, 1000, 1e38], dtype)
    for y in (0.0, 1e-20, 0.5, 1.0):
        found = each(fl.SigmoidFocal(gamma=gamma), np.full(z.size, y, dtype), z)
        assert np.isfinite(found).all()


def test_focal_losses_agree():
    focal = fl.SigmoidFocal(alpha=-1.0, gamma=2.0)
    for other in (fl.AsymmetricLoss(gamma_pos=2.0, gamma_neg=2.0, clip=0.0), fl.SigmoidFocal(alpha=0.5, gamma=2.0)):
        factor = 2 if isinstance(other, fl.SigmoidFocal) else 1
        for found, expected in zip(each(other, HARD, Z), each(focal, HARD, Z), strict=True):
            np.testing.assert_allclose(factor * np.array(found), expected, rtol=1e-14)
    right = Z * (2 * HARD - 1) >= 0
    np.testing.assert_allclose(
        fl.ReducedFocal(gamma=2.0)(HARD, Z, reduction="none"),
        np.where(
            right, 4 * focal(HARD, Z, reduction="none"), fl.BinaryCrossEntropyWithLogits()(HARD, Z, reduction="none")
        ),
        rtol=1e-14,
    )


def test_reduced_focal_at_its_threshold_is_reduced():
    value, grad, _ = each(fl.ReducedFocal(threshold=0.5, gamma=2.0), [1.0], [0.0])
    np.testing.assert_allclose(value, [np.log(2)], rtol=1e-15)
    np.testing.assert_allclose(grad, [-np.log(2) - 0.5], rtol=1e-15)


def test_asymmetric_loss_drops_the_easiest_negatives():
    z = np.array([-INF, -100.0, np.log(0.05 / 0.95) - 1e-12, np.log(0.05 / 0.95) + 1e-6])
    value, grad, hess = each(fl.AsymmetricLoss(), np.zeros(4), z)
    assert value[:3] == [0, 0, 0]
    assert grad[:3] == [0, 0, 0]
    assert hess[:3] == [0, 0, 0]
    q = 0.05 * 0.95 * 1e-6
    np.testing.assert_allclose(value[3], q**5, rtol=1e-5)
    with pytest.raises(ValueError, match="must be 0 or 1"):
        fl.AsymmetricLoss()([0.5], [0.0])


@pytest.mark.parametrize("z", [1e-18, 1e-16, 1e-10])
def test_asymmetric_loss_just_above_the_shift(z):
    value, grad, _ = each(fl.AsymmetricLoss(gamma_neg=0.0, clip=0.5), [0.0], [z])
    np.testing.assert_allclose(value, [z / 4], rtol=1e-9)
    np.testing.assert_allclose(grad, [0.25], rtol=1e-9)


def test_lambda_of_one_trial_is_cross_entropy():
    for found, expected in zip(
        each(fl.CrossEntropyLambda(), Y, Z), each(fl.BinaryCrossEntropyWithLogits(), Y, Z), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-16)


def test_zero_one_counts_a_tie_as_negative():
    assert each(fl.ZeroOne(), [1, 0, -1], [0.0, 0.0, INF]) == ([1, 0, 1], [0, 0, 0], [0, 0, 0])
    assert fl.ZeroOne(threshold=0.5)([1, 1], [0.5, 0.75], reduction="none").tolist() == [1, 0]


def test_slide_weights():
    y = np.array([0.0, 0.1, 0.15, 0.2, 1.0])
    entropy = fl.BinaryCrossEntropyWithLogits()(y, y, reduction="none")
    weight = fl.Slide(mu=0.1)(y, y, reduction="none") / entropy  # 0.2 is the least mean
    np.testing.assert_allclose(weight, [1, 1, np.exp(0.8), np.exp(0.8), 1], rtol=1e-14)


@pytest.mark.parametrize("loss", BINARY, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_stays_nan(loss, dtype):
    for y, x in (([0.0, 1.0], [np.nan, np.nan]), ([np.nan, np.nan], [0.25, 0.75])):
        value, grad, _ = each(loss, np.array(y, dtype), np.array(x, dtype))
        assert np.isnan(value).all()
        assert np.isnan(grad).all()


# Other libraries ----------------------------------------------------------------------------------


def _torch_pair(name, y, x, options):
    torch = pytest.importorskip("torch")
    y, x = torch.tensor(y), torch.tensor(x, requires_grad=True)
    value = getattr(torch.nn.functional, name)(x, y, **options)
    value.sum().backward()
    return value.detach().numpy(), x.grad.numpy()


def test_torch_binary_cross_entropy_with_logits():
    torch = pytest.importorskip("torch")
    for weight in (1.0, 3.0):
        options = {"pos_weight": torch.tensor(weight, dtype=torch.float64), "reduction": "none"}
        expected = _torch_pair("binary_cross_entropy_with_logits", Y, Z, options)
        found = fl.BinaryCrossEntropyWithLogits(pos_weight=weight).value_and_grad(Y, Z, reduction="none")
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_torch_binary_cross_entropy():
    p = np.concatenate([[0.0, 1.0], np.linspace(0.001, 0.999, 239)])
    expected = _torch_pair("binary_cross_entropy", Y, p, {"reduction": "none"})
    value, grad = fl.BinaryCrossEntropy(log_clamp=-100).value_and_grad(Y, p, reduction="none")
    np.testing.assert_allclose(value, expected[0], rtol=1e-12)
    np.testing.assert_allclose(grad[2:], expected[1][2:], rtol=1e-11, atol=1e-14)


def test_sklearn_metrics():
    metrics = pytest.importorskip("sklearn.metrics")
    p = 1 / (1 + np.exp(-Z / 10))
    np.testing.assert_allclose(fl.BinaryCrossEntropy()(HARD, p), metrics.log_loss(HARD, p), rtol=1e-13)
    np.testing.assert_allclose(fl.BrierWithLogits()(HARD, Z / 10), metrics.brier_score_loss(HARD, p), rtol=1e-13)
    np.testing.assert_allclose(fl.ZeroOne()(HARD, Z), metrics.zero_one_loss(HARD, Z > 0), rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 63, 64, 127, 128, 512, 641, 1152, 5000])
def test_sums_without_weights_are_to_the_bit_those_with_ones(n, dtype):
    loss, rng = fl.BinaryCrossEntropyWithLogits(), np.random.default_rng(n)
    x = (4 * rng.standard_normal(n) * np.exp(2 * rng.standard_normal(n))).astype(dtype)
    y = rng.choice([0.0, 1.0, rng.random()], n).astype(dtype)
    ones, some = np.ones(n), np.resize(np.array([1e-42, -0.0, 0.0, 120, -120, 88, np.nan], dtype), n)
    cases = [x, some, np.where(y > 0, INF, -INF), np.full(n, 3e38, dtype), np.full(n, INF)]
    for logits in (case.astype(dtype) for case in cases):
        call = {"reduction": "sum", "sample_weight": ones}
        assert_array_equal(loss(y, logits, reduction="sum"), loss(y, logits, **call))
        wanted, wanted_grad = loss.value_and_grad(y, logits, **call)
        value, grad = loss.value_and_grad(y, logits.copy(), reduction="sum")
        assert_array_equal(value, wanted)
        assert_array_equal(grad, wanted_grad)
        assert_array_equal(loss.grad_and_hess(y, logits, reduction="sum"), loss.grad_and_hess(y, logits, **call))
        in_place = logits.copy()
        assert_array_equal(loss.value_and_grad(y, in_place, reduction="sum", grad_out=in_place)[0], wanted)
        assert_array_equal(in_place, wanted_grad)
