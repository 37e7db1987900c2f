"""The transducer: labels in order, with probabilities that depend on the labels before."""

from __future__ import annotations

from fastloss._core.loss import loss, number
from fastloss._core.parameters import NON_NEGATIVE
from fastloss.alignment.alignment import SequenceLoss, of_sequences


@loss()
class Transducer(SequenceLoss):
    r"""Transducer (RNN-T): the negative log-probability of a target under all ways to emit it frame by frame.

    A way leads through cells :math:`(t, u)`, from :math:`(0, 0)` on: in each it emits a blank, which goes to the next
    frame, or the next label, which goes to :math:`(t, u + 1)`; it ends with the blank of the last frame after all
    labels. With the probabilities :math:`p_{tuk}` of the softmax of the logits :math:`x_{tu}` and the blank
    :math:`\varnothing`,

    .. math::

        \ell = -\log P(y) = -\log \sum_{\text{ways}} \prod_{(t, u)} p_{tuk_{tu}}
        \qquad \frac{\partial \ell}{\partial x_{tuk}} =
            (b_{tu} + e_{tu}) p_{tuk} - b_{tu} [k = \varnothing] - e_{tu} [k = y_{u + 1}]

    where :math:`b_{tu}` and :math:`e_{tu}` are the shares of the ways that emit a blank and a label in a cell. In
    log-probabilities the derivative is :math:`-b_{tu}` and :math:`-e_{tu}` in these two classes.

    Parameters
    ----------
    fast_emit : float, default=0.0
        The weight :math:`\lambda` of FastEmit: multiplies each :math:`e_{tu}` of the gradient by :math:`1 + \lambda`,
        so that labels come early. The value stays that of the loss. Not negative.
    clamp : float, default=0.0
        Bounds the gradient of each sequence to [-clamp, clamp] before it is weighted and averaged; 0 does not.
    blank : int, default=0
        The class of the blank; of negative numbers, -1 is the last class, as torchaudio's ``rnnt_loss`` has it.
    scores : {"logits", "log_probabilities"}, default="logits"
        What `y_pred` holds: logits, or the logarithms of probabilities, which are not checked. The value is the same
        for those of a softmax; the gradient is in what is given.

    See Also
    --------
    ctc : With probabilities that do not depend on the labels.

    Notes
    -----
    Domain: `y_true` holds classes other than the blank, U of each sequence at most; `y_pred` any real numbers of shape
    (N, T, U + 1, C), or (T, U + 1, C) of a single sequence. Lengths are from 0 to T and to U. A mean is over sequences,
    as torchaudio's is.

    Edge cases: a target that needs a class whose logit is -inf in all ways has an infinite loss, and a gradient of 0.
    An empty target is that of blanks alone. No frames are the way of an empty target, whose loss is 0, and of no other.
    The gradient is 0 in cells beyond a length. NaN, +inf, or nothing but -inf in a cell within the lengths makes the
    sequence NaN in value and gradient; log-probabilities count only where the target needs them. A label that is no
    class raises IndexError, the blank ValueError, and both are named.

    Numerics: the sums over ways are in float64 with an exponent of their own for each cell: they are as exact for
    100,000 frames as for ten, and nothing is lost however unlikely a cell is. Where one way is nearly certain, the loss
    is as exact as it is small, but for the others below 1e-16. Softmax and gradient of float32 logits are in float32.
    The logits are read twice, and ``grad_out`` may be the logits themselves: memory beyond that is some 80 bytes for
    each cell of a sequence in each thread, whatever the number of classes. Of fewer than two sequences for each thread,
    all threads share the frames, and of the lattice one has the way forward and one the way backward.

    References
    ----------
    Graves, Sequence transduction with recurrent neural networks, arXiv 1211.3711, 2012. Yu et al., FastEmit:
    low-latency streaming ASR with sequence-level emission regularization, arXiv 2010.11148, 2020.

    Examples
    --------
    One frame and the classes blank and 1: the label comes first, and then the blank.

    >>> import numpy as np
    >>> import fastloss as fl
    >>> logits = np.zeros((1, 1, 2, 2))
    >>> round(float(np.exp(-fl.Transducer()([[1]], logits))), 6)
    0.25
    >>> fl.Transducer().grad([[1]], logits)
    array([[[[ 0.5, -0.5],
             [-0.5,  0.5]]]])
    """

    kernel = "transducer"
    signature = of_sequences("frame", "emitted", "class")
    variants = (
        {"fast_emit": 0.1},
        {"clamp": 0.05, "blank": -1},
        {"scores": "log_probabilities"},
    )
    fast_emit: float = number(NON_NEGATIVE, default=0.0)
    clamp: float = number(NON_NEGATIVE, default=0.0)

    @property
    def axes(self) -> str:
        """The axes of `y_pred`, a letter each."""
        return "NTUC"

    def most_labels(self, shape: tuple[int, ...]) -> int | None:
        """How many labels a target has room for, if predictions of a shape say so."""
        return shape[2] - 1

    def _constants(self) -> dict[str, float]:
        return {"fast_emit": self.fast_emit, "clamp": self.clamp}
