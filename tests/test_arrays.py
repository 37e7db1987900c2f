"""Any array that NumPy views without a copy, as input and as output: right results, no hidden full-size copy."""

import math
import sys

import ml_dtypes
import numpy as np
import pytest

import fastloss as fl
from tests.conftest import FLOATS
from tests.inputs import draw
from tests.support import (
    LAYOUTS,
    REORDERED,
    assert_same_bits,
    elements,
    fresh,
    generator,
    permuted,
    reductions,
    shaped,
    spaced,
    swapped,
    within,
)

NEAR_BLOCKS = [blocks * 256 + d for blocks in (1, 2, 3, 16) for d in (-1, 0, 1)]
LENGTHS = (0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 63, 64, 65, *NEAR_BLOCKS)
SHAPES = ((0, 3), (3, 0), (1, 1), (1, 7), (7, 1), (2, 3), (3, 1030), (1030, 3), (2, 5, 7), (1, 40, 1, 3), (4, 1, 300))
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def three_axes(loss, dtype=np.float64):
    """Elements in three axes, or in one for a loss that takes rows only."""
    rng = generator(loss, "axes")
    y, x = shaped(loss, (5, 7, 40), dtype, rng)
    return draw(loss, 1400, dtype, rng) if y is None else (y, x)


def everything(loss, y, x, **options):
    """Every result of every verb, by name."""
    results = {}
    for reduction in reductions(loss):
        if (reduction == "none") <= (y.size > 0):
            results[reduction] = loss(y, x, reduction=reduction, **options)
    results["gradient"], results["curvature"] = loss.grad_and_hess(y, x, **options)
    return results


# Layouts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["y_true", "y_pred", "both"])
def test_a_layout_leaves_every_bit(default_loss, wide, which):
    y, x = three_axes(default_loss, wide)
    wanted = everything(default_loss, y, x)
    for layout, move in LAYOUTS.items():
        results = everything(default_loss, y if which == "y_pred" else move(y), x if which == "y_true" else move(x))
        for name, result in results.items():
            if layout in REORDERED and which != "y_true" and isinstance(result, float):
                assert result == pytest.approx(wanted[name], rel=1e-13)  # summed in the order of y_pred's memory
            else:
                assert_same_bits(result, wanted[name], f"{layout}: {name}")


def test_weights_and_masks_have_any_layout(default_loss):
    y, x = three_axes(default_loss)
    rng = generator("weights")
    shape = elements(default_loss, y, x)
    weight, mask = rng.random(shape), rng.random(shape) < 0.5
    wanted = everything(default_loss, y, x, sample_weight=weight, mask=mask)
    for layout, move in LAYOUTS.items():
        moved = mask if "swapped" in layout else move(mask)
        results = everything(default_loss, y, x, sample_weight=move(weight), mask=moved)
        for name, result in results.items():
            assert_same_bits(result, wanted[name], f"{layout}: {name}")


def test_any_byte_offset_leaves_every_bit(default_loss, wide):
    y, x = draw(default_loss, 1100, wide, generator(default_loss))
    wanted = everything(default_loss, y, x)

    def shifted(array, offset):
        raw = np.empty(array.nbytes + offset, np.uint8)
        view = raw[offset:].view(array.dtype).reshape(array.shape)
        view[...] = array
        return view

    for offset in range(1, 8):
        for name, result in everything(default_loss, shifted(y, offset), shifted(x, offset)).items():
            assert_same_bits(result, wanted[name], f"{offset}: {name}")


