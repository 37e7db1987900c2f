"""Every loss of sequences: element types, layouts, weights, reductions, outputs, threads, states, interruption."""

import itertools
import pickle
import signal
import sys
import time

import ml_dtypes
import numpy as np
import pytest

import fastloss as fl
from fastloss._core.isa import BUILDS, installed
from tests.inputs import draw_arrays, family
from tests.reference import twin
from tests.support import EVERY, LAYOUTS, assert_same_bits, fresh, generator, read_only, swapped, unaligned

LOSSES = [loss for loss in EVERY if family(loss) == "alignment"]
DEFAULTS = [fl.CTC(), fl.Transducer()]
TYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]


@pytest.fixture(params=LOSSES, ids=repr)
def loss(request):
    return request.param


@pytest.fixture(params=DEFAULTS, ids=repr)
def default(request):
    return request.param


def drawn(loss, size=4000, dtype=np.float64):
    """A call whose sequences are of different lengths: its arrays, and its lengths by name."""
    rng = generator(loss, size)
    y, x = draw_arrays(loss, size, dtype, rng)
    n, frames = len(y), x.shape[loss.axes.index("T")]
    lengths = rng.integers(frames // 2, frames + 1, n), rng.integers(0, y.shape[1] + 1, n)
    lengths[0][0], lengths[1][0] = frames, y.shape[1]
    return y, x, dict(zip(("input_lengths", "target_lengths"), lengths, strict=True))


# Values and derivatives -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [60, 4000, 60_000])
def test_values_and_gradients_are_the_twins(loss, size):
    y, x, lengths = drawn(loss, size)
    value, grad = loss.value_and_grad(y, x, reduction="none", **lengths)
    wanted = twin(loss)(y, x, *lengths.values())
    np.testing.assert_allclose(value, wanted, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(grad, twin(loss, "_grad")(y, x, *lengths.values()), atol=2e-12)


@pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: np.dtype(dtype).name)
def test_every_type_comes_in_and_goes_out(loss, dtype):
    y, x, lengths = drawn(loss, 4000, dtype)
    wide = x.astype(np.float64)
    value, grad = loss.value_and_grad(y, x, reduction="none", **lengths)
    assert value.dtype == (np.float64 if dtype is np.float64 else np.float32)
    assert grad.dtype == x.dtype
    exact, exact_grad = loss.value_and_grad(y, wide, reduction="none", **lengths)
    np.testing.assert_allclose(value, exact, rtol=2e-6)
    eps = float(ml_dtypes.finfo(dtype).eps)
    np.testing.assert_allclose(grad.astype(np.float64), exact_grad, atol=max(eps, 1e-6) if eps > 1e-15 else 1e-15)
    full = loss(y, x, reduction="none", out=np.empty(value.shape), **lengths)
    np.testing.assert_array_equal(value, full.astype(value.dtype))
    slope = loss.grad(y, x if dtype is np.float64 else wide.astype(np.float32), reduction="none", **lengths)
    for other in TYPES:
        out, room = np.empty(value.shape, other), np.empty(x.shape, other)
        loss.value_and_grad(y, x, reduction="none", out=out, grad_out=room, **lengths)
        np.testing.assert_array_equal(out, full.astype(other))
        np.testing.assert_array_equal(room, slope.astype(other))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_layout_is_the_same_to_the_bit(loss, layout, dtype):
    y, x, lengths = drawn(loss, 4000, dtype)
    wanted, wanted_grad = loss.value_and_grad(y, x, reduction="none", **lengths)
    lie = LAYOUTS[layout]
    kept = {name: lie(array) for name, array in lengths.items()}
    room = wanted_grad.copy() if layout == "read-only" else lie(np.zeros_like(x))
    value, grad = loss.value_and_grad(lie(y), lie(x), reduction="none", grad_out=room, **kept)
    assert_same_bits(value, wanted, "value")
    assert_same_bits(grad.astype(dtype), wanted_grad, "gradient")
    assert grad is room


def test_either_order_of_axes_is_the_same(loss):
    if not isinstance(loss, fl.CTC):
        return
    y, x, lengths = drawn(loss)
    other = fl.CTC(**loss.parameters() | {"layout": {"NTC": "TNC", "TNC": "NTC"}[loss.layout]})
    wanted, grad = loss.value_and_grad(y, x, **lengths)
    for turned in (x.swapaxes(0, 1), np.ascontiguousarray(x.swapaxes(0, 1))):
        value, its_grad = other.value_and_grad(y, turned, **lengths)
        assert value == wanted
        assert_same_bits(its_grad.swapaxes(0, 1), grad)


# Weights and reductions -------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted, masked", list(itertools.product([False, True], repeat=2)))
def test_reductions_are_of_weighted_losses(loss, weighted, masked):
    y, x, lengths = drawn(loss, 30_000)
    each, slope = loss.value_and_grad(y, x, reduction="none", **lengths)
    n = len(each)
    weight = generator(loss).uniform(0, 2, n) if weighted else np.ones(n)
    mask = np.arange(n) % 3 > 0 if masked else np.ones(n, bool)
    w = np.where(mask, weight, 0)
    options = {"sample_weight": weight} if weighted else {}
    options |= {"mask": mask} if masked else {}
    spread = w.reshape(-1, *(1,) * (x.ndim - 1))
    spread = np.moveaxis(spread, 0, loss.axes.index("N"))
    for reduction, divisor in {"none": 1, "sum": 1, "mean": w.sum(), "batch_mean": mask.sum()}.items():
        value, grad = loss.value_and_grad(y, x, reduction=reduction, **options, **lengths)
        wanted = w * each if reduction == "none" else (w * each).sum() / divisor
        np.testing.assert_allclose(value, wanted, rtol=1e-14)
        np.testing.assert_allclose(grad, spread * slope / divisor, rtol=1e-14, atol=1e-300)
        assert_same_bits(loss(y, x, reduction=reduction, **options, **lengths), value)
        assert_same_bits(loss.grad(y, x, reduction=reduction, **options, **lengths), grad)


def test_a_weight_of_0_selects(default):
    y, x, lengths = drawn(default, 30_000)
    n = len(y)
    bad = x.copy()
    bad[0] = np.nan
    y = y.copy()
    y[1] = 10_000
    keep = np.arange(n) > 1
    value, grad = default.value_and_grad(y, bad, mask=keep, **lengths)
    assert np.isfinite(value)
    assert not grad[:2].any()
    assert value == default(y, bad, sample_weight=keep.astype(float), **lengths)
    apart = default(y, bad, sample_weight=keep.astype(np.int8), reduction="none", **lengths)
    assert not apart[:2].any()
    assert not np.signbit(apart[:2]).any()


def test_a_state_has_the_mean_and_groups_add_up(default):
    y, x, lengths = drawn(default, 30_000)
    weight = generator(default).uniform(0.5, 2, len(y))
    state = default.state(y, x, sample_weight=weight, **lengths)
    assert state.mean == default(y, x, sample_weight=weight, **lengths)
    groups = np.arange(len(y)) % 3
    states = default.states(y, x, sample_weight=weight, groups=groups, **lengths)
    assert list(states) == [0, 1, 2][: len(states)]
    for k, one in states.items():
        some = {name: array[groups == k] for name, array in lengths.items()}
        alone = default.state(y[groups == k], x[groups == k], sample_weight=weight[groups == k], **some)
        assert one.mean == pytest.approx(alone.mean, rel=1e-14)
        assert one.count == alone.count
    joined = np.concatenate([row[:n] for row, n in zip(y, lengths["target_lengths"], strict=True)])
    of_joined = default.states(joined, x, sample_weight=weight, groups=groups, **lengths)
    assert [one.mean for one in of_joined.values()] == [one.mean for one in states.values()]


def test_the_gradient_is_that_of_the_value(loss):
    if loss.parameters().get("fast_emit") or loss.parameters().get("clamp"):
        return
    y, x, lengths = drawn(loss, 500)
    direction = generator(loss).standard_normal(x.shape)
    step = 1e-6
    slope = (loss(y, x + step * direction, **lengths) - loss(y, x - step * direction, **lengths)) / (2 * step)
    assert slope == pytest.approx((loss.grad(y, x, **lengths) * direction).sum(), rel=1e-6, abs=1e-8)


# Threads and builds -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sequences", [1, 2, 5])
def test_threads_give_the_same_bits(loss, sequences):
    y, x, lengths = drawn(loss, 200_000, np.float32)
    x = np.moveaxis(np.moveaxis(x, loss.axes.index("N"), 0)[:sequences], 0, loss.axes.index("N"))
    y, lengths = y[:sequences], {name: array[:sequences] for name, array in lengths.items()}
    weight = np.arange(1.0, 1 + len(y))
    wanted, grad = loss.value_and_grad(y, x, sample_weight=weight, num_threads=1, **lengths)
    state = loss.state(y, x, num_threads=1, **lengths)
    for threads in (2, 3, 8):
        value, its_grad = loss.value_and_grad(y, x, sample_weight=weight, num_threads=threads, **lengths)
        assert value == wanted
        assert_same_bits(its_grad, grad, f"{threads} threads")
        assert loss.state(y, x, num_threads=threads, **lengths) == state


BUILT = """
import pickle, sys
import numpy as np
from tests.test_alignment import LOSSES, drawn
results = []
for loss in LOSSES:
    y, x, lengths = drawn(loss, 4000, np.float32)
    results.append(loss.value_and_grad(y, x, reduction="none", **lengths))
with open(sys.argv[1] if len(sys.argv) > 1 else {path!r}, "wb") as file:
    pickle.dump(results, file)
"""


@pytest.mark.skipif(len(installed()) < 2, reason="a single build of the kernels is installed")
def test_the_builds_agree(tmp_path):
    found = {}
    for isa in [isa for isa in BUILDS if isa in installed()]:
        path = tmp_path / isa
        fresh(BUILT.replace("{path!r}", repr(str(path))), FASTLOSS_ISA=isa)
        found[isa] = pickle.loads(path.read_bytes())
    wanted = found.pop(installed()[0])
    for isa, results in found.items():
        for loss, (value, grad), (other, other_grad) in zip(LOSSES, wanted, results, strict=True):
            np.testing.assert_allclose(other, value, rtol=1e-6, err_msg=f"{isa}: {loss}")
            np.testing.assert_allclose(other_grad, grad, atol=1e-6, err_msg=f"{isa}: {loss}")


@pytest.mark.skipif(sys.platform == "win32", reason="timers of signals")
def test_an_interrupt_ends_a_long_call():
    x = np.zeros((200_000, 32), np.float32)
    y = np.ones(10_000, np.int8)  # a lattice of a few seconds

    def interrupt(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        start = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            fl.CTC().grad(y, x)
        assert time.perf_counter() - start < 10
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# Arrays -------------------------------------------------------------------------------------------------


def test_arrays_come_by_position_or_by_name(default):
    y, x, lengths = drawn(default)
    wanted = default(y, x, **lengths)
    assert default(y_pred=x, y_true=y, **lengths) == wanted
    assert getattr(fl, default.function_name)(y, x, **lengths) == wanted
    assert default(y.tolist(), x.tolist(), **{name: array.tolist() for name, array in lengths.items()}) == wanted
    with pytest.raises(TypeError, match="4 arrays are given by position, must be at most 2: y_true, y_pred"):
        default(y, x, *lengths.values())


def test_inputs_stay_as_they_were_and_may_be_read_only(default):
    y, x, lengths = drawn(default)
    given = [read_only(array) for array in (y, x, *lengths.values())]
    before = [array.copy() for array in given]
    default.value_and_grad(given[0], given[1], input_lengths=given[2], target_lengths=given[3])
    for array, old in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_a_gradient_may_take_the_place_of_predictions_and_overlap_nothing_else(loss):
    for dtype in (np.float32, np.float64):
        y, x, lengths = drawn(loss, 4000, dtype)
        wanted = loss.grad(y, x, **lengths)
        for place in (x.copy(), unaligned(x), swapped(x)):
            assert loss.grad(y, place, grad_out=place, **lengths) is place
            assert_same_bits(place.astype(dtype), wanted)
    room = np.zeros(x.size + 1, dtype)
    inside, moved = room[1:].reshape(x.shape), room[:-1].reshape(x.shape)
    with pytest.raises(ValueError, match=r"grad_out overlaps y_pred, must be apart from it or the very same array"):
        loss.grad(y, inside, grad_out=moved, **lengths)


def test_large_gradients_go_past_the_caches_and_are_the_same(default):
    y, x, lengths = drawn(default, 3_000_000, np.float32)
    assert x.nbytes > 1 << 23
    some = slice(0, 2)
    few = {name: array[some] for name, array in lengths.items()}
    assert_same_bits(
        default.grad(y, x, reduction="sum", **lengths)[some], default.grad(y[some], x[some], reduction="sum", **few)
    )
