"""Measure what the losses of boxes promise, contenders taking turns.

``python -m benchmarks.boxes`` prints a Markdown table and exits with 1 where a target is missed, or with ``--record``
keeps it in `measured.json`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

import fastloss as fl
from benchmarks.contenders import contenders
from benchmarks.record import Row, publish
from benchmarks.targets import SETTLE, measure
from benchmarks.turns import Times, compare, take_turns
from benchmarks.workload import Call
from fastloss import registry
from fastloss._core.threads import available
from tests.inputs import Array, family

BOXES = 4_194_304
LONG = 3  # rounds of what takes seconds, at most
VALUES = ("iou", "giou", "diou", "nwd")
OF_MEMORY = 0.5  # of the time to read the inputs once
SLOPES = (("pytorch", 40), ("torch_compile", 15), ("numpy", 30))  # times as fast, complete IoU with its gradient
EACH = 5  # times as fast as NumPy: every loss with its gradient
SETS = (8000, 2000)  # boxes of the two sets of a matrix


def of_values(rounds: int, scale: int) -> Iterator[Row]:
    n = max(1, BOXES // scale)
    for name in VALUES:
        times = measure(name, "value", 4 * n, ["fastloss", "memory"], rounds)
        what = f"`{name}`, {n:,} boxes, mean, of reading the boxes once"
        yield _row(what, times, "fastloss", "memory", OF_MEMORY, front=name == "giou")


def of_gradients(rounds: int, scale: int) -> Iterator[Row]:
    n = max(1, BOXES // scale)
    who = ["fastloss_reused", "memory", *(peer for peer, _ in SLOPES)]
    times = measure("ciou", "value_and_grad", 4 * n, who, min(rounds, 7), SETTLE)
    what = f"`ciou`, {n:,} boxes, mean and grad into `grad_out`"
    for peer, ratio in SLOPES:
        yield _row(f"{what}, against {peer}", times, "fastloss_reused", peer, ratio, front=peer == "torch_compile")
    yield _row(f"{what}, of reading the boxes and writing the gradient once", times, "fastloss_reused", "memory", None)


def of_every_loss(rounds: int, scale: int) -> Iterator[Row]:
    n = max(1, BOXES // 16 // scale)
    for name, cls in registry.items():
        if family(cls()) == "boxes":
            assert {"fastloss", "numpy"} <= contenders(name, "value_and_grad", limit=False).keys()
            sides = cls().signature.columns
            assert sides is not None
            times = measure(name, "value_and_grad", sides * n, ["fastloss", "numpy"], min(rounds, LONG))
            yield _row(f"`{name}`, {n:,} boxes, mean and grad, against numpy", times, "fastloss", "numpy", EACH)


def of_matrices(rounds: int, scale: int) -> Iterator[Row]:
    rng = np.random.default_rng(0)
    a, b = (_drawn(max(1, n // scale), rng) for n in SETS)
    out = np.empty((len(a), len(b)), np.float32)
    calls: dict[str, Call] = {"fastloss": partial(fl.box_iou, a, b, out=out), "numpy": partial(_plain, a, b)}
    np.testing.assert_allclose(calls["fastloss"](), calls["numpy"](), atol=1e-5)
    times = take_turns(calls, min(rounds, LONG))
    what = f"`box_iou`, {len(a):,} x {len(b):,}, into `out`, against numpy"
    yield _row(what, times, "fastloss", "numpy", EACH)


def _drawn(n: int, rng: np.random.Generator) -> Array:
    corner = rng.uniform(0, 600, (n, 2))
    return np.concatenate([corner, corner + rng.uniform(10, 100, (n, 2))], axis=1).astype(np.float32)


def _plain(a: Array, b: Array) -> Array:
    low, high = np.maximum(a[:, None, :2], b[:, :2]), np.minimum(a[:, None, 2:], b[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    areas = ((box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]) for box in (a, b))
    return shared / (np.add.outer(*areas) - shared)


def _row(what: str, times: Times, ours: str, theirs: str, at_least: float | None, *, front: bool = False) -> Row:
    return Row.of(what, at_least, compare(times, ours, [theirs]) if theirs in times else None, front=front)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.boxes", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="turns of each contender (default: 15)")
    parser.add_argument("--scale", type=int, default=1, help="divide the boxes by this (default: 1)")
    parser.add_argument("--only", action="append", help="a part of the table; may be given again (default: all)")
    parser.add_argument("--record", action="store_true", help="keep the results in measured.json")
    options = parser.parse_args(arguments)
    parts: dict[str, Callable[[int, int], Iterator[Row]]] = {
        "values": of_values,
        "gradients": of_gradients,
        "every": of_every_loss,
        "matrices": of_matrices,
    }
    unknown = set(options.only or ()) - parts.keys()
    if unknown:
        parser.error(f"--only is {', '.join(sorted(unknown))}, must be of {', '.join(parts)}")
    conditions = (
        f"Ratios, fastloss's below; float32, threads: {available()[0]}; medians of {options.rounds} rounds ({LONG} of"
        " what takes seconds) in which the contenders take turns."
    )
    rows = (row for part in options.only or parts for row in parts[part](options.rounds, options.scale))
    return publish("boxes", conditions, rows, keep=options.record)


if __name__ == "__main__":
    sys.exit(main())
