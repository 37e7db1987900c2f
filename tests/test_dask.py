"""Losses of arrays and data frames of Dask: what those of the whole are, on every scheduler, also where workers die."""

import math
import os
import re
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import fastloss as fl
from fastloss import registry
from tests.inputs import draw, draw_arrays, draw_rows
from tests.support import SIGNATURES, assert_same_bits, fresh, generator

pytest.importorskip("dask", reason="Dask is not installed")
pytest.importorskip("pandas")
import dask
import dask.array as da
import dask.dataframe as dd
import pandas

import fastloss.dask as fd
from fastloss._core import evaluation
from fastloss._core.threads import threads_for
from fastloss.dask.operands import operands
from fastloss.rowwise import rows

N = 1000
CHUNKS = {"1 chunk": N, "7 chunks": 143, "unequal chunks": (1, 500, 0, 7, 492), "an element each": (1,) * 12 + (988,)}
ADDITIVE = [loss for loss in (cls() for cls in registry.values()) if loss.signature.additive]
ADDITIVE += [fl.Dice(groups="image"), fl.Dice(mode="multiclass", groups="image_class", from_logits=True)]
ADDITIVE += [fl.CTC(layout="TNC"), fl.CrossEntropy(class_weight=[1.0, 2.0] * 27)]
OF_SAMPLES = [loss for loss in (cls() for cls in registry.values()) if not loss.signature.additive]


@pytest.fixture(autouse=True)
def deterministic():
    """One task after another, unless a test says otherwise; keys that depend on nothing but what they name."""
    with dask.config.set({"scheduler": "synchronous", "tokenize.ensure-deterministic": True}):
        yield


def chunked(array, chunks=143, axis=0):
    """In chunks along one axis."""
    return da.from_array(array, chunks={k: chunks if k == axis else -1 for k in range(array.ndim)})


def assert_close(found, wanted):
    """Equal types, and numbers but for the rounding of what they are divided by."""
    assert found.dtype == wanted.dtype
    found, wanted = found.astype(np.float64), wanted.astype(np.float64)
    np.testing.assert_allclose(found, wanted, rtol=2e-15, atol=1e-15 * np.nanmax(np.abs(wanted)))


def several(found):
    return found if isinstance(found, tuple) else (found,)


def elements_axis(loss, argument, array):
    """The first axis of an array that elements lie along."""
    cores = [loss._core_axes(core, array.ndim) for core in argument.shapes]
    return min(set(range(array.ndim)).difference(cores[-1] if array.ndim > 1 else ()))