def test_zero_strides_are_the_repeated_element(default_loss):
    y, x = draw(default_loss, 1, np.float64, generator(default_loss))
    many = [np.broadcast_to(a, (2500, *a.shape[1:])) for a in (y, x)]
    wanted = everything(default_loss, *(a.copy() for a in many))
    for name, result in everything(default_loss, *many).items():
        if isinstance(result, float):  # an axis without a stride may be walked before or after another
            assert result == pytest.approx(wanted[name], rel=1e-13)
        else:
            assert_same_bits(result, wanted[name], name)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_shape_is_its_elements_in_order(default_loss, wide, shape):
    y, x = shaped(default_loss, shape, wide, generator(shape))
    if y is None:
        pytest.skip("takes rows only")
    flat_y, flat_x = (a.reshape((-1, *a.shape[len(shape) :])) for a in (y, x))
    options = {"reduction": "sum"}
    for move in (lambda a: a, within):
        results = default_loss.value_and_grad(move(y), move(x), **options)
        wanted = default_loss.value_and_grad(flat_y, flat_x, **options)
        assert_same_bits(results[0], wanted[0])
        assert_same_bits(results[1], wanted[1].reshape(x.shape))


@pytest.mark.parametrize("shape", [(1,) * 61 + (2, 3), (2,) * 12, (1,) * 20 + (5,) + (1,) * 20 + (4,)], ids=str)
def test_many_axes_are_axes(shape):
    y, x = shaped(fl.Huber(), shape, np.float64, generator(shape))
    wanted = fl.Huber()(y.ravel(), x.ravel(), reduction="none")
    for move in (lambda a: a, lambda a: a[..., ::-1].copy()[..., ::-1], lambda a: spaced(a, 2)):
        assert_same_bits(fl.Huber()(move(y), move(x), reduction="none"), wanted.reshape(shape))


def test_a_number_is_an_array_without_axes():
    loss = fl.SquaredError()
    assert loss(1.0, 3.0) == 4.0
    assert loss(1.0, 3.0, sample_weight=2.0, mask=True, reduction="sum") == 8.0
    for result in (loss(1.0, 3.0, reduction="none"), loss.grad(1.0, 3.0)):
        assert_same_bits(result, np.array(4.0))
    out, gradient = np.zeros(()), np.zeros((), np.float32)
    loss.value_and_grad(1.0, 3.0, reduction="none", out=out, grad_out=gradient)
    assert out == gradient == 4.0


def test_results_lie_in_memory_as_the_predictions_do(default_loss):
    y, x = three_axes(default_loss)
    for move in (np.asfortranarray, permuted):
        assert default_loss.grad(y, move(x)).strides == move(x).strides


def test_a_value_does_not_depend_on_its_position_or_on_the_length(default_loss, dtype):
    y, x = draw(default_loss, 5000, dtype, generator(default_loss, dtype))
    values, gradient = default_loss.value_and_grad(y, x, reduction="none")
    for n in LENGTHS:
        for start in (0, 1, 13, 900):
            part = slice(start, start + n)
            results = default_loss.value_and_grad(y[part], x[part], reduction="none")
            assert_same_bits(results[0], values[part])
            assert_same_bits(results[1], gradient[part])


@pytest.mark.parametrize("n", LENGTHS)
def test_a_sum_of_any_length_is_the_exact_one_rounded(n):
    x = generator(n).random(n)
    assert fl.AbsoluteError()(np.zeros(n), x, reduction="sum") == pytest.approx(math.fsum(x), rel=1e-14)


# Element types ------------------------------------------------------------------------------------

EXACT_IN_FLOAT32 = [np.dtype(t) for t in ("?", "i1", "i2", "u1", "u2", "f2", "f4")] + [BFLOAT16]
TARGETS = EXACT_IN_FLOAT32 + [np.dtype(t) for t in ("i4", "i8", "u4", "u8", "f8", "longlong", "ulonglong")]


def integral(loss, n, dtype, rng):
    """Targets of 0 and 1 (the integers in most domains), and predictions."""
    _, x = draw(loss, n, dtype, rng)
    shape = draw(loss, n, dtype, rng)[0].shape
    for low, high in ((0, 2), (1, 2)):
        y = rng.integers(low, high, shape)
        if all(number in loss._target_domain() for number in (low, high - 1)):
            return y, x
    return None, x


def rounded(array, kind):
    """To another type by one rounding to nearest, ties to even; ml_dtypes goes through float32 and takes two."""
    if kind != BFLOAT16:
        return array.astype(kind)
    best = array.astype(np.float32).astype(kind)
    for step in (-1, 1):
        other = (best.view(np.uint16) + np.uint16(step % 2**16)).view(kind)
        apart, least = (np.abs(one.astype(np.float64) - array) for one in (other, best))
        best = np.where((apart < least) | ((apart == least) & (other.view(np.uint16) % 2 == 0)), other, best)
    return best


