"""Losses of a batch in plain arithmetic: the sum of its losses, of nested lists of mpmath's numbers."""

from mpmath import cos, exp, fsum, log, log1p, mpf, pi, sin, sqrt


def _dot(a, b):
    return fsum(x * y for x, y in zip(a, b, strict=True))


def _unit(row):
    norm = sqrt(_dot(row, row))
    return [x / norm if norm else mpf(0) for x in row]


def _scores(rows, columns, normalize=True, scale=1):
    rows, columns = (list(map(_unit, side)) if normalize else side for side in (rows, columns))
    return [[scale * _dot(a, b) for b in columns] for a in rows]


def _log_sum(exponents):
    return log(fsum(map(exp, exponents)))


def _log_one_and(exponents):
    return log1p(fsum(map(exp, exponents)))


# A row's own candidate --------------------------------------------------------------------------------


def _among_all(scores):
    return fsum(_log_sum(row) - row[i] for i, row in enumerate(scores))


def info_nce(queries, keys, temperature, symmetric, normalize):
    scores = _scores(queries, keys, normalize, 1 / temperature)
    if symmetric:
        return (_among_all(scores) + _among_all(list(zip(*scores, strict=True)))) / 2
    return _among_all(scores)


def n_pairs(anchors, positives, normalize):
    return info_nce(anchors, positives, 1, False, normalize)


def sigmoid_pairwise(queries, keys, temperature, bias):
    scores = _scores(queries, keys, True, 1 / temperature)
    return fsum(
        log1p(exp(-(s + bias) if i == j else s + bias)) for i, row in enumerate(scores) for j, s in enumerate(row)
    )


def in_batch_softmax(queries, items, temperature, normalize):
    return info_nce(queries, items, temperature, False, normalize)


def _violations(queries, items, margin):
    scores = _scores(queries, items, False)
    return [[max(margin - row[i] + s, mpf(0)) for j, s in enumerate(row) if j != i] for i, row in enumerate(scores)]


def wmrb(queries, items, margin):
    return fsum(log1p(fsum(row)) for row in _violations(queries, items, margin))


def warp(queries, items, margin):
    total = mpf(0)
    for row in _violations(queries, items, margin):
        rank = sum(v > 0 for v in row)
        if rank:
            total += fsum(1 / mpf(k) for k in range(1, rank + 1)) / rank * fsum(row)
    return total


# Labelled batches -------------------------------------------------------------------------------------


def _sides(labels, scores):
    """The scores of the positives and of the negatives of each anchor."""
    places = range(len(labels))
    for i in places:
        positive = [scores[i][j] for j in places if labels[j] == labels[i] and j != i]
        yield positive, [scores[i][j] for j in places if labels[j] != labels[i]]


def nt_xent(labels, embeddings, temperature):
    sides = _sides(labels, _scores(embeddings, embeddings, scale=1 / temperature))
    return fsum(_log_one_and([s - p for s in negative]) for positive, negative in sides for p in positive)


def sup_con(labels, embeddings, temperature):
    sides = _sides(labels, _scores(embeddings, embeddings, scale=1 / temperature))
    return fsum(_log_sum(positive + negative) - fsum(positive) / len(positive) for positive, negative in sides)


def nca(labels, embeddings, softmax_scale):
    sides = _sides(labels, _scores(embeddings, embeddings, scale=2 * softmax_scale))
    return fsum(_log_sum(positive + negative) - _log_sum(positive) for positive, negative in sides)


def multi_similarity(labels, embeddings, alpha, beta, base):
    return fsum(
        _log_one_and([-alpha * (s - base) for s in positive]) / alpha
        + _log_one_and([beta * (s - base) for s in negative]) / beta
        for positive, negative in _sides(labels, _scores(embeddings, embeddings))
    )