def drawn(loss, size=3000):
    """Arrays of a call by name, the same in chunks, and how many elements there are along the axis that is cut."""
    arrays = draw_arrays(loss, size, np.float64, generator(loss))
    given = [argument for argument in loss.signature.arguments if not argument.keyword]
    local, lazy, number = {}, {}, 0
    for argument, array in zip(given, arrays, strict=True):
        local[argument.name] = lazy[argument.name] = array
        if not argument.shared:
            axis = elements_axis(loss, argument, array)
            number = array.shape[axis]
            lazy[argument.name] = chunked(array, max(1, number // 3), axis)
    return local, lazy, number


@pytest.mark.parametrize("loss", ADDITIVE, ids=repr)
def test_every_loss_is_that_of_the_whole(loss):
    local, lazy, number = drawn(loss)
    weight = generator("weights").random(number)
    weighted = {"sample_weight": weight}
    for options in ({}, weighted):
        value, grad = dask.compute(*fd.value_and_grad(loss, **lazy, **options))
        wanted = loss.value_and_grad(**local, **options)
        assert value == pytest.approx(wanted[0], rel=1e-13)
        assert type(grad) is type(wanted[1])
        for found, whole in zip(several(grad), several(wanted[1]), strict=True):
            np.testing.assert_allclose(found, whole, rtol=1e-12, atol=1e-15 * np.abs(whole).max(initial=0))
        state, whole = fd.state(loss, **lazy, **options).compute(), loss.state(**local, **options)
        assert (state.count, state.weight) == (whole.count, pytest.approx(whole.weight))
        assert state.mean == pytest.approx(whole.mean, rel=1e-13)
        assert state.standard_error == pytest.approx(whole.standard_error, rel=1e-10, nan_ok=True)
    losses, grads = fd.value_and_grad(loss, **lazy, **weighted, reduction="none")
    wanted = loss(**local, **weighted, reduction="none")
    assert (losses.shape, losses.dtype) == (wanted.shape, wanted.dtype)
    np.testing.assert_allclose(losses.compute(), wanted, rtol=1e-13)
    wanted = loss.grad(**local, **weighted, reduction="none")
    for found, whole in zip(several(grads), several(wanted), strict=True):
        assert (found.shape, found.dtype) == (whole.shape, whole.dtype)


@pytest.mark.parametrize("loss", OF_SAMPLES, ids=repr)
def test_losses_that_chunks_do_not_add_up_to_are_refused_by_name(loss):
    with pytest.raises(TypeError, match=f"^{type(loss).__name__}: it is a loss of a whole sample or batch, must be"):
        fd.value(loss, da.zeros(3), da.zeros(3))


# Chunks, types, weights -----------------------------------------------------------------------------


def sample(loss, dtype=np.float64):
    """Targets, predictions, weights and a mask of a loss of each signature."""
    rng = generator(loss, dtype)
    y, x = draw_rows(loss, N, 32, dtype, rng) if loss.signature.rowwise else draw(loss, N, dtype, rng)
    return y, x, rng.random(N), rng.random(N) < 0.8


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
@pytest.mark.parametrize("loss", SIGNATURES.values(), ids=SIGNATURES)
def test_any_chunks(loss, chunks, dtype):
    y, x, weight, mask = sample(loss, dtype)
    lazy = [chunked(array, chunks) for array in (y, x)]
    options = {"sample_weight": chunked(weight, chunks), "mask": chunked(mask, chunks)}
    local = {"sample_weight": weight, "mask": mask}
    for reduction in ("mean", "batch_mean", "sum", "none"):
        value, grad = fd.value_and_grad(loss, *lazy, **options, reduction=reduction)
        assert grad.chunks == lazy[1].chunks
        assert grad.dtype == x.dtype
        if reduction == "none":
            assert value.chunks == lazy[1].chunks[: value.ndim]
        found, wanted = dask.compute(value, grad), loss.value_and_grad(y, x, **local, reduction=reduction)
        if reduction == "none":
            assert_same_bits(found[0], wanted[0])
        assert found[0] == pytest.approx(wanted[0], rel=1e-14)
        assert_close(found[1], wanted[1])
        assert float(np.sum(fd.value(loss, *lazy, **options, reduction=reduction).compute())) == np.sum(found[0])
        assert_close(fd.grad(loss, *lazy, **options, reduction=reduction).compute(), wanted[1])


@pytest.mark.parametrize("loss", [fl.SquaredError(), fl.CrossEntropy()], ids=repr)
def test_a_mean_does_not_depend_on_the_chunks(loss):
    y, x, weight, _ = sample(loss)
    weight **= 20  # a heavy tail
    for options in ({}, {"sample_weight": weight}):
        means = [float(fd.value(loss, chunked(y, c), chunked(x, c), **options)) for c in CHUNKS.values()]
        assert max(means) - min(means) <= math.ulp(means[0])
        means = {fd.value_and_grad(loss, chunked(y, c), chunked(x, c), **options)[0].compute() for c in CHUNKS.values()}
        assert max(means) - min(means) <= math.ulp(min(means))


@pytest.mark.parametrize("loss", [fl.Huber(), fl.GaussianNLL(), fl.CrossEntropy()], ids=repr)
def test_curvature(loss):
    y, x, weight, _ = sample(loss)
    found = dask.compute(*fd.grad_and_hess(loss, chunked(y), chunked(x), sample_weight=weight))
    for mine, whole in zip(found, loss.grad_and_hess(y, x, sample_weight=weight), strict=True):
        assert_close(mine, whole)


def test_a_curvature_that_is_none_is_refused_at_once():
    x = da.zeros((6, 4), chunks=3)
    with pytest.raises(ValueError, match=r"^TripletMargin: there is no grad_and_hess"):
        fd.grad_and_hess(fl.TripletMargin(), x.rechunk((3, 4)), x.rechunk((3, 4)), x.rechunk((3, 4)))


def test_chunks_along_every_axis():
    rng = generator("axes")
    y, x, each, first = rng.random((20, 30, 3)), rng.random((20, 30, 3)), rng.random((20, 30, 3)), rng.random(20)
    lazy = [da.from_array(array, chunks=(7, 11, 2)) for array in (y, x)]
    for weight, chunks in ((each, (7, 11, 2)), (first, 7)):
        options = {"sample_weight": da.from_array(weight, chunks=chunks)}
        value, grad = dask.compute(*fd.value_and_grad(fl.Huber(), *lazy, **options))
        whole = fl.Huber().value_and_grad(y, x, sample_weight=weight)
        assert value == pytest.approx(whole[0], rel=1e-14)
        assert_close(grad, whole[1])
    groups = rng.integers(0, 3, 20)
    table = fd.states(fl.Huber(), *lazy, groups=da.from_array(groups, chunks=7)).compute()
    np.testing.assert_allclose(table.mean, fl.Huber().states(y, x, groups=groups).mean, rtol=1e-13)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_classes_along_any_axis(axis):
    rng = generator("axis", axis)
    x = np.moveaxis(rng.standard_normal((20, 30, 5)), -1, axis)
    y, weight = rng.integers(0, 5, (20, 30)), rng.random(20)
    chunks = [7, 11]
    chunks.insert(axis, -1)
    lazy = da.from_array(y, chunks=(7, 11)), da.from_array(x, chunks=tuple(chunks))
    for loss in (fl.CrossEntropy(axis=axis), fl.CrossEntropy(axis=axis) + 0.5 * fl.SoftmaxFocal(axis=axis)):
        value, grad = dask.compute(*fd.value_and_grad(loss, *lazy, sample_weight=weight))
        wanted = loss.value_and_grad(y, x, sample_weight=weight)
        assert value == pytest.approx(wanted[0], rel=1e-14)
        np.testing.assert_allclose(grad, wanted[1], rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize("policy", ["propagate", "omit"])
def test_missing_targets(policy):
    y, x, weight, _ = sample(fl.Huber())
    y[::9] = np.nan
    found = dask.compute(
        *fd.value_and_grad(fl.Huber(), chunked(y), chunked(x), sample_weight=weight, nan_policy=policy)
    )
    wanted = fl.Huber().value_and_grad(y, x, sample_weight=weight, nan_policy=policy)
    assert found[0] == pytest.approx(wanted[0], nan_ok=True)
    assert_close(found[1], wanted[1])


def test_a_chunk_where_nothing_counts():
    y, x, weight, _ = sample(fl.Huber())
    weight[:300] = 0
    value = fd.value(fl.Huber(), chunked(y), chunked(x), sample_weight=weight)
    assert float(value) == pytest.approx(fl.Huber()(y, x, sample_weight=weight), rel=1e-14)
    with pytest.warns(RuntimeWarning, match="^Huber: weights sum to 0, the mean is NaN"):
        assert math.isnan(fd.value(fl.Huber(), chunked(y), chunked(x), sample_weight=0 * weight))
    with pytest.warns(RuntimeWarning, match="^Huber: no element counts"):
        assert math.isnan(fd.value(fl.Huber(), chunked(y), chunked(x), mask=weight < 0, reduction="batch_mean"))
    assert not fd.grad(fl.Huber(), chunked(y), chunked(x), sample_weight=0 * weight).compute().any()


@pytest.mark.parametrize(
    "loss",
    [
        fl.SquaredError() + 0.5 * fl.AbsoluteError(),
        fl.CrossEntropy(class_weight=[1.0, 2.0] * 16) + 0.5 * fl.SoftmaxFocal() - 0.1 * fl.CrossEntropy(),
        fl.Chained(fl.BrierScore(), "sigmoid"),
        fl.Chained(fl.GeneralizedKL(), "softmax"),
    ],
    ids=repr,
)
def test_sums_and_chains(loss):
    like = fl.CrossEntropy() if loss.signature.rowwise else fl.BinaryCrossEntropyWithLogits()
    y, x, weight, _ = sample(like if loss.signature.labels or not loss.signature.rowwise else fl.ForwardKL())
    for reduction in ("mean", "batch_mean", "sum"):
        options = {"sample_weight": weight, "reduction": reduction}
        value, grad = dask.compute(*fd.value_and_grad(loss, chunked(y), chunked(x), **options))
        wanted = loss.value_and_grad(y, x, **options)
        assert value == pytest.approx(wanted[0], rel=1e-13)
        np.testing.assert_allclose(grad, wanted[1], rtol=1e-12, atol=1e-17)


def test_a_gradient_that_all_elements_share_is_added_up():
    rng = generator("centers")
    y, x, centers = rng.integers(0, 5, 100), rng.standard_normal((100, 8)), rng.standard_normal((5, 8))
    for given in (centers, da.from_array(centers, chunks=-1)):
        found = fd.grad(fl.Center(), chunked(y, 30), chunked(x, 30), given)
        assert found.centers.shape == (5, 8)
        assert found.embeddings.chunks == ((30, 30, 30, 10), (8,))
        wanted = fl.Center().grad(y, x, centers)
        for mine, whole in zip(dask.compute(*found), wanted, strict=True):
            np.testing.assert_allclose(mine, whole, rtol=1e-13)


def test_arrays_that_are_here_are_cut_as_those_of_dask():
    y, x, weight, _ = sample(fl.Huber())
    for arrays in ((y, chunked(x)), (chunked(y), x), (pandas.Series(y), chunked(x))):
        assert float(fd.value(fl.Huber(), *arrays, sample_weight=list(weight))) == pytest.approx(
            fl.Huber()(y, x, sample_weight=weight), rel=1e-14
        )
    with pytest.raises(TypeError, match=r"^Huber: none of the arrays is of Dask"):
        fd.value(fl.Huber(), y, x)


def test_one_element():
    value, grad = dask.compute(*fd.value_and_grad(fl.SquaredError(), da.from_array(1.0), da.from_array(3.0)))
    assert (value, grad) == (4.0, 4.0)
    with pytest.raises(ValueError, match="the arrays are of one element, must have an axis for groups"):
        fd.states(fl.SquaredError(), da.from_array(1.0), da.from_array(3.0), groups=[1])


def test_lengths_that_are_not_known():
    y, x, weight, _ = sample(fl.CrossEntropy())
    kept = np.arange(N) % 3 > 0
    lazy = [chunked(array)[chunked(kept)] for array in (y, x, weight)]
    value, grad = fd.value_and_grad(fl.CrossEntropy(), *lazy[:2], sample_weight=lazy[2])
    assert math.isnan(grad.shape[0])
    assert grad.shape[1] == x.shape[1]
    found = dask.compute(value, grad)
    wanted = fl.CrossEntropy().value_and_grad(y[kept], x[kept], sample_weight=weight[kept])
    assert found[0] == pytest.approx(wanted[0], rel=1e-14)
    assert_close(found[1], wanted[1])
    unweighted = dask.compute(*fd.value_and_grad(fl.ForwardKL(), *2 * [chunked(np.abs(x))[chunked(kept)]]))
    wanted = fl.ForwardKL().value_and_grad(*2 * [np.abs(x)[kept]])
    assert_same_bits(unweighted[1], wanted[1])
    with pytest.raises(TypeError, match="sample_weight is an array of this process, must be of Dask, as the lengths"):
        fd.value(fl.CrossEntropy(), *lazy[:2], sample_weight=weight[kept])
    with pytest.raises(ValueError, match=r"y_true has shape \(\d+,\), must have y_pred's .*; in block"):
        fd.value(fl.CrossEntropy(), chunked(y), lazy[1]).compute()  # seen by the first task


# What is lazy ---------------------------------------------------------------------------------------


def unreadable(block):
    raise RuntimeError("this chunk was read")


def test_nothing_is_read_before_it_is_asked_for():
    y, x, weight, mask = (da.map_blocks(unreadable, chunked(array), dtype=array.dtype, meta=array[:0])
                          for array in sample(fl.CrossEntropy()))  # fmt: skip
    for made in (
        fd.value(fl.CrossEntropy(), y, x, sample_weight=weight, mask=mask),
        fd.state(fl.CrossEntropy(), y, x),
        fd.states(fl.CrossEntropy(), y, x, groups=y),
        fd.value_and_grad(fl.CrossEntropy(), y, x, sample_weight=weight)[1],
        fd.grad_and_hess(fl.CrossEntropy(), y, x)[1],
    ):
        with pytest.raises(RuntimeError, match="this chunk was read"):
            made.compute()


def test_what_a_mean_is_divided_by_does_not_wait_for_predictions():
    """The first chunk of a gradient is there while those of all other predictions are not."""
    y, x, weight, _ = sample(fl.Huber())

    def first_only(block, block_id):
        return block if block_id == (0,) else unreadable(block)

    lazy = da.map_blocks(first_only, chunked(x), dtype=x.dtype, meta=x[:0])
    for options in ({}, {"mask": weight < 0.5}, {"nan_policy": "omit"}):
        first = fd.grad(fl.Huber(), chunked(y), lazy, **options).blocks[0]
        assert_same_bits(first.compute(), fl.Huber().grad(y, x, **options)[:143])
    first = fd.grad(fl.Huber(), chunked(y), lazy, sample_weight=weight).blocks[0]
    wanted = fl.Huber().grad(y, x, sample_weight=weight)[:143]
    np.testing.assert_allclose(first.compute(), wanted, rtol=1e-15)  # weights are added up by chunks
    targets = da.map_blocks(first_only, chunked(y), dtype=y.dtype, meta=y[:0])
    first = fd.grad(fl.Huber(), targets, lazy, sample_weight=weight).blocks[0]
    np.testing.assert_allclose(first.compute(), wanted, rtol=1e-15)


def test_a_value_and_its_gradient_are_of_one_pass():
    y, x, weight, _ = sample(fl.Huber())
    read = []

    def counted(block, block_id):
        read.append(block_id)
        return block

    lazy = da.map_blocks(counted, chunked(x), dtype=x.dtype, meta=x[:0])
    dask.compute(*fd.value_and_grad(fl.Huber(), chunked(y), lazy, sample_weight=weight))
    assert sorted(read) == [(k,) for k in range(7)]


def test_results_of_every_kind_are_computed_together():
    y, x, *_ = sample(fl.Huber())
    read = []

    def counted(block, block_id):
        read.append(block_id)
        return block

    lazy = chunked(y), da.map_blocks(counted, chunked(x), dtype=x.dtype, meta=x[:0])
    value, grad = fd.value_and_grad(fl.Huber(), *lazy)
    state, table = fd.state(fl.Huber(), *lazy), fd.states(fl.Huber(), *lazy, groups=np.arange(N) % 2)
    found = dask.compute(state, value, lazy[1].sum(), table, grad)
    assert [type(one) for one in found] == [fl.LossState, np.float64, np.float64, fl.GroupStates, np.ndarray]
    assert len(read) == 7


def test_tasks_take_one_thread_each(monkeypatch):
    asked = []

    def recorded(num_threads, work):
        asked.append(num_threads)
        return threads_for(num_threads, work)

    monkeypatch.setattr(evaluation, "threads_for", recorded)
    monkeypatch.setattr(rows, "threads_for", recorded)
    for loss in (fl.Huber(), fl.CrossEntropy()):
        y, x, weight, _ = sample(loss)
        asked.clear()
        dask.compute(*fd.value_and_grad(loss, chunked(y), chunked(x), sample_weight=weight), scheduler="threads")
        fd.states(loss, chunked(y), chunked(x), groups=np.arange(N) % 3).compute(scheduler="threads")
        assert len(asked) > 14
        assert set(asked) == {1}


def test_keys_say_what_is_computed():
    y, x, *_ = sample(fl.Huber())
    y, x = chunked(y), chunked(x)
    assert fd.value(fl.Huber(), y, x).name == fd.value(fl.Huber(), y, x).name
    different = [fl.Huber(), fl.Huber(2.0), fl.SquaredError() + fl.Huber(), fl.SquaredError() + 2 * fl.Huber()]
    names = {fd.value(loss, y, x, reduction=r).name for loss in different for r in ("mean", "sum", "none")}
    names |= {fd.grad(loss, y, x, reduction=r).name for loss in different for r in ("mean", "sum")}
    names |= {fd.grad(fl.Huber(), y, x, nan_policy="omit").name, fd.grad(fl.Huber(), x, y).name}
    assert len(names) == 5 * len(different) + 2
    keys = {key if isinstance(key, str) else key[0] for key in fd.value(fl.Huber(), y, x).dask}
    assert {"Huber-states", "Huber-value"} <= {key.rpartition("-")[0] for key in keys}


# Errors ---------------------------------------------------------------------------------------------

ZEROS = da.zeros(10, chunks=5)
MATRIX = da.zeros((10, 6), chunks=(5, 6))


@pytest.mark.parametrize(
    ("error", "message", "make"),
    [
        (TypeError, "fastloss.dask: loss is 'huber', must be a loss object", lambda: fd.value("huber", ZEROS, ZEROS)),
        (ValueError, "Huber: y_true has shape (9,), must match y_pred's (10,)",
         lambda: fd.value(fl.Huber(), da.zeros(9, chunks=5), ZEROS)),
        (ValueError, "Huber: y_pred has chunks ((4, 4, 2),), must be cut as y_true, whose chunks are ((5, 5),)",
         lambda: fd.value(fl.Huber(), ZEROS, ZEROS.rechunk(4))),
        (ValueError, "Huber: sample_weight has chunks ((10,),), must be cut as y_true, whose chunks are ((5, 5),)",
         lambda: fd.grad(fl.Huber(), ZEROS, ZEROS, sample_weight=ZEROS.rechunk(10))),
        (ValueError, "Huber: sample_weight has shape (3,), must have y_pred's (10,)",
         lambda: fd.grad(fl.Huber(), ZEROS, ZEROS, sample_weight=np.zeros(3))),
        (ValueError, "Huber: groups has chunks ((4, 4, 2),), must be cut as y_true",
         lambda: fd.states(fl.Huber(), ZEROS, ZEROS, groups=ZEROS.rechunk(4))),
        (TypeError, "Huber: mask has dtype float64, must be bool",
         lambda: fd.value(fl.Huber(), ZEROS, ZEROS, mask=ZEROS)),
        (TypeError, "Huber: y_true has dtype complex128, must be a real number type",
         lambda: fd.value(fl.Huber(), ZEROS.astype(complex), ZEROS)),
        (TypeError, "Huber: y_true is a DelayedLeaf, must be an array, series or data frame of Dask",
         lambda: fd.value(fl.Huber(), dask.delayed(1), ZEROS)),
        (ValueError, "Huber: reduction is 'max', must be one of 'mean'",
         lambda: fd.value(fl.Huber(), ZEROS, ZEROS, reduction="max")),
        (ValueError, "Huber: nan_policy is 'skip', must be one of 'propagate'",
         lambda: fd.value(fl.Huber(), ZEROS, ZEROS, nan_policy="skip")),
        (ValueError, "Huber: groups is None", lambda: fd.states(fl.Huber(), ZEROS, ZEROS, groups=None)),
        (ValueError, "Dice: y_true has chunks ((3,), (4, 2), (5,)), must have axis 1",
         lambda: fd.value(fl.Dice(mode="multilabel", groups="image", axis=0),
                          *2 * [da.zeros((3, 6, 5), chunks=(3, 4, 5))])),
        (TypeError, "Huber: y_pred is missing", lambda: fd.value(fl.Huber(), ZEROS)),
        (TypeError, "Huber: y_true is 'truth', a column, but data is not given, must be a Dask DataFrame",
         lambda: fd.value(fl.Huber(), "truth", ZEROS)),
        (TypeError, "Huber: y_true is 'truth', a column, but data is a DataFrame, must be a Dask DataFrame",
         lambda: fd.value(fl.Huber(), "truth", ZEROS, data=pandas.DataFrame({"truth": [1.0]}))),
        (ValueError, "Huber: y_true is 'truth', must be one of data's columns: y, p",
         lambda: fd.value(fl.Huber(), "truth", ZEROS, data=frame()[["y", "p"]])),
        (ValueError, "ForwardKL: y_true has chunks ((5, 5), (3, 3)), must have axis 1, which belongs to one element, in"
         " one chunk of a known length: y_true.rechunk({1: -1})",
         lambda: fd.value(fl.ForwardKL(), MATRIX.rechunk((5, 3)), MATRIX)),
        (ValueError, "SoftmaxFocal: y_pred has chunks ((5, 5), (3, 3)), must have axis 1",
         lambda: fd.value(fl.SoftmaxFocal(), ZEROS.astype(int), MATRIX.rechunk((5, 3)))),
        (ValueError, "CosineDistance: right has shape (10, 5), must be (10, 6), as left has shape (10, 6)",
         lambda: fd.value(fl.CosineDistance(), MATRIX, MATRIX[:, :5])),
        (ValueError, "GaussianNLL: y_pred has shape (10, 6), must be (10, 2)",
         lambda: fd.value(fl.GaussianNLL(), ZEROS, MATRIX)),
        (ValueError, "CTC: y_true has shape (12,), must have an axis of elements to be cut",
         lambda: fd.value(fl.CTC(), da.ones(12, chunks=12), da.zeros((4, 9, 6), chunks=(2, 9, 6)),
                          target_lengths=da.full(4, 3, chunks=2))),
        (ValueError, "there is no grad_and_hess of classes in several chunks, y_pred must have them in one:"
         " y_pred.rechunk({-1: -1})",
         lambda: fd.grad_and_hess(fl.CrossEntropy(), ZEROS.astype(int), MATRIX.rechunk((5, 3)))),
        (ValueError, "must have neither class_weight nor label_smoothing",
         lambda: fd.value(fl.CrossEntropy(label_smoothing=0.1), ZEROS.astype(int), MATRIX.rechunk((5, 3)))),
        (TypeError, "ShardState: y_true has dtype float64, must be of integers",
         lambda: fd.value(fl.CrossEntropy(), ZEROS, MATRIX.rechunk((5, 3)))),
    ],
)  # fmt: skip
def test_what_is_refused_at_once(error, message, make):
    with pytest.raises(error, match=re.escape(message)):
        make()


def test_what_arrays_hold_is_refused_with_the_block_it_is_in():
    y = np.zeros(10, int)
    y[7] = 9
    with pytest.raises(
        IndexError, match=re.escape("CrossEntropy: y_true[2] is 9, must be a class from 0 to 5, or the")
    ):
        fd.value(fl.CrossEntropy(), chunked(y, 5), MATRIX).compute()
    with pytest.raises(IndexError, match=re.escape("; in block (1,)")):
        fd.grad(fl.CrossEntropy(), chunked(y, 5), MATRIX).compute()
    with pytest.raises(
        ValueError, match=re.escape("Huber: sample_weight[0] is -1.0, must be finite and not negative; in")
    ):
        fd.value(fl.Huber(), ZEROS, ZEROS, sample_weight=ZEROS - 1).compute()
    with pytest.raises(ValueError, match="must be a number with nan_policy='raise'"):
        fd.grad(fl.Huber(), ZEROS * np.nan, ZEROS, nan_policy="raise").compute()


# Data frames ----------------------------------------------------------------------------------------

PARTITIONS = 4
LOGITS = ["p0", "p1", "p2"]


def table():
    rng = generator("frame")
    columns = {name: rng.standard_normal(200) for name in ("p", *LOGITS)}
    columns |= {"y": rng.standard_normal(200), "label": rng.integers(0, 3, 200), "w": rng.random(200)}
    columns |= {
        "kept": rng.random(200) < 0.7,
        "country": rng.choice(["de", "fr", "it"], 200),
        "day": rng.integers(0, 4, 200),
    }
    return pandas.DataFrame(columns)


def frame():
    return dd.from_pandas(table(), npartitions=PARTITIONS)


def test_columns_by_name():
    local, lazy = table(), frame()
    for loss, y, x in ((fl.Huber(), "y", "p"), (fl.CrossEntropy(), "label", LOGITS)):
        options = {"sample_weight": "w", "mask": "kept"}
        wanted = loss.value_and_grad(local[y], local[x], **{k: local[name] for k, name in options.items()})
        by_name = fd.value_and_grad(loss, y, x, **options, data=lazy)
        given = fd.value_and_grad(loss, lazy[y], y_pred=lazy[x], **{k: lazy[name] for k, name in options.items()})
        for value, grad in (by_name, given):
            assert grad.numblocks[0] == PARTITIONS
            found = dask.compute(value, grad)
            assert found[0] == pytest.approx(wanted[0], rel=1e-14)
            assert_close(found[1], wanted[1])


def test_a_column_of_losses():
    local, lazy = table(), frame()
    losses = fd.value(fl.CrossEntropy(), "label", LOGITS, reduction="none", data=lazy)
    found = lazy.assign(loss=losses).compute()
    assert_same_bits(found["loss"].to_numpy(), fl.CrossEntropy()(local["label"], local[LOGITS], reduction="none"))


def test_nullable_and_categorical_columns():
    local = table()
    local["label"], local["country"] = local["label"].astype("Int64"), local["country"].astype("category")
    found = fd.states(fl.CrossEntropy(), "label", LOGITS, groups="country", data=dd.from_pandas(local, npartitions=3))
    wanted = fl.CrossEntropy().states(local["label"], local[LOGITS], groups=local["country"])
    assert found.compute().labels == wanted.labels
    np.testing.assert_allclose(found.compute().mean, wanted.mean, rtol=1e-13)


@pytest.mark.parametrize("weighted", [False, True])
def test_tables_of_groups(weighted):
    local, lazy = table(), frame()
    options = {"sample_weight": "w"} if weighted else {}
    own = {key: local[name] for key, name in options.items()}
    wanted = fl.Huber().states(local["y"], local["p"], groups=local[["country", "day"]], **own)
    for groups in (["country", "day"], lazy[["country", "day"]], {"country": "country", "day": lazy["day"]}):
        found = fd.states(fl.Huber(), "y", "p", groups=groups, data=lazy, **options).compute()
        assert found.names == ("country", "day")
        assert found.labels == wanted.labels
        np.testing.assert_array_equal(found.count, wanted.count)
        np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-13)
        np.testing.assert_allclose(found.standard_error, wanted.standard_error, rtol=1e-10)
    by_country = fd.states(fl.Huber(), "y", "p", groups="country", data=lazy, **options)
    assert by_country.compute().names == ("country",)
    assert by_country.mean.compute().tolist() == by_country.compute().mean.tolist()  # attributes are lazy, too


def test_groups_of_arrays():
    y, x, weight, mask = sample(fl.Huber())
    groups = generator("groups").integers(0, 5, N)
    options = {"sample_weight": weight, "mask": mask}
    wanted = fl.Huber().states(y, x, groups=groups, **options)
    for given in (groups, chunked(groups), chunked(groups.astype(str))):
        found = fd.states(fl.Huber(), chunked(y), chunked(x), groups=given, **options).compute()
        assert [str(label) for label in found.labels] == [str(label) for label in wanted.labels]
        np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-13)


def test_groups_of_sequences():
    rng = generator("sequences")
    y, x, lengths = rng.integers(1, 6, (20, 4)), rng.standard_normal((20, 15, 6)), rng.integers(5, 16, 20)
    options = {"groups": np.arange(20) % 3, "sample_weight": rng.random(20)}
    found = fd.states(fl.CTC(), chunked(y, 6), chunked(x, 6), input_lengths=chunked(lengths, 6), **options).compute()
    np.testing.assert_allclose(found.mean, fl.CTC().states(y, x, input_lengths=lengths, **options).mean, rtol=1e-13)


def test_rows_without_targets():
    x = generator("entropy").standard_normal((100, 5))
    found = fd.grad_and_hess(fl.SoftmaxEntropy(), None, chunked(x, 30), reduction="sum")
    for mine, whole in zip(
        dask.compute(*found), fl.SoftmaxEntropy().grad_and_hess(None, x, reduction="sum"), strict=True
    ):
        assert_close(mine, whole)
    table = fd.states(fl.SoftmaxEntropy(), None, chunked(x, 30), groups=np.arange(100) % 2).compute()
    assert table.total.mean == pytest.approx(fl.SoftmaxEntropy()(None, x), rel=1e-14)


def test_groups_of_images():
    rng = generator("images")
    masks, scores, groups = rng.random((9, 8, 8)) < 0.4, rng.random((9, 8, 8)), np.array(list("abcabcaba"))
    loss = fl.Dice(groups="image")
    found = fd.states(loss, chunked(masks, 2), chunked(scores, 2), groups=groups).compute()
    wanted = loss.states(masks, scores, groups=groups)
    assert list(found) == list(wanted)
    assert [state.mean for state in found.values()] == pytest.approx([state.mean for state in wanted.values()])


def test_parquet_is_read_once_and_those_columns_alone(tmp_path):
    pytest.importorskip("pyarrow")
    import pyarrow
    import pyarrow.parquet

    local = table()
    for k in range(3):
        pyarrow.parquet.write_table(pyarrow.Table.from_pandas(local[60 * k : 60 * k + 60]), tmp_path / f"{k}.parquet")
    found = fd.state(fl.Huber(), "y", "p", sample_weight="w", data=dd.read_parquet(tmp_path))
    assert found.compute().mean == pytest.approx(fl.Huber()(local.y[:180], local.p[:180], sample_weight=local.w[:180]))
    reads = [key for key in found.dask if "read_parquet" in str(key)]
    assert len(reads) == 3
    columns = operands("Huber", {"y_true": "y", "y_pred": "p"}, dd.read_parquet(tmp_path))["y_true"].meta.columns
    assert list(columns) == ["y", "p"]


# Classes in several chunks ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{}, {"temperature": 2.0, "softcap": 5.0, "z_loss": 0.1}, {"ignore_index": None}], ids=str
)
@pytest.mark.parametrize("classes", [(30,), (10, 10, 10), (1, 28, 1)])
def test_classes_in_several_chunks(options, classes, wide):
    rng = generator(str(options), classes)
    loss = fl.CrossEntropy(**options)
    x, y, weight, mask = (
        3 * rng.standard_normal((100, 30)),
        rng.integers(0, 30, 100),
        rng.random(100),
        rng.random(100) < 0.8,
    )
    x, y[7] = x.astype(wide), 3 if loss.ignore_index is None else loss.ignore_index
    lazy = chunked(y, 40), da.from_array(x, chunks=(40, classes))
    tolerance = {"rtol": 1e-5, "atol": 1e-9} if wide == np.float32 else {"rtol": 1e-12, "atol": 1e-18}
    for own in ({}, {"sample_weight": weight}, {"mask": mask}, {"sample_weight": weight, "mask": mask}):
        for reduction in ("mean", "batch_mean", "sum", "none"):
            value, grad = fd.value_and_grad(loss, *lazy, **own, reduction=reduction)
            assert grad.chunks == lazy[1].chunks
            wanted = loss.value_and_grad(y, x, **own, reduction=reduction)
            assert (grad.dtype, value.dtype) == (wide, np.asarray(wanted[0]).dtype)
            for found, whole in zip(dask.compute(value, grad), wanted, strict=True):
                np.testing.assert_allclose(found, whole, **tolerance)
        state, whole = fd.state(loss, *lazy, **own).compute(), loss.state(y, x, **own)
        assert (state.count, state.weight) == (whole.count, pytest.approx(whole.weight))
        assert (state.mean, state.standard_error) == pytest.approx((whole.mean, whole.standard_error), rel=1e-6)
        groups = np.arange(100) % 3
        found, wanted = fd.states(loss, *lazy, **own, groups=groups).compute(), loss.states(y, x, **own, groups=groups)
        np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-6)


