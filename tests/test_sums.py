"""Weighted sums of losses: values, derivatives, states, and what takes them."""

import pickle

import numpy as np
import pytest

import fastloss as fl
from fastloss._core.evaluation import Evaluation
from fastloss._core.sums import SumEvaluation
from fastloss.integrations import xgboost
from fastloss.testing import check_grad, check_hess
from tests.inputs import draw, draw_arrays, draw_rows, family
from tests.support import DRAWN, EVERY, LAYOUTS, assert_same_bits, generator

OF_OTHER_FAMILIES = list({type(loss): loss for loss in reversed(EVERY) if loss not in DRAWN}.values())
ROWS = fl.CrossEntropy() + 0.5 * fl.SoftmaxFocal()
SUMS = {
    "residual": fl.SquaredError() + 0.25 * fl.Huber(0.5) - 0.1 * fl.LogCosh(),
    "label": 0.3 * fl.BinaryCrossEntropyWithLogits() + fl.SigmoidFocal(),
    "pair": fl.GaussianNLLLogSigma() + 2.0 * fl.LaplaceNLL(),
    "columns": fl.MultiQuantile((0.1, 0.9)) + 0.5 * fl.MultiQuantile((0.2, 0.8)),
    "one": 3.0 * fl.SquaredError(),
    "rows": ROWS,
    "weighted rows": fl.CrossEntropy(class_weight=(1, 2, 0.5, 1, 3)) + 0.5 * fl.SoftmaxFocal(),
}


@pytest.fixture(params=SUMS.values(), ids=list(SUMS))
def total(request):
    return request.param


def arrays(total, n=400, dtype=np.float64):
    rng = generator(total)
    if total.signature.rowwise:
        return draw_rows(total.terms[0][1], n, 5, dtype, rng)
    y, x = draw(total.terms[0][1], n, dtype, rng)
    return y.astype(dtype), x.astype(dtype)


def weights(n):
    rng = generator("weights of sums", n)
    return {"sample_weight": rng.random(n) * (rng.random(n) < 0.8), "mask": rng.random(n) < 0.9}


@pytest.mark.parametrize("reduction", ["mean", "batch_mean", "sum", "none"])
def test_a_sum_is_the_sum_of_its_terms(total, reduction, wide):
    y, x = arrays(total, dtype=wide)
    rtol = 1e-6 if wide == np.float32 else 1e-13
    for options in ({}, weights(len(y))):
        value, grad = total.value_and_grad(y, x, reduction=reduction, **options)
        parts = [(w, *loss.value_and_grad(y, x, reduction=reduction, **options)) for w, loss in total.terms]
        scale = max(np.max(np.abs(part)) for _, part, _ in parts)
        np.testing.assert_allclose(value, sum(w * part for w, part, _ in parts), rtol=rtol, atol=rtol * scale)
        scale = max(np.max(np.abs(part)) for _, _, part in parts)
        np.testing.assert_allclose(grad, sum(w * part for w, _, part in parts), rtol=rtol, atol=rtol * scale)
        np.testing.assert_array_equal(value, total(y, x, reduction=reduction, **options))
        np.testing.assert_array_equal(grad, total.grad(y, x, reduction=reduction, **options))
        curved = total.grad_and_hess(y, x, reduction=reduction, **options)[1]
        parts = [(w, loss.grad_and_hess(y, x, reduction=reduction, **options)[1]) for w, loss in total.terms]
        scale = max(np.max(np.abs(part)) for _, part in parts)
        np.testing.assert_allclose(curved, sum(w * part for w, part in parts), rtol=rtol, atol=rtol * scale)


def test_losses_of_the_whole_sample_have_weights_too():
    total = fl.RootMeanSquaredError() + 0.3 * fl.UnexplainedVariance()
    y, x = arrays(fl.SquaredError() + fl.Huber())
    for options in ({}, weights(len(y))):
        value, grad = total.value_and_grad(y, x, **options)
        parts = [(w, *loss.value_and_grad(y, x, **options)) for w, loss in total.terms]
        np.testing.assert_allclose(value, sum(w * part for w, part, _ in parts), rtol=1e-14)
        np.testing.assert_allclose(grad, sum(w * part for w, _, part in parts), rtol=1e-12, atol=1e-16)


