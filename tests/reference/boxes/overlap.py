from typing import NamedTuple

import numpy as np


class Sides(NamedTuple):
    """Two boxes by their edges, of which those of the prediction have derivatives: left, top, right, bottom, last."""

    x: np.ndarray  # the prediction's edges
    y: np.ndarray  # the target's
    width: np.ndarray
    height: np.ndarray
    true_width: np.ndarray
    true_height: np.ndarray
    dx: np.ndarray  # between the centres
    dy: np.ndarray


def edges(boxes, format):
    if format == "xyxy":
        return boxes
    low, size = boxes[..., :2], boxes[..., 2:]
    if format == "cxcywh":
        low = low - size / 2
    return np.concatenate([low, low + size], axis=-1)


def in_format(grad, format):
    """From derivatives in the edges to those in the numbers of the format."""
    if format == "xyxy":
        return grad
    low, high = grad[..., :2], grad[..., 2:]
    return np.concatenate([low + high, high if format == "xywh" else (high - low) / 2], axis=-1)


def sides(y, x, format):
    y, x = edges(y, format), edges(x, format)
    width, height = x[..., 2] - x[..., 0], x[..., 3] - x[..., 1]
    true_width, true_height = y[..., 2] - y[..., 0], y[..., 3] - y[..., 1]
    dx = (x[..., 0] + x[..., 2] - y[..., 0] - y[..., 2]) / 2
    dy = (x[..., 1] + x[..., 3] - y[..., 1] - y[..., 3]) / 2
    return Sides(x, y, width, height, true_width, true_height, dx, dy)


def stack(*derivatives):
    return np.stack(np.broadcast_arrays(*derivatives), axis=-1)


def areas(s):
    """The intersection and the union."""
    across = np.minimum(s.x[..., 2], s.y[..., 2]) - np.maximum(s.x[..., 0], s.y[..., 0])
    down = np.minimum(s.x[..., 3], s.y[..., 3]) - np.maximum(s.x[..., 1], s.y[..., 1])
    shared = np.where((across > 0) & (down > 0), across * down, 0)
    return shared, s.width * s.height + s.true_width * s.true_height - shared


def areas_grad(s):
    across = np.minimum(s.x[..., 2], s.y[..., 2]) - np.maximum(s.x[..., 0], s.y[..., 0])
    down = np.minimum(s.x[..., 3], s.y[..., 3]) - np.maximum(s.x[..., 1], s.y[..., 1])
    meet = (across > 0) & (down > 0)
    within = np.heaviside(s.x - s.y, 0.5)  # where edges meet, the mean of both sides
    shared = stack(
        -down * within[..., 0], -across * within[..., 1], down * (1 - within[..., 2]), across * (1 - within[..., 3])
    )
    shared = np.where(meet[..., None], shared, 0).astype(s.width.dtype)
    return shared, stack(-s.height, -s.width, s.height, s.width) - shared


def around(s):
    """The sides of the smallest box around both."""
    across = np.maximum(s.x[..., 2], s.y[..., 2]) - np.minimum(s.x[..., 0], s.y[..., 0])
    return across, np.maximum(s.x[..., 3], s.y[..., 3]) - np.minimum(s.x[..., 1], s.y[..., 1])


def around_grad(s):
    beyond, zero = np.heaviside(s.x - s.y, 0.5), np.zeros_like(s.width)
    return (
        stack(beyond[..., 0] - 1, zero, beyond[..., 2], zero),
        stack(zero, beyond[..., 1] - 1, zero, beyond[..., 3]),
    )


def _iou(s, eps):
    shared, union = areas(s)
    return 1 - shared / (union + eps)


def _iou_grad(s, eps):
    (shared, union), (d_shared, d_union) = areas(s), areas_grad(s)
    whole = (union + eps)[..., None]
    return shared[..., None] * d_union / whole**2 - d_shared / whole


def _distance(s, eps):
    across, down = around(s)
    return (s.dx**2 + s.dy**2) / (across**2 + down**2 + eps)


def _distance_grad(s, eps, whole=True):
    (across, down), (d_across, d_down) = around(s), around_grad(s)
    diagonal = (across**2 + down**2 + eps)[..., None]
    grad = stack(s.dx, s.dy, s.dx, s.dy) / diagonal
    if whole:
        d_diagonal = 2 * (across[..., None] * d_across + down[..., None] * d_down)
        grad -= (s.dx**2 + s.dy**2)[..., None] * d_diagonal / diagonal**2
    return grad


