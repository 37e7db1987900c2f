"""Regression losses of the residual."""


def squared_error(y, x, half):
    return (x - y) ** 2 / (2 if half else 1)


def absolute_error(y, x):
    return abs(x - y)


def absolute_error_kinks(y):
    return [y]


def huber(y, x, delta):
    r = abs(x - y)
    return r * r / 2 if r <= delta else delta * (r - delta / 2)


def huber_kinks(y, delta):
    return [y - delta, y + delta]
