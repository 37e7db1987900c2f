"""Losses of two boxes, lists of their numbers; `mpmath` differentiates these."""

from mpmath import mp


def edges(box, format):
    """Left, top, right, bottom."""
    if format == "xyxy":
        return box
    x, y, w, h = box
    if format == "cxcywh":
        x, y = x - w / 2, y - h / 2
    return [x, y, x + w, y + h]


def quotient(n, d):
    """n / d, 0 for 0 / 0."""
    return n / d if d else mp.mpf(0)


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def shared(y, x):
    across, down = (min(y[k + 2], x[k + 2]) - max(y[k], x[k]) for k in (0, 1))
    return across * down if across > 0 and down > 0 else 0


def union(y, x):
    return area(y) + area(x) - shared(y, x)


def around(y, x):
    return [min(y[0], x[0]), min(y[1], x[1]), max(y[2], x[2]), max(y[3], x[3])]


def overlap(y, x, eps):
    if not union(y, x) + eps:
        return mp.mpf(y != x)
    return 1 - shared(y, x) / (union(y, x) + eps)


def centres(y, x):
    """The differences of the centres, and the sides of the box around both."""
    a, b, c, d = around(y, x)
    return [(x[k] + x[k + 2] - y[k] - y[k + 2]) / 2 for k in (0, 1)], [c - a, d - b]


def distance(y, x, eps):
    (dx, dy), (w, h) = centres(y, x)
    return quotient(dx**2 + dy**2, w**2 + h**2 + eps)


def iou(y, x, eps, format):
    return overlap(edges(y, format), edges(x, format), eps)


def log_iou(y, x, eps, format):
    y, x = edges(y, format), edges(x, format)
    common = shared(y, x) + eps
    return mp.log((union(y, x) + eps) / common) if common else mp.inf


def giou(y, x, eps, format):
    y, x = edges(y, format), edges(x, format)
    whole = area(around(y, x))
    return overlap(y, x, eps) + quotient(whole - union(y, x), whole + eps)


def diou(y, x, eps, format):
    y, x = edges(y, format), edges(x, format)
    return overlap(y, x, eps) + distance(y, x, eps)


def ciou(y, x, eps, detach_alpha, format, constant=None):
    """`constant` is where alpha counts as one, the prediction that it is computed of."""
    y, x = edges(y, format), edges(x, format)

    def aspect(x):
        turn = mp.atan2(y[2] - y[0], y[3] - y[1]) - mp.atan2(x[2] - x[0], x[3] - x[1])
        return 4 / mp.pi**2 * turn**2

    at = x if constant is None or not detach_alpha else edges(constant, format)
    alpha = quotient(aspect(at), overlap(y, at, eps) + aspect(at) + eps)
    return overlap(y, x, eps) + distance(y, x, eps) + alpha * aspect(x)


def eiou(y, x, eps, format):
    y, x = edges(y, format), edges(x, format)
    sides = centres(y, x)[1]
    more = [(x[k + 2] - x[k]) - (y[k + 2] - y[k]) for k in (0, 1)]
    squares = (quotient(m**2, side**2 + eps) for m, side in zip(more, sides, strict=True))
    return overlap(y, x, eps) + distance(y, x, eps) + sum(squares)


def siou(y, x, eps, theta, format):
    y, x = edges(y, format), edges(x, format)
    (dx, dy), (w, h) = centres(y, x)
    angle = 2 * quotient(abs(dx * dy), dx**2 + dy**2)
    cost = sum(1 - mp.exp((angle - 2) * quotient(d, side) ** 2) for d, side in ((dx, w), (dy, h)))
    for k in (0, 1):
        size, true = x[k + 2] - x[k], y[k + 2] - y[k]
        cost += (1 - mp.exp(-quotient(abs(size - true), max(size, true)))) ** theta
    return overlap(y, x, eps) + cost / 2


def alpha_iou(y, x, eps, alpha, format):
    return 1 - (1 - iou(y, x, eps, format)) ** alpha


def mpdiou(y, x, eps, width, height, format):
    y, x = edges(y, format), edges(x, format)
    return overlap(y, x, eps) + sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) / (width**2 + height**2)


def wise_iou(y, x, eps, format, constant=None):
    """`constant` is where the diagonal counts as one."""
    y, x = edges(y, format), edges(x, format)
    (dx, dy), _ = centres(y, x)
    w, h = centres(y, x if constant is None else edges(constant, format))[1]
    return mp.exp(quotient(dx**2 + dy**2, w**2 + h**2 + eps)) * overlap(y, x, eps)


def inner_iou(y, x, eps, ratio, format):
    def inner(box):
        middle = [(box[k] + box[k + 2]) / 2 for k in (0, 1)]
        half = [ratio * (box[k + 2] - box[k]) / 2 for k in (0, 1)]
        return [middle[0] - half[0], middle[1] - half[1], middle[0] + half[0], middle[1] + half[1]]

    return overlap(inner(edges(y, format)), inner(edges(x, format)), eps)


def nwd(y, x, constant, format):
    y, x = edges(y, format), edges(x, format)
    return 1 - mp.exp(-mp.sqrt(sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) / 2) / constant)


# Rotated boxes ----------------------------------------------------------------------------------------


def covariance(box, part):
    _, _, w, h, angle = box
    turn = mp.matrix([[mp.cos(angle), -mp.sin(angle)], [mp.sin(angle), mp.cos(angle)]])
    return turn * mp.diag([part * w**2, part * h**2]) * turn.T


def trace(m):
    return m[0, 0] + m[1, 1]


def apart(y, x):
    return mp.matrix([x[0] - y[0], x[1] - y[1]])


def bent(value, fun, tau):
    f = {"log1p": lambda d: mp.log(1 + d), "sqrt": mp.sqrt, "none": lambda d: d}[fun](value)
    return 1 - 1 / (tau + f) if tau >= 1 else f


def gwd(y, x, fun, tau, alpha, normalize):
    p, t = covariance(x, mp.mpf(1) / 4), covariance(y, mp.mpf(1) / 4)
    root = mp.sqrt(mp.det(p) * mp.det(t))
    shape = trace(p) + trace(t) - 2 * mp.sqrt(trace(p * t) + 2 * root)
    value = mp.sqrt((apart(y, x).T * apart(y, x))[0] + alpha**2 * shape)
    return bent(value / (2 * root ** (mp.mpf(1) / 4)) if normalize else value, fun, tau)


def kld(y, x, fun, tau, alpha, sqrt):
    p, t = covariance(x, mp.mpf(1) / 4), covariance(y, mp.mpf(1) / 4)
    inverse = p**-1
    value = (apart(y, x).T * inverse * apart(y, x))[0] / (2 * alpha**2)
    value += trace(inverse * t) / 2 + mp.log(mp.det(p) / mp.det(t)) / 2 - 1
    return bent(mp.sqrt(value) if sqrt else value, fun, tau)


def prob_iou(y, x):
    p, t = covariance(x, mp.mpf(1) / 12), covariance(y, mp.mpf(1) / 12)
    value = (apart(y, x).T * (p + t) ** -1 * apart(y, x))[0] / 4
    value += mp.log(mp.det(p + t) / (4 * mp.sqrt(mp.det(p) * mp.det(t)))) / 2
    return mp.sqrt(1 - mp.exp(-value))
