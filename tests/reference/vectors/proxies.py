"""Losses of embeddings and learned proxies of their classes."""

import numpy as np

from tests.reference.vectors.batches import log_sum, sigmoid, softplus, through_unit, unit


def _among_proxies(labels, u, v, scale):
    scores = -scale * (2 - 2 * u @ v.T)
    own = np.equal.outer(labels, np.arange(len(v)))
    total, share = log_sum(scores, np.ones_like(own))
    return total - np.sum(np.where(own, scores, 0), axis=1), 2 * scale * (share - own)


def proxy_nca(labels, embeddings, proxies, softmax_scale=1.0):
    return _among_proxies(labels, unit(embeddings), unit(proxies), softmax_scale)[0]


def proxy_nca_grad(labels, embeddings, proxies, softmax_scale=1.0):
    u, v = unit(embeddings), unit(proxies)
    slopes = _among_proxies(labels, u, v, softmax_scale)[1]
    return through_unit(slopes @ v, embeddings), through_unit(slopes.T @ u, proxies)


def _of_proxies(labels, u, v, margin, alpha):
    cosines = v @ u.T
    own = np.equal.outer(np.arange(len(v)), labels)
    of_own, share_of_own = log_sum(-alpha * (cosines - margin), own)
    of_others, share_of_others = log_sum(alpha * (cosines + margin), ~own)
    counts = len(np.unique(labels)), len(v)
    slopes = alpha * sigmoid(of_others)[:, np.newaxis] * share_of_others / counts[1]
    slopes -= alpha * sigmoid(of_own)[:, np.newaxis] * share_of_own / counts[0]
    return np.sum(softplus(of_own)) / counts[0] + np.sum(softplus(of_others)) / counts[1], slopes


def proxy_anchor(labels, embeddings, proxies, margin=0.1, alpha=32.0):
    return _of_proxies(labels, unit(embeddings), unit(proxies), margin, alpha)[0]


def proxy_anchor_grad(labels, embeddings, proxies, margin=0.1, alpha=32.0):
    u, v = unit(embeddings), unit(proxies)
    slopes = _of_proxies(labels, u, v, margin, alpha)[1]
    return through_unit(slopes.T @ v, embeddings), through_unit(slopes @ u, proxies)
