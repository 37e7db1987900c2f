"""Losses of metric learning: all pairs of a labelled batch at once."""

import numpy as np

from tests.reference.vectors.batches import log_sum, of_labels, sides, sigmoid, softplus, through_unit, unit
from tests.reference.vectors.contrast import info_nce, info_nce_grad


def _nca(cosines, positive, negative, softmax_scale):
    scores = -softmax_scale * (2 - 2 * cosines)
    some = np.any(positive, axis=1)
    of_positive, share_of_positive = log_sum(scores, positive)
    of_negative, share_of_negative = log_sum(scores, negative)
    missed = np.where(some, sigmoid(of_negative - np.where(some, of_positive, 0)), 0)[:, np.newaxis]
    slopes = 2 * softmax_scale * missed * (share_of_negative - share_of_positive)
    return np.where(some, softplus(of_negative - np.where(some, of_positive, 0)), 0), slopes


def nca(labels, embeddings, reference_labels=None, references=None, softmax_scale=1.0):
    return of_labels(_nca)[0](labels, embeddings, reference_labels, references, softmax_scale=softmax_scale)


def nca_grad(labels, embeddings, reference_labels=None, references=None, softmax_scale=1.0):
    return of_labels(_nca)[1](labels, embeddings, reference_labels, references, softmax_scale=softmax_scale)


def _multi_similarity(cosines, positive, negative, alpha, beta, base):
    of_positive, share_of_positive = log_sum(-alpha * (cosines - base), positive)
    of_negative, share_of_negative = log_sum(beta * (cosines - base), negative)
    slopes = sigmoid(of_negative)[:, np.newaxis] * share_of_negative
    slopes -= sigmoid(of_positive)[:, np.newaxis] * share_of_positive
    return softplus(of_positive) / alpha + softplus(of_negative) / beta, slopes


def multi_similarity(labels, embeddings, reference_labels=None, references=None, alpha=2.0, beta=50.0, base=0.5):
    rule = of_labels(_multi_similarity)[0]
    return rule(labels, embeddings, reference_labels, references, alpha=alpha, beta=beta, base=base)


def multi_similarity_grad(labels, embeddings, reference_labels=None, references=None, alpha=2.0, beta=50.0, base=0.5):
    rule = of_labels(_multi_similarity)[1]
    return rule(labels, embeddings, reference_labels, references, alpha=alpha, beta=beta, base=base)


def _circle(cosines, positive, negative, m, gamma, detach):
    of_p, of_n = np.maximum(1 + m - cosines, 0), np.maximum(cosines + m, 0)
    log_p, share_p = log_sum(-gamma * of_p * (cosines - (1 - m)), positive)
    log_n, share_n = log_sum(gamma * of_n * (cosines - m), negative)
    counts = np.any(positive, axis=1) & np.any(negative, axis=1)
    both = np.where(counts, log_p, 0) + np.where(counts, log_n, 0)
    slope_p = of_p if detach else np.where(of_p > 0, 2 - 2 * cosines, 0)
    slope_n = of_n if detach else np.where(of_n > 0, 2 * cosines, 0)
    missed = np.where(counts, sigmoid(both), 0)[:, np.newaxis]
    return np.where(counts, softplus(both), 0), gamma * missed * (share_n * slope_n - share_p * slope_p)


def circle(labels, embeddings, reference_labels=None, references=None, m=0.4, gamma=80.0, detach=True):
    rule = of_labels(_circle)[0]
    return rule(labels, embeddings, reference_labels, references, m=m, gamma=gamma, detach=detach)


def circle_grad(labels, embeddings, reference_labels=None, references=None, m=0.4, gamma=80.0, detach=True):
    rule = of_labels(_circle)[1]
    return rule(labels, embeddings, reference_labels, references, m=m, gamma=gamma, detach=detach)


def _distances(cosines):
    """Of unit rows, and their slopes."""
    square = np.maximum(2 - 2 * cosines, 0)
    distances = np.sqrt(square)
    return distances, np.where(square > 0, -1 / np.where(square > 0, distances, 1), 0)


