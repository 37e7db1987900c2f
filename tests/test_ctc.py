"""CTC: against all alignments, for lengths and scores of any size, at its edges; decoding from the same lattice."""

from itertools import product

import numpy as np
import pytest
from mpmath import binomial, diff, log, mp, mpf

import fastloss as fl
from fastloss._core.loss import registry
from tests.exact import alignment as exact
from tests.reference import twin
from tests.support import assert_same_bits

DIGITS = 50


def logits(*shape, scale=2.0, seed=0):
    return scale * np.random.default_rng(seed).standard_normal(shape)


def numbers(x):
    return [[mpf(float(v)) for v in row] for row in x]


def differentiated(f, x):
    """The gradient of a function of rows of numbers by differences in many digits."""
    grad = np.empty(x.shape)
    for at in np.ndindex(x.shape):

        def moved(v, at=at):
            rows = x.astype(object).tolist()
            place = rows
            for i in at[:-1]:
                place = place[i]
            place[at[-1]] = v
            return f(rows)

        grad[at] = diff(moved, mpf(float(x[at])))
    return grad


# Exactness ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [[], [1], [1, 2], [1, 1], [2, 1, 2], [1, 1, 1]], ids=str)
@pytest.mark.parametrize("scores", ["logits", "log_probabilities"])
def test_it_is_the_sum_over_all_alignments(target, scores):
    x = logits(5, 3, seed=len(target)) - 1
    with mp.workdps(DIGITS):

        def wanted(rows):
            return exact.ctc(target, rows, scores=scores)

        value = wanted(numbers(x))
        gradient = differentiated(wanted, x)
    found, grad = fl.CTC(scores=scores).value_and_grad(np.array(target, int), x)
    assert abs(found - value) <= 4e-16 * max(1, abs(value))
    np.testing.assert_allclose(grad, gradient, rtol=1e-14, atol=2e-16)


