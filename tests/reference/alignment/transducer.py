"""The transducer in NumPy: the recursion in logarithms, a cell at a time."""

import numpy as np

from tests.reference.alignment.ctc import each_sequence
from tests.reference.rowwise.softmax import log_softmax


def _ways(target, log_p, blank):
    """The loss of a sequence, and how often each cell emits a blank and a label."""
    frames, cells = len(log_p), len(target) + 1
    blanks = log_p[:, :, blank]
    labels = np.full((frames, cells), -np.inf)
    labels[:, :-1] = log_p[:, np.arange(cells - 1), target]
    alpha = np.full((frames + 1, cells), -np.inf)
    beta = np.full((frames + 1, cells + 1), -np.inf)
    alpha[0, 0] = beta[frames, cells - 1] = 0
    for t in range(frames + 1):
        for u in range(cells):
            if t > 0:
                alpha[t, u] = np.logaddexp(alpha[t, u], alpha[t - 1, u] + blanks[t - 1, u])
            if u > 0 and t < frames:
                alpha[t, u] = np.logaddexp(alpha[t, u], alpha[t, u - 1] + labels[t, u - 1])
    for t in range(frames - 1, -1, -1):
        for u in range(cells - 1, -1, -1):
            beta[t, u] = np.logaddexp(beta[t + 1, u] + blanks[t, u], beta[t, u + 1] + labels[t, u])
    whole = alpha[frames, -1]
    if whole == -np.inf:
        return np.inf, None, None
    b = np.exp(alpha[:-1] + blanks + beta[1:, :-1] - whole)
    e = np.exp(alpha[:-1] + labels + beta[:-1, 1:] - whole)
    return -whole, b, e


def _of_all(y_true, y_pred, input_lengths, target_lengths, blank, scores):
    for n, target, x in each_sequence(y_true, y_pred, input_lengths, target_lengths):
        log_p = x[:, : len(target) + 1]
        log_p = log_softmax(log_p) if scores == "logits" and len(x) else log_p
        yield n, target, log_p, *_ways(target, log_p, blank % y_pred.shape[-1])


def transducer(
    y_true, y_pred, input_lengths=None, target_lengths=None, *, fast_emit, clamp, blank, scores
):  # fmt: skip
    found = _of_all(y_true, y_pred, input_lengths, target_lengths, blank, scores)
    return np.array([loss for _, _, _, loss, *_ in found], y_pred.dtype)


def transducer_grad(
    y_true, y_pred, input_lengths=None, target_lengths=None, *, fast_emit, clamp, blank, scores
):  # fmt: skip
    grad = np.zeros(y_pred.shape, y_pred.dtype)
    for n, target, log_p, loss, b, e in _of_all(y_true, y_pred, input_lengths, target_lengths, blank, scores):
        if not np.isfinite(loss):
            continue
        frames, cells = b.shape
        e = (1 + fast_emit) * e
        part = grad[n, :frames, :cells]
        if scores == "logits":
            part += (b + e)[:, :, np.newaxis] * np.exp(log_p)
        part[:, :, blank] -= b
        part[:, np.arange(cells - 1), target] -= e[:, :-1]
    return np.clip(grad, -clamp, clamp) if clamp else grad
