"""What the registry-wide tests share: the losses, their NumPy twins, arrays of any layout, fresh interpreters."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import fastloss as fl
from fastloss import registry
from tests.inputs import OF_ELEMENTS, draw, family
from tests.reference import twin

ROOT = Path(__file__).resolve().parent.parent
EVERY = list(dict.fromkeys(cls(**parameters) for cls in registry.values() for parameters in ({}, *cls.variants)))
ROW_LOSSES = [loss for loss in EVERY if loss.signature.rowwise]

LOSSES = [loss for loss in EVERY if family(loss) in OF_ELEMENTS]
DEFAULTS = [loss for loss in (cls() for cls in registry.values()) if family(loss) in OF_ELEMENTS]
DRAWN = [loss for loss in EVERY if family(loss) in OF_ELEMENTS or loss.signature.rowwise]  # by tests.inputs

# One loss for each shape of targets and predictions: for what no formula changes.
ELEMENTWISE = {
    "residual": fl.Huber(),
    "label": fl.BinaryCrossEntropyWithLogits(),
    "pair": fl.GaussianNLL(),
    "columns": fl.MultiQuantile(quantiles=(0.1, 0.5, 0.9)),
}
SIGNATURES = ELEMENTWISE | {"labels of rows": fl.CrossEntropy(), "targets of rows": fl.ForwardKL()}
AGGREGATES = {repr(loss): loss for loss in DEFAULTS if not loss.signature.additive}


def reductions(loss):
    """The reductions that a loss allows; one that is not a mean of elements has a single one."""
    return ("mean", "batch_mean", "sum", "none") if loss.signature.additive else ("mean",)


def additive(losses):
    return [loss for loss in losses if loss.signature.additive]


# The NumPy twins ----------------------------------------------------------------------------------


def expected(loss, y, x):
    with np.errstate(all="ignore"):
        return twin(loss)(y, x)


def expected_grad(loss, y, x):
    with np.errstate(all="ignore"):
        return twin(loss, "_grad")(y, x)


# Arrays -------------------------------------------------------------------------------------------


def generator(*key):
    """Random numbers that depend on the test alone, not on the tests before it."""
    return np.random.default_rng([sum(map(ord, repr(k))) for k in key])


def shaped(loss, shape, dtype, rng):
    """Targets and predictions of elements in this shape, or (None, None) where the loss takes rows only."""
    y, x = draw(loss, math.prod(shape), dtype, rng)
    y, x = y.reshape(shape + y.shape[1:]), x.reshape(shape + x.shape[1:])
    try:
        loss.signature.check("", y.shape, x.shape)
    except ValueError:
        return None, None
    return y, x


def elements(loss, y, x):
    """The shape of the elements that are weighted and averaged: for most losses that of y_true."""
    return loss._evaluation(loss, y, x).shape


def per_prediction(array, x):
    """Something of the elements' shape, for each entry of y_pred: the last axis of a pair loss shares it."""
    return array if array.shape == x.shape else np.broadcast_to(array[..., np.newaxis], x.shape)


def unaligned(array):
    raw = np.empty(array.nbytes + 1, np.uint8)
    view = raw[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def spaced(array, step):
    """The same elements, every |step|-th of a larger array along the first axis."""
    wide = np.empty((array.shape[0] * abs(step), *array.shape[1:]), array.dtype)
    wide[:] = array.dtype.type(77)
    view = wide[::step][: array.shape[0]]
    view[...] = array
    return view


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def swapped(array):
    return array.astype(array.dtype.newbyteorder("S"))


def within(array):
    """The same elements in the middle of an array that is larger along every axis."""
    wide = np.empty([length + 3 for length in array.shape], array.dtype)
    view = wide[tuple(slice(1, 1 + length) for length in array.shape)]
    view[...] = array
    return view


def permuted(array):
    """The same elements with the axes rolled in memory."""
    axes = (*range(1, array.ndim), 0)
    return np.ascontiguousarray(array.transpose(axes)).transpose(np.argsort(axes))


# Each returns an equal array that lies otherwise in memory; the second group changes the order of the elements
# there, and with it the order of summation.
IN_ORDER = {
    "unaligned": unaligned,
    "every second": lambda a: spaced(a, 2),
    "every third": lambda a: spaced(a, 3),
    "byte-swapped": swapped,
    "byte-swapped and strided": lambda a: spaced(swapped(a), 2),
    "unaligned and byte-swapped": lambda a: unaligned(swapped(a)),
    "read-only": read_only,
    "within": within,
}
REORDERED = {
    "reversed": lambda a: spaced(a, -1),
    "backwards by twos": lambda a: spaced(a, -2),
    "Fortran": np.asfortranarray,
    "permuted": permuted,
    "permuted and reversed": lambda a: permuted(a[..., ::-1])[..., ::-1],
}
LAYOUTS = IN_ORDER | REORDERED


def assert_same_bits(actual, wanted, what=""):
    """Equal type, shape and every bit but the payload of a NaN."""
    actual, wanted = np.asarray(actual), np.asarray(wanted)
    assert (actual.dtype, actual.shape) == (wanted.dtype, wanted.shape), what
    actual, wanted = actual.astype(np.float64), wanted.astype(np.float64)
    nan = np.isnan(actual)
    same = (nan & np.isnan(wanted)) | ((actual == wanted) & (np.signbit(actual) == np.signbit(wanted)))
    if not same.all():
        at = tuple(int(i) for i in np.argwhere(~same)[0])
        raise AssertionError(
            f"{what}: {(~same).sum()} of {same.size} differ: {actual[at]} at {at}, must be {wanted[at]}"
        )


# Processes ----------------------------------------------------------------------------------------


def fresh(code, timeout=120, **environment):
    """Standard output of Python code run by a new interpreter; it must end well and within the time."""
    env = {k: v for k, v in os.environ.items() if k not in ("FASTLOSS_ISA", "OMP_NUM_THREADS")} | environment
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=timeout, env=env)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
