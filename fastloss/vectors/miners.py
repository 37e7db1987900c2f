"""Which triplets of a labelled batch to learn from: their indices, for the losses of triplets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss._core.evaluation import NARROW, Floats, Operand
from fastloss._core.operands import operand
from fastloss._core.parameters import NON_NEGATIVE, checked
from fastloss._core.runtime import PROPAGATE
from fastloss.vectors.batches import Places, Rows, coded

__all__ = ["Triplets", "hard_triplets", "semi_hard_triplets"]

BLOCK = 1 << 22  # similarities that are looked at at a time


class Triplets(NamedTuple):
    """The indices of anchors, of a positive and of a negative of each."""

    anchors: Places
    positives: Places
    negatives: Places


def hard_triplets(y_true: ArrayLike, embeddings: ArrayLike) -> Triplets:
    """Find the farthest positive and the nearest negative of each anchor.

    Parameters
    ----------
    y_true : array_like of shape (n,)
        The class of each embedding, an integer; one that is missing, NaN, has no part.
    embeddings : array_like of shape (n, features)
        The batch.

    Returns
    -------
    Triplets
        Of each embedding that has a positive and a negative, in their order.

    See Also
    --------
    semi_hard_triplets : Of each positive pair, with a negative that is no nearer.

    Notes
    -----
    Distances are Euclidean, of rows divided by their norms; of several as far the first counts. Memory is needed for a
    block of rows at a time.

    References
    ----------
    .. [1] A. Hermans, L. Beyer, B. Leibe, "In defense of the triplet loss for person re-identification",
       arXiv:1703.07737 (2017).

    Examples
    --------
    >>> from fastloss.vectors.miners import hard_triplets
    >>> found = hard_triplets([0, 0, 1], [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> [indices.tolist() for indices in found]
    [[0, 1], [1, 0], [2, 2]]
    """
    found: list[tuple[Places, Places, Places]] = []
    for anchors, cosines, positive, negative in _blocks("hard_triplets", y_true, embeddings):
        farthest = np.where(positive, cosines, np.inf).argmin(axis=1)
        nearest = np.where(negative, cosines, -np.inf).argmax(axis=1)
        counts = positive.any(axis=1) & negative.any(axis=1)
        found.append((anchors[counts], farthest[counts], nearest[counts]))
    return _joined(found)


def semi_hard_triplets(y_true: ArrayLike, embeddings: ArrayLike, margin: float = 0.2) -> Triplets:
    """Find of each positive pair the nearest negative that is farther than the positive, by at most a margin.

    Parameters
    ----------
    y_true : array_like of shape (n,)
        The class of each embedding, an integer; one that is missing, NaN, has no part.
    embeddings : array_like of shape (n, features)
        The batch.
    margin : float, default=0.2
        By how much more the distance of the negative may be at most; not negative.

    Returns
    -------
    Triplets
        Of each pair of an anchor and a positive that has such a negative, in their order.

    See Also
    --------
    hard_triplets : The nearest negative of all.

    Notes
    -----
    As for `hard_triplets`. A negative that is exactly as far as the positive is none.

    References
    ----------
    .. [1] F. Schroff, D. Kalenichenko, J. Philbin, "FaceNet: A unified embedding for face recognition and clustering",
       CVPR 2015, arXiv:1503.03832.

    Examples
    --------
    >>> from fastloss.vectors.miners import semi_hard_triplets
    >>> found = semi_hard_triplets([0, 0, 1], [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], margin=1.0)
    >>> [indices.tolist() for indices in found]
    [[0, 1], [1, 0], [2, 2]]
    """
    margin = checked("semi_hard_triplets", "margin", margin, {"domain": NON_NEGATIVE})
    found: list[tuple[Places, Places, Places]] = []
    for anchors, cosines, positive, negative in _blocks("semi_hard_triplets", y_true, embeddings):
        distances = np.sqrt(np.maximum(2 - 2 * cosines, 0))
        # The negatives of each anchor from the nearest on, among which that of each of its positives is looked up.
        order = np.where(negative, distances, np.inf).argsort(axis=1, kind="stable")
        for row, anchor in enumerate(anchors):
            of_row = distances[row]
            candidates = order[row, : np.count_nonzero(negative[row])]
            pairs = np.flatnonzero(positive[row])
            place = np.searchsorted(of_row[candidates], of_row[pairs], side="right")
            pairs, place = pairs[place < len(candidates)], place[place < len(candidates)]
            chosen = candidates[place]
            within = of_row[chosen] <= of_row[pairs] + margin
            found.append((np.full(np.count_nonzero(within), anchor), pairs[within], chosen[within]))
    return _joined(found)


def _joined(found: list[tuple[Places, Places, Places]]) -> Triplets:
    none = np.empty(0, np.intp)
    return Triplets(*(np.concatenate([none, *parts]) for parts in zip(*found, strict=True)) if found else (none,) * 3)


def _blocks(
    owner: str, y_true: ArrayLike, embeddings: ArrayLike
) -> Iterator[tuple[Places, Floats, NDArray[np.bool_], NDArray[np.bool_]]]:
    """Some anchors at a time, with the cosines of all embeddings, and which are positive and which negative."""
    array, code = operand(owner, "embeddings", embeddings)
    y, y_code = operand(owner, "y_true", y_true)
    if array.ndim != 2:
        raise ValueError(f"{owner}: embeddings has shape {array.shape}, must have 2 axes")
    if y.shape != array.shape[:1]:
        raise ValueError(f"{owner}: y_true has shape {y.shape}, must be {array.shape[:1]}, a label for each embedding")
    (codes,) = coded(owner, [Operand("y_true", y, y_true, y_code, True)], PROPAGATE)
    rows = Rows(array, code, code in NARROW, True, None).values
    step = max(1, BLOCK // max(1, len(rows)))
    for first in range(0, len(rows), step):
        anchors = np.arange(first, min(first + step, len(rows)))
        same = np.equal.outer(codes[anchors], codes)
        known = (codes[anchors] >= 0)[:, np.newaxis] & (codes >= 0)
        positive, negative = same & known, ~same & known
        positive[np.arange(len(anchors)), anchors] = False
        yield anchors, rows[anchors] @ rows.T, positive, negative
