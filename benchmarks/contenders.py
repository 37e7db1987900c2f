"""Who computes a loss: fastloss with a fresh and a reused gradient, NumPy, the peers; and what memory allows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np

from benchmarks import bandwidth, peers
from benchmarks.workload import Call, LeftOut, Work, Workload, reference

Binder: TypeAlias = Callable[[Workload, Work], Call]

SPARSE = {"negative_log_likelihood"}  # which read the scores of labels alone


def fastloss(load: Workload, work: Work) -> Call:
    """As most would call it: the gradient is a new array each time."""
    return partial(load.loss if work == "value" else load.loss.value_and_grad, *load.arrays)


def fastloss_reused(load: Workload, work: Work) -> Call:
    """As a training loop would call it: the gradient goes into the same array each time."""
    outputs = tuple(np.empty_like(array) for array in load.predictions)
    return partial(load.loss.value_and_grad, *load.arrays, grad_out=outputs if len(outputs) > 1 else outputs[0])


def numpy(load: Workload, work: Work) -> Call:
    return reference(load, np.float32, work)


def memory(load: Workload, work: Work) -> Call:
    """Nothing but reading the arrays, and writing the gradient past the caches."""
    if load.name in SPARSE:
        raise LeftOut("the loss does not read all scores")
    if not load.beyond_cache(work):
        raise LeftOut("the arrays lie in a cache")
    if len(load.arrays) != 2:
        raise LeftOut("the loss reads other arrays than two")
    y, x = (np.ascontiguousarray(array).reshape(-1).view(np.float32) for array in load.arrays)
    if work == "value":
        return partial(bandwidth.read, y, x, load.threads)
    return partial(bandwidth.read_and_write, y, x, bandwidth.aligned_like(x), load.threads)


def contenders(name: str, work: Work, *, limit: bool, others: bool = True) -> dict[str, Binder]:
    """Who takes part in one work on a loss, fastloss first; the limit of memory and other libraries if asked for."""
    found: dict[str, Binder] = {"fastloss": fastloss}
    if work == "value_and_grad":
        found["fastloss_reused"] = fastloss_reused
    if limit:
        found["memory"] = memory
    found["numpy"] = numpy
    if others:
        found |= {peer: module.bind for peer, module in peers.installed().items() if name in module.LOSSES}
    return found


def prepared(bind: Binder, load: Workload, work: Work) -> Call:
    """A contender's call, warm and checked; raises LeftOut with the reason if it cannot take part."""
    call = bind(load, work)
    result = call()
    if bind is not memory:
        load.check(work, result)
    elif not np.isfinite(result):
        raise LeftOut("the arrays hold numbers that are not finite")
    return call