def test_classes_in_several_chunks_along_another_axis():
    rng = generator("shards", "axis")
    x, y, weight = rng.standard_normal((12, 30, 8)), rng.integers(0, 30, (12, 8)), rng.random(12)
    lazy = da.from_array(y, chunks=(5, 4)), da.from_array(x, chunks=(5, 11, 4))
    loss = fl.CrossEntropy(axis=1)
    value, grad = dask.compute(*fd.value_and_grad(loss, *lazy, sample_weight=weight, mask=weight < 0.9))
    wanted = loss.value_and_grad(y, x, sample_weight=weight, mask=weight < 0.9)
    assert value == pytest.approx(wanted[0], rel=1e-13)
    np.testing.assert_allclose(grad, wanted[1], rtol=1e-12, atol=1e-18)


def test_a_label_of_no_chunk():
    y, x = chunked(np.array([0, 40]), 1), da.zeros((2, 30), chunks=(1, 10))
    for found in (fd.value(fl.CrossEntropy(), y, x), fd.grad(fl.CrossEntropy(), y, x)):
        with pytest.raises(IndexError, match="is 40, must be a class of one of the shards; in block"):
            found.compute()


# Linear models --------------------------------------------------------------------------------------


def rows_of_model(dtype=np.float64, classes=None):
    rng = generator("rows")
    X = rng.standard_normal((N, 5)).astype(dtype)
    y = X @ np.arange(5.0) + rng.standard_normal(N)
    return X, (y if classes is None else np.digitize(y, np.linspace(-8, 8, classes - 1))), rng.random(N)


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
def test_an_objective_is_that_of_all_rows(chunks, wide):
    X, y, weight = rows_of_model(wide)
    options = {"sample_weight": weight, "l1": 0.01, "l2": 0.1}
    whole = fl.LinearObjective(fl.Huber(), X, y, **options)
    found = fd.LinearObjective(fl.Huber(), chunked(X, chunks), chunked(y, chunks), **options)
    assert repr(found) == repr(whole)
    assert found.size == whole.size == 6
    at, direction = generator("at").standard_normal((2, 6))
    close = {"rtol": 1e-5 if wide == np.float32 else 1e-12}
    np.testing.assert_allclose(found(at), whole(at), **close)
    for mine, wanted in (
        (found.value_and_grad(at), whole.value_and_grad(at)),
        (found.grad_and_hess(at), whole.grad_and_hess(at)),
        ([found.grad(at), found.hessp(at, direction)], [whole.grad(at), whole.hessp(at, direction)]),
    ):
        for one, other in zip(mine, wanted, strict=True):
            np.testing.assert_allclose(one, other, **close)


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        (fl.Huber(), {"l2": 0.1}),
        (fl.SquaredError(half=True), {"l1": 0.1, "fit_intercept": False}),
        (fl.Quantile(alpha=0.7), {}),
        (fl.CrossEntropy(), {"l2": 0.01}),
    ],
    ids=repr,
)
def test_a_fit_is_that_of_all_rows(loss, options):
    X, y, weight = rows_of_model(classes=4 if loss.signature.rowwise else None)
    whole = fl.LinearObjective(loss, X, y, sample_weight=weight, **options).fit()
    lazy, targets = chunked(X, 300), chunked(y, 300)
    fit = fd.LinearObjective(loss, lazy, targets, sample_weight=weight, **options).fit()
    assert fit.converged
    np.testing.assert_allclose(fit.coef, whole.coef, rtol=1e-4, atol=1e-4)
    predicted = fit.predict(lazy)
    assert predicted.chunks[0] == lazy.chunks[0]
    assert_same_bits(predicted.compute(), fit.predict(X))
    if loss.signature.rowwise:
        newton = fd.LinearObjective(loss, lazy, targets, sample_weight=weight, **options).fit(solver="trust-ncg")
        np.testing.assert_allclose(newton.coef, whole.coef, rtol=1e-4, atol=1e-4)


