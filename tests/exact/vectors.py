"""Losses of vectors as textbooks have them, of lists of numbers; mpmath evaluates them, and differentiates them too."""

from mpmath import exp, fabs, inf, log, mpf, sqrt


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def cosine(a, b):
    return dot(a, b) / sqrt(dot(a, a)) / sqrt(dot(b, b))


def measured(a, b, distance, p=2, eps=0):
    if distance == "cosine":
        return 1 - cosine(a, b)
    if distance == "squared_euclidean":
        return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))
    differences = [x - y + eps for x, y in zip(a, b, strict=True)]
    if p == inf:
        return max(fabs(t) for t in differences)
    return sum(fabs(t) ** p for t in differences) ** (1 / mpf(p))


def cosine_distance(left, right):
    return 1 - cosine(left, right)


def negative_cosine_similarity(left, right):
    return -cosine(left, right)


def euclidean_distance(left, right):
    return measured(left, right, "norm")


def squared_euclidean_distance(left, right):
    return measured(left, right, "squared_euclidean")


def manhattan_distance(left, right):
    return measured(left, right, "norm", 1)


def pairwise_distance(left, right, p, eps):
    return measured(left, right, "norm", p, eps)


def cosine_embedding(y, left, right, margin):
    return 1 - cosine(left, right) if y == 1 else max(mpf(0), cosine(left, right) - margin)


def contrastive(y, left, right, margin, half):
    d = measured(left, right, "norm")
    return (d if y == 1 else max(mpf(0), margin - d)) ** 2 / (2 if half else 1)


def triplet_margin(anchor, positive, negative, margin, p, eps, swap, smooth, distance):
    near, far = measured(anchor, positive, distance, p, eps), measured(anchor, negative, distance, p, eps)
    if swap:
        far = min(far, measured(positive, negative, distance, p, eps))
    t = near - far + margin
    return log(1 + exp(t)) if smooth else max(mpf(0), t)


def quadruplet(anchor, positive, negative, second_negative, margin, second_margin, distance):
    near, far = measured(anchor, positive, distance), measured(anchor, negative, distance)
    apart = measured(second_negative, negative, distance)
    return max(mpf(0), near - far + margin) + max(mpf(0), near - apart + second_margin)


def center(y, embedding, centers):
    return measured(embedding, centers[y], "squared_euclidean") / 2


def island(y, embedding, centers, island_weight):
    classes = range(len(centers))
    between = sum(cosine(centers[j], centers[k]) + 1 for j in classes for k in classes if j != k)
    return center(y, embedding, centers) + island_weight * between


def am_softmax_island(y, embedding, weight, centers, margin, scale, center_weight, island_weight):
    logits = [scale * (cosine(embedding, w) - (margin if k == y else 0)) for k, w in enumerate(weight)]
    angles = log(sum(exp(z) for z in logits)) - logits[y]
    return angles + center_weight * island(y, embedding, centers, island_weight)
