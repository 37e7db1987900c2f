"""Calls that must be refused: with an error that names the loss, and every output as it was."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from fastloss._core.parameters import ANY
from tests.fuzz import draws
from tests.fuzz.draws import chance, pick
from tests.fuzz.layouts import Taken

CALLS = 3  # of each case


class Failure(AssertionError):
    """A result that is not what it must be."""


def run(case) -> None:
    """A few bad calls made of a good one."""
    for _ in range(CALLS):
        wrong = pick(case.rng, WRONG)
        y, x = case.y, case.x
        y_type, x_type = pick(case.rng, case.y_types), pick(case.rng, case.x_types)
        with np.errstate(all="ignore"):
            y, x = (None if case.unlabelled else y.astype(y_type)), x.astype(x_type)
        call = Call(case, y, x)
        if wrong(case, call) is not SKIP:
            _must_refuse(case, call, wrong.__name__)


SKIP = object()


class Call:
    """A call that is good as yet."""

    def __init__(self, case, y, x) -> None:
        self.loss, self.y, self.x = case.loss, y, x
        self.options = case.options() | {"num_threads": pick(case.rng, (None, 1, 2))}
        self.verb, self.taken = "grad", []
        if case.loss.signature.additive:
            self.verb = "value_and_grad"
            self.options["reduction"] = "none"
            self.give("out", Taken(case.rng, case.shape, pick(case.rng, draws.FLOATS)))
        self.give("grad_out", Taken(case.rng, x.shape, pick(case.rng, draws.FLOATS)))

    def give(self, name, output: Taken) -> None:
        self.taken.append(output)
        self.options[name] = output.array


def _must_refuse(case, call: Call, why: str) -> None:
    try:
        case.call(call.loss, call.verb, call.y, call.x, **call.options)
    except (ValueError, TypeError, IndexError) as error:
        if not str(error).startswith(f"{type(call.loss).__name__}: "):
            raise Failure(f"{why}: {type(error).__name__} does not name the loss: {error}") from error
    else:
        raise Failure(f"{why}: {call.verb} did not refuse")
    if not all(output.untouched() for output in call.taken):
        raise Failure(f"{why}: an output was written")


def _one(case, mask: np.ndarray):
    """The index of one of the places that a mask holds, or None."""
    at = np.argwhere(mask)
    return tuple(int(i) for i in pick(case.rng, at)) if len(at) else None


WRONG: list = []


def wrong(function):
    WRONG.append(function)
    return function


@wrong
def shapes_that_do_not_match(case, call):
    if call.y is None or not call.y.ndim:
        return SKIP
    y = call.y
    call.y = pick(case.rng, (y[..., np.newaxis], y[:-1] if len(y) else y[np.newaxis], y[0:0, ..., np.newaxis]))
    return SKIP if call.y.shape in (case.x.shape, case.shape) else None


@wrong
def a_weight_that_is_none(case, call):
    weight = np.ones(case.shape) if case.weight is None else case.spread(case.weight).copy()
    at = _one(case, case.counted)
    if at is None:
        return SKIP
    weight[at] = pick(case.rng, (-1.0, math.nan, math.inf, -0.5, -math.inf))
    call.options["sample_weight"] = weight
    return None


@wrong
def a_target_outside_of_the_domain(case, call):
    loss, at = case.loss, _one(case, case.weight_of != 0)
    if at is None or call.y is None or call.y.dtype.kind == "b":
        return SKIP
    domain = loss.target if loss.signature.rowwise else loss.domains()[0]
    if loss.signature.rowwise and not case.dense:
        bad = [case.classes, -1, -(2**63), 2**63 - 1] + (
            [0.5, -0.5] if not loss.between and call.y.dtype.kind == "f" else []
        )
        ignored = loss.parameters().get("ignore_index")
        bad = [b for b in bad if b != ignored]
    elif domain == ANY:
        return SKIP
    else:
        bad = [domain.low - 1, domain.high + 1, 0.5, domain.low, domain.high]
        bad = [b for b in bad if b not in domain and math.isfinite(b)]
        if loss.signature.rowwise:
            at = (*at[: case.axis], int(case.rng.integers(case.classes)), *at[case.axis :])
        elif loss.signature.losses:
            at = at[:-1]
    number = pick(case.rng, bad)
    with np.errstate(all="ignore"):
        try:
            call.y[at] = number
        except OverflowError:
            return SKIP
    return None if float(call.y[at]) == number else SKIP  # 513 is 512 in bfloat16, which would compare as equal


@wrong
def a_prediction_outside_of_the_domain(case, call):
    at = _one(case, case.weight_of != 0)
    domain = case.loss.domains()[2 if case.loss.signature.pair and chance(case.rng, 0.5) else 1]
    if at is None or case.loss.signature.rowwise or domain == ANY:
        return SKIP
    column = (int(domain is case.loss.domains()[2]),) if case.loss.signature.pair else ()
    number = pick(case.rng, [b for b in (domain.low - 1, domain.high + 1) if math.isfinite(b)])
    call.x[at + column] = number
    return None if call.x[at + column] == call.x.dtype.type(number) else SKIP


@wrong
def a_missing_target_that_must_not_be(case, call):
    at = _one(case, case.weight_of != 0)
    if at is None or call.y is None or call.y.dtype.kind in "biu":
        return SKIP
    if case.dense:
        at = (*at[: case.axis], int(case.rng.integers(case.classes)), *at[case.axis :])
    call.y[at[: call.y.ndim]] = math.nan
    call.options["nan_policy"] = "raise"
    return None


@wrong
def a_type_that_is_not_real(case, call):
    name = pick(case.rng, ("y", "x", "weight", "mask"))
    kind = pick(case.rng, ("complex64", "O", "M8[s]", "S3", "longdouble"))
    bad = np.zeros(case.shape if name in ("weight", "mask") else getattr(case, name).shape, kind)
    if name in ("weight", "mask"):
        call.options["sample_weight" if name == "weight" else "mask"] = bad
    elif name == "x" or not case.unlabelled:
        setattr(call, name, bad)
    else:
        return SKIP
    return None


@wrong
def a_mask_of_numbers(case, call):
    call.options["mask"] = np.ones(case.shape, pick(case.rng, ("i1", "u1", "f4", "i8")))


@wrong
def an_unknown_word(case, call):
    call.options[pick(case.rng, ("reduction", "nan_policy"))] = pick(case.rng, ("average", "", None, 1))


@wrong
def a_number_of_threads_that_is_none(case, call):
    call.options["num_threads"] = pick(case.rng, (0, -1, 1.5, "two"))


@wrong
def an_output_that_does_not_fit(case, call):
    shape = call.x.shape
    kind = case.rng.integers(5)
    if kind == 0:
        bad = np.full((*shape, 1), 7.0)
    elif kind == 1:
        bad = np.full(shape, 7, "i4")
    elif kind == 2:
        bad = np.full(shape, 7.0)
        bad.flags.writeable = False
    elif kind == 3:
        bad = [7.0]
    else:
        if not shape or max(shape) < 2 or not call.x.size:
            return SKIP
        axis = int(np.argmax(shape))
        strides = [0 if k == axis else 8 for k in range(len(shape))]
        bad = np.lib.stride_tricks.as_strided(np.full(call.x.size + 64, 7.0), shape, strides)
    call.options["grad_out"] = bad
    return None


@wrong
def outputs_that_overlap(case, call):
    if not case.loss.signature.additive or call.x.shape != case.shape or call.x.size < 2:
        return SKIP
    memory = np.full(call.x.size + 1, 7.0)
    call.options["out"] = memory[1:].reshape(call.x.shape)
    call.options["grad_out"] = memory[:-1].reshape(call.x.shape)
    return None


@wrong
def an_output_over_a_part_of_an_input(case, call):
    if call.x.size < 2:
        return SKIP
    memory = np.empty(call.x.size + 1, call.x.dtype)
    x = memory[:-1].reshape(call.x.shape)
    x[...] = call.x
    call.x, call.options["grad_out"] = x, memory[1:].reshape(x.shape)
    return None


@wrong
def an_output_where_a_number_is_returned(case, call):
    call.verb = "__call__"
    call.options.pop("grad_out")
    call.options["reduction"] = pick(case.rng, ("mean", "batch_mean", "sum"))
    call.options["out"] = np.zeros(case.shape)


@wrong
def class_weights_of_other_classes(case, call):
    if not case.loss.signature.rowwise or "class_weight" not in case.loss.parameters():
        return SKIP
    call.loss = replace(case.loss, class_weight=(1.0,) * (case.classes + 1))
    return None


@wrong
def an_axis_that_is_not_there(case, call):
    if not case.loss.signature.rowwise:
        return SKIP
    call.loss = replace(case.loss, axis=pick(case.rng, (call.x.ndim, -call.x.ndim - 1)))
    return None
