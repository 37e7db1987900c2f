"""Edges of boxes that are predicted as distributions, and what classification owes to their overlap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss._core.evaluation import NARROW, Evaluation, Floats, mismatched
from fastloss._core.isa import kernels
from fastloss._core.operands import FLOATS, as_array, operand, output, refuse_overlap
from fastloss._core.parameters import UNIT, checked
from fastloss._core.runtime import BFLOAT16, Mismatch
from fastloss._core.threads import threads_for

__all__ = ["expected_edges", "expected_edges_grad", "slide_weight"]

_expected_bins: Callable[..., None] = kernels("boxes").expected_bins


def expected_edges(logits: ArrayLike, *, out: Floats | None = None, num_threads: int | None = None) -> Floats:
    r"""Compute what a distribution over bins expects: the edges that a head trained by distribution focal loss
    predicts.

    Parameters
    ----------
    logits : array_like
        Logits of the bins 0, 1, ... along the last axis, of any real type and layout: of shape (n, 4, bins) for the
        distances of four edges from a point, in units of the head's stride.
    out : ndarray, optional
        Where to write the result; any floating-point type.
    num_threads : int, optional
        Threads to use; by default as for a loss.

    Returns
    -------
    ndarray
        The sum of bins, each times its softmax probability: the shape of `logits` without the last axis, float32 for
        32 bits or fewer, else float64.

    See Also
    --------
    DistributionFocal : The loss of these logits for an edge that lies between two bins.
    expected_edges_grad : From the derivative of a loss of the boxes to that in the logits.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.expected_edges([[0.0, 0.0, 0.0], [0.0, 0.0, 50.0]])
    array([1., 2.])
    """
    x, code, shape = _bins("expected_edges", logits)
    single = code in NARROW
    found: Any = np.empty(shape, np.float32 if single else np.float64) if out is None else out
    edges, edge_code = output("expected_edges", "out", found, shape)
    if out is not None:
        refuse_overlap("expected_edges", [("out", edges)], [("logits", x)])
    _run("expected_edges", (x, edges), (code, edge_code), ("logits", "out"), single, num_threads)
    return found  # type: ignore[no-any-return]


def expected_edges_grad(
    logits: ArrayLike, edges_grad: ArrayLike, *, grad_out: Floats | None = None, num_threads: int | None = None
) -> Floats:
    r"""Compute the derivatives in the logits of edges, given those in the edges: p_k (k - e) times that in the edge e.

    Parameters
    ----------
    logits : array_like
        As for `expected_edges`.
    edges_grad : array_like
        The derivative of a loss in each expected edge, of the shape of these.
    grad_out : ndarray, optional
        Where to write the result; any floating-point type. May be `logits` itself.
    num_threads : int, optional
        Threads to use; by default as for a loss.

    Returns
    -------
    ndarray
        Of the shape of `logits` and, unless `grad_out` is given, its type.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.expected_edges_grad([[0.0, 0.0]], [4.0])
    array([[-1.,  1.]])
    """
    owner = "expected_edges_grad"
    x, code, shape = _bins(owner, logits)
    slopes, slope_code = operand(owner, "edges_grad", edges_grad)
    if slopes.shape != shape:
        raise ValueError(
            f"{owner}: edges_grad has shape {slopes.shape}, must be {shape}, logits' without the last axis"
        )
    found: Any = grad_out
    if found is None:
        grad_code = Evaluation._type_of_derivative(code)
        if grad_code == BFLOAT16:
            import ml_dtypes

            found = np.empty(x.shape, ml_dtypes.bfloat16)
        else:
            found = np.empty(x.shape, FLOATS[grad_code])
    grad, grad_code = output(owner, "grad_out", found, x.shape)
    if grad_out is not None:
        refuse_overlap(owner, [("grad_out", grad)], [("logits", x), ("edges_grad", slopes)])
    single = code in NARROW
    names = ("logits", "edges_grad", "grad_out")
    _run(owner, (x, slopes, grad), (code, slope_code, grad_code), names, single, num_threads)
    return found  # type: ignore[no-any-return]


def slide_weight(iou: ArrayLike, *, mu: float | None = None) -> NDArray[np.float64]:
    r"""Compute the weights of Slide loss from overlaps, for any loss of the same predictions: hard ones weigh more.

    With the mean overlap :math:`\mu`, at least 0.2, the weight of an overlap :math:`q` is 1 up to :math:`\mu - 0.1`,
    :math:`e^{1 - \mu}` below :math:`\mu`, and :math:`e^{1 - q}` from there on. Slide loss is the sum of weighted losses
    over their number, so ``reduction="batch_mean"``; the weights have no derivative.

    Parameters
    ----------
    iou : array_like
        The overlap of each prediction with its object, in [0, 1].
    mu : float, optional
        The mean overlap; by default that of `iou`.

    Returns
    -------
    ndarray
        The weights, of the shape of `iou`.

    See Also
    --------
    Slide : The same of a cross-entropy whose targets are the overlaps themselves.
    IoU : 1 less the overlap of pairs of boxes.

    References
    ----------
    .. [1] Z. Yu et al., "YOLO-FaceV2: A scale and occlusion aware face detector", 2022, arXiv:2208.02019.

    Examples
    --------
    >>> import numpy as np
    >>> import fastloss as fl
    >>> overlaps = 1 - fl.iou([[0, 0, 2, 2], [0, 0, 2, 2]], [[0.0, 0.0, 2.0, 1.0], [0.0, 0.0, 2.0, 2.0]],
    ...                       eps=0.0, reduction="none")
    >>> weight = fl.slide_weight(overlaps)
    >>> weight.round(3)
    array([1., 1.])
    >>> loss = fl.BinaryCrossEntropyWithLogits()
    >>> float(round(loss([1, 0], [0.5, -0.5], sample_weight=weight, reduction="batch_mean"), 6))
    0.474077
    """
    overlaps = as_array("slide_weight", "iou", iou).astype(np.float64)
    outside = ~((overlaps >= 0) & (overlaps <= 1))
    if outside.any():
        at = tuple(int(i) for i in np.argwhere(outside)[0])
        where = "[" + ", ".join(map(str, at)) + "]" if at else ""
        raise ValueError(f"slide_weight: iou{where} is {overlaps[at]}, must be in [0, 1]")
    if mu is None and not overlaps.size:
        return overlaps
    mean = max(float(overlaps.mean()) if mu is None else checked("slide_weight", "mu", mu, {"domain": UNIT}), 0.2)
    return np.where(overlaps <= mean - 0.1, 1.0, np.exp(1 - np.maximum(overlaps, mean)))


def _bins(owner: str, logits: ArrayLike) -> tuple[NDArray[Any], int, tuple[int, ...]]:
    x, code = operand(owner, "logits", logits)
    if not x.ndim or not x.shape[-1]:
        raise ValueError(f"{owner}: logits has shape {x.shape}, must have at least one bin along the last axis")
    return x, code, x.shape[:-1]


def _run(
    owner: str, arrays: tuple[Any, ...], codes: tuple[int, ...], names: tuple[str, ...], single: bool,
    num_threads: int | None,
) -> None:  # fmt: skip
    threads = threads_for(num_threads, arrays[0].size)
    try:
        _expected_bins(arrays=arrays, dtypes=codes, single=single, num_threads=threads)
    except Mismatch as error:
        raise mismatched(owner, names, error) from None
