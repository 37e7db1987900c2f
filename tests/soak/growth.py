"""Memory that is not given back: very many calls of each kind must not make the process larger."""

from __future__ import annotations

import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import numpy as np
import psutil

import fastloss as fl
from tests.inputs import draw_arrays, family
from tests.soak.report import Done

ALLOWED = 256 << 10  # bytes; the smallest thing that each of a million calls could lose takes 16 MB
WARM = 20_000  # calls, after which what is kept for later calls is there


def refused(call: Callable[[], object]) -> None:
    with suppress(ValueError, TypeError, IndexError):
        call()
        raise AssertionError("a bad call was not refused")


def in_a_thread(call: Callable[[], object]) -> None:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


def kinds() -> dict[str, Callable[[], object]]:
    """The calls, each on few elements: what is lost is lost once a call."""
    rng = np.random.default_rng(0)
    y, x = rng.normal(size=(2, 60)).astype(np.float32)
    groups = np.arange(60) % 5
    huber, bce = fl.Huber(), fl.BinaryCrossEntropyWithLogits()
    logits, labels = rng.normal(size=(60, 5)), groups
    out, wide = np.empty_like(x), rng.normal(size=(2, 120))[:, ::2]
    state, table = huber.state(y, x), huber.states(y, x, groups=groups)
    objective = fl.LinearObjective(bce, logits, y > 0)
    classes = fl.LinearObjective(fl.CrossEntropy(), logits, labels)
    coef = np.zeros(objective.size)
    found: dict[str, Callable[[], object]] = {
        "gradient and curvature": partial(bce.grad_and_hess, y > 0, x),
        "each loss, into an array": partial(huber, y, x, reduction="none", out=out),
        "weights and a mask": partial(huber.value_and_grad, y, x, sample_weight=np.abs(y), mask=x > 0),
        "other types and strides": partial(huber.value_and_grad, *wide, reduction="sum"),
        "lists": partial(huber, y.tolist(), x.tolist()),
        "a function": partial(fl.huber, y, x, delta=2.0),
        "a sum of losses": partial((huber + 0.5 * fl.SquaredError()).value_and_grad, y, x),
        "a chained loss": partial(fl.Chained(fl.SquaredError(), "sigmoid").value_and_grad, y, x),
        "a state": partial(huber.state, y, x),
        "states of groups": partial(huber.states, y, x, groups=groups),
        "states of named groups": partial(huber.states, y, x, groups=[str(group) for group in groups]),
        "merged states": lambda: state + state,
        "merged tables": lambda: table + table,
        "scores of tokens": partial(fl.token_logprobs, logits, labels),
        "numbers of rows": partial(fl.CrossEntropy().rows, labels, logits),
        "a linear objective": partial(objective.value_and_grad, coef),
        "a linear objective of classes": partial(classes.value_and_grad, np.zeros(classes.size)),
        "two threads": partial(huber.value_and_grad, *rng.normal(size=(2, 2000)), num_threads=2),
        "a thread each": partial(in_a_thread, partial(huber, *rng.normal(size=(2, 2000)), num_threads=2)),
        "bad shapes": partial(refused, partial(huber, y[:-1], x)),
        "a bad type": partial(refused, partial(huber, y, "no")),
        "a bad label": partial(refused, partial(fl.CrossEntropy(), labels + 1, logits)),
        "a target out of its domain": partial(refused, partial(fl.PoissonDeviance(), -np.abs(y), np.abs(x))),
        "a bad output": partial(refused, partial(huber.grad, y, x, grad_out=out[:-1])),
    }
    seen = set()
    for cls in fl.registry.values():
        loss = cls()
        if family(loss) not in seen:
            seen.add(family(loss))
            arrays = draw_arrays(loss, 60, np.float32, rng)
            found[f"{loss.function_name}, value"] = partial(loss, *arrays)
            found[f"{loss.function_name}, value and gradient"] = partial(loss.value_and_grad, *arrays)
    return found


def grown(call: Callable[[], object], calls: int) -> int:
    """Bytes by which so many calls made the process larger."""
    process = psutil.Process()
    for _ in range(min(WARM, calls)):
        call()
    before = process.memory_info().rss
    for _ in range(calls):
        call()
    return int(process.memory_info().rss - before)


def main(calls: int) -> int:
    warnings.simplefilter("ignore", RuntimeWarning)
    began, failures, made = time.monotonic(), 0, kinds()
    for name, call in made.items():
        start = time.monotonic()
        by = grown(call, calls)
        failures += by > ALLOWED
        print(f"{name}: {by / 1024:,.0f} KB, {time.monotonic() - start:.0f} s{' FAILED' * (by > ALLOWED)}", flush=True)
    print(Done(calls * len(made), f"calls of {len(made)} kinds", round(time.monotonic() - began), failures))
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