def test_one_tree_for_a_step():
    X, y, _ = rows_of_model()
    computed = []

    def counting(graph, keys, **options):
        computed.append(keys)
        return dask.get(graph, keys, **options)

    objective = fd.LinearObjective(fl.AbsoluteError(), chunked(X), chunked(y))
    with dask.config.set(scheduler=counting):
        objective.value_and_grad(np.zeros(6))
        assert len(computed) == 1
        found = objective.fit(max_iter=3)
    assert found.iterations == 3
    assert len(computed) < 20


def test_rows_of_frames_and_of_sparse_matrices():
    sparse = pytest.importorskip("scipy.sparse")
    local, lazy = table(), frame()
    whole = fl.LinearObjective(fl.Huber(), local[LOGITS], local["y"], sample_weight=local["w"], l2=0.1)
    at = np.arange(4.0)
    for arrays, options in (
        ((lazy[LOGITS], lazy["y"]), {"sample_weight": lazy["w"]}),
        ((LOGITS, "y"), {"sample_weight": "w", "data": lazy}),
    ):
        found = fd.LinearObjective(fl.Huber(), *arrays, **options, l2=0.1)
        np.testing.assert_allclose(found.grad(at), whole.grad(at), rtol=1e-12)
    assert found.fit().predict(lazy[LOGITS]).compute() == pytest.approx(whole.fit().predict(local[LOGITS]), rel=1e-5)
    X, y, _ = rows_of_model()
    X[np.abs(X) < 0.5] = 0
    rows = chunked(X).map_blocks(sparse.csr_array, dtype=X.dtype, meta=sparse.csr_array((0, 0), dtype=X.dtype))
    objective = fd.LinearObjective(fl.Huber(), rows, chunked(y))
    np.testing.assert_allclose(
        objective.grad(np.ones(6)), fl.LinearObjective(fl.Huber(), X, y).grad(np.ones(6)), rtol=1e-12
    )


