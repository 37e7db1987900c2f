"""Measure what losses of vectors promise, contenders taking turns.

``python -m benchmarks.vectors`` prints a Markdown table and exits with 1 where a target is missed, or with
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
from benchmarks import bandwidth
from benchmarks.record import Row, publish
from benchmarks.targets import SETTLE, measure
from benchmarks.turns import compare, take_turns
from benchmarks.workload import Call, LeftOut
from fastloss import registry
from fastloss._core.threads import available
from fastloss.vectors.vectors import VectorLoss
from tests.inputs import Array

LONG = 3  # rounds of what takes seconds, at most
TUPLES, FEATURES = 1 << 20, 128
EVERY, EACH = 1 << 24, 5  # predicted numbers of every loss, and times as fast as NumPy

LOSSES: dict[str, VectorLoss] = {
    "cosine_embedding": fl.CosineEmbedding(),
    "contrastive": fl.Contrastive(margin=20.0),  # of vectors that are about 16 apart
    "triplet_margin": fl.TripletMargin(),
}
# Times as fast as memory allows, of a value and of value and gradients; as PyTorch, and as what its compiler makes.
OF_MEMORY, EAGER, COMPILED = (0.8, 0.65), 15, 5


def drawn(loss: VectorLoss, tuples: int) -> list[Array]:
    rng = np.random.default_rng(0)
    rows = [rng.standard_normal((tuples, FEATURES), np.float32) for _ in loss.signature.predictions]
    return [rng.choice(np.array([-1, 1], np.int64), tuples)] * len(loss.signature.targets) + rows


def limits(rows: Sequence[Array]) -> tuple[Call, Call]:
    """Reading these arrays once; and writing as much past the caches."""
    flat, threads = [row.reshape(-1) for row in rows], available()[0]
    outputs, nothing = [bandwidth.aligned_like(row) for row in flat], np.empty(0, np.float32)

    def read() -> float:
        return sum(bandwidth.read(nothing, row, threads) for row in flat)

    def read_and_write() -> float:
        pairs = zip(flat, outputs, strict=True)
        return sum(bandwidth.read_and_write(nothing, row, out, threads) for row, out in pairs)

    return read, read_and_write


def of_pytorch(name: str, arrays: Sequence[Array], *, compiled: bool) -> Callable[[], tuple[float, list[Array]]]:
    """Value and gradients in PyTorch."""
    import torch
    from torch.nn import functional as F

    torch.set_num_threads(available()[0])
    tensors = [torch.from_numpy(array) for array in arrays]
    rows = [tensor.requires_grad_() for tensor in tensors if tensor.is_floating_point()]

    def contrastive(y: Any, a: Any, b: Any) -> Any:
        d = F.pairwise_distance(a, b, eps=0)
        return torch.where(y > 0, d.square(), torch.relu(20 - d).square()).mean()

    functions: dict[str, Callable[..., Any]] = {
        "cosine_embedding": lambda y, a, b: F.cosine_embedding_loss(a, b, y),
        "contrastive": contrastive,
        "triplet_margin": F.triplet_margin_loss,
    }
    function = torch.compile(functions[name]) if compiled else functions[name]

    def call() -> tuple[float, list[Array]]:
        value = function(*tensors)
        return value.item(), [grad.numpy() for grad in torch.autograd.grad(value, rows)]

    return call


def of_one(name: str, rounds: int, scale: int) -> Iterator[Row]:
    loss, tuples = LOSSES[name], max(1, TUPLES // scale)
    arrays = drawn(loss, tuples)
    rows = arrays[len(loss.signature.targets) :]
    ours = partial(loss.value_and_grad, *arrays, grad_out=tuple(np.empty_like(row) for row in rows))
    value: Call = partial(loss, *arrays)
    what = f"`{name}`, {tuples:,} x {FEATURES}"
    try:
        read, read_and_write = limits(rows)
        read()
    except LeftOut as reason:
        print(f"{name}: memory is left out: {reason}", file=sys.stderr)
    else:
        times = take_turns({"fastloss": value, "memory": read}, rounds, SETTLE)
        yield Row.of(f"{what}, mean, of reading all once", OF_MEMORY[0], compare(times, "fastloss", ["memory"]))
        times = take_turns({"fastloss": ours, "memory": read_and_write}, rounds, SETTLE)
        ratio = compare(times, "fastloss", ["memory"])
        yield Row.of(f"{what}, mean and gradients, of reading and writing all once", OF_MEMORY[1], ratio, front=True)
    for peer, at_least in (("pytorch", EAGER), ("torch_compile", COMPILED)):
        ratio = None
        try:
            theirs = of_pytorch(name, arrays, compiled=peer == "torch_compile")
        except ImportError:
            print(f"{name}: {peer} is left out: it is not installed", file=sys.stderr)
        else:
            (mine, grads), (wanted, wanted_grads) = ours(), theirs()
            np.testing.assert_allclose(mine, wanted, rtol=1e-4)
            for grad, other in zip(grads, wanted_grads, strict=True):
                apart = np.abs(grad - other).max(axis=-1) > 1e-4 * np.abs(other).max()
                assert apart.mean() <= 1e-5  # a tuple at a kink is not for all on the same side
            times = take_turns({"fastloss": ours, peer: theirs}, min(rounds, LONG), SETTLE)
            ratio = compare(times, "fastloss", [peer])
        yield Row.of(f"{what}, mean and gradients, against {peer}", at_least, ratio, front=True)


def of_every_loss(rounds: int, scale: int) -> Iterator[Row]:
    for name, cls in registry.items():
        if issubclass(cls, VectorLoss):
            size = max(1, EVERY // scale)
            times = measure(name, "value_and_grad", size, ["fastloss_reused", "numpy"], min(rounds, LONG))
            ratio = compare(times, "fastloss_reused", ["numpy"])
            yield Row.of(f"`{name}`, {size:,} numbers, mean and gradients, against numpy", EACH, ratio)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vectors", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender (default: 7)")
    parser.add_argument("--scale", type=int, default=1, help="divide the vectors by this (default: 1)")
    parser.add_argument("--only", action="append", help="a part of the table; may be given again (default: all)")
    parser.add_argument("--record", action="store_true", help="keep the results in measured.json")
    options = parser.parse_args(arguments)
    parts: dict[str, Callable[[], Iterator[Row]]] = {
        name: partial(of_one, name, options.rounds, options.scale) for name in LOSSES
    }
    parts["every"] = partial(of_every_loss, options.rounds, options.scale)
    unknown = set(options.only or ()) - parts.keys()
    if unknown:
        parser.error(f"--only is {', '.join(sorted(unknown))}, must be of {', '.join(parts)}")
    conditions = (
        f"Ratios, fastloss's below; float32, threads: {available()[0]}; medians of {options.rounds} rounds ({LONG} of"
        " what takes seconds) in which the contenders take turns. Gradients are written into `grad_out`."
    )
    rows = (row for part in options.only or parts for row in parts[part]())
    return publish("vectors", conditions, rows, keep=options.record)


if __name__ == "__main__":
    sys.exit(main())