def test_targets_of_any_type_are_their_numbers(default_loss, dtype):
    y, x = integral(default_loss, 1300, dtype, generator(default_loss, dtype))
    if y is None:
        pytest.skip("no integer is in the domain of y_true")
    stored = np.float32 if x.dtype.itemsize <= 4 else np.float64
    for kind in TARGETS:
        # Computed in float32 for predictions of at most 32 bits with targets that it holds exactly, else in float64.
        labels = default_loss._target_domain().bounded and kind.kind in "bui"
        single = x.dtype.itemsize <= 4 and (kind in EXACT_IN_FLOAT32 or labels)
        computed = np.float32 if single else np.float64
        wanted = default_loss.value_and_grad(y.astype(computed), x.astype(computed), reduction="none")
        with np.errstate(over="ignore"):
            wanted = wanted[0].astype(stored), rounded(wanted[1], x.dtype)
        given = y.astype(kind)
        layouts = [given, spaced(given, 2)] + ([swapped(given)] if kind.itemsize > 1 and kind != BFLOAT16 else [])
        for targets in layouts:
            values, gradient = default_loss.value_and_grad(targets, x, reduction="none")
            assert_same_bits(values, wanted[0], kind)
            assert_same_bits(gradient, wanted[1], kind)


@pytest.mark.parametrize("kind", ["?", "i1", "i4", "u8", ">i2"])
def test_integer_predictions_are_computed_in_float64(kind):
    y, x = np.array([0.0, 1.0, 1.0]), np.array([1, 1, 0]).astype(kind)
    values, gradient = fl.Huber().value_and_grad(y, x, reduction="none")
    assert values.dtype == gradient.dtype == np.float64
    assert values.tolist() == [0.5, 0.0, 0.5]
    assert gradient.tolist() == [1.0, 0.0, -1.0]


def test_integers_beyond_the_exact_range_are_rounded_to_nearest():
    big = np.array([2**63 - 1, -(2**63), 2**53 + 1], np.int64)
    assert_same_bits(fl.AbsoluteError()(big, np.zeros(3), reduction="none"), np.abs(big.astype(np.float64)))
    most = np.array([2**64 - 1], np.uint64)
    assert fl.AbsoluteError()(most, np.zeros(1)) == 2.0**64


@pytest.mark.parametrize("kind", FLOATS[:2], ids=str)
def test_every_number_of_16_bits_is_read_and_written_exactly(kind):
    every = np.arange(2**16, dtype=np.uint16).view(kind)
    with np.errstate(invalid="ignore"):  # signaling NaNs
        wide = every.astype(np.float32)
    every, wide = every[np.isfinite(wide)], wide[np.isfinite(wide)]
    zeros, out = np.zeros(wide.shape, kind), np.empty_like(every)
    np.testing.assert_array_equal(fl.AbsoluteError()(zeros, every, reduction="none"), np.abs(wide))
    fl.AbsoluteError()(zeros, every, reduction="none", out=out)
    np.testing.assert_array_equal(out.astype(np.float32), np.abs(wide))


def test_true_is_1_whatever_byte_holds_it():
    y, x = np.zeros(4), np.arange(4.0)
    odd = np.array([0, 1, 2, 255], np.uint8).view(bool)
    plain = np.array([False, True, True, True])
    assert fl.AbsoluteError()(y, x, mask=odd) == fl.AbsoluteError()(y, x, mask=plain)
    assert fl.AbsoluteError()(odd, x) == fl.AbsoluteError()(plain, x)
    assert fl.AbsoluteError()(y, x, sample_weight=odd) == fl.AbsoluteError()(y, x, sample_weight=plain)


def test_a_type_with_metadata_is_its_type():
    y = np.zeros(3, np.dtype("f8", metadata={"unit": "m"}))
    assert fl.SquaredError()(y, y + 1) == 1.0