def test_sequences_in_any_place_of_the_axes():
    rng = generator("sequences of sums")
    loss = fl.CTC(layout="TNC")
    y, x = draw_arrays(loss, 600_000, np.float64, rng)
    value, grad = (loss + 2.0 * loss).value_and_grad(y, x)
    part, slope = loss.value_and_grad(y, x)
    np.testing.assert_allclose(value, 3 * part, rtol=1e-14)
    np.testing.assert_allclose(grad, 3 * slope, rtol=1e-14)


def test_infinite_terms_of_both_signs_are_nan():
    apart = [[0.0, 0.0, 1.0, 1.0]], [[5.0, 5.0, 6.0, 6.0]]
    loss = fl.LogIoU(eps=0.0)
    assert (loss + 2.0 * loss)(*apart) == np.inf
    assert np.isnan((loss - 2.0 * loss)(*apart))


def test_derivatives_are_differences():
    for total in (SUMS["label"], SUMS["pair"], 0.5 * fl.LogCosh() + fl.PseudoHuber()):
        y, x = arrays(total, 20)
        check_grad(total, y, x)
        check_hess(total, y, x)


def test_any_layout_type_and_number_of_threads(total, dtype):
    y, x = arrays(total, 300, dtype)
    wanted = total.value_and_grad(y, x)
    assert wanted[1].dtype == dtype
    for name, layout in LAYOUTS.items():
        value, grad = total.value_and_grad(layout(y), layout(x))
        np.testing.assert_allclose(value, wanted[0], rtol=1e-6, err_msg=name)
        np.testing.assert_allclose(grad.astype(float), wanted[1].astype(float), rtol=1e-2, atol=1e-6, err_msg=name)
    for threads in (1, 2, 5):
        value, grad = total.value_and_grad(y, x, num_threads=threads)
        assert value == wanted[0]
        assert_same_bits(grad, wanted[1])


def test_pieces_of_large_arrays_make_the_whole():
    rng = generator("pieces")
    x, y = rng.standard_normal((3000, 700), np.float32), rng.integers(0, 700, 3000)
    value, grad = ROWS.value_and_grad(y, x)
    parts = [loss.value_and_grad(y, x) for _, loss in ROWS.terms]
    np.testing.assert_allclose(value, parts[0][0] + 0.5 * parts[1][0], rtol=1e-12)
    np.testing.assert_allclose(grad, parts[0][1] + 0.5 * parts[1][1], rtol=1e-5, atol=1e-10)
    room = x.copy()
    assert ROWS.grad(y, room, grad_out=room) is room
    assert_same_bits(room, grad)
    y[2999] = 700
    with pytest.raises(IndexError, match=r"y_true\[2999\] is 700"):
        ROWS(y, x)
    before = room.copy()
    with pytest.raises(IndexError, match=r"y_true\[2999\] is 700"):
        ROWS.grad(y, x, grad_out=room)
    assert_same_bits(room, before)


def test_the_class_axis_may_be_any():
    rng = generator("axis")
    x, y = rng.standard_normal((6, 5, 7)), rng.integers(0, 5, (6, 7))
    total = fl.CrossEntropy(axis=1) + 2.0 * fl.SoftmaxFocal(axis=1)
    moved = fl.CrossEntropy() + 2.0 * fl.SoftmaxFocal()
    value, grad = total.value_and_grad(y, x)
    wanted, slope = moved.value_and_grad(y, np.moveaxis(x, 1, -1))
    np.testing.assert_allclose(value, wanted, rtol=1e-14)
    np.testing.assert_allclose(grad, np.moveaxis(slope, -1, 1), rtol=1e-13)


