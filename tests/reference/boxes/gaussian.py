import numpy as np

from tests.reference.boxes.overlap import edges, in_format


def nwd(y, x, constant=12.8, format="xyxy"):
    distance = np.sqrt(np.sum((edges(x, format) - edges(y, format)) ** 2, axis=-1) / 2)
    return 1 - np.exp(-distance / constant)


def nwd_grad(y, x, constant=12.8, format="xyxy"):
    apart = edges(x, format) - edges(y, format)
    distance = np.sqrt(np.sum(apart**2, axis=-1, keepdims=True) / 2)
    return in_format(np.exp(-distance / constant) * apart / (2 * constant * distance), format)


# Of rotated boxes: matrices of two rows and columns, written out -----------------------------------------


def _covariance(boxes, part):
    """Three numbers of the matrix of variances `part` times the squared sides, and their derivatives."""
    a, b, angle = part * boxes[..., 2] ** 2, part * boxes[..., 3] ** 2, boxes[..., 4]
    c, s = np.cos(angle), np.sin(angle)
    return a * c**2 + b * s**2, a * s**2 + b * c**2, (a - b) * c * s


def _covariance_grad(boxes, part):
    """The derivatives of these three in width, height and angle."""
    w, h, angle = boxes[..., 2], boxes[..., 3], boxes[..., 4]
    c, s = np.cos(angle), np.sin(angle)
    by_angle = part * (w**2 - h**2)
    return (
        (2 * part * w * c**2, 2 * part * w * s**2, 2 * part * w * c * s),
        (2 * part * h * s**2, 2 * part * h * c**2, -2 * part * h * c * s),
        (-2 * c * s * by_angle, 2 * c * s * by_angle, (c**2 - s**2) * by_angle),
    )


def _bent(distance, fun, tau):
    f = {"log1p": np.log1p, "sqrt": np.sqrt, "none": lambda d: d}[fun](distance)
    return 1 - 1 / (tau + f) if tau >= 1 else f


def _bent_grad(distance, fun, tau):
    f = {"log1p": np.log1p, "sqrt": np.sqrt, "none": lambda d: d}[fun](distance)
    slope = {"log1p": lambda: 1 / (1 + distance), "sqrt": lambda: 0.5 / f, "none": lambda: np.ones_like(f)}[fun]()
    return (slope / (tau + f) ** 2 if tau >= 1 else slope)[..., None]


def _gwd(y, x, alpha, normalize):
    """The squared distance, its parts, and what the root of it is divided by."""
    (p, q, r), (t, u, v) = _covariance(x, 0.25), _covariance(y, 0.25)
    root = np.sqrt((p * q - r**2) * (t * u - v**2))
    middle = np.sqrt(p * t + q * u + 2 * r * v + 2 * root)
    square = (x[..., 0] - y[..., 0]) ** 2 + (x[..., 1] - y[..., 1]) ** 2
    square = square + alpha**2 * (p + q + t + u - 2 * middle)
    return square, root, middle, 2 * root**0.25 if normalize else np.ones_like(root)


def gwd(y, x, fun="log1p", tau=1.0, alpha=1.0, normalize=True):
    square, _, _, scale = _gwd(y, x, alpha, normalize)
    return _bent(np.sqrt(square) / scale, fun, tau)


def gwd_grad(y, x, fun="log1p", tau=1.0, alpha=1.0, normalize=True):
    square, root, middle, scale = _gwd(y, x, alpha, normalize)
    distance = np.sqrt(square) / scale
    t, u, v = _covariance(y, 0.25)
    d_square = [2 * (x[..., 0] - y[..., 0]), 2 * (x[..., 1] - y[..., 1])]
    d_root = [0, 0, root / x[..., 2], root / x[..., 3], 0]
    for (by_p, by_q, by_r), by_root in zip(_covariance_grad(x, 0.25), d_root[2:], strict=True):
        by_middle = (by_p * t + by_q * u + 2 * by_r * v + 2 * by_root) / (2 * middle)
        d_square.append(alpha**2 * (by_p + by_q - 2 * by_middle))
    grad = np.stack(d_square, axis=-1) / (2 * np.sqrt(square) * scale)[..., None]
    if normalize:
        grad[..., 2:4] -= distance[..., None] / 4 / x[..., 2:4]
    return _bent_grad(distance, fun, tau) * grad