def circle(labels, embeddings, m, gamma, detach):
    """Of `detach` only the value, whose derivative is none of it."""
    total = mpf(0)
    for positive, negative in _sides(labels, _scores(embeddings, embeddings)):
        of_p = [-gamma * max(1 + m - s, mpf(0)) * (s - 1 + m) for s in positive]
        of_n = [gamma * max(s + m, mpf(0)) * (s - m) for s in negative]
        total += log1p(exp(_log_sum(of_p) + _log_sum(of_n)))
    return total


def _distances(embeddings):
    return [[sqrt(max(2 - 2 * s, mpf(0))) for s in row] for row in _scores(embeddings, embeddings)]


def generalized_lifted_structure(labels, embeddings, neg_margin, pos_margin):
    return fsum(
        max(_log_sum([d - pos_margin for d in positive]) + _log_sum([neg_margin - d for d in negative]), mpf(0))
        for positive, negative in _sides(labels, _distances(embeddings))
    )


def lifted_structure(labels, embeddings, neg_margin, pos_margin):
    distances, places = _distances(embeddings), range(len(labels))
    of_negatives = [[neg_margin - d for d in negative] for _, negative in _sides(labels, distances)]
    return fsum(
        max(_log_sum(of_negatives[i] + of_negatives[p]) + distances[i][p] - pos_margin, mpf(0)) ** 2 / 2
        for i in places
        for p in places
        if p != i and labels[p] == labels[i]
    )


def angular(labels, embeddings, alpha):
    square = (sin(alpha * pi / 180) / cos(alpha * pi / 180)) ** 2
    cosines, places = _scores(embeddings, embeddings), range(len(labels))
    total = mpf(0)
    for i in places:
        negatives = [n for n in places if labels[n] != labels[i]]
        for p in places:
            if p != i and labels[p] == labels[i]:
                pull = 2 * (1 + square) * cosines[i][p]
                total += _log_one_and([4 * square * (cosines[i][n] + cosines[p][n]) - pull for n in negatives])
    return total


# Proxies ----------------------------------------------------------------------------------------------


def proxy_nca(labels, embeddings, proxies, softmax_scale):
    scores = _scores(embeddings, proxies, scale=2 * softmax_scale)
    return fsum(_log_sum(row) - row[label] for label, row in zip(labels, scores, strict=True))


def proxy_anchor(labels, embeddings, proxies, margin, alpha):
    of_own = of_others = mpf(0)
    for k, row in enumerate(_scores(proxies, embeddings)):
        of_own += _log_one_and([-alpha * (s - margin) for label, s in zip(labels, row, strict=True) if label == k])
        of_others += _log_one_and([alpha * (s + margin) for label, s in zip(labels, row, strict=True) if label != k])
    return of_own / len(set(labels)) + of_others / len(proxies)


# Features ---------------------------------------------------------------------------------------------


def _centred(rows):
    """The features, less their means."""
    return [[x - fsum(column) / len(column) for x in column] for column in zip(*rows, strict=True)]


def barlow_twins(left, right, lambd, eps):
    views = []
    for rows in (left, right):
        columns = _centred(rows)
        views.append([[x / sqrt(_dot(c, c) / len(c) + eps) for x in c] for c in columns])
    correlations = [[_dot(a, b) / len(left) for b in views[1]] for a in views[0]]
    return fsum(
        (1 - c) ** 2 if k == m else lambd * c**2 for k, row in enumerate(correlations) for m, c in enumerate(row)
    )


def vic_reg(left, right, invariance_lambda, variance_mu, covariance_v, eps):
    count, features = len(left), len(left[0])
    apart = fsum((a - b) ** 2 for x, y in zip(left, right, strict=True) for a, b in zip(x, y, strict=True))
    total = invariance_lambda * apart / (count * features)
    for rows in (left, right):
        columns = _centred(rows)
        for k, a in enumerate(columns):
            deviation = sqrt(_dot(a, a) / (count - 1) + eps)
            total += variance_mu * max(1 - deviation, mpf(0)) / (2 * features)
            total += (
                covariance_v / features * fsum((_dot(a, b) / (count - 1)) ** 2 for m, b in enumerate(columns) if m != k)
            )
    return total
