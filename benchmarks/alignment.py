"""Measure what losses of sequences promise, contenders taking turns.

``python -m benchmarks.alignment`` prints a Markdown table and exits with 1 where a target is missed, or with
``--record`` keeps it in `measured.json`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

import fastloss as fl
from benchmarks.record import Row, publish
from benchmarks.targets import SETTLE
from benchmarks.turns import compare, take_turns
from benchmarks.workload import Call
from fastloss._core.threads import available
from tests.inputs import Array
from tests.reference import twin

LONG = 3  # rounds of what takes seconds, at most

# Frames, sequences, classes and labels; how many times as fast as PyTorch, of value and gradient.
CTC = [((500, 64, 64, 100), 5.0), ((200, 32, 5000, 50), 8.0), ((10_000, 1, 64, 500), None)]
TRANSDUCER = [(8, 150, 30, 500), (1, 150, 30, 500)]  # sequences, frames, labels and classes
EACH = 5  # times as fast as NumPy


def of_ctc(rounds: int, scale: int) -> Iterator[Row]:
    for (frames, n, classes, labels), ratio in CTC:
        n = max(1, n // scale)
        x, y = _drawn((frames, n, classes), n, labels, classes)
        loss = fl.CTC(layout="TNC", per_label=True)  # PyTorch's mean
        calls: dict[str, Call] = {"fastloss": partial(loss.value_and_grad, y, x, grad_out=np.empty_like(x))}
        try:
            calls["pytorch"] = _pytorch_ctc(x, y)
        except ImportError:
            pass
        else:
            # In float32 its lattice is off by a tenth after 10,000 frames.
            (mine, grad), (theirs, their_grad) = calls["fastloss"](), _pytorch_ctc(x.astype(np.float64), y)()
            np.testing.assert_allclose(mine, theirs, rtol=1e-5)
            np.testing.assert_allclose(grad, their_grad, atol=1e-4 * float(np.abs(grad).max()))
        what = f"`ctc` from logits, {frames:,} frames x {n:,} x {classes:,}, {labels:,} labels, value and grad into"
        yield _against_pytorch(f"{what} `grad_out`", calls, rounds, ratio)


def of_numpy(rounds: int, scale: int) -> Iterator[Row]:
    frames, n, classes, labels = 200, max(1, 16 // scale), 64, 30
    yield _against_numpy("ctc", *_drawn((n, frames, classes), n, labels, classes), rounds)
    for n, frames, labels, classes in TRANSDUCER:
        n = max(1, n // scale)
        yield _against_numpy("transducer", *_drawn((n, frames, labels + 1, classes), n, labels, classes), rounds)


def of_threads(rounds: int, scale: int) -> Iterator[Row]:
    """One sequence, along whose lattice the threads work."""
    frames, classes, labels = 20_000 // scale, 128, 500 // scale
    x, y = _drawn((1, frames, classes), 1, labels, classes)
    room, threads = np.empty_like(x), available()[0]
    calls = {f"{k} threads": partial(fl.CTC().value_and_grad, y, x, grad_out=room, num_threads=k) for k in {1, threads}}
    what = f"`ctc` of one sequence, {frames:,} frames, {labels:,} labels, value and grad, {threads} threads against 1"
    times = take_turns(calls, rounds)
    yield Row.of(what, None, compare(times, f"{threads} threads", ["1 threads"]) if threads > 1 else None)


def _drawn(shape: tuple[int, ...], n: int, labels: int, classes: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    return rng.standard_normal(shape, np.float32), rng.integers(1, classes, (n, labels))


def _pytorch_ctc(x: Array, y: Array) -> Callable[[], Any]:
    import torch

    torch.set_num_threads(available()[0])
    logits, labels = torch.from_numpy(x).requires_grad_(), torch.from_numpy(y)
    frames, lengths = torch.full((x.shape[1],), len(x)), torch.full((len(y),), y.shape[1])

    def call() -> Any:
        logits.grad = None
        loss = torch.nn.functional.ctc_loss(logits.log_softmax(-1), labels, frames, lengths)
        loss.backward()
        assert logits.grad is not None
        return loss.item(), logits.grad.numpy()

    return call


def _against_pytorch(what: str, calls: dict[str, Call], rounds: int, ratio: float | None) -> Row:
    if "pytorch" not in calls:
        return Row.of(f"{what}, against pytorch", ratio, None, front=True)
    times = take_turns(calls, rounds, SETTLE)
    return Row.of(f"{what}, against pytorch", ratio, compare(times, "fastloss", ["pytorch"]), front=ratio is not None)


def _against_numpy(name: str, x: Array, y: Array, rounds: int) -> Row:
    loss = fl.registry[name]()
    value, gradient = twin(loss), twin(loss, "_grad")
    calls: dict[str, Call] = {
        "fastloss": partial(loss.value_and_grad, y, x, reduction="none"),
        "numpy": lambda: (value(y, x), gradient(y, x)),
    }
    for mine, other in zip(*(call() for call in calls.values()), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)
    what = f"`{name}`, {' x '.join(f'{length:,}' for length in x.shape)}, {y.shape[1]:,} labels, value and grad"
    times = take_turns(calls, min(rounds, LONG))
    return Row.of(f"{what}, against numpy", EACH, compare(times, "fastloss", ["numpy"]))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alignment", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender (default: 7)")
    parser.add_argument("--scale", type=int, default=1, help="divide the sequences by this (default: 1)")
    parser.add_argument("--only", action="append", help="a part of the table; may be given again (default: all)")
    parser.add_argument("--record", action="store_true", help="keep the results in measured.json")
    options = parser.parse_args(arguments)
    parts: dict[str, Callable[[int, int], Iterator[Row]]] = {"ctc": of_ctc, "numpy": of_numpy, "threads": of_threads}
    unknown = set(options.only or ()) - parts.keys()
    if unknown:
        parser.error(f"--only is {', '.join(sorted(unknown))}, must be of {', '.join(parts)}")
    conditions = (
        f"Ratios, fastloss's below; float32, threads: {available()[0]}; medians of {options.rounds} rounds ({LONG} of"
        " what takes seconds) in which the contenders take turns."
    )
    rows = (row for part in options.only or parts for row in parts[part](options.rounds, options.scale))
    return publish("alignment", conditions, rows, keep=options.record)


if __name__ == "__main__":
    sys.exit(main())
