"""How each box of one set overlaps each of another, without a gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastloss._core.evaluation import NARROW, Floats, mismatched
from fastloss._core.isa import kernels
from fastloss._core.operands import operand, output, refuse_overlap
from fastloss._core.parameters import NON_NEGATIVE, POSITIVE, Domain, checked
from fastloss._core.runtime import Mismatch
from fastloss._core.threads import threads_for
from fastloss.boxes.boxes import FORMATS, KERNELS

__all__ = ["box_iou", "box_nwd", "complete_box_iou", "distance_box_iou", "generalized_box_iou"]

_matrix: Callable[..., None] = kernels("boxes").matrix


def box_iou(
    a: ArrayLike, b: ArrayLike, *, format: str = "xyxy", out: Floats | None = None, num_threads: int | None = None
) -> Floats:
    """Compute the intersection over union of each box of one set with each of another.

    Parameters
    ----------
    a : array_like
        Boxes, of shape (n, 4), of any real type and layout.
    b : array_like
        Boxes, of shape (m, 4).
    format : {"xyxy", "xywh", "cxcywh"}
        What the four numbers of a box are: two corners; a corner and the sides; or the centre and the sides.
    out : ndarray, optional
        Where to write the matrix; any floating-point type.
    num_threads : int, optional
        Threads to use; by default as for a loss.

    Returns
    -------
    ndarray
        Of shape (n, m), float32 for two sets of 32 bits or fewer, else float64. Of boxes without area it is 1 if they
        are identical, else 0.

    See Also
    --------
    IoU : The loss of pairs, with its gradient.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.box_iou([[0.0, 0.0, 2.0, 2.0]], [[0.0, 0.0, 2.0, 1.0], [4.0, 4.0, 5.0, 5.0]])
    array([[0.5, 0. ]])
    """
    return _computed("box_iou", "iou_matrix", a, b, format, out, num_threads)


def generalized_box_iou(
    a: ArrayLike, b: ArrayLike, *, format: str = "xyxy", out: Floats | None = None, num_threads: int | None = None
) -> Floats:
    """Compute the generalized intersection over union of each box of one set with each of another.

    Parameters
    ----------
    a, b, format, out, num_threads
        As for `box_iou`.

    Returns
    -------
    ndarray
        As from `box_iou`, between -1 and 1.

    See Also
    --------
    GIoU : The loss of pairs, with its gradient.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.generalized_box_iou([[0.0, 0.0, 2.0, 2.0]], [[3.0, 0.0, 5.0, 2.0]])
    array([[-0.2]])
    """
    return _computed("generalized_box_iou", "giou_matrix", a, b, format, out, num_threads)


def distance_box_iou(
    a: ArrayLike,
    b: ArrayLike,
    *,
    eps: float = 1e-7,
    format: str = "xyxy",
    out: Floats | None = None,
    num_threads: int | None = None,
) -> Floats:
    """Compute the intersection over union less the distance of the centres, of each box of a set with each of another.

    Parameters
    ----------
    a, b, format, out, num_threads
        As for `box_iou`.
    eps : float, default=1e-7
        What is added to the squared diagonal around both boxes, as in torchvision.

    Returns
    -------
    ndarray
        As from `box_iou`, between -1 and 1.

    See Also
    --------
    DIoU : The loss of pairs, with its gradient.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.distance_box_iou([[0.0, 0.0, 2.0, 2.0]], [[0.0, 2.0, 2.0, 4.0]], eps=0.0)
    array([[-0.2]])
    """
    return _computed("distance_box_iou", "diou_matrix", a, b, format, out, num_threads, eps=(eps, NON_NEGATIVE))


def complete_box_iou(
    a: ArrayLike,
    b: ArrayLike,
    *,
    eps: float = 1e-7,
    format: str = "xyxy",
    out: Floats | None = None,
    num_threads: int | None = None,
) -> Floats:
    """Compute the complete intersection over union of each box of one set with each of another.

    Parameters
    ----------
    a, b, format, out, num_threads
        As for `box_iou`.
    eps : float, default=1e-7
        What is added to the squared diagonal around both boxes, and to the divisor of alpha, as in torchvision.

    Returns
    -------
    ndarray
        As from `box_iou`.

    See Also
    --------
    CIoU : The loss of pairs, with its gradient.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.complete_box_iou([[0.0, 0.0, 2.0, 2.0]], [[0.0, 2.0, 2.0, 4.0]], eps=0.0)
    array([[-0.2]])
    """
    return _computed("complete_box_iou", "ciou_matrix", a, b, format, out, num_threads, eps=(eps, NON_NEGATIVE))


def box_nwd(
    a: ArrayLike,
    b: ArrayLike,
    *,
    constant: float = 12.8,
    format: str = "xyxy",
    out: Floats | None = None,
    num_threads: int | None = None,
) -> Floats:
    """Compute the normalized Wasserstein similarity exp(-W / constant) of each box of one set with each of another.

    Parameters
    ----------
    a, b, format, out, num_threads
        As for `box_iou`.
    constant : float, default=12.8
        The scale of the distance, in the unit of the boxes.

    Returns
    -------
    ndarray
        As from `box_iou`; 1 for identical boxes.

    See Also
    --------
    NWD : The loss of pairs, with its gradient.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.box_nwd([[0.0, 0.0, 2.0, 2.0]], [[1.0, 0.0, 3.0, 2.0]], constant=2.0).round(6)
    array([[0.606531]])
    """
    return _computed("box_nwd", "nwd_matrix", a, b, format, out, num_threads, constant=(constant, POSITIVE))


def _computed(
    owner: str, name: str, a: ArrayLike, b: ArrayLike, format: str, out: Floats | None, num_threads: int | None,
    **constants: tuple[Any, Domain],
) -> Floats:  # fmt: skip
    if format not in FORMATS:
        raise ValueError(f"{owner}: format is {format!r}, must be one of {', '.join(map(repr, FORMATS))}")
    given = {key: checked(owner, key, value, {"domain": domain}) for key, (value, domain) in constants.items()}
    sets = {}
    for which, boxes in (("a", a), ("b", b)):
        array, code = sets[which] = operand(owner, which, boxes)
        if array.ndim != 2 or array.shape[1] != 4:
            raise ValueError(f"{owner}: {which} has shape {array.shape}, must be (n, 4)")
    (rows, row_code), (columns, column_code) = sets.values()
    single = row_code in NARROW and column_code in NARROW
    shape = len(rows), len(columns)
    found: Any = np.empty(shape, np.float32 if single else np.float64) if out is None else out
    matrix, code = output(owner, "out", found, shape)
    if out is not None:
        refuse_overlap(owner, [("out", matrix)], [("a", rows), ("b", columns)])
    kernel = KERNELS[name]
    try:
        _matrix(
            kernel,
            arrays=(rows, columns, matrix),
            dtypes=(row_code, column_code, code),
            constants=kernel.constants(given),
            format=FORMATS.index(format),
            single=single,
            num_threads=threads_for(num_threads, matrix.size),
        )
    except Mismatch as error:
        raise mismatched(owner, ("a", "b", "out"), error) from None
    return found  # type: ignore[no-any-return]
