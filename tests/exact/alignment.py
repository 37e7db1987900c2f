"""Losses of sequences by enumeration: each way that gives the target is a product, and their sum is the probability.

Scores are nested lists of numbers of mpmath, or of what else `exp` and `log` take. The lattices of `of_lattice` are the
same sums by recursion, in numbers of mpmath, whose exponents have no bounds: for sequences whose ways are too many.
"""

from itertools import combinations, groupby, product

from mpmath import exp, log


def _probabilities(row, scores):
    each = [exp(v) for v in row]
    return [e / sum(each) for e in each] if scores == "logits" else each


def _parts(target, per_label):
    return max(1, len(target)) if per_label else 1


def ctc(target, x, zero_infinity=False, per_label=False, layout="NTC", blank=0, scores="logits"):
    p = [_probabilities(row, scores) for row in x]
    classes = len(x[0])
    whole = 0
    for path in product(range(classes), repeat=len(x)):
        if [k for k, _ in groupby(path) if k != blank % classes] == list(target):
            whole += _product(p[t][k] for t, k in enumerate(path))
    return -log(whole) / _parts(target, per_label)


def transducer(target, x, fast_emit=0, clamp=0, blank=0, scores="logits"):
    p = [[_probabilities(cell, scores) for cell in row] for row in x]
    frames, labels = len(x), len(target)
    whole = 0
    for emitted in combinations(range(frames + labels - 1), labels):  # the last step is a blank
        t = u = 0
        way = 1
        for step in range(frames + labels):
            k = target[u] if step in emitted else blank
            way = way * p[t][u][k]
            t, u = (t, u + 1) if step in emitted else (t + 1, u)
        whole += way
    return -log(whole)


def ctc_of_lattice(target, x, blank=0):
    """The loss of logits by recursion."""
    states = [blank, *(k for label in target for k in (label, blank))]
    row = [1] + [0] * (len(states) - 1)
    for logits in x:
        p = _probabilities(logits, "logits")
        row = [
            p[k] * sum(row[s - 2 if s > 1 and k not in (blank, states[s - 2]) else max(0, s - 1) : s + 1])
            for s, k in enumerate(states)
        ]
    return -log(sum(row[-2:]))


def transducer_of_lattice(target, x, blank=0):
    """The loss of logits by recursion."""
    row = [1] + [0] * len(target)
    for cells in x:
        p = [_probabilities(cell, "logits") for cell in cells]
        for u, label in enumerate(target):
            row[u + 1] += row[u] * p[u][label]
        row = [v * p[u][blank] for u, v in enumerate(row)]
    return -log(row[-1])


def _product(factors):
    whole = 1
    for factor in factors:
        whole = whole * factor
    return whole
