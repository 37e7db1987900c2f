"""Connectionist temporal classification in NumPy: the recursion in logarithms, a frame at a time."""

import numpy as np

from tests.reference.rowwise.softmax import log_softmax


def each_sequence(y_true, y_pred, input_lengths, target_lengths):
    """The number, labels and scores of each sequence; y_pred has the sequences first."""
    n = len(y_pred)
    frames = np.full(n, y_pred.shape[1]) if input_lengths is None else np.asarray(input_lengths)
    if y_true.ndim == 2:
        labels = np.full(n, y_true.shape[1]) if target_lengths is None else np.asarray(target_lengths)
        targets = [y[:length] for y, length in zip(y_true, labels, strict=True)]
    else:
        targets = np.split(y_true, np.cumsum(target_lengths)[:-1])
    for k in range(n):
        yield k, targets[k].astype(int), y_pred[k, : frames[k]].astype(np.float64)  # float32 loses long lattices


def _states(target, blank):
    """The target with blanks around its labels, and where the blank before a label may be left out."""
    states = np.full(2 * len(target) + 1, blank)
    states[1::2] = target
    skip = np.zeros(len(states), bool)
    skip[3::2] = target[1:] != target[:-1]
    return states, skip


def _forward(log_p, skip):
    """The logarithm of the probability of the frames up to each, at each state."""
    alpha = np.full(log_p.shape, -np.inf)
    row = np.full(log_p.shape[1], -np.inf)
    row[0] = 0  # before the first frame
    for t, frame in enumerate(log_p):
        one, two = np.roll(row, 1), np.roll(row, 2)
        one[0] = -np.inf
        two[~skip] = -np.inf
        row = np.logaddexp(np.logaddexp(row, one), two) + frame
        alpha[t] = row
    return alpha


def _shares(target, x, blank):
    """The loss of a sequence, and how often each class is at each frame."""
    states, skip = _states(target, blank)
    if not len(x):
        return (np.inf if len(target) else 0.0), np.zeros(x.shape)
    log_p = x[:, states]
    alpha = _forward(log_p, skip)
    log_likelihood = np.logaddexp.reduce(alpha[-1, -2:])
    # Backwards the lattice is the same: labels turned around, and a blank is left out before what was after it.
    backward = _forward(log_p[::-1, ::-1], _states(target[::-1], blank)[1])[::-1, ::-1]
    share = np.zeros(x.shape)
    if np.isfinite(log_likelihood):
        each = np.exp(np.where(np.isneginf(log_p), -np.inf, alpha + backward - log_p) - log_likelihood)
        for s, state in enumerate(states):
            share[:, state] += each[:, s]
    return -log_likelihood, share


def _by_sequence(y_pred, layout):
    return np.moveaxis(y_pred, layout.index("N"), 0)


def _of_all(y_true, y_pred, input_lengths, target_lengths, per_label, layout, blank, scores):
    x = _by_sequence(y_pred, layout)
    blank = blank % x.shape[-1]
    for n, target, frames in each_sequence(y_true, x, input_lengths, target_lengths):
        log_p = log_softmax(frames) if scores == "logits" and len(frames) else frames
        loss, share = _shares(target, log_p, blank)
        yield n, loss, share, log_p, max(1, len(target)) if per_label else 1


def ctc(
    y_true, y_pred, input_lengths=None, target_lengths=None, *, zero_infinity, per_label, layout, blank, scores
):  # fmt: skip
    found = _of_all(y_true, y_pred, input_lengths, target_lengths, per_label, layout, blank, scores)
    losses = [0 if zero_infinity and loss == np.inf else loss / parts for _, loss, _, _, parts in found]
    return np.array(losses, y_pred.dtype)


def ctc_grad(
    y_true, y_pred, input_lengths=None, target_lengths=None, *, zero_infinity, per_label, layout, blank, scores
):  # fmt: skip
    grad = np.zeros(_by_sequence(y_pred, layout).shape, y_pred.dtype)
    for n, loss, share, log_p, parts in _of_all(
        y_true, y_pred, input_lengths, target_lengths, per_label, layout, blank, scores
    ):
        if np.isfinite(loss):
            grad[n, : len(share)] = ((np.exp(log_p) if scores == "logits" else 0) - share) / parts
    return np.moveaxis(grad, 0, layout.index("N"))
