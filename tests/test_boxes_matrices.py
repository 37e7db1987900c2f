"""Matrices of overlaps, edges that are predicted as distributions, and the weights of Slide loss."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fastloss as fl
from tests.support import LAYOUTS, assert_same_bits, generator

# Each with the loss of pairs that is 1 less it.
MATRICES = {
    "box_iou": (fl.box_iou, fl.IoU(eps=0.0), {}),
    "generalized_box_iou": (fl.generalized_box_iou, fl.GIoU(eps=0.0), {}),
    "distance_box_iou": (fl.distance_box_iou, fl.DIoU(eps=0.0), {"eps": 0.0}),
    "complete_box_iou": (fl.complete_box_iou, fl.CIoU(eps=0.0), {"eps": 0.0}),
    "box_nwd": (fl.box_nwd, fl.NWD(constant=3.0), {"constant": 3.0}),
}


@pytest.fixture(params=MATRICES.values(), ids=MATRICES)
def matrix(request):
    return request.param


def boxes(n, *key):
    rng = generator(n, *key)
    corner = rng.uniform(0, 50, (n, 2))
    return np.concatenate([corner, corner + rng.uniform(3, 30, (n, 2))], axis=1)


@pytest.mark.parametrize("n, m", [(1, 1), (3, 7), (130, 129), (300, 20), (7, 400), (0, 3), (3, 0), (2, 128)])
def test_each_pair_is_that_of_the_loss(matrix, n, m):
    function, loss, parameters = matrix
    a, b = boxes(n, "a"), boxes(m, "b")
    found = function(a, b, **parameters)
    assert found.shape == (n, m)
    assert found.dtype == np.float64
    if n and m:
        each = loss(np.tile(b, (n, 1, 1)), np.repeat(a[:, None], m, axis=1), reduction="none")
        np.testing.assert_allclose(found, 1 - each, atol=1e-14)
    narrow = function(a.astype(np.float32), b.astype(np.float32), **parameters)
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, found, atol=1e-5)


def test_small_overlaps_keep_their_digits():
    a, b = np.array([[0.0, 0.0, 1.0, 1.0]]), np.array([[1 - 2.0**-40, 0.0, 2.0, 1.0]])
    assert fl.box_iou(a, b)[0, 0] == pytest.approx(2.0**-40 / 2, rel=1e-11)


@pytest.mark.parametrize("name", LAYOUTS)
def test_any_layout(matrix, name):
    function, _, parameters = matrix
    lay, (a, b) = LAYOUTS[name], (boxes(40, "a"), boxes(30, "b"))
    want = function(a, b, **parameters)
    assert_same_bits(function(lay(a), lay(b), **parameters), want, name)
    out = lay(np.zeros((40, 30)))
    if out.flags.writeable:
        assert function(a, b, **parameters, out=out) is out
        assert_same_bits(out.astype(np.float64), want, name)


@pytest.mark.parametrize("dtype", ["f2", "i4", "u1", ">f8"])
def test_any_type(matrix, dtype):
    function, _, parameters = matrix
    a, b = (array.round().astype(dtype) for array in (boxes(20, "a"), boxes(10, "b")))
    found = function(a, b, **parameters)
    assert found.dtype == (np.float32 if dtype == "f2" else np.float64)
    np.testing.assert_allclose(found, function(a.astype(float), b.astype(float), **parameters), atol=1e-5)
    half = function(a, b, **parameters, out=np.empty((20, 10), np.float16))
    np.testing.assert_array_equal(half, found.astype(np.float16))


@pytest.mark.parametrize("format", ["xywh", "cxcywh"])
def test_formats(matrix, format):
    function, _, parameters = matrix
    a, b = boxes(20, "a"), boxes(10, "b")

    def form(box):
        low = box[:, :2] if format == "xywh" else (box[:, :2] + box[:, 2:]) / 2
        return np.concatenate([low, box[:, 2:] - box[:, :2]], axis=1)

    found = function(form(a), form(b), format=format, **parameters)
    np.testing.assert_allclose(found, function(a, b, **parameters), atol=1e-12)


def test_threads_give_the_same_bits(matrix):
    function, _, parameters = matrix
    a, b = boxes(500, "a").astype(np.float32), boxes(300, "b").astype(np.float32)
    want = function(a, b, **parameters, num_threads=1)
    assert_same_bits(function(a, b, **parameters, num_threads=3), want)
    np.testing.assert_allclose(function(b, a, **parameters).T, want, atol=1e-6)


def test_boxes_without_area(matrix):
    function, _, parameters = matrix
    points = np.array([[1.0, 1, 1, 1], [2, 2, 2, 2], [2, 2, 5, 2]])
    found = function(points, points, **parameters)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found.diagonal(), 1)
    extremes = generator("extremes").choice([0.0, 1e-44, 1e30, -1e30, 3.4e38, -3.4e38, 1.0, -2.0], (60, 4))
    assert not np.isnan(function(extremes.astype(np.float32), extremes.astype(np.float32), **parameters)).any()


def test_refusals():
    a = boxes(3)
    for call, message in (
        (lambda: fl.box_iou(a[0], a), r"^box_iou: a has shape \(4,\), must be \(n, 4\)"),
        (lambda: fl.box_iou(a, a[:, :3]), r"^box_iou: b has shape \(3, 3\), must be \(n, 4\)"),
        (lambda: fl.box_iou(a, a, format="x"), "^box_iou: format is 'x', must be one of 'xyxy', 'xywh', 'cxcywh'"),
        (lambda: fl.box_nwd(a, a, constant=0), "^box_nwd: constant is 0, must be greater than 0"),
        (lambda: fl.complete_box_iou(a, a, eps=-1), "^complete_box_iou: eps is -1, must be at least 0"),
        (lambda: fl.box_iou(a, a, out=np.empty((3, 4))), r"^box_iou: out has shape \(3, 4\), must be \(3, 3\)"),
        (lambda: fl.box_iou(a, a, out=a[:, :3]), "^box_iou: out overlaps a, must be apart"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


# Edges as distributions -------------------------------------------------------------------------------


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("bins", [1, 2, 3, 16, 17, 33, 300])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_expected_edges(bins, dtype):
    rng = generator(bins, dtype)
    x, slope = (2 * rng.normal(size=(21, 4, bins))).astype(dtype), rng.normal(size=(21, 4)).astype(dtype)
    p, k = softmax(x.astype(np.float64)), np.arange(bins)
    edges = (p * k).sum(axis=-1)
    found, grad = fl.expected_edges(x), fl.expected_edges_grad(x, slope)
    eps = np.finfo(np.float64 if dtype == np.float64 else np.float32).eps
    assert found.dtype == (np.float64 if dtype == np.float64 else np.float32)
    assert grad.dtype == dtype
    np.testing.assert_allclose(found, edges, rtol=40 * eps, atol=1e-300)
    want = slope[..., None].astype(np.float64) * p * (k - edges[..., None])
    size = np.abs(slope[..., None]) * p * (k + edges[..., None])  # of the terms of the difference
    assert (
        np.abs(grad - want) <= (1e-3 if dtype == np.float16 else 40 * eps) * size + 1e-7 * (dtype == np.float16)
    ).all()


@pytest.mark.parametrize("name", LAYOUTS)
def test_expected_edges_of_any_layout(name):
    lay, rng = LAYOUTS[name], generator(name)
    x, slope = rng.normal(size=(30, 4, 17)).astype(np.float32), rng.normal(size=(30, 4)).astype(np.float32)
    assert_same_bits(fl.expected_edges(lay(x)), fl.expected_edges(x), name)
    assert_same_bits(fl.expected_edges_grad(lay(x), lay(slope)), fl.expected_edges_grad(x, slope), name)
    out, room = lay(np.zeros((30, 4), np.float32)), lay(np.zeros_like(x))
    if out.flags.writeable:
        assert_same_bits(fl.expected_edges(x, out=out).astype(np.float32), fl.expected_edges(x), name)
        found = fl.expected_edges_grad(x, slope, grad_out=room)
        assert found is room
        assert_same_bits(found.astype(np.float32), fl.expected_edges_grad(x, slope), name)


def test_expected_edges_of_sure_logits_and_threads():
    assert fl.expected_edges([0.0, 1e30, -1e30]) == 1
    assert fl.expected_edges([-np.inf, 0.0, -np.inf]) == 1
    assert np.isnan(fl.expected_edges([np.nan, 0.0]))
    x = generator("threads").normal(size=(4000, 17)).astype(np.float32)
    assert_same_bits(fl.expected_edges(x, num_threads=3), fl.expected_edges(x, num_threads=1))
    assert fl.expected_edges(x[:0]).shape == (0,)
    want = fl.expected_edges_grad(x, x[:, 0])
    assert_same_bits(fl.expected_edges_grad(x, x[:, 0].copy(), grad_out=x), want)


def test_a_box_loss_is_trained_through_the_edges():
    """From logits to distances from a point, to a box and its loss, and back: the differences of the whole."""
    rng = generator("chain")
    logits, point = rng.normal(size=(5, 4, 9)), rng.uniform(10, 20, (5, 2))
    target = np.concatenate([point - 3, point + 4], axis=1)
    sign = np.array([-1, -1, 1, 1])

    def loss_of(z):
        return fl.GIoU()(target, np.tile(point, 2) + sign * fl.expected_edges(z))

    grad = fl.GIoU().grad(target, np.tile(point, 2) + sign * fl.expected_edges(logits)) * sign
    found = fl.expected_edges_grad(logits, grad)
    for index in [(0, 0, 0), (1, 2, 5), (4, 3, 8)]:
        step = np.zeros_like(logits)
        step[index] = 1e-6
        assert found[index] == pytest.approx((loss_of(logits + step) - loss_of(logits - step)) / 2e-6, rel=1e-6)


def test_refusals_of_edges():
    x = np.zeros((3, 4, 5))
    with pytest.raises(ValueError, match=r"^expected_edges: logits has shape \(3, 0\), must have at least one bin"):
        fl.expected_edges(np.zeros((3, 0)))
    with pytest.raises(ValueError, match=r"^expected_edges_grad: edges_grad has shape \(3,\), must be \(3, 4\)"):
        fl.expected_edges_grad(x, np.zeros(3))
    with pytest.raises(ValueError, match=r"^expected_edges: out has shape \(3,\), must be \(3, 4\)"):
        fl.expected_edges(x, out=np.zeros(3))


# Slide loss -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mu", [0.1, 0.5, 0.75])
def test_slide_weights_are_those_of_slide_loss(mu):
    q, z = generator(mu).random(200), generator(mu, "z").normal(size=200)
    entropy = fl.BinaryCrossEntropyWithLogits()(q, z, reduction="none")
    np.testing.assert_allclose(fl.slide_weight(q, mu=mu) * entropy, fl.Slide(mu=mu)(q, z, reduction="none"), rtol=1e-12)
    weighted = fl.BinaryCrossEntropyWithLogits()(q, z, sample_weight=fl.slide_weight(q, mu=mu), reduction="batch_mean")
    assert weighted == pytest.approx(fl.Slide(mu=mu)(q, z), rel=1e-12)


def test_slide_weights_of_a_mean():
    q = np.array([0.0, 0.55, 0.65, 0.9, 0.9])  # of mean 0.6
    np.testing.assert_allclose(fl.slide_weight(q), [1, *np.exp(1 - np.array([0.6, 0.65, 0.9, 0.9]))])
    assert fl.slide_weight([]).shape == (0,)
    assert fl.slide_weight(1.0) == math.exp(0)
    with pytest.raises(ValueError, match=r"^slide_weight: iou\[1\] is 1.5, must be in \[0, 1\]"):
        fl.slide_weight([0.5, 1.5])
    with pytest.raises(ValueError, match=r"^slide_weight: mu is 2, must be in \[0, 1\]"):
        fl.slide_weight([0.5], mu=2)
