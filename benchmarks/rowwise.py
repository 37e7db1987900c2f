"""Measure what rowwise losses and the scores of language models promise, contenders taking turns.

``python -m benchmarks.rowwise`` prints a Markdown table and exits with 1 where a target is missed, or with
``--record`` keeps it in `measured.json`.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import ml_dtypes
import numpy as np

import fastloss as fl
from benchmarks.contenders import contenders, prepared
from benchmarks.record import Row, publish
from benchmarks.targets import COMPILED, SETTLE, measure
from benchmarks.turns import Times, compare, take_turns
from benchmarks.workload import Call, Workload, workload
from fastloss import registry
from fastloss._core.threads import available
from tests.inputs import FEWER, Array

LONG = 3  # rounds of what takes seconds, at most

# Rows and classes; of the mean, and of the mean and its gradient, how many times as fast as PyTorch and as the best
# compiled peer, and the least ratio of reading the logits (and writing as much) once.
SHAPES = [
    ((4096, 32_000), (8, 1.4, 0.8), (12, 5, 0.65)),
    ((131_072, 1000), (8, 1.4, 0.8), (12, 5, 0.65)),
    ((1_048_576, 10), (15, 2.5, None), (12, 4, None)),
    ((4_194_304, 2), (15, 5, None), (15, 8, None)),
]
FRONT = (32_000, 10)  # classes that stand on the front page
BFLOAT16 = [((4096, 32_000), 1.3), ((131_072, 1000), 1.3)]  # times as fast as float32
EVERY = (131_072, 1000)  # rows and classes of every loss
EACH = 5  # times as fast as NumPy
TOKENS, FEATURES, VOCABULARY = 4096, 1024, 32_000
TOKEN_BYTES = 64  # that a score of a token may allocate
CLASSES, ELEMENTS, NEIGHBOURS = 200, 1 << 18, 0.5  # up to so many classes, in rows of so many elements in all


def of_cross_entropy(rounds: int, scale: int) -> Iterator[Row]:
    for (n, classes), value, grad in SHAPES:
        size = max(1, n // scale), classes
        what = f"`cross_entropy`, {size[0]:,} x {classes:,}"
        times = measure("cross_entropy", "value", size, ["fastloss", "numpy", "memory", "pytorch", *COMPILED],
                        rounds, SETTLE)  # fmt: skip
        for against, ratio in (
            (("pytorch",), value[0]), (COMPILED, value[1]), (("memory",), value[2]), (("numpy",), None)
        ):  # fmt: skip
            front = against == COMPILED and classes in FRONT
            yield _row(f"{what}, mean", times, "fastloss", against, ratio, front=front)
        times = measure("cross_entropy", "value_and_grad", size, ["fastloss_reused", "memory", "pytorch", *COMPILED],
                        rounds, SETTLE)  # fmt: skip
        for against, ratio in ((("pytorch",), grad[0]), (COMPILED, grad[1]), (("memory",), grad[2])):
            front = against == COMPILED and classes in FRONT
            yield _row(f"{what}, mean and grad into `grad_out`", times, "fastloss_reused", against, ratio, front=front)


def of_bfloat16(rounds: int, scale: int) -> Iterator[Row]:
    for (n, classes), ratio in BFLOAT16:
        size = max(1, n // scale), classes
        wide = workload("cross_entropy", size)
        narrow = Workload("cross_entropy", size, ml_dtypes.bfloat16)
        bind = contenders("cross_entropy", "value", limit=False)["fastloss"]
        calls = {"bfloat16": prepared(bind, narrow, "value"), "float32": prepared(bind, wide, "value")}
        what = f"`cross_entropy`, {size[0]:,} x {classes:,}, mean of bfloat16"
        yield _row(what, take_turns(calls, rounds), "bfloat16", ("float32",), ratio)


def of_every_loss(rounds: int, scale: int) -> Iterator[Row]:
    for name, cls in registry.items():
        if cls().signature.rowwise and name != "cross_entropy":
            n, classes = EVERY
            size = max(1, n // scale), FEWER.get(name, classes)
            times = measure(name, "value", size, ["fastloss", "numpy"], min(rounds, LONG))
            yield _row(f"`{name}`, {size[0]:,} x {classes:,}, mean", times, "fastloss", ("numpy",), EACH)


def of_tokens(rounds: int, scale: int) -> Iterator[Row]:
    n = max(1, TOKENS // scale)
    load = workload("cross_entropy", (n, VOCABULARY))
    what = f"`token_logprobs`, {n:,} x {VOCABULARY:,}"
    ours: Call = partial(fl.token_logprobs, load.x, load.y)
    calls = {"fastloss": ours}
    try:
        import torch
    except ImportError:
        pass
    else:
        torch.set_num_threads(load.threads)
        x, y = torch.from_numpy(load.x), torch.from_numpy(load.y)

        def log_softmax_and_gather() -> Any:
            with torch.inference_mode():
                return torch.log_softmax(x, dim=-1).gather(-1, y[:, None])[:, 0]

        np.testing.assert_allclose(ours().logprob, log_softmax_and_gather().numpy(), rtol=1e-4, atol=1e-4)
        calls["pytorch"] = log_softmax_and_gather
    times = take_turns(calls, rounds, SETTLE)
    yield _row(f"{what}, against `log_softmax` and `gather`", times, "fastloss", ("pytorch",), 8, front=True)
    tracemalloc.start()
    ours()
    used = tracemalloc.get_traced_memory()[1] / n
    tracemalloc.stop()
    yield Row(f"{what}, memory, of {TOKEN_BYTES} bytes a token", 1, TOKEN_BYTES / used, f"{used:.1f} bytes a token")


def of_linear(rounds: int, scale: int) -> Iterator[Row]:
    n = max(1, TOKENS // scale)
    what = f"`linear_cross_entropy`, {n:,} x {FEATURES:,} x {VOCABULARY:,}, value and gradients"
    arrays = _layer(n, VOCABULARY)
    calls, used = {}, {}
    for who, bind in LAYERS.items():
        try:
            calls[who] = partial(bind(), *arrays)
        except ImportError:
            continue
        used[who] = _extra_memory(who, n)
    if "pytorch" in calls:
        (value, grads), (wanted, wanted_grads) = (call() for call in calls.values())
        for mine, other in zip((value, *grads[:2]), (wanted, *wanted_grads), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-5 * float(np.abs(mine).max()))
    yield _row(what, take_turns(calls, min(rounds, LONG), SETTLE), "fastloss", ("pytorch",), 1)
    how = ", ".join(f"{who} {size / 2**20:.3g} MB" for who, size in used.items())
    less = used["pytorch"] / used["fastloss"] if "pytorch" in used else None
    yield Row(f"{what}, memory beyond the results, against pytorch", 10, less, how, front=True)


def of_numbers_of_classes(rounds: int) -> Iterator[Row]:
    loss, rng = fl.CrossEntropy(), np.random.default_rng(0)
    for work in ("value", "value_and_grad"):
        calls: dict[str, Call] = {}
        elements = {}
        for classes in range(1, CLASSES + 1):
            rows = ELEMENTS // classes
            x, y = rng.standard_normal((rows, classes), np.float32), rng.integers(0, classes, rows)
            calls[str(classes)] = (
                partial(loss, y, x) if work == "value" else partial(loss.value_and_grad, y, x, grad_out=x.copy())
            )
            elements[str(classes)] = rows * classes
        each = [median(times) / elements[who] for who, times in take_turns(calls, rounds).items()]
        ratios = [min(a / b, b / a) for a, b in itertools.pairwise(each)]
        worst = min(range(len(ratios)), key=ratios.__getitem__)
        how = ", ".join(f"{classes} classes {each[classes - 1] * 1e9:.3g} ns" for classes in (worst + 1, worst + 2))
        what = f"`cross_entropy`, {work.replace('_', ' ')}, an element, each of 1 to {CLASSES} classes"
        yield Row(f"{what}, against its neighbour", NEIGHBOURS, ratios[worst], how)


def _row(
    what: str,
    times: Times,
    ours: str,
    theirs: Sequence[str],
    at_least: float | None,
    *,
    front: bool = False,
) -> Row:
    present = [who for who in theirs if who in times]
    against = f"{'the best of ' if len(theirs) > 1 else ''}{' and '.join(theirs)}"
    limit = "of reading the logits and writing as much once" if "grad" in what else "of reading the logits once"
    name = f"{what}, {limit if 'memory' in theirs else f'against {against}'}"
    ratio = compare(times, ours, present) if present else None
    return Row.of(name, at_least, ratio, front=front)


# The linear layer and its memory ------------------------------------------------------------------


def _layer(n: int, classes: int) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((n, FEATURES), np.float32)
    weight = rng.standard_normal((classes, FEATURES), np.float32)
    weight /= np.float32(FEATURES**0.5)
    return hidden, weight, rng.integers(0, classes, n)


def _pytorch_layer() -> Callable[..., Any]:
    import torch

    torch.set_num_threads(available()[0])

    def call(hidden: Array, weight: Array, labels: Array) -> Any:
        h, w = (torch.from_numpy(array).requires_grad_() for array in (hidden, weight))
        loss = torch.nn.functional.cross_entropy(torch.nn.functional.linear(h, w), torch.from_numpy(labels))
        return loss.item(), tuple(grad.numpy() for grad in torch.autograd.grad(loss, (h, w)))

    return call


LAYERS: dict[str, Callable[[], Callable[..., Any]]] = {
    "fastloss": lambda: fl.linear_cross_entropy_value_and_grad,
    "pytorch": _pytorch_layer,
}


def _extra_memory(who: str, n: int) -> int:
    """Bytes beyond the results by which a call raises the peak of a process of its own."""
    command = [sys.executable, "-m", "benchmarks.rowwise", "--memory-of", who, "--tokens", str(n)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _print_memory(who: str, n: int) -> None:
    call, arrays = LAYERS[who](), _layer(n, VOCABULARY)
    call(*_layer(64, 100))  # libraries and threads are there before
    before = _peak_memory()
    results = call(*arrays)[1][:2]
    print(_peak_memory() - before - sum(result.nbytes for result in results))


def _peak_memory() -> int:
    """Bytes of resident memory at most; Linux's `ru_maxrss` would start from the peak of the parent process."""
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rowwise", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender (default: 7)")
    parser.add_argument("--scale", type=int, default=1, help="divide the rows by this (default: 1)")
    parser.add_argument("--only", action="append", help="a part of the table; may be given again (default: all)")
    parser.add_argument("--record", action="store_true", help="keep the results in measured.json")
    parser.add_argument("--memory-of", choices=LAYERS, help=argparse.SUPPRESS)
    parser.add_argument("--tokens", type=int, default=TOKENS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.memory_of:
        _print_memory(options.memory_of, options.tokens)
        return 0
    parts: dict[str, Callable[[], Iterator[Row]]] = {
        "cross_entropy": partial(of_cross_entropy, options.rounds, options.scale),
        "bfloat16": partial(of_bfloat16, options.rounds, options.scale),
        "tokens": partial(of_tokens, options.rounds, options.scale),
        "linear": partial(of_linear, options.rounds, options.scale),
        "every": partial(of_every_loss, options.rounds, options.scale),
        "classes": partial(of_numbers_of_classes, options.rounds),
    }
    unknown = set(options.only or ()) - parts.keys()
    if unknown:
        parser.error(f"--only is {', '.join(sorted(unknown))}, must be of {', '.join(parts)}")
    conditions = (
        f"Ratios, fastloss's below; float32 unless said, threads: {available()[0]}; medians of {options.rounds} rounds"
        f" ({LONG} of what takes seconds) in which the contenders take turns."
    )
    rows = (row for part in options.only or parts for row in parts[part]())
    return publish("rowwise", conditions, rows, keep=options.record)


if __name__ == "__main__":
    sys.exit(main())