# Outputs ------------------------------------------------------------------------------------------

WRITABLE = ["plain", *(layout for layout in LAYOUTS if layout != "read-only")]


@pytest.mark.parametrize("kind", FLOATS, ids=str)
def test_outputs_of_any_type_and_layout_get_the_results(default_loss, wide, kind):
    y, x = three_axes(default_loss, wide)
    values, gradient = default_loss.value_and_grad(y, x, reduction="none")
    curvature = default_loss.grad_and_hess(y, x, reduction="none")[1]
    with np.errstate(over="ignore"):
        wanted = [rounded(a, kind) for a in (values, gradient, curvature)]

    def assert_written(array, result):
        # An output wider than the predictions may hold more digits than they have.
        stored = array.astype(wide).astype(kind) if kind.itemsize > wide.itemsize else array.astype(kind)
        assert_same_bits(stored, result, layout)

    for layout in WRITABLE:
        if kind == BFLOAT16 and "swapped" in layout:
            continue  # it has one byte order
        move = LAYOUTS.get(layout, lambda a: a)
        out, grad_out, hess_out = (move(np.full(a.shape, 7, kind)) for a in (values, gradient, curvature))
        returned = default_loss.value_and_grad(y, x, reduction="none", out=out, grad_out=grad_out)
        assert returned[0] is out
        assert returned[1] is grad_out
        assert_written(out, wanted[0])
        assert_written(grad_out, wanted[1])
        grad_out[...] = 7
        returned = default_loss.grad_and_hess(y, x, reduction="none", grad_out=grad_out, hess_out=hess_out)
        assert returned[0] is grad_out
        assert returned[1] is hess_out
        assert_written(grad_out, wanted[1])
        assert_written(hess_out, wanted[2])


def test_outputs_write_nothing_beside_their_elements():
    y, x = draw(fl.Huber(), 1500, np.float64, generator("beside"))
    for kind in FLOATS:
        room = np.full(4510, 7, kind)
        fl.Huber().grad(y, x, grad_out=room[2:4502:3])
        room[2:4502:3] = 7
        assert (room == 7).all()


@pytest.mark.parametrize("place", [0, 1, 3, 15, 16, 17])
def test_outputs_past_the_caches_are_whole_wherever_they_lie(place):
    """Lines of memory that two blocks or two threads share have the numbers of both, and those beside them stay."""
    n = (1 << 21) + 777
    rng = generator("streams")
    y, x = (rng.random(n) < 0.5).astype(np.float32), rng.normal(size=n).astype(np.float32)
    whole = np.full(n + 64, 7, np.float32)
    for loss in (fl.BinaryCrossEntropyWithLogits(), fl.SquaredError()):
        whole[:] = 7
        loss.grad(y, x, grad_out=whole[place : place + n])
        assert_same_bits(whole[place : place + n], loss.grad(y, x))
        assert np.all(whole[:place] == 7)
        assert np.all(whole[place + n :] == 7)


@pytest.mark.parametrize("place", [0, 1, 5])
def test_gradients_of_boxes_are_whole_wherever_they_lie(place):
    rng = generator("streams of boxes")
    y, x = (np.sort(rng.random((540_000, 2, 2)), axis=1).reshape(-1, 4).astype(np.float32) for _ in range(2))
    whole = np.full(x.size + 64, 7, np.float32)
    fl.GIoU().value_and_grad(y, x, grad_out=whole[place : place + x.size].reshape(x.shape))
    assert_same_bits(whole[place : place + x.size].reshape(x.shape), fl.GIoU().value_and_grad(y, x)[1])
    assert np.all(whole[:place] == 7)
    assert np.all(whole[place + x.size :] == 7)


def test_the_gradient_may_overwrite_the_predictions(default_loss, wide):
    y, x = three_axes(default_loss, wide)
    for layout in WRITABLE:
        move = LAYOUTS.get(layout, lambda a: a)
        for reduction in reductions(default_loss):
            wanted = default_loss.value_and_grad(y, move(x), reduction=reduction)
            place = move(x.copy())
            value, gradient = default_loss.value_and_grad(y, place, reduction=reduction, grad_out=place)
            assert gradient is place
            assert_same_bits(value, wanted[0], layout)
            assert_same_bits(place.astype(wide), wanted[1], layout)