def test_states_and_groups(total):
    y, x = arrays(total)
    if total is SUMS["weighted rows"]:
        with pytest.raises(ValueError, match="its losses weigh elements differently, which have no common state"):
            total.state(y, x)
        return
    losses = total(y, x, reduction="none")
    for options in ({}, weights(len(y))):
        state = total.state(y, x, **options)
        np.testing.assert_allclose(state.mean, total(y, x, **options), rtol=1e-12)
    state = total.state(y, x)
    assert state.count == losses.size
    np.testing.assert_allclose(state.standard_error, losses.std(ddof=1) / losses.size**0.5, rtol=1e-10)
    by_group = total.states(y, x, groups=np.arange(len(y)) % 3)
    np.testing.assert_allclose(by_group[1].mean, losses[1::3].mean(), rtol=1e-12)


def test_one_kernel_computes_a_sum_of_elementwise_losses():
    assert SUMS["residual"]._evaluation is Evaluation
    assert SUMS["pair"]._evaluation is Evaluation
    assert ROWS._evaluation is SumEvaluation


def test_linear_models_and_boosters_take_sums():
    rng = generator("linear")
    features, y = rng.standard_normal((300, 4)), rng.standard_normal(300)
    total = fl.Huber() + 0.5 * fl.SquaredError()
    w = rng.standard_normal(5)
    value, grad = fl.LinearObjective(total, features, y, l2=0.1).value_and_grad(w)
    parts = [
        fl.LinearObjective(loss, features, y, l2=0.1).value_and_grad(w) for loss in (fl.Huber(), fl.SquaredError())
    ]
    penalty = 0.05 * (w[:4] @ w[:4])
    np.testing.assert_allclose(value, parts[0][0] + 0.5 * (parts[1][0] - penalty), rtol=1e-12)
    assert grad.shape == (5,)
    derived = xgboost.sklearn_objective(total)(y, np.zeros(300))
    np.testing.assert_allclose(derived[0], total.grad(y, np.zeros(300), reduction="sum"), rtol=1e-6)


def test_algebra():
    a, b = fl.Huber(), fl.SquaredError()
    assert 2 * a == a * 2 == a * np.float32(2)
    assert a + b - b * 1 != a + b
    assert -(a + b) == -1.0 * a - b
    assert (2 * (a + 0.5 * b)).terms == ((2.0, a), (1.0, b))
    assert sum([a, b]) == a + b
    for total in (*SUMS.values(), a - b):
        assert eval(repr(total), vars(fl)) == total == pickle.loads(pickle.dumps(total))
        assert hash(total) == hash(eval(repr(total), vars(fl)))


def test_what_cannot_be_added_is_refused():
    a = fl.Huber()
    for wrong in (1, "huber", None, np.ones(2), fl.Huber):
        with pytest.raises(TypeError):
            a + wrong
    for wrong in ("2", True, None, 1j):
        with pytest.raises(TypeError):
            wrong * a
    for wrong in (0, np.inf, np.nan):
        with pytest.raises(ValueError, match=r"Huber: it is multiplied by .*, must be finite and not 0"):
            wrong * a
    with pytest.raises(TypeError, match="VAE: it takes y_true, y_pred, mean, log_variance, must take y_true, y_pred"):
        a + fl.VAE()
    with pytest.raises(ValueError, match=r"its losses are of shapes \(2, 2\) and \(2,\), must be of one"):
        (a + fl.CrossEntropy())(np.zeros((2, 2)), np.zeros((2, 2)), reduction="none")
    assert (2.0 * fl.VAE() + fl.VAE(beta=2.0)).terms[0][0] == 2


def test_sums_of_several_arrays():
    rng = generator("several")
    given = [rng.random((4, 3)), rng.standard_normal((4, 3)), rng.standard_normal((4, 2)), rng.standard_normal((4, 2))]
    total = fl.VAE() + 0.5 * fl.VAE("squared_error")
    value, grads = total.value_and_grad(*given)
    parts = [loss.value_and_grad(*given) for _, loss in total.terms]
    np.testing.assert_allclose(value, parts[0][0] + 0.5 * parts[1][0])
    for grad, one, other in zip(grads, parts[0][1], parts[1][1], strict=True):
        np.testing.assert_allclose(grad, one + 0.5 * other)
    assert grads._fields == ("y_pred", "mean", "log_variance")


