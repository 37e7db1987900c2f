"""Measure what losses of a batch against itself or another promise, contenders taking turns.

``python -m benchmarks.batches`` prints a Markdown table and exits with 1 where a target is missed, or with
``--record`` keeps it in `measured.json`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

import numpy as np

import fastloss as fl
from benchmarks.record import Row, publish
from benchmarks.rowwise import _peak_memory
from benchmarks.targets import SETTLE, measure
from benchmarks.turns import compare, take_turns
from fastloss import registry
from fastloss._core.threads import available
from fastloss.vectors.batches import BatchLoss
from tests.inputs import Array, draw_arrays

LONG = 3  # rounds of what takes seconds, at most
ROWS, FEATURES = 16_384, 256  # of the contrast of two batches
NUMBERS = 1 << 19  # of every loss: 4096 rows of 128
EACH = 5  # times as fast as NumPy


def of_contrast(rounds: int, scale: int) -> Iterator[Row]:
    n = max(64, ROWS // scale)
    what = f"`info_nce`, symmetric, {n:,} x {n:,} x {FEATURES}, value and both gradients"
    arrays = _batches(n)
    calls, used = {}, {}
    for who, bind in CONTRASTS.items():
        try:
            calls[who] = partial(bind(), *arrays)
        except ImportError:
            continue
        used[who] = _extra_memory(who, n)
    if "pytorch" in calls:
        (value, grads), (wanted, wanted_grads) = (call() for call in calls.values())
        for mine, other in zip((value, *grads[:2]), (wanted, *wanted_grads), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-4 * float(np.abs(mine).max()))
    times = take_turns(calls, min(rounds, LONG), SETTLE)
    ratio = compare(times, "fastloss", ["pytorch"]) if "pytorch" in calls else None
    yield Row.of(f"{what}, against pytorch", 1, ratio, front=True)
    how = ", ".join(f"{who} {size / 2**20:.4g} MB" for who, size in used.items())
    less = used["pytorch"] / used["fastloss"] if "pytorch" in used else None
    yield Row(f"{what}, memory beyond the results, against pytorch", 10, less, how, front=True)


def of_every_loss(rounds: int, scale: int) -> Iterator[Row]:
    for name, cls in registry.items():
        if issubclass(cls, BatchLoss):
            times = measure(name, "value_and_grad", NUMBERS // scale, ["fastloss", "numpy"], min(rounds, LONG), SETTLE)
            ratio = compare(times, "fastloss", ["numpy"])
            row = Row.of(
                f"`{name}`, a batch of {NUMBERS // scale:,} numbers, value and grad, against numpy", EACH, ratio
            )
            yield replace(
                row, how=f"{row.how}; products alone {of_products(cls(), NUMBERS // scale, min(rounds, LONG)):.3g} ms"
            )


def of_products(loss: BatchLoss, numbers: int, rounds: int) -> float:
    """Milliseconds for the products of matrices that a value and its gradients are made of: of BLAS, as NumPy's."""
    rows = [a for a in draw_arrays(loss, numbers, np.float32, np.random.default_rng(0)) if np.ndim(a) == 2]
    # Some compare features. A copy, or NumPy would multiply an array by itself another way.
    left, right = (
        np.array(a.T if isinstance(loss, (fl.BarlowTwins, fl.VICReg)) else a, order="C") for a in (rows[0], rows[-1])
    )
    similarities = np.empty((len(left), len(right)), np.float32)

    def call() -> None:
        np.matmul(left, right.T, out=similarities)
        np.matmul(similarities, right)
        np.matmul(similarities.T, left)

    return 1e3 * median(take_turns({"products": call}, rounds, SETTLE)["products"])


# The contrast of two batches and its memory -----------------------------------------------------------


def _batches(n: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    left = rng.standard_normal((n, FEATURES), np.float32)
    return left, left + 2 * rng.standard_normal((n, FEATURES), np.float32)


def _pytorch_contrast() -> Callable[..., Any]:
    import torch

    torch.set_num_threads(available()[0])
    F = torch.nn.functional

    def call(left: Array, right: Array) -> Any:
        a, b = (torch.from_numpy(array).requires_grad_() for array in (left, right))
        scores = F.normalize(a) @ F.normalize(b).T / 0.07
        own = torch.arange(len(a))
        loss = (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2
        return loss.item(), tuple(grad.numpy() for grad in torch.autograd.grad(loss, (a, b)))

    return call


CONTRASTS: dict[str, Callable[[], Callable[..., Any]]] = {
    "fastloss": lambda: fl.InfoNCE(symmetric=True).value_and_grad,
    "pytorch": _pytorch_contrast,
}


def _extra_memory(who: str, n: int) -> int:
    """Bytes beyond the results by which a call raises the peak of a process of its own."""
    command = [sys.executable, "-m", "benchmarks.batches", "--memory-of", who, "--of-rows", str(n)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _print_memory(who: str, n: int) -> None:
    call, arrays = CONTRASTS[who](), _batches(n)
    call(*_batches(64))  # libraries and threads are there before
    before = _peak_memory()
    results = call(*arrays)[1][:2]
    print(_peak_memory() - before - sum(result.nbytes for result in results))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batches", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender (default: 7)")
    parser.add_argument("--scale", type=int, default=1, help="divide the sizes by this (default: 1)")
    parser.add_argument("--only", action="append", help="a part of the table; may be given again (default: all)")
    parser.add_argument("--record", action="store_true", help="keep the results in measured.json")
    parser.add_argument("--memory-of", choices=CONTRASTS, help=argparse.SUPPRESS)
    parser.add_argument("--of-rows", type=int, default=ROWS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.memory_of:
        _print_memory(options.memory_of, options.of_rows)
        return 0
    parts: dict[str, Callable[[], Iterator[Row]]] = {
        "contrast": partial(of_contrast, options.rounds, options.scale),
        "every": partial(of_every_loss, options.rounds, options.scale),
    }
    unknown = set(options.only or ()) - parts.keys()
    if unknown:
        parser.error(f"--only is {', '.join(sorted(unknown))}, must be of {', '.join(parts)}")
    conditions = (
        f"Ratios, fastloss's below; float32, threads: {available()[0]}; medians of {options.rounds} rounds"
        f" ({LONG} of what takes seconds) in which the contenders take turns."
    )
    rows = (row for part in options.only or parts for row in parts[part]())
    return publish("batches", conditions, rows, keep=options.record)


if __name__ == "__main__":
    sys.exit(main())