def _kld(y, x, alpha):
    (p, q, r), (t, u, v) = _covariance(x, 0.25), _covariance(y, 0.25)
    dx, dy = x[..., 0] - y[..., 0], x[..., 1] - y[..., 1]
    det, true_det = p * q - r**2, t * u - v**2
    centre = (q * dx**2 + p * dy**2 - 2 * r * dx * dy) / (2 * alpha**2 * det)
    return centre + (q * t + p * u - 2 * r * v) / (2 * det) + np.log(det / true_det) / 2 - 1


def kld(y, x, fun="log1p", tau=1.0, alpha=1.0, sqrt=True):
    divergence = _kld(y, x, alpha)
    return _bent(np.sqrt(divergence) if sqrt else divergence, fun, tau)


def kld_grad(y, x, fun="log1p", tau=1.0, alpha=1.0, sqrt=True):
    (p, q, r), (t, u, v) = _covariance(x, 0.25), _covariance(y, 0.25)
    dx, dy = x[..., 0] - y[..., 0], x[..., 1] - y[..., 1]
    det = p * q - r**2
    parts = [(q * dx - r * dy) / (alpha**2 * det), (p * dy - r * dx) / (alpha**2 * det)]
    whole = (q * dx**2 + p * dy**2 - 2 * r * dx * dy) / alpha**2 + q * t + p * u - 2 * r * v
    for by_p, by_q, by_r in _covariance_grad(x, 0.25):
        by_whole = (by_q * dx**2 + by_p * dy**2 - 2 * by_r * dx * dy) / alpha**2 + by_q * t + by_p * u - 2 * by_r * v
        by_det = by_p * q + p * by_q - 2 * r * by_r
        parts.append(by_whole / (2 * det) - whole * by_det / (2 * det**2) + by_det / (2 * det))
    divergence, grad = _kld(y, x, alpha), np.stack(parts, axis=-1)
    if sqrt:
        divergence = np.sqrt(divergence)
        grad /= 2 * divergence[..., None]
    return _bent_grad(divergence, fun, tau) * grad


def _bhattacharyya(y, x):
    """The distance, the sum of both matrices and its determinant."""
    (p, q, r), (t, u, v) = _covariance(x, 1 / 12), _covariance(y, 1 / 12)
    dx, dy = x[..., 0] - y[..., 0], x[..., 1] - y[..., 1]
    a, b, c = p + t, q + u, r + v
    det = a * b - c**2
    centre = (b * dx**2 + a * dy**2 - 2 * c * dx * dy) / det / 4
    return centre + np.log(det / (4 * np.sqrt((p * q - r**2) * (t * u - v**2)))) / 2, (a, b, c), det


def prob_iou(y, x):
    return np.sqrt(1 - np.exp(-_bhattacharyya(y, x)[0]))


def prob_iou_grad(y, x):
    distance, (a, b, c), det = _bhattacharyya(y, x)
    dx, dy = x[..., 0] - y[..., 0], x[..., 1] - y[..., 1]
    parts = [(b * dx - c * dy) / det / 2, (a * dy - c * dx) / det / 2]
    whole = b * dx**2 + a * dy**2 - 2 * c * dx * dy
    of_sides = [1 / x[..., 2], 1 / x[..., 3], 0]  # of half the logarithm of the root of the prediction's determinant
    for (by_a, by_b, by_c), by_root in zip(_covariance_grad(x, 1 / 12), of_sides, strict=True):
        by_whole = by_b * dx**2 + by_a * dy**2 - 2 * by_c * dx * dy
        by_det = by_a * b + a * by_b - 2 * c * by_c
        parts.append(by_whole / det / 4 - whole * by_det / det**2 / 4 + by_det / det / 2 - by_root / 2)
    grad = np.stack(parts, axis=-1)
    return (np.exp(-distance) / (2 * np.sqrt(1 - np.exp(-distance))))[..., None] * grad