def test_rows_that_no_kernel_reads_are_copied():
    X, y, _ = rows_of_model()
    raw = np.empty(X.nbytes + 1, np.uint8)
    unaligned = raw[1:].view(X.dtype).reshape(X.shape)
    unaligned[...] = X
    wide = np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)
    wanted = fl.LinearObjective(fl.Huber(), X, y)(np.ones(6))
    for strange in (da.from_array(unaligned, chunks=-1), da.from_array(wide, chunks=-1)[::2, ::2]):
        objective = fd.LinearObjective(fl.Huber(), strange, da.from_array(y, chunks=-1))
        assert objective(np.ones(6)) == pytest.approx(wanted, rel=1e-14)


@pytest.mark.parametrize(
    ("error", "message", "make"),
    [
        (TypeError, "LinearObjective: X has dtype int64, must be float32 or float64",
         lambda X, y: fd.LinearObjective(fl.Huber(), X.astype(int), y)),
        (ValueError, "LinearObjective: X has shape (1,), must be (n, n_features)",
         lambda X, y: fd.LinearObjective(fl.Huber(), y, y)),
        (ValueError, "LinearObjective: y has chunks ((500, 500),), must be cut as X",
         lambda X, y: fd.LinearObjective(fl.Huber(), X, y.rechunk(500))),
        (ValueError, "LinearObjective: X has chunks",
         lambda X, y: fd.LinearObjective(fl.Huber(), X.rechunk((143, 3)), y)),
        (TypeError, "LinearObjective: none of the arrays is of Dask",
         lambda X, y: fd.LinearObjective(fl.Huber(), np.ones((2, 2)), np.ones(2))),
        (TypeError, "LinearObjective: loss is TripletMargin",
         lambda X, y: fd.LinearObjective(fl.TripletMargin(), X, y)),
        (ValueError, "LinearObjective: l2 is -1", lambda X, y: fd.LinearObjective(fl.Huber(), X, y, l2=-1)),
        (ValueError, "LinearObjective: coef has shape (5,), must be (6,)",
         lambda X, y: fd.LinearObjective(fl.Huber(), X, y)(np.zeros(5))),
        (ValueError, "LinearObjective: num_threads is 2, must be None: a task takes one thread",
         lambda X, y: fd.LinearObjective(fl.Huber(), X, y)(np.zeros(6), num_threads=2)),
        (ValueError, "LinearObjective: weights sum to 0",
         lambda X, y: fd.LinearObjective(fl.Huber(), X, y, sample_weight=0 * y)(np.zeros(6))),
        (ValueError, "BinaryCrossEntropyWithLogits: y[0] is 7.0, must be in [0, 1]; in block (",
         lambda X, y: fd.LinearObjective(fl.BinaryCrossEntropyWithLogits(), X, 0 * y + 7)(np.zeros(6))),
        (ValueError, "LinearObjective: y[0] is -1, must be a class from 0 on",
         lambda X, y: fd.LinearObjective(fl.CrossEntropy(), X, (0 * y - 1).astype(int))),
        (ValueError, "LinearFit: X has shape (1000, 4), must be (n, 5)",
         lambda X, y: fd.LinearObjective(fl.Huber(), X, y).fit(max_iter=1).predict(X[:, :4])),
    ],
)  # fmt: skip
def test_bad_models(error, message, make):
    X, y, _ = rows_of_model()
    with pytest.raises(error, match=re.escape(message)):
        make(chunked(X), chunked(y))