@pytest.mark.parametrize("frames, labels", [(10, 3), (1000, 500), (100_000, 3), (100_000, 100)])
def test_lengths_of_any_size_are_exact(frames, labels):
    """Of equal probabilities all alignments are as likely, and their number is known for labels that differ."""
    x = np.zeros((frames, 3), np.float32)
    target = 1 + np.arange(labels) % 2
    with mp.workdps(DIGITS):
        wanted = frames * log(mpf(3)) - log(binomial(frames + labels, 2 * labels))
    found, grad = fl.CTC().value_and_grad(target, x)
    assert abs(found - wanted) <= 1e-15 * wanted
    assert np.isfinite(grad).all()
    np.testing.assert_allclose(grad.sum(axis=1), 0, atol=1e-6)
    # Turned around, frames and labels are the same but for the order of the two classes.
    other = fl.CTC().grad(target[::-1].copy(), x)
    np.testing.assert_allclose(grad, other[::-1], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("far", [1.0, 30.0, 700.0, 1e4, 1e8])
def test_states_of_any_odds_are_exact(far):
    """Blanks that are nearly certain, and labels that come late: states e^-far apart, and all of them needed."""
    frames, target = 40, [1, 2, 1, 1, 2]
    x = logits(frames, 3, scale=0.5)
    x[:, 0] += far
    with mp.workdps(DIGITS):
        wanted = exact.ctc_of_lattice(target, numbers(x))
        step = mpf("1e-20")
        moved = numbers(x)
        moved[17][1] += step
        slope = (exact.ctc_of_lattice(target, moved) - wanted) / step
    found, grad = fl.CTC().value_and_grad(target, x)
    assert abs(found - wanted) <= 1e-15 * wanted
    assert abs(grad[17, 1] - slope) <= (1e-12 + 1e-15 * far) * abs(slope)  # a difference of logits is rounded


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_confident_right_answer_is_as_exact_as_it_is_small(dtype):
    """Of its only alignment: of frames as many as labels."""
    target = [1, 2, 1]
    x = np.zeros((3, 4), dtype)
    x[np.arange(3), target] = 60
    with mp.workdps(100):
        wanted = exact.ctc(target, numbers(x))
    found, grad = fl.CTC().value_and_grad(target, x)
    assert abs(found - wanted) <= np.finfo(dtype).eps * 60 * wanted
    assert 0 < wanted < 1e-20
    np.testing.assert_allclose(grad[np.arange(3), target], -3 * np.exp(-60), rtol=1e-5)


def test_float32_is_near_float64():
    x = logits(300, 4, 50, seed=3).astype(np.float32)
    y = np.random.default_rng(3).integers(1, 50, (4, 40))
    loss = fl.CTC(layout="TNC")
    value, grad = loss.value_and_grad(y, x, reduction="sum")
    wide, wide_grad = loss.value_and_grad(y, x.astype(np.float64), reduction="sum")
    assert value == pytest.approx(wide, rel=1e-7)
    np.testing.assert_allclose(grad, wide_grad, atol=1e-6)


# Other libraries --------------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("concatenated", [False, True])
def test_pytorch_has_the_same_losses_and_gradients(reduction, concatenated):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: its ctc_loss is not compared")
    rng = np.random.default_rng(5)
    x, y = logits(30, 6, 8), rng.integers(0, 7, (6, 9))
    frames, labels = rng.integers(20, 31, 6), np.array([0, 1, 9, 4, 5, 9])
    given = np.concatenate([row[:n] for row, n in zip(y, labels, strict=True)]) if concatenated else y
    z = torch.tensor(x, requires_grad=True)
    theirs = torch.nn.functional.ctc_loss(
        z.log_softmax(-1), *map(torch.tensor, (given, frames, labels)), blank=7, reduction=reduction
    )
    theirs.sum().backward()
    loss = fl.CTC(layout="TNC", blank=-1, per_label=reduction == "mean")
    value, grad = loss.value_and_grad(given, x, input_lengths=frames, target_lengths=labels, reduction=reduction)
    np.testing.assert_allclose(value, theirs.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(grad, z.grad.numpy(), atol=1e-13)


def test_optax_has_the_same_losses():
    optax = pytest.importorskip("optax", reason="optax is not installed: its ctc_loss is not compared")
    rng = np.random.default_rng(6)
    x, y = logits(3, 20, 6), rng.integers(1, 6, (3, 5))
    frames, labels = np.array([20, 17, 12]), np.array([5, 3, 0])
    paddings = (np.arange(n) >= lengths[:, None] for n, lengths in ((20, frames), (5, labels)))
    theirs = optax.losses.ctc_loss(x, next(paddings).astype(float), y, next(paddings).astype(float))
    ours = fl.ctc(y, x, input_lengths=frames, target_lengths=labels, reduction="none")
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


# Edges ------------------------------------------------------------------------------------------------


def test_a_target_that_does_not_fit_is_infinite_and_has_no_slope():
    x = logits(2, 3, 4)
    y = np.array([[1, 1, 2], [1, 2, 3]])  # the first needs four frames
    value, grad = fl.CTC().value_and_grad(y, x, reduction="none")
    assert value[0] == np.inf
    assert np.isfinite(value[1])
    assert not grad[0].any()
    assert grad[1].any()
    assert fl.ctc(y, x) == np.inf
    forgiving = fl.CTC(zero_infinity=True)
    assert forgiving(y, x, reduction="sum") == value[1]
    assert forgiving(y, x) == value[1] / 2
    assert fl.ctc(y, x, mask=np.array([False, True])) == value[1]
    assert fl.ctc(y, x, sample_weight=np.array([0, 2])) == value[1]


def test_impossible_classes_do_as_well():
    x = logits(4, 3)
    x[:, 2] = -np.inf
    assert fl.ctc([2], x) == np.inf
    assert not fl.CTC().grad([2], x).any()
    found, grad = fl.CTC().value_and_grad([1], x)
    assert found == pytest.approx(fl.ctc([1], x[:, :2]), rel=1e-15)
    assert not grad[:, 2].any()


def test_an_empty_target_is_that_of_blanks_alone():
    x = logits(2, 5, 4)
    for y in (np.zeros((2, 0), int), np.zeros((2, 0))):
        value, grad = fl.CTC().value_and_grad(y, x, reduction="none")
        rows = fl.CrossEntropy()
        blanks = np.zeros(5, int)
        np.testing.assert_allclose(value, [rows(blanks, row, reduction="sum") for row in x], rtol=1e-14)
        np.testing.assert_allclose(grad[0], rows.grad(blanks, x[0], reduction="sum"), rtol=1e-12)


def test_no_frames_are_the_alignment_of_no_labels():
    assert fl.ctc(np.zeros(0, int), np.zeros((0, 3))) == 0
    assert fl.ctc([1], np.zeros((0, 3))) == np.inf
    assert fl.CTC().grad([1], np.zeros((0, 3))).shape == (0, 3)
    value, grad = fl.CTC().value_and_grad(
        [[1], [1]], logits(2, 4, 3), input_lengths=[0, 2], target_lengths=[0, 1], reduction="none"
    )
    assert value[0] == 0
    assert not grad[0].any()
    assert value[1] > 0


def test_no_sequences_have_no_mean():
    with pytest.warns(RuntimeWarning, match="CTC: no element counts, the mean is NaN"):
        assert np.isnan(fl.ctc(np.zeros((0, 2), int), np.zeros((0, 4, 3))))
    assert fl.ctc(np.zeros((0, 2), int), np.zeros((0, 4, 3)), reduction="sum") == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_frame_that_is_no_number_makes_its_sequence_none(bad):
    x = logits(2, 4, 5)
    x[0, 2, 3] = bad
    y = np.array([[1, 2], [1, 2]])
    value, grad = fl.CTC().value_and_grad(y, x, reduction="none")
    assert np.isnan(value[0])
    assert np.isnan(grad[0]).all()
    assert np.isfinite(value[1])
    assert np.isfinite(grad[1]).all()
    # Beyond the length it is not read.
    assert np.isfinite(fl.CTC().grad(y, x, input_lengths=[2, 4])).all()
    # Of log-probabilities only those of the target's classes are.
    assert np.isfinite(fl.ctc(y, x, scores="log_probabilities"))


def test_frames_of_nothing_are_no_number():
    x = logits(3, 4)
    x[1] = -np.inf
    assert np.isnan(fl.ctc([1], x))
    assert fl.ctc([1], x, scores="log_probabilities") == np.inf


@pytest.mark.parametrize("policy", ["propagate", "omit", "raise"])
def test_missing_labels_follow_the_policy(policy):
    x = logits(2, 4, 5)
    y = np.array([[1, np.nan], [1, 2]])
    rest = fl.ctc(y[1:], x[1:])
    if policy == "raise":
        with pytest.raises(ValueError, match=r"CTC: y_true\[0, 1\] is nan, must be a number with nan_policy='raise'"):
            fl.ctc(y, x, nan_policy=policy)
        return
    value, grad = fl.CTC().value_and_grad(y, x, nan_policy=policy)
    if policy == "omit":
        assert value == rest
        assert not grad[0].any()
    else:
        assert np.isnan(value)
        assert np.isnan(grad[0]).all()
    assert fl.ctc(y, x, target_lengths=[1, 2], nan_policy=policy) < np.inf  # it is beyond the length


def test_lengths_and_targets_of_any_form_are_the_same():
    rng = np.random.default_rng(8)
    x, y = logits(4, 9, 6), rng.integers(1, 6, (4, 3))
    frames, labels = np.array([9, 7, 8, 5]), np.array([3, 0, 2, 1])
    wanted, grad = fl.CTC().value_and_grad(y, x, input_lengths=frames, target_lengths=labels, reduction="none")
    for n in range(4):
        alone = fl.CTC().value_and_grad(y[n, : labels[n]], x[n, : frames[n]])
        assert (alone[0], alone[1].shape) == (wanted[n], (frames[n], 6))
        assert_same_bits(grad[n, : frames[n]], alone[1])
        assert not grad[n, frames[n] :].any()
    joined = np.concatenate([row[:n] for row, n in zip(y, labels, strict=True)])
    for kind in ("i1", "u1", "i2", ">u2", "i4", "u4", "<i8", ">i8", "u8", "f4", "f8"):
        for given in (y, joined):
            found, its_grad = fl.CTC().value_and_grad(
                given.astype(kind), x, input_lengths=frames.astype(kind), target_lengths=labels.astype(kind),
                reduction="none",
            )  # fmt: skip
            assert_same_bits(found, wanted, kind)
            assert_same_bits(its_grad, grad, kind)


# Bad inputs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error, message, y, named",
    [
        (IndexError, r"y_true\[1, 2\] is 5, must be a class from 0 to 4 other than the blank, 0",
         [[1, 2, 3], [1, 2, 5]], {}),
        (IndexError, r"y_true\[0, 0\] is -1, must be a class", [[-1, 2, 3], [1, 2, 5]], {}),
        (ValueError, r"y_true\[1, 0\] is 0, must be a class from 0 to 4 other than the blank, 0",
         [[1, 2, 3], [0, 2, 2]], {}),
        (ValueError, r"y_true\[0, 1\] is 1.5, must be a class", [[1, 1.5, 3], [1, 2, 2]], {}),
        (ValueError, r"y_true has shape \(3, 2\), must be \(2, S\), or the labels of all", [[1, 2]] * 3, {}),
        (ValueError, r"y_true has shape \(4,\), must be \(2, S\), or the labels", [1, 2, 3, 4], {}),
        (ValueError, r"y_true has 4 labels of all sequences, must have 5, the sum of target_lengths", [1, 2, 3, 4],
         {"target_lengths": [2, 3]}),
        (IndexError, r"y_true\[3\], label 1 of sequence 1, is 9, must be a class", [1, 2, 3, 9],
         {"target_lengths": [2, 2]}),
        (ValueError, r"target_lengths\[1\] is 4, must be from 0 to 3, the labels of y_true", [[1, 2, 3]] * 2,
         {"target_lengths": [3, 4]}),
        (ValueError, r"input_lengths\[0\] is 7, must be from 0 to 6, the frames of y_pred", [[1, 2, 3]] * 2,
         {"input_lengths": [7, 6]}),
        (ValueError, r"input_lengths\[1\] is -1, must be from 0", [[1, 2, 3]] * 2, {"input_lengths": [6, -1]}),
        (ValueError, r"input_lengths\[0\] is 2.5, must be from 0", [[1, 2, 3]] * 2, {"input_lengths": [2.5, 1]}),
        (ValueError, r"input_lengths has shape \(3,\), must be \(2,\), one per sequence", [[1, 2, 3]] * 2,
         {"input_lengths": [6, 6, 6]}),
        (TypeError, r"unknown parameter 'target_length', did you mean 'target_lengths'", [[1, 2, 3]] * 2,
         {"target_length": [3, 3]}),
    ],
)  # fmt: skip
def test_errors_say_what_is_wrong_and_where(error, message, y, named):
    x = logits(2, 6, 5)
    out, grad = np.full(2, 7.0), np.full(x.shape, 7.0)
    with pytest.raises(error, match=f"^CTC: {message}"):
        fl.CTC().value_and_grad(y, x, reduction="none", out=out, grad_out=grad, **named)
    assert (out == 7).all()
    assert (grad == 7).all()


def test_what_has_no_weight_may_have_any_labels():
    x = logits(2, 6, 5)
    assert fl.ctc([[9], [1]], x, mask=np.array([False, True])) == fl.ctc([[1]], x[1:])
    assert fl.ctc([[9], [1]], x, sample_weight=[0, 3]) == fl.ctc([[1]], x[1:])


def test_shapes_and_blanks_are_checked():
    with pytest.raises(ValueError, match=r"CTC: y_pred has shape \(3,\), must be \(N, T, C\), or \(T, C\) of one"):
        fl.ctc([1], np.zeros(3))
    with pytest.raises(ValueError, match=r"CTC: blank is 3, must be one of y_pred's 3 classes"):
        fl.ctc([1], np.zeros((4, 3)), blank=3)
    with pytest.raises(ValueError, match=r"CTC: y_pred has shape \(4, 0\), must have from 1 to"):
        fl.ctc([1], np.zeros((4, 0)))
    with pytest.raises(ValueError, match=r"CTC: sample_weight\[1\] is -1.0, must be finite and not negative"):
        fl.ctc([[1], [1]], np.zeros((2, 4, 3)), sample_weight=[1.0, -1.0])


# Decoding ---------------------------------------------------------------------------------------------


def collapsed(path, blank):
    return [k for i, k in enumerate(path) if k != blank and (i == 0 or path[i - 1] != k)]


@pytest.mark.parametrize("target", [[], [1], [2, 2], [1, 2, 1]], ids=str)
@pytest.mark.parametrize("scores", ["logits", "log_probabilities"])
def test_the_alignment_is_the_likeliest_of_all(target, scores):
    x = logits(5, 3, seed=9)
    log_p = x - (np.log(np.exp(x).sum(axis=1, keepdims=True)) if scores == "logits" else 0)
    paths = [path for path in product(range(3), repeat=5) if collapsed(path, 0) == target]
    best = max(paths, key=lambda path: sum(log_p[t, k] for t, k in enumerate(path)))
    found = fl.CTC(scores=scores).align(np.array(target, int), x)
    assert tuple(found.path) == best
    np.testing.assert_allclose(found.scores, [log_p[t, k] for t, k in enumerate(best)], rtol=1e-14, atol=1e-15)
    assert float(found.score) == pytest.approx(found.scores.sum(), rel=1e-14)
    assert [target[p] for p in found.positions if p >= 0] == [k for k in best if k]
    assert (np.diff(found.positions[found.positions >= 0]) >= 0).all()


def test_alignments_of_a_batch_end_with_their_frames():
    x, y = logits(3, 9, 4), np.array([[1, 2], [3, 3], [1, 1]])
    frames, labels = np.array([9, 5, 2]), np.array([2, 1, 2])
    for layout in ("NTC", "TNC"):
        given = x if layout == "NTC" else np.moveaxis(x, 0, 1)
        found = fl.CTC(layout=layout).align(y, given.astype(np.float32), input_lengths=frames, target_lengths=labels)
        assert found.path.shape == found.positions.shape == found.scores.shape == (3, 9)
        for n in range(2):
            assert collapsed(list(found.path[n, : frames[n]]), 0) == list(y[n, : labels[n]])
            assert (found.path[n, frames[n] :] == -1).all()
        assert found.score[2] == -np.inf
        assert (found.path[2] == -1).all()


def test_of_equal_alignments_labels_come_earliest():
    assert fl.CTC().align([1, 2], np.zeros((4, 3))).path.tolist() == [1, 2, 0, 0]


def test_a_long_alignment_is_found():
    target = np.random.default_rng(2).integers(1, 5, 200)
    path = np.zeros(20_000, int)
    path[50::100] = target
    x = np.zeros((20_000, 5), np.float32)
    x[np.arange(20_000), path] = 9
    found = fl.CTC().align(target, x)
    assert (found.path == path).all()
    assert (found.positions[50::100] == np.arange(200)).all()


@pytest.mark.parametrize("layout", ["NTC", "TNC"])
def test_the_best_path_has_the_likeliest_class_of_each_frame(layout):
    x = logits(3, 12, 4, seed=4)
    frames = np.array([12, 5, 0])
    given = x if layout == "NTC" else np.moveaxis(x, 0, 1)
    found = fl.CTC(layout=layout, blank=3).best_path(given, input_lengths=frames)
    for n in range(3):
        classes = x[n, : frames[n]].argmax(axis=1)
        wanted = collapsed(list(classes), 3)
        assert found.lengths[n] == len(wanted)
        assert found.labels[n, : len(wanted)].tolist() == wanted
        assert (found.labels[n, len(wanted) :] == -1).all()
        log_p = x[n, : frames[n]] - np.log(np.exp(x[n, : frames[n]]).sum(axis=1, keepdims=True))
        assert found.score[n] == pytest.approx(log_p.max(axis=1).sum(), rel=1e-14)
    single = fl.CTC(layout=layout, blank=3).best_path(x[0])
    assert single.labels.tolist() == found.labels[0, : found.lengths[0]].tolist()


def test_the_best_path_takes_the_first_of_equal_classes_and_no_nan():
    x = np.zeros((3, 3))
    x[1, 2] = np.nan
    found = fl.CTC(blank=2).best_path(x)
    assert found.labels.tolist() == [0, 0]  # what is no number stands between them
    assert np.isnan(found.score)


def test_decoders_compare_with_the_loss():
    x = logits(4, 30, 6)
    best = fl.CTC().best_path(x)
    loss = fl.CTC()(best.labels, x, target_lengths=best.lengths, reduction="none")
    forced = fl.CTC().align(best.labels, x, target_lengths=best.lengths)
    np.testing.assert_allclose(forced.score, best.score, rtol=1e-14)  # no alignment is likelier
    assert (loss <= -forced.score).all()


def test_the_twin_is_the_enumeration():
    x = logits(1, 4, 3)
    with mp.workdps(DIGITS):
        wanted = float(exact.ctc([1, 2], numbers(x[0])))
    assert twin(registry["ctc"]())(np.array([[1, 2]]), x)[0] == pytest.approx(wanted, rel=1e-14)