def iou(y, x, eps=1e-7, format="xyxy"):
    return _iou(sides(y, x, format), eps)


def iou_grad(y, x, eps=1e-7, format="xyxy"):
    return in_format(_iou_grad(sides(y, x, format), eps), format)


def log_iou(y, x, eps=1e-7, format="xyxy"):
    shared, union = areas(sides(y, x, format))
    return np.log((union + eps) / (shared + eps))


def log_iou_grad(y, x, eps=1e-7, format="xyxy"):
    s = sides(y, x, format)
    (shared, union), (d_shared, d_union) = areas(s), areas_grad(s)
    with np.errstate(all="ignore"):
        gain = np.where(d_shared == 0, 0, d_shared / (shared + eps)[..., None])
    return in_format(d_union / (union + eps)[..., None] - gain, format)


def giou(y, x, eps=1e-7, format="xyxy"):
    s = sides(y, x, format)
    union, (across, down) = areas(s)[1], around(s)
    return _iou(s, eps) + (across * down - union) / (across * down + eps)


def giou_grad(y, x, eps=1e-7, format="xyxy"):
    s = sides(y, x, format)
    union, d_union = areas(s)[1][..., None], areas_grad(s)[1]
    across, down = (side[..., None] for side in around(s))
    d_across, d_down = around_grad(s)
    area, d_area = across * down, d_across * down + across * d_down
    grad = (d_area - d_union) / (area + eps) - (area - union) * d_area / (area + eps) ** 2
    return in_format(_iou_grad(s, eps) + grad, format)


def diou(y, x, eps=1e-7, format="xyxy"):
    s = sides(y, x, format)
    return _iou(s, eps) + _distance(s, eps)


def diou_grad(y, x, eps=1e-7, format="xyxy"):
    s = sides(y, x, format)
    return in_format(_iou_grad(s, eps) + _distance_grad(s, eps), format)


def _aspect(s):
    return 4 / np.pi**2 * (np.arctan(s.true_width / s.true_height) - np.arctan(s.width / s.height)) ** 2


def ciou(y, x, eps=1e-7, detach_alpha=True, format="xyxy"):
    s = sides(y, x, format)
    v = _aspect(s)
    return _iou(s, eps) + _distance(s, eps) + v / (_iou(s, eps) + v + eps) * v


def ciou_grad(y, x, eps=1e-7, detach_alpha=True, format="xyxy"):
    s = sides(y, x, format)
    v, overlap = _aspect(s), _iou_grad(s, eps)
    turn = np.arctan(s.true_width / s.true_height) - np.arctan(s.width / s.height)
    slope = 8 / np.pi**2 * turn / (s.width**2 + s.height**2)
    by_width, by_height = -slope * s.height, slope * s.width
    d_v = stack(-by_width, -by_height, by_width, by_height)
    with np.errstate(invalid="ignore"):
        alpha = np.where(v == 0, 0, v / (_iou(s, eps) + v + eps))[..., None]
    grad = overlap + _distance_grad(s, eps)
    grad += alpha * d_v if detach_alpha else (2 * alpha - alpha**2) * d_v - alpha**2 * overlap
    return in_format(grad, format)


def eiou(y, x, eps=1e-7, format="xyxy"):
    s = sides(y, x, format)
    across, down = around(s)
    more, taller = s.width - s.true_width, s.height - s.true_height
    return _iou(s, eps) + _distance(s, eps) + more**2 / (across**2 + eps) + taller**2 / (down**2 + eps)


def eiou_grad(y, x, eps=1e-7, format="xyxy"):
    s = sides(y, x, format)
    grad = _iou_grad(s, eps) + _distance_grad(s, eps)
    sizes = (s.width - s.true_width, s.height - s.true_height)
    for k, (more, side, d_side) in enumerate(zip(sizes, around(s), around_grad(s), strict=True)):
        square = side**2 + eps
        grad[..., k] -= 2 * more / square
        grad[..., k + 2] += 2 * more / square
        grad -= (2 * more**2 * side / square**2)[..., None] * d_side
    return in_format(grad, format)


def _costs(s, theta):
    angle = 2 * np.abs(s.dx * s.dy) / (s.dx**2 + s.dy**2)
    across, down = around(s)
    moved = 2 - np.exp((angle - 2) * (s.dx / across) ** 2) - np.exp((angle - 2) * (s.dy / down) ** 2)
    omegas = [
        np.abs(size - true) / np.maximum(size, true)
        for size, true in ((s.width, s.true_width), (s.height, s.true_height))
    ]
    return moved + sum((1 - np.exp(-omega)) ** theta for omega in omegas)