# Schedulers -----------------------------------------------------------------------------------------


def everything():
    """Each kind of result."""
    y, x, weight, _ = sample(fl.CrossEntropy(), np.float32)
    y, x, weight = y[:200], x[:200], weight[:200]
    lazy = [chunked(array, 30) for array in (y, x)]
    return dask.compute(
        fd.value(fl.CrossEntropy(), *lazy, sample_weight=weight),
        fd.state(fl.CrossEntropy(), *lazy, sample_weight=weight),
        fd.states(fl.CrossEntropy(), *lazy, groups=np.arange(200) % 3),
        *fd.value_and_grad(fl.CrossEntropy(), lazy[0], lazy[1].rechunk((30, 10))),
    )


def check_everything(found):
    value, state, table, sharded, grad = found
    y, x, weight, _ = sample(fl.CrossEntropy(), np.float32)
    y, x, weight = y[:200], x[:200], weight[:200]
    assert value == state.mean == pytest.approx(fl.CrossEntropy()(y, x, sample_weight=weight), rel=1e-13)
    np.testing.assert_allclose(table.mean, fl.CrossEntropy().states(y, x, groups=np.arange(200) % 3).mean, rtol=1e-13)
    wanted = fl.CrossEntropy().value_and_grad(y, x)
    assert sharded == pytest.approx(wanted[0], rel=1e-6)
    np.testing.assert_allclose(grad, wanted[1], rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_schedulers(scheduler):
    with dask.config.set(scheduler=scheduler, num_workers=2):
        check_everything(everything())


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes, each with a nanny that starts it again, and is not given up between two deaths."""
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1 hour"}),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as made,
    ):
        yield made


@pytest.fixture
def client(cluster):
    from distributed import Client

    with Client(cluster) as made, dask.config.set(scheduler=None):
        wait_for_both(made)
        yield made


def wait_for_both(client):
    """A worker that dies before its nanny knows that it runs is not started again."""
    client.wait_for_workers(2, timeout=60)
    patience = time.monotonic() + 60
    while any(nanny.process.status.name != "running" for nanny in client.cluster.workers.values()):
        assert time.monotonic() < patience
        time.sleep(0.02)


def test_worker_processes(client):
    check_everything(everything())


def fatal(block, directory, at, block_id):
    """A chunk; whoever is the first to read that at an index is killed."""
    if block_id[0] == at:
        try:
            os.close(os.open(Path(directory) / "died", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return block
        os.kill(os.getpid(), signal.SIGKILL)
    return block


def deadly(array, directory, at=4):
    return da.map_blocks(
        fatal, array, str(directory), at, dtype=array.dtype, meta=np.empty((0,) * array.ndim, array.dtype)
    )


@contextmanager
def one_death(client, directory):
    """One of the workers dies in between, and another process takes its place."""
    before = set(client.run(os.getpid).values())
    yield
    assert (directory / "died").exists()
    wait_for_both(client)
    after = set(client.run(os.getpid).values())
    assert len(after - before) == 1


def test_a_worker_that_is_killed(client, tmp_path):
    loss = fl.Huber()
    y, x, weight, _ = sample(loss)
    lazy = [chunked(array, 100).persist() for array in (y, x)]
    with one_death(client, tmp_path):
        value, grad = fd.value_and_grad(loss, lazy[0], deadly(lazy[1], tmp_path), sample_weight=weight)
        value, grad = client.compute([value, grad], sync=True)
    wanted = loss.value_and_grad(y, x, sample_weight=weight)
    assert value == pytest.approx(wanted[0], rel=1e-14)
    assert_close(grad, wanted[1])


def test_a_worker_that_is_killed_while_groups_are_merged(client, tmp_path):
    y, x, *_ = sample(fl.Huber())
    groups = np.arange(N) % 7
    with one_death(client, tmp_path):
        found = fd.states(fl.Huber(), chunked(y, 50), deadly(chunked(x, 50), tmp_path, 15), groups=groups).compute()
    wanted = fl.Huber().states(y, x, groups=groups)
    np.testing.assert_array_equal(found.count, wanted.count)
    np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-13)


def test_a_worker_that_is_killed_in_the_middle_of_a_fit(client, tmp_path):
    X, y, _ = rows_of_model()
    lazy = chunked(X, 100).persist()
    objective = fd.LinearObjective(fl.Huber(), deadly(lazy, tmp_path), chunked(y, 100), l2=0.1)
    with one_death(client, tmp_path):
        fit = objective.fit()
    wanted = fl.LinearObjective(fl.Huber(), X, y, l2=0.1).fit()
    assert fit.converged
    np.testing.assert_allclose(fit.coef, wanted.coef, rtol=1e-5)


# Without Dask ---------------------------------------------------------------------------------------


def test_without_dask_the_error_says_what_to_install():
    said = fresh(
        "import sys; sys.modules['dask'] = None\n"
        "try:\n    import fastloss.dask\nexcept ImportError as error:\n    print(error)"
    )
    assert said == "fastloss.dask needs Dask: run `pip install '.[dask]'` in a clone of fastloss\n"


def test_fastloss_itself_does_not_import_dask():
    assert fresh("import sys, fastloss; print('dask' in sys.modules)") == "False\n"