def test_any_output_may_overwrite_any_input_of_its_size():
    y, x, w = generator("overwrite").normal(size=(3, 5000))
    w = np.abs(w)
    wanted = fl.Huber().grad_and_hess(y, x, sample_weight=w)
    for first, second in [("y", "x"), ("x", "w"), ("w", "y")]:
        arrays = {"y": y.copy(), "x": x.copy(), "w": w.copy()}
        fl.Huber().grad_and_hess(
            arrays["y"], arrays["x"], sample_weight=arrays["w"], grad_out=arrays[first], hess_out=arrays[second]
        )
        assert_same_bits(arrays[first], wanted[0])
        assert_same_bits(arrays[second], wanted[1])


OVERLAPS = {
    "shifted by one": lambda room: (room[:-1], room[1:]),
    "reversed": lambda room: (room, room[::-1]),
    "every second": lambda room: (room[: len(room) // 2], room[::2][: len(room) // 2]),
    "half the bytes": lambda room: (room[: len(room) // 2], room.view(np.float32)[: len(room) // 2]),
    "transposed": lambda room: (room[:1600].reshape(40, 40), room[:1600].reshape(40, 40).T),
}


@pytest.mark.parametrize("overlap", OVERLAPS)
@pytest.mark.parametrize("which", ["y_true", "y_pred", "sample_weight"])
def test_any_other_overlap_is_refused_and_writes_nothing(overlap, which):
    room = np.abs(generator(overlap).normal(size=4000)) + 0.1
    kept = room.copy()
    given, out = OVERLAPS[overlap](room)
    arrays = {"y_true": np.ones_like(given), "y_pred": np.zeros_like(given), "sample_weight": None} | {which: given}
    with pytest.raises(ValueError, match=f"SquaredError: grad_out overlaps {which}, must be"):
        fl.SquaredError().grad(**arrays, grad_out=out)
    assert_same_bits(room, kept)


def test_outputs_that_overlap_each_other_are_refused():
    y, x, room = np.zeros(4), np.ones(4), np.full(5, 7.0)
    with pytest.raises(ValueError, match="hess_out overlaps grad_out, must be apart from it"):
        fl.SquaredError().grad_and_hess(y, x, grad_out=room[:4], hess_out=room[1:])
    with pytest.raises(ValueError, match="grad_out overlaps out, must be apart from it"):
        fl.SquaredError().value_and_grad(y, x, reduction="none", out=room[:4], grad_out=room[:4])
    with pytest.raises(ValueError, match="grad_out overlaps itself"):
        fl.SquaredError().grad(y, x, grad_out=np.lib.stride_tricks.as_strided(room, (4,), (0,)))
    assert (room == 7).all()


def test_interleaved_outputs_are_apart():
    y, x, room = np.zeros(1500), np.ones(1500), np.full(3000, 7.0)
    fl.SquaredError().grad_and_hess(y, x, reduction="sum", grad_out=room[::2], hess_out=room[1::2])
    assert (room == 2).all()


# Other libraries' arrays --------------------------------------------------------------------------


def five(dtype=np.float32):
    return np.array([0, 1, 0, 1, 1], dtype), np.array([0.5, -1, 2, 0.25, 3], dtype)


def assert_all_as_numpy(y, x, wanted_y, wanted_x):
    loss = fl.Huber()
    wanted = loss.value_and_grad(wanted_y, wanted_x, reduction="none", sample_weight=[1, 2, 3, 4, 5])
    for result, other in zip(
        loss.value_and_grad(y, x, reduction="none", sample_weight=[1, 2, 3, 4, 5]), wanted, strict=True
    ):
        assert type(result) is np.ndarray
        assert_same_bits(result, other)


def test_lists_and_tuples_are_arrays():
    y, x = five(np.float64)
    assert_all_as_numpy(y.tolist(), tuple(x), y, x)
    assert fl.Huber()([[0, 1], [1, 0]], [[0.0, 1.0], [1.0, 2.0]], reduction="sum") == 1.5


def test_memory_mapped_files_are_read_in_place(tmp_path):
    y, x = five()
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert_all_as_numpy(y, mapped, y, x)
    writable = np.lib.format.open_memmap(tmp_path / "g.npy", "w+", np.float32, x.shape)
    assert fl.Huber().grad(y, mapped, grad_out=writable) is writable
    assert_same_bits(writable, fl.Huber().grad(y, x))


def test_pandas_columns_are_arrays():
    pandas = pytest.importorskip("pandas")
    y, x = five()
    frame = pandas.DataFrame({"y": y, "x": x}, index=[4, 3, 2, 1, 0])
    assert_all_as_numpy(frame["y"], frame["x"], y, x)
    assert_all_as_numpy(frame["y"].astype(bool), frame["x"], y, x)
    assert fl.Huber()(frame, frame + 1) == 0.5


def test_polars_columns_are_arrays():
    polars = pytest.importorskip("polars")
    y, x = five()
    assert_all_as_numpy(polars.Series(y), polars.Series(x), y, x)
    frame = polars.DataFrame({"a": x, "b": x})
    assert fl.Huber()(frame, frame + 1.0) == 0.5


def test_arrow_arrays_are_arrays():
    arrow = pytest.importorskip("pyarrow")
    y, x = five()
    assert_all_as_numpy(arrow.array(y), arrow.array(x), y, x)
    assert_all_as_numpy(arrow.chunked_array([y[:2], y[2:]]), arrow.chunked_array([x[:1], x[1:]]), y, x)
    assert_all_as_numpy(arrow.array(y.astype(bool)), arrow.array(x), y, x)
    assert fl.Huber()(arrow.array([], "f8"), arrow.array([], "f8"), reduction="sum") == 0.0


def test_torch_tensors_are_arrays():
    torch = pytest.importorskip("torch")
    y, x = five()
    for kind in (torch.float16, torch.float32, torch.float64):
        wanted = np.asarray(torch.tensor(x).to(kind))
        assert_all_as_numpy(torch.tensor(y), torch.tensor(x).to(kind), y, wanted)
    assert_all_as_numpy(torch.tensor(y).to(torch.int64), torch.tensor(x)[:, None].expand(5, 3)[:, 1], y.astype(int), x)
    assert_all_as_numpy(torch.tensor(y).bfloat16(), torch.tensor(x).bfloat16(), y.astype(BFLOAT16), x.astype(BFLOAT16))
    for kind in (torch.float32, torch.bfloat16):
        with pytest.raises(TypeError, match=r"Huber: y_pred is a Tensor that NumPy cannot view .*detach"):
            fl.Huber()(y, torch.tensor(x, dtype=kind, requires_grad=True))


def test_jax_arrays_are_arrays():
    jax = pytest.importorskip("jax")
    y, x = five()
    assert_all_as_numpy(jax.numpy.asarray(y), jax.numpy.asarray(x), y, x)
    short = jax.numpy.asarray(x, jax.numpy.bfloat16)
    assert_all_as_numpy(jax.numpy.asarray(y), short, y, x.astype(BFLOAT16))
    with pytest.raises(TypeError, match=r"Huber: y_pred is a .*Tracer that NumPy cannot view"):
        jax.jit(lambda a: fl.Huber()(y, a))(x)


def test_objects_with_dlpack_alone_are_arrays():
    class Exporter:
        def __init__(self, array):
            self.array = array

        def __dlpack__(self, **options):
            return self.array.__dlpack__(**options)

        def __dlpack_device__(self):
            return self.array.__dlpack_device__()

    y, x = five()
    assert_all_as_numpy(Exporter(y), Exporter(x), y, x)


def test_a_masked_array_is_refused_for_its_mask_would_be_lost():
    y, x = five()
    with pytest.raises(TypeError, match="Huber: y_true is a masked array, must be plain; pass its data, and mask="):
        fl.Huber()(np.ma.masked_array(y, y > 0), x)


# Memory -------------------------------------------------------------------------------------------

FRUGAL = """
import resource, sys, tracemalloc
import numpy as np
import fastloss as fl

n = 4_000_000
loss = fl.Huber()
def ones(dtype, step=1):
    array = np.zeros(n * step, dtype)[::step]
    array[...] = 1
    return array

inputs = {inputs}
y, x = inputs[:2]
options = dict({options})
verb = getattr(loss, {verb!r})
def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) * 1024
verb(y[:100_000], x[:100_000], **{{k: v[:100_000] if isinstance(v, np.ndarray) else v for k, v in options.items()}})
before = peak()
tracemalloc.start()
result = verb(y, x, **options)
allocated = tracemalloc.get_traced_memory()[1]
outputs = sum(r.nbytes for r in (result if isinstance(result, tuple) else (result,))
              if isinstance(r, np.ndarray) and not any(r is v for v in options.values()))
assert allocated - outputs < 2e6, f"allocated {{allocated - outputs:,}} bytes"
assert peak() - before - outputs < 2e6, f"touched {{peak() - before - outputs:,}} bytes"
"""
GRAD_OUT = "reduction='none', out=ones('f8'), grad_out=ones('f4', 2)"
HUNGRY = {
    "plain mean": ("ones('f4'), ones('f4')", "", "__call__"),
    "plain gradient": ("ones('f4'), ones('f4')", "", "grad"),
    "strided": ("ones('f4', 2), ones('f8', 3)", "", "__call__"),
    "byte-swapped": ("ones('>f8'), ones('>f4')", "grad_out=ones('>f4')", "value_and_grad"),
    "float16": ("ones('f2'), ones('f2')", "", "value_and_grad"),
    "integers": ("ones('i8'), ones('f4')", "", "value_and_grad"),
    "weighted": ("ones('f4'), ones('f4')", "sample_weight=ones('f4', 2), mask=ones('?')", "value_and_grad"),
    "row weights": ("ones('f4').reshape(-1, 4), ones('f4').reshape(-1, 4)",
                    "sample_weight=ones('i4')[:n // 4]", "__call__"),
    "values": ("ones('f4'), ones('f4')", "reduction='none', out=ones('f4')", "__call__"),
    "outputs": ("ones('f4'), ones('f4')", GRAD_OUT, "value_and_grad"),
    "in place": ("ones('f4'), (x := ones('f4'))", "grad_out=x", "value_and_grad"),
    "Fortran": ("ones('f4').reshape(4, -1).T, ones('f4').reshape(-1, 4)", "", "value_and_grad"),
    "state": ("ones('f4'), ones('f8')", "", "state"),
}  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("what", HUNGRY)
def test_no_call_copies_an_array(what):
    inputs, options, verb = HUNGRY[what]
    fresh(FRUGAL.format(inputs=inputs, options=options, verb=verb))


@pytest.mark.parametrize("shape", [(700, 3), (3, 700), (5, 300, 3), (300, 2, 3), (90, 63), (90, 64), (2, 1, 3)])
def test_short_rows_of_any_layout(shape):
    rng = generator("short rows", shape)
    y, x, w = (rng.random(shape) for _ in range(3))
    rows = np.broadcast_to(w[(..., *[slice(1)] * (len(shape) - 1))], shape)
    loss = fl.SquaredError()
    with np.errstate(all="ignore"):
        for weight in (w, rows, np.asfortranarray(w), w[::-1], spaced(w, 2), permuted(w), within(w), swapped(w)):
            values = loss(y, x, sample_weight=weight, reduction="none")
            np.testing.assert_array_equal(values, weight * np.square(x - y))
            out = spaced(np.zeros_like(x), 3)
            loss.grad(y, x, sample_weight=weight, reduction="none", grad_out=out)
            np.testing.assert_array_equal(out, 2 * weight * (x - y))
            out = permuted(np.zeros_like(x))
            assert loss(y, x, sample_weight=weight, reduction="none", out=out) is out
            np.testing.assert_array_equal(out, values)