def siou(y, x, eps=1e-7, theta=4.0, format="xyxy"):
    s = sides(y, x, format)
    return _iou(s, eps) + _costs(s, theta) / 2


def siou_grad(y, x, eps=1e-7, theta=4.0, format="xyxy"):
    s = sides(y, x, format)
    grad = _iou_grad(s, eps)
    square = s.dx**2 + s.dy**2
    angle = 2 * np.abs(s.dx * s.dy) / square
    by_angle = np.zeros_like(square)
    for k, (d, side, d_side) in enumerate(zip((s.dx, s.dy), around(s), around_grad(s), strict=True)):
        rho = (d / side) ** 2
        fade = np.exp((angle - 2) * rho)
        by_angle -= fade * rho / 2
        slope = -fade * (angle - 2) * d / side**2 / 2
        grad[..., k] += slope
        grad[..., k + 2] += slope
        grad -= (2 * slope * d / side)[..., None] * d_side
    for k, (d, other) in enumerate(((s.dx, s.dy), (s.dy, s.dx))):
        slope = by_angle * np.sign(d) * np.abs(other) * (other**2 - d**2) / square**2
        grad[..., k] += slope
        grad[..., k + 2] += slope
    for k, (size, true) in enumerate(((s.width, s.true_width), (s.height, s.true_height))):
        omega = np.abs(size - true) / np.maximum(size, true)
        slope = theta * (1 - np.exp(-omega)) ** (theta - 1) * np.exp(-omega) / 2
        slope = slope * np.where(size > true, true / size**2, -1 / true)
        grad[..., k] -= slope
        grad[..., k + 2] += slope
    return in_format(grad, format)


def alpha_iou(y, x, eps=1e-7, alpha=3.0, format="xyxy"):
    shared, union = areas(sides(y, x, format))
    return 1 - (shared / (union + eps)) ** alpha


def alpha_iou_grad(y, x, eps=1e-7, alpha=3.0, format="xyxy"):
    s = sides(y, x, format)
    shared, union = areas(s)
    with np.errstate(divide="ignore"):
        factor = np.where(shared > 0, alpha * (shared / (union + eps)) ** (alpha - 1), 0).astype(shared.dtype)
    return in_format(factor[..., None] * _iou_grad(s, eps), format)


def mpdiou(y, x, eps=1e-7, width=640.0, height=640.0, format="xyxy"):
    s = sides(y, x, format)
    return _iou(s, eps) + np.sum((s.x - s.y) ** 2, axis=-1) / (width**2 + height**2)


def mpdiou_grad(y, x, eps=1e-7, width=640.0, height=640.0, format="xyxy"):
    s = sides(y, x, format)
    return in_format(_iou_grad(s, eps) + 2 * (s.x - s.y) / (width**2 + height**2), format)


def wise_iou(y, x, eps=1e-7, format="xyxy"):
    s = sides(y, x, format)
    return np.exp(_distance(s, eps)) * _iou(s, eps)


def wise_iou_grad(y, x, eps=1e-7, format="xyxy"):
    s = sides(y, x, format)
    factor = np.exp(_distance(s, eps))[..., None]
    grad = factor * (_iou_grad(s, eps) + _iou(s, eps)[..., None] * _distance_grad(s, eps, whole=False))
    return in_format(grad, format)


def _inner(y, x, ratio, format):
    """Both boxes shrunk about their centres, from the target's corner on: where they lie costs no digits."""
    y, x = edges(y, format), edges(x, format)
    origin = np.concatenate([y[..., :2], y[..., :2]], axis=-1)
    shrunk = []
    for box in (y - origin, x - origin):
        centre, half = (box[..., :2] + box[..., 2:]) / 2, ratio * (box[..., 2:] - box[..., :2]) / 2
        shrunk.append(np.concatenate([centre - half, centre + half], axis=-1))
    return shrunk


def inner_iou(y, x, eps=1e-7, ratio=0.7, format="xyxy"):
    return iou(*_inner(y, x, ratio, format), eps)


def inner_iou_grad(y, x, eps=1e-7, ratio=0.7, format="xyxy"):
    inner = iou_grad(*_inner(y, x, ratio, format), eps)
    low, high = inner[..., :2], inner[..., 2:]
    near, far = (1 + ratio) / 2, (1 - ratio) / 2
    return in_format(np.concatenate([near * low + far * high, far * low + near * high], axis=-1), format)
