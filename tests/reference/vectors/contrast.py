"""Contrastive losses: a row's own candidate, or those of its class, among all others of a batch."""

import numpy as np

from tests.reference.vectors.batches import log_sum, sides, sigmoid, softplus, through_unit, unit


def _own(rows, columns):
    return np.eye(rows, columns, dtype=bool)


def _among_all(scores):
    """Cross-entropy with the label i in row i."""
    own = _own(*scores.shape)
    total, share = log_sum(scores, np.ones_like(own))
    return total - np.diagonal(scores), share - own


def info_nce(queries, keys, temperature=0.07, symmetric=False, normalize=True):
    scores = (unit(queries) @ unit(keys).T if normalize else queries @ keys.T) / temperature
    forth = _among_all(scores)[0]
    return (forth + _among_all(scores.T)[0]) / 2 if symmetric else forth


def info_nce_grad(queries, keys, temperature=0.07, symmetric=False, normalize=True):
    q, k = (unit(queries), unit(keys)) if normalize else (queries, keys)
    scores = q @ k.T / temperature
    slopes = _among_all(scores)[1]
    if symmetric:
        slopes = (slopes + _among_all(scores.T)[1].T) / 2
    of_temperature = -np.sum(slopes * scores) / temperature
    of_queries, of_keys = slopes @ k / temperature, slopes.T @ q / temperature
    if normalize:
        of_queries, of_keys = through_unit(of_queries, queries), through_unit(of_keys, keys)
    return of_queries, of_keys, of_temperature


def _logits(queries, keys, temperature, bias):
    logits = unit(queries) @ unit(keys).T / temperature + bias
    return logits, np.where(_own(*logits.shape), 1, -1).astype(logits.dtype)


def sigmoid_pairwise(queries, keys, temperature=0.1, bias=-10.0):
    logits, sign = _logits(queries, keys, temperature, bias)
    return np.sum(softplus(-sign * logits), axis=1)


def sigmoid_pairwise_grad(queries, keys, temperature=0.1, bias=-10.0):
    logits, sign = _logits(queries, keys, temperature, bias)
    slopes = -sign * sigmoid(-sign * logits)
    of_queries = through_unit(slopes @ unit(keys) / temperature, queries)
    of_keys = through_unit(slopes.T @ unit(queries) / temperature, keys)
    return of_queries, of_keys, -np.sum(slopes * (logits - bias)) / temperature, np.sum(slopes)


def _candidates(queries, items, item_ids):
    """The items other than the own one of each query."""
    ids = np.arange(len(items)) if item_ids is None else item_ids
    return np.not_equal.outer(ids[: len(queries)], ids)


def _softmax_of_items(queries, items, item_ids, log_q, temperature):
    scores = queries @ items.T / temperature
    if log_q is not None:
        scores = scores - log_q
    own = _own(*scores.shape)
    total, share = log_sum(scores, own | _candidates(queries, items, item_ids))
    return total - np.diagonal(scores), share - own


def in_batch_softmax(queries, items, item_ids=None, log_q=None, temperature=1.0, normalize=False):
    q, v = (unit(queries), unit(items)) if normalize else (queries, items)
    return _softmax_of_items(q, v, item_ids, log_q, temperature)[0]


def in_batch_softmax_grad(queries, items, item_ids=None, log_q=None, temperature=1.0, normalize=False):
    q, v = (unit(queries), unit(items)) if normalize else (queries, items)
    slopes = _softmax_of_items(q, v, item_ids, log_q, temperature)[1] / temperature
    grads = slopes @ v, slopes.T @ q
    return tuple(map(through_unit, grads, (queries, items))) if normalize else grads


def _violations(queries, items, item_ids, margin):
    scores = queries @ items.T
    short = margin - np.diagonal(scores)[:, np.newaxis] + scores
    return np.where(_candidates(queries, items, item_ids), np.maximum(short, 0), 0)


def _ranked_grad(queries, items, violations, factor):
    slopes = factor[:, np.newaxis] * (violations > 0)
    slopes[_own(*slopes.shape)] = -np.sum(slopes, axis=1)
    return slopes @ items, slopes.T @ queries


def wmrb(queries, items, item_ids=None, margin=1.0):
    return np.log1p(np.sum(_violations(queries, items, item_ids, margin), axis=1))


def wmrb_grad(queries, items, item_ids=None, margin=1.0):
    violations = _violations(queries, items, item_ids, margin)
    return _ranked_grad(queries, items, violations, 1 / (1 + np.sum(violations, axis=1)))


def _weight_of_rank(violations):
    ranks = np.sum(violations > 0, axis=1)
    harmonic = np.concatenate([[0], np.cumsum(1 / np.arange(1, violations.shape[1] + 1))]).astype(violations.dtype)
    return harmonic[ranks] / np.maximum(ranks, 1).astype(violations.dtype)


def warp(queries, items, item_ids=None, margin=1.0):
    violations = _violations(queries, items, item_ids, margin)
    return _weight_of_rank(violations) * np.sum(violations, axis=1)


def warp_grad(queries, items, item_ids=None, margin=1.0):
    violations = _violations(queries, items, item_ids, margin)
    return _ranked_grad(queries, items, violations, _weight_of_rank(violations))


# Labelled batches -------------------------------------------------------------------------------------


def _scores(labels, embeddings, reference_labels, references, temperature):
    candidates = embeddings if references is None else references
    u, v = unit(embeddings), unit(candidates)
    return u @ v.T / temperature, u, v, *sides(labels, reference_labels)


def _through(slopes, embeddings, references, u, v):
    if references is None:
        return through_unit((slopes + slopes.T) @ u, embeddings)
    return through_unit(slopes @ v, embeddings), through_unit(slopes.T @ u, references)


def nt_xent(labels, embeddings, reference_labels=None, references=None, temperature=0.07):
    scores, _, _, positive, negative = _scores(labels, embeddings, reference_labels, references, temperature)
    total, _ = log_sum(scores, negative)
    return np.sum(np.where(positive, softplus(total[:, np.newaxis] - scores), 0), axis=1)


def nt_xent_grad(labels, embeddings, reference_labels=None, references=None, temperature=0.07):
    scores, u, v, positive, negative = _scores(labels, embeddings, reference_labels, references, temperature)
    total, share = log_sum(scores, negative)
    missed = np.where(positive, sigmoid(total[:, np.newaxis] - scores), 0)
    slopes = (share * np.sum(missed, axis=1, keepdims=True) - missed) / temperature
    return _through(slopes, embeddings, references, u, v)


def sup_con(labels, embeddings, reference_labels=None, references=None, temperature=0.1):
    scores, _, _, positive, negative = _scores(labels, embeddings, reference_labels, references, temperature)
    total, _ = log_sum(scores, positive | negative)
    counts = np.sum(positive, axis=1)
    mean = np.sum(np.where(positive, scores, 0), axis=1) / np.maximum(counts, 1).astype(scores.dtype)
    return np.where(counts > 0, total - mean, 0)


def sup_con_grad(labels, embeddings, reference_labels=None, references=None, temperature=0.1):
    scores, u, v, positive, negative = _scores(labels, embeddings, reference_labels, references, temperature)
    _, share = log_sum(scores, positive | negative)
    counts = np.sum(positive, axis=1, keepdims=True)
    slopes = np.where(counts > 0, share - positive / np.maximum(counts, 1), 0).astype(scores.dtype) / temperature
    return _through(slopes, embeddings, references, u, v)
