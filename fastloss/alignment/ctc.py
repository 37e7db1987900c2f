"""Connectionist temporal classification: labels in order, at frames that are not known."""

from __future__ import annotations

from dataclasses import field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss._core.loss import choice, loss
from fastloss.alignment.alignment import SequenceLoss, of_sequences


class Alignment(NamedTuple):
    """The likeliest way that a target lies in the frames: of each frame its class, where that is, and its score."""

    path: NDArray[np.int64]
    positions: NDArray[np.int64]
    scores: NDArray[np.float64]
    score: NDArray[np.float64]


class BestPath(NamedTuple):
    """The labels of the likeliest class of each frame, how many they are, and the score of the way."""

    labels: NDArray[np.int64]
    lengths: NDArray[np.int64]
    score: NDArray[np.float64]


@loss()
class CTC(SequenceLoss):
    r"""Connectionist temporal classification: the negative log-probability of a target under all its alignments.

    An alignment :math:`\pi` has a class for each of the T frames; without its repetitions, and then without its
    blanks, it is the target :math:`y`. With the probabilities :math:`p_{tk}` of the softmax of the logits
    :math:`x_t`,

    .. math::

        \ell = -\log P(y) = -\log \sum_{\pi \to y} \prod_t p_{t \pi_t}
        \qquad \frac{\partial \ell}{\partial x_{tk}} = p_{tk} - P(\pi_t = k \mid y)

    where the last is the share of the alignments that are at class :math:`k` in frame :math:`t`. In log-probabilities
    the derivative is :math:`-P(\pi_t = k \mid y)`.

    Parameters
    ----------
    zero_infinity : bool, default=False
        Whether a target that has no alignment counts as 0, in place of an infinite loss.
    per_label : bool, default=False
        Whether the loss of a sequence is divided by the number of its labels, at least 1: their mean is then what
        PyTorch's ``ctc_loss`` has as "mean".
    layout : {"NTC", "TNC"}, default="NTC"
        The axes of `y_pred`: sequences, frames, classes; or frames first, as PyTorch has them. Either is read in place.
    blank : int, default=0
        The class of the blank; of negative numbers, -1 is the last class.
    scores : {"logits", "log_probabilities"}, default="logits"
        What `y_pred` holds: logits, or the logarithms of probabilities, which are not checked. The value is the same
        for those of a softmax; the gradient is in what is given.

    See Also
    --------
    transducer : With probabilities that depend on the labels before.
    cross_entropy : With a label for each frame.

    Notes
    -----
    Domain: `y_true` holds classes other than the blank, `y_pred` any real numbers of shape (N, T, C), or (T, C) of a
    single sequence. Lengths are from 0 to those of the axes. A mean is over sequences.

    Edge cases: a target that needs more frames than there are, or classes whose logits are -inf, has no alignment: its
    loss is infinite, or 0 with `zero_infinity`, and its gradient is 0 either way, where PyTorch has NaN without. An
    empty target is that of blanks alone. No frames are the alignment of an empty target, whose loss is 0, and of no
    other. The gradient is 0 in frames beyond a length. A frame with NaN, +inf, or nothing but -inf makes its sequence
    NaN in value and gradient; log-probabilities count only where the target needs them. A label that is no class
    raises IndexError, the blank ValueError, and both are named.

    Numerics: the sums over alignments are in float64 with an exponent of their own for each state and frame: they are
    as exact for 100,000 frames as for ten, and nothing is lost however unlikely a state is. Where one alignment is
    nearly certain, the loss is as exact as it is small, but for the others below 1e-16. Softmax and gradient of
    float32 logits are in float32. The logits are read twice; memory beyond the gradient is that of the logits of the
    target's classes and a number of rows of the lattice that grows with the square root of T, for a sequence in each
    thread. Of fewer than two sequences for each thread, all threads share the frames, and of the lattice one has the
    way forward and one the way backward.

    References
    ----------
    Graves, Fernandez, Gomez, Schmidhuber, Connectionist temporal classification, ICML 2006.

    Examples
    --------
    Two frames and the classes blank and 1: of the four paths three are the target 1.

    >>> import numpy as np
    >>> import fastloss as fl
    >>> logits = np.zeros((1, 2, 2))
    >>> round(float(np.exp(-fl.CTC()([[1]], logits))), 6)
    0.75
    >>> fl.CTC().grad([[1]], logits)
    array([[[ 0.16666667, -0.16666667],
            [ 0.16666667, -0.16666667]]])
    """

    kernel = "ctc"
    signature = of_sequences("frame", "class")
    variants = (
        {"zero_infinity": True},
        {"per_label": True, "layout": "TNC"},
        {"scores": "log_probabilities", "blank": -1},
    )
    zero_infinity: bool = field(default=False, kw_only=True)
    per_label: bool = field(default=False, kw_only=True)
    layout: Literal["NTC", "TNC"] = choice("NTC", "TNC", default="NTC", kw_only=True)

    @property
    def axes(self) -> str:
        """The axes of `y_pred`, a letter each."""
        return self.layout

    def _constants(self) -> dict[str, float]:
        return {"zero_infinity": float(self.zero_infinity), "per_label": float(self.per_label)}

    def align(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        input_lengths: ArrayLike | None = None,
        target_lengths: ArrayLike | None = None,
        num_threads: int | None = None,
    ) -> Alignment:
        """Find the likeliest alignment of each target: which frame is which label.

        Parameters
        ----------
        y_true, y_pred, input_lengths, target_lengths, num_threads
            As for calling the loss.

        Returns
        -------
        Alignment
            Arrays with an element for each sequence and frame: `path`, the class; `positions`, which label of the
            target that is, -1 for a blank; `scores`, its log-probability. `path` is -1 in frames beyond a length, and
            in all where a target has no alignment. `score` has the log-probability of each whole alignment, -inf where
            there is none. Of equally likely ways the one is taken whose labels come earliest.

        Examples
        --------
        >>> import numpy as np
        >>> import fastloss as fl
        >>> logits = np.log([[0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.5, 0.2, 0.3]])
        >>> fl.CTC().align([1, 2], logits).path
        array([0, 1, 2])
        """
        named = {"y_true": y_true, "y_pred": y_pred, "input_lengths": input_lengths, "target_lengths": target_lengths}
        evaluation = self._of_sequences(named, num_threads)
        (path, positions, scores), score = evaluation.decoded("ctc_align")
        shape = evaluation.shape + path.shape[1:]
        return Alignment(path.reshape(shape), positions.reshape(shape), scores.reshape(shape), score)

    def best_path(
        self, y_pred: ArrayLike, *, input_lengths: ArrayLike | None = None, num_threads: int | None = None
    ) -> BestPath:
        """Decode greedily: the labels of the likeliest class of each frame.

        Parameters
        ----------
        y_pred, input_lengths, num_threads
            As for calling the loss.

        Returns
        -------
        BestPath
            `labels`, those of each sequence and -1 behind them; `lengths`, how many they are; `score`, the
            log-probability of the likeliest classes, which is that of one alignment of the labels, not of all. Of equal
            classes of a frame the first is taken. A frame that is NaN counts as a blank, and makes the score NaN.

        Examples
        --------
        >>> import numpy as np
        >>> import fastloss as fl
        >>> logits = np.log([[0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.5, 0.2, 0.3], [0.2, 0.7, 0.1]])
        >>> fl.CTC().best_path(logits).labels
        array([1, 1])
        """
        x: Any = y_pred if hasattr(y_pred, "shape") else np.asarray(y_pred)
        empty = np.zeros((x.shape[self.axes.index("N")], 0) if x.ndim == 3 else 0, np.int8)
        evaluation = self._of_sequences({"y_true": empty, "y_pred": x, "input_lengths": input_lengths}, num_threads)
        (path, _, _), score = evaluation.decoded("ctc_best_path")
        before = np.pad(path[:, :-1], ((0, 0), (1, 0)), constant_values=-1)
        found = (path >= 0) & (path != before) & (path != evaluation.blank)
        lengths = found.sum(axis=1)
        labels = np.full((len(path), int(lengths.max(initial=0))), -1, np.int64)
        labels[np.arange(labels.shape[1]) < lengths[:, np.newaxis]] = path[found]
        return BestPath(labels.reshape(evaluation.shape + labels.shape[1:]), lengths.reshape(evaluation.shape), score)
