"""The transducer: against all ways, for lengths and scores of any size, at its edges; FastEmit and clamping."""

import numpy as np
import pytest
from mpmath import binomial, log, mp, mpf

import fastloss as fl
from tests.exact import alignment as exact
from tests.support import assert_same_bits
from tests.test_ctc import DIGITS, differentiated, logits


def numbers(x):
    return [[[mpf(float(v)) for v in cell] for cell in row] for row in x]


# Exactness ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [[], [1], [2, 2], [1, 2, 1]], ids=str)
@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("scores", ["logits", "log_probabilities"])
def test_it_is_the_sum_over_all_ways(target, frames, scores):
    x = logits(frames, len(target) + 1, 3) - 1
    with mp.workdps(DIGITS):

        def wanted(cells):
            return exact.transducer(target, cells, scores=scores)

        value = wanted(numbers(x))
        gradient = differentiated(wanted, x)
    found, grad = fl.Transducer(scores=scores).value_and_grad(np.array(target, int), x)
    assert abs(found - value) <= 4e-16 * max(1, abs(value))
    np.testing.assert_allclose(grad, gradient, rtol=1e-14, atol=2e-16)


@pytest.mark.parametrize("frames, labels", [(10, 3), (500, 400), (100_000, 2)])
def test_lengths_of_any_size_are_exact(frames, labels):
    """Of equal probabilities all ways are as likely, and their number is known."""
    x = np.zeros((frames, labels + 1, 2), np.float32)
    target = np.ones(labels, int)
    with mp.workdps(DIGITS):
        wanted = (frames + labels) * log(mpf(2)) - log(binomial(frames - 1 + labels, labels))
    found, grad = fl.Transducer().value_and_grad(target, x)
    assert abs(found - wanted) <= 1e-16 * (frames + labels)  # which cancels
    np.testing.assert_allclose(grad.sum(axis=2), 0, atol=1e-7)
    # Turned around, all but the last blank, frames and labels are the same.
    emitted = -fl.Transducer(scores="log_probabilities").grad(target, x)[..., 1]
    np.testing.assert_allclose(emitted[:, :-1], emitted[::-1, :-1][:, ::-1], rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("far", [1.0, 700.0, 1e4, 1e8])
def test_cells_of_any_odds_are_exact(far):
    frames, target = 12, [1, 2, 1]
    x = logits(frames, 4, 3)
    x[:7, :, 0] += far  # labels are all but impossible at first, and then blanks
    x[7:, :, 1:] += far
    with mp.workdps(DIGITS):
        wanted = exact.transducer_of_lattice(target, numbers(x))
        step = mpf("1e-20")
        moved = numbers(x)
        moved[8][1][2] += step
        slope = (exact.transducer_of_lattice(target, moved) - wanted) / step
    found, grad = fl.Transducer().value_and_grad(target, x)
    assert abs(found - wanted) <= 1e-15 * wanted
    assert abs(grad[8, 1, 2] - slope) <= (1e-12 + 1e-15 * far) * abs(slope)  # a difference of logits is rounded


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_confident_right_answer_is_as_exact_as_it_is_small(dtype):
    """Cells off the likely way are surer, and so unlike it that they do not matter."""
    x = np.full((3, 3, 3), -60.0, dtype)
    x[..., 0] = 90
    x[0, 0] = x[1, 1] = 0
    x[0, 0, 1] = x[1, 1, 2] = 60
    x[0, 1] = x[1, 2] = x[2, 2] = [60, 0, 0]
    with mp.workdps(DIGITS):
        wanted = exact.transducer([1, 2], numbers(x))
        of_way = -log(mp.fprod(1 / (1 + 2 * mp.exp(-60)) for _ in range(5)))
    found, grad = fl.Transducer().value_and_grad([1, 2], x)
    np.testing.assert_allclose(grad[[0, 1, 1, 2], [0, 1, 2, 2], [1, 2, 0, 0]], -2 * np.exp(-60), rtol=1e-5)
    assert 0 < wanted < 1e-20
    assert abs(found - of_way) <= np.finfo(dtype).eps * 60 * of_way
    assert abs(found - wanted) <= 1e-16


def test_float32_is_near_float64():
    x = logits(2, 60, 11, 20, seed=3).astype(np.float32)
    y = np.random.default_rng(3).integers(1, 20, (2, 10))
    value, grad = fl.Transducer().value_and_grad(y, x)
    wide, wide_grad = fl.Transducer().value_and_grad(y, x.astype(np.float64))
    assert value == pytest.approx(wide, rel=1e-7)
    np.testing.assert_allclose(grad, wide_grad, atol=1e-6)


def test_torchaudio_has_the_same_losses_and_gradients():
    torchaudio = pytest.importorskip("torchaudio", reason="torchaudio is not installed: its rnnt_loss is not compared")
    torch = pytest.importorskip("torch")
    x, y = logits(3, 7, 5, 6).astype(np.float32), np.random.default_rng(0).integers(0, 5, (3, 4), np.int32)
    frames, labels = np.array([7, 5, 6], np.int32), np.array([4, 4, 2], np.int32)
    z = torch.tensor(x, requires_grad=True)
    theirs = torchaudio.functional.rnnt_loss(z, *map(torch.tensor, (y, frames, labels)), blank=-1)
    theirs.backward()
    value, grad = fl.Transducer(blank=-1).value_and_grad(y, x, input_lengths=frames, target_lengths=labels)
    assert value == pytest.approx(theirs.item(), rel=1e-6)
    np.testing.assert_allclose(grad, z.grad.numpy(), atol=1e-6)


# FastEmit and clamping ----------------------------------------------------------------------------------


def test_fast_emit_pulls_labels_forward_and_leaves_the_value():
    x, y = logits(5, 3, 4), [1, 2]
    plain, fast = fl.Transducer(), fl.Transducer(fast_emit=0.5)
    assert plain(y, x) == fast(y, x)
    # Twice the gradient of one half more less that of none is linear in the weight.
    grads = [fl.Transducer(fast_emit=weight).grad(y, x) for weight in (0.0, 0.5, 1.0)]
    np.testing.assert_allclose(2 * grads[1] - grads[0], grads[2], atol=1e-15)
    # In log-probabilities, each label's share times 1 + weight, and blanks as they were.
    few, many = (fl.Transducer(fast_emit=w, scores="log_probabilities").grad(y, x) for w in (0.0, 0.5))
    np.testing.assert_allclose(many[..., 1:], 1.5 * few[..., 1:], rtol=1e-14)
    assert_same_bits(many[..., 0], few[..., 0])
    np.testing.assert_allclose(grads[1].sum(axis=-1), 0, atol=1e-15)


def test_the_clamp_is_of_the_sequence_before_it_is_averaged():
    x, y = logits(4, 5, 3, 6), np.array([[1, 2]] * 4)
    whole = fl.Transducer().grad(y, x, reduction="sum")
    assert abs(whole).max() > 0.2
    clamped = fl.Transducer(clamp=0.2)
    np.testing.assert_array_equal(clamped.grad(y, x, reduction="sum"), whole.clip(-0.2, 0.2))
    np.testing.assert_allclose(clamped.grad(y, x), whole.clip(-0.2, 0.2) / 4, rtol=1e-15)
    weight = np.array([1.0, 2.0, 0.0, 5.0])
    found = clamped.grad(y, x, sample_weight=weight, reduction="sum")
    np.testing.assert_allclose(found, weight[:, None, None, None] * whole.clip(-0.2, 0.2), rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_gradient_may_take_the_place_of_the_logits(dtype):
    x, y = logits(3, 6, 4, 700).astype(dtype), np.array([[1, 2, 600]] * 3)
    for frames in ([6, 6, 6], [6, 2, 0]):
        wanted = fl.Transducer().grad(y, x, input_lengths=frames, target_lengths=[3, 1, 0])
        for threads in (1, 2, 8):
            place = x.copy()
            found = fl.Transducer().grad(
                y, place, input_lengths=frames, target_lengths=[3, 1, 0], grad_out=place, num_threads=threads
            )
            assert found is place
            assert_same_bits(place, wanted, f"{threads} threads")


# Edges ------------------------------------------------------------------------------------------------


def test_lengths_and_targets_of_any_form_are_the_same():
    rng = np.random.default_rng(8)
    x, y = logits(4, 6, 4, 5), rng.integers(1, 5, (4, 3))
    frames, labels = np.array([6, 4, 1, 0]), np.array([3, 0, 2, 0])
    wanted, grad = fl.Transducer().value_and_grad(y, x, input_lengths=frames, target_lengths=labels, reduction="none")
    for n in range(4):
        t, u = frames[n], labels[n]
        alone = fl.Transducer().value_and_grad(y[n, :u], x[n, :t, : u + 1])
        assert alone[0] == wanted[n]
        assert_same_bits(grad[n, :t, : u + 1], alone[1])
        assert not grad[n, t:].any()
        assert not grad[n, :, u + 1 :].any()
    joined = np.concatenate([row[:n] for row, n in zip(y, labels, strict=True)])
    found = fl.transducer(joined, x, input_lengths=frames, target_lengths=labels, reduction="none")
    assert_same_bits(found, wanted)


def test_no_frames_are_the_way_of_no_labels():
    x = np.zeros((0, 2, 3))
    assert fl.transducer([1], x) == np.inf
    assert fl.transducer([1], x, target_lengths=0) == 0
    assert fl.Transducer().grad([1], x).shape == x.shape


def test_an_impossible_target_is_infinite_and_has_no_slope():
    x = logits(2, 4, 3, 5)
    x[0, :, :, 2] = -np.inf
    value, grad = fl.Transducer().value_and_grad([[1, 2], [1, 2]], x, reduction="none")
    assert value[0] == np.inf
    assert not grad[0].any()
    assert np.isfinite(value[1])
    assert grad[1].any()


def test_a_cell_that_is_no_number_makes_its_sequence_none():
    x = logits(2, 4, 3, 5)
    x[0, 3, 0, 4] = np.nan
    y = [[1, 2], [3, 1]]
    value, grad = fl.Transducer().value_and_grad(y, x, reduction="none")
    assert np.isnan(value[0])
    assert np.isnan(grad[0]).all()
    assert np.isfinite(grad[1]).all()
    assert np.isfinite(fl.Transducer().grad(y, x, input_lengths=[3, 4])).all()
    x[0, 3, 0, 4], x[0, 1, 0, 4] = 0, np.nan
    grad = fl.Transducer().grad(y, x, input_lengths=[3, 4], target_lengths=[1, 2])
    assert np.isnan(grad[0, :3, :2]).all()
    assert not grad[0, 3:].any()
    assert not grad[0, :, 2:].any()


@pytest.mark.parametrize(
    "error, message, y, named",
    [
        (ValueError, r"y_true has shape \(2, 3\), must be \(2, 2\), as y_pred has \(2, 4, 3, 5\)", [[1, 2, 3]] * 2, {}),
        (IndexError, r"y_true\[1, 1\] is 7, must be a class from 0 to 4 other than the blank, 0", [[1, 2], [1, 7]], {}),
        (ValueError, r"y_true\[1, 0\] is 0, must be a class from 0 to 4 other than the blank, 0", [[1, 2], [0, 2]], {}),
        (ValueError, r"target_lengths\[0\] is 3, must be from 0 to 2, the labels that there may be", [1, 2, 3],
         {"target_lengths": [3, 0]}),
        (ValueError, r"input_lengths\[1\] is 5, must be from 0 to 4, the frames", [[1, 2]] * 2,
         {"input_lengths": [4, 5]}),
    ],
)  # fmt: skip
def test_errors_say_what_is_wrong_and_where(error, message, y, named):
    x = logits(2, 4, 3, 5)
    grad = np.full(x.shape, 7.0)
    with pytest.raises(error, match=f"^Transducer: {message}"):
        fl.Transducer().grad(y, x, grad_out=grad, **named)
    assert (grad == 7).all()


def test_shapes_are_checked():
    message = r"Transducer: y_pred has shape \(3, 2\), must be \(N, T, U, C\), or \(T, U, C\) of one"
    with pytest.raises(ValueError, match=message):
        fl.transducer([1], np.zeros((3, 2)))