def test_a_loss_of_the_whole_sample_may_be_a_term():
    y, x = np.array([0.0, 1.0, 2.0]), np.array([0.5, 1.5, 1.0])
    total = fl.SquaredError() + fl.RootMeanSquaredError()
    assert total(y, x) == fl.SquaredError()(y, x) + fl.RootMeanSquaredError()(y, x)
    wanted = fl.SquaredError().grad(y, x) + fl.RootMeanSquaredError().grad(y, x)
    np.testing.assert_allclose(total.grad(y, x), wanted)


@pytest.mark.parametrize("loss", OF_OTHER_FAMILIES, ids=repr)
def test_losses_of_every_family_add_up(loss):
    arrays = draw_arrays(loss, 3000, np.float64, generator("families", loss))
    total = loss + 0.5 * loss
    value, grads = loss.value_and_grad(*arrays)
    found, others = total.value_and_grad(*arrays)
    assert type(grads) is type(others)
    np.testing.assert_allclose(found, 1.5 * value, rtol=1e-12)
    for grad, other in zip(*(g if isinstance(g, tuple) else (g,) for g in (grads, others)), strict=True):
        np.testing.assert_allclose(other, 1.5 * np.asarray(grad), rtol=1e-10, atol=1e-14)
    if family(loss) == "regions" or not loss.signature.additive:
        with pytest.raises(ValueError, match="there is no state, one of its losses is not one of each element"):
            total.state(*arrays)
    else:
        np.testing.assert_allclose(total.state(*arrays).mean, found, rtol=1e-10)
        losses = total(*arrays, reduction="none")
        np.testing.assert_allclose(losses, 1.5 * loss(*arrays, reduction="none"), rtol=1e-12)


def test_a_recipe_of_segmentation():
    rng = generator("segmentation")
    masks, scores = rng.random((2, 1, 8, 8)) < 0.3, rng.standard_normal((2, 1, 8, 8))
    total = fl.BinaryCrossEntropyWithLogits() + fl.Dice(from_logits=True)
    value, grad = total.value_and_grad(masks, scores)
    parts = [loss.value_and_grad(masks, scores) for _, loss in total.terms]
    np.testing.assert_allclose(value, parts[0][0] + parts[1][0], rtol=1e-14)
    np.testing.assert_allclose(grad, parts[0][1] + parts[1][1], rtol=1e-12)


def test_a_recipe_of_detection():
    rng = generator("detection")
    corner = rng.uniform(0, 50, (20, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 30, (20, 2))], axis=1)
    found = boxes + rng.normal(size=boxes.shape)
    total = 2.0 * fl.GIoU() + 5.0 * fl.NWD()
    value, grad = total.value_and_grad(boxes, found)
    np.testing.assert_allclose(value, 2 * fl.GIoU()(boxes, found) + 5 * fl.NWD()(boxes, found), rtol=1e-13)
    np.testing.assert_allclose(grad, 2 * fl.GIoU().grad(boxes, found) + 5 * fl.NWD().grad(boxes, found), rtol=1e-11)


def test_an_infinite_term_is_infinite():
    for dtype in (np.float32, np.float64):
        x = np.array([np.inf, 1.0, 5000.0], dtype)
        for factor in (2.0, 0.1, 1e-300):
            total = factor * fl.Exponential() + fl.SquaredHinge()
            value, grad = total.value_and_grad([-1, 1, -1], x, reduction="none")
            parts = [loss.value_and_grad([-1, 1, -1], x, reduction="none") for _, loss in total.terms]
            for found, mine, other in zip((value, grad), *parts, strict=True):
                with np.errstate(over="ignore"):
                    wanted = factor * mine.astype(np.float64) + other
                np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-40)


def test_outputs_are_apart_from_the_weights():
    x, y, weight = np.zeros((4, 5)), np.zeros(4, int), np.ones((4, 5))
    with pytest.raises(ValueError, match="grad_out overlaps sample_weight"):
        ROWS.grad(y, x, sample_weight=weight[:, 0], grad_out=weight)


def test_where_nothing_counts_the_gradient_is_0_without_a_warning():
    grad = ROWS.grad([0, 1], np.zeros((2, 5)), mask=[False, False])
    assert not grad.any()