def _generalized_lifted(cosines, positive, negative, neg_margin, pos_margin):
    distances, slopes = _distances(cosines)
    of_positive, share_of_positive = log_sum(distances - pos_margin, positive)
    of_negative, share_of_negative = log_sum(neg_margin - distances, negative)
    both = np.where(np.any(positive, axis=1), of_positive, 0) + np.where(np.any(negative, axis=1), of_negative, 0)
    return np.maximum(both, 0), (both > 0)[:, np.newaxis] * slopes * (share_of_positive - share_of_negative)


def generalized_lifted_structure(
    labels, embeddings, reference_labels=None, references=None, neg_margin=1.0, pos_margin=0.0
):
    rule = of_labels(_generalized_lifted)[0]
    return rule(labels, embeddings, reference_labels, references, neg_margin=neg_margin, pos_margin=pos_margin)


def generalized_lifted_structure_grad(
    labels, embeddings, reference_labels=None, references=None, neg_margin=1.0, pos_margin=0.0
):
    rule = of_labels(_generalized_lifted)[1]
    return rule(labels, embeddings, reference_labels, references, neg_margin=neg_margin, pos_margin=pos_margin)


def _lifted(cosines, positive, negative, neg_margin, pos_margin):
    distances, slopes = _distances(cosines)
    log_n, share = log_sum(neg_margin - distances, negative)
    positive = positive & np.any(negative, axis=1, keepdims=True)
    log_n = np.where(np.any(negative, axis=1), log_n, 0)
    pair = np.where(positive, np.maximum(np.logaddexp.outer(log_n, log_n) + distances - pos_margin, 0), 0)
    mine = sigmoid(np.subtract.outer(log_n, log_n))
    of_log = np.sum(pair * mine, axis=1) + np.sum(pair.T * mine, axis=1)
    return np.sum(pair**2 / 2, axis=1), slopes * (pair - of_log[:, np.newaxis] * share)


def lifted_structure(labels, embeddings, neg_margin=1.0, pos_margin=0.0):
    return of_labels(_lifted)[0](labels, embeddings, neg_margin=neg_margin, pos_margin=pos_margin)


def lifted_structure_grad(labels, embeddings, neg_margin=1.0, pos_margin=0.0):
    return of_labels(_lifted)[1](labels, embeddings, neg_margin=neg_margin, pos_margin=pos_margin)


def _angular(labels, embeddings, reference_labels, references, alpha):
    """The positive pairs, the products of their sums with all candidates less what pulls them, which are negative."""
    u = unit(embeddings)
    v = u if references is None else unit(references)
    positive, negative = sides(labels, reference_labels)
    anchor, candidate = np.nonzero(positive & np.any(negative, axis=1, keepdims=True))
    square = float(np.tan(np.radians(alpha)) ** 2)
    pull = 2 * (1 + square) * np.sum(u[anchor] * v[candidate], axis=1)
    scores = 4 * square * ((u[anchor] + v[candidate]) @ v.T) - pull[:, np.newaxis]
    return u, v, anchor, candidate, square, *log_sum(scores, negative[anchor])


def angular(labels, embeddings, reference_labels=None, references=None, alpha=40.0):
    u, _, anchor, _, _, total, _ = _angular(labels, embeddings, reference_labels, references, alpha)
    return np.bincount(anchor, softplus(total), len(u)).astype(u.dtype)


def angular_grad(labels, embeddings, reference_labels=None, references=None, alpha=40.0):
    u, v, anchor, candidate, square, total, share = _angular(labels, embeddings, reference_labels, references, alpha)
    slopes = sigmoid(total)[:, np.newaxis] * share
    of_sums = 4 * square * slopes @ v
    pulled = -2 * (1 + square) * np.sum(slopes, axis=1, keepdims=True)
    of_u, of_v = np.zeros_like(u), 4 * square * slopes.T @ (u[anchor] + v[candidate])
    np.add.at(of_u, anchor, of_sums + pulled * v[candidate])
    np.add.at(of_v, candidate, of_sums + pulled * u[anchor])
    if references is None:
        return through_unit(of_u + of_v, embeddings)
    return through_unit(of_u, embeddings), through_unit(of_v, references)


def n_pairs(anchors, positives, normalize=True):
    return info_nce(anchors, positives, temperature=1, normalize=normalize)


def n_pairs_grad(anchors, positives, normalize=True):
    return info_nce_grad(anchors, positives, temperature=1, normalize=normalize)[:2]
