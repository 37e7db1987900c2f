"""Measure what losses of regions promise, contenders taking turns.

``python -m benchmarks.regions`` prints a Markdown table and exits with 1 where a target is missed, or with
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
from benchmarks.contenders import contenders, prepared
from benchmarks.record import Row, publish
from benchmarks.targets import SETTLE
from benchmarks.turns import compare, take_turns
from benchmarks.workload import Call, workload
from fastloss import registry
from fastloss._core.threads import available
from tests.inputs import Array, family
from tests.reference import twin

LONG = 3  # rounds of what takes seconds, at most
IMAGES, SIDE = 16, 1024
CLASSES, BATCH, WIDTH = 20, 4, 512
EVERY = 1 << 22  # predicted numbers of every loss
EACH = 5  # times as fast as NumPy

# Of masks from logits: at least so much of the memory's bandwidth, and times as fast as torch.compile and PyTorch.
OF_MASKS = {"value": (0.7, 1.8, None), "value and grad": (0.6, 2, 4)}

Differentiated = Callable[[Any, Any], Any]  # the loss of a batch, of PyTorch's tensors


def _sums(y: Any, x: Any, axes: tuple[int, ...]) -> tuple[Any, Any, Any]:
    p = x.sigmoid()
    found = (p * y).sum(axes)
    return found, p.sum(axes) - found, y.sum(axes) - found


def _dice(y: Any, x: Any) -> Any:
    tp, fp, fn = _sums(y, x, (1, 2))
    return (1 - (2 * tp + 1e-7) / (2 * tp + fp + fn + 1e-7)).mean()


def _tversky(y: Any, x: Any) -> Any:
    tp, fp, fn = _sums(y, x, (1, 2))
    return (1 - (tp + 1e-7) / (tp + 0.3 * fp + 0.7 * fn + 1e-7)).mean()


def _softmax_dice(y: Any, x: Any) -> Any:
    import torch

    p = x.softmax(1)
    t = torch.nn.functional.one_hot(y, x.shape[1]).movedim(-1, 1).to(p.dtype)
    return (1 - (2 * (p * t).sum((2, 3)) + 1e-7) / (p.sum((2, 3)) + t.sum((2, 3)) + 1e-7)).mean()


def _lovasz(y: Any, x: Any) -> Any:
    """Class for class, as its authors have it."""
    import torch

    p, losses = x.softmax(1), []
    for k in range(x.shape[1]):
        inside = (y == k).to(p.dtype).flatten()
        errors, order = torch.sort((inside - p[:, k].flatten()).abs(), 0, descending=True)
        inside = inside[order]
        loss = 1 - (inside.sum() - inside.cumsum(0)) / (inside.sum() + (1 - inside).cumsum(0))
        losses.append(torch.dot(errors, torch.cat([loss[:1], loss[1:] - loss[:-1]])))
    return torch.stack(losses).mean()


def _pytorch(differentiated: Differentiated, y: Array, x: Array, grad: bool, compiled: bool) -> Call:
    import torch

    torch.set_num_threads(available()[0])
    targets, logits = torch.from_numpy(y), torch.from_numpy(x).requires_grad_(grad)
    loss = torch.compile(differentiated) if compiled else differentiated

    def value() -> Any:
        with torch.inference_mode():
            return loss(targets, logits).item()

    def value_and_grad() -> Any:
        found = loss(targets, logits)
        return found.item(), torch.autograd.grad(found, logits)[0].numpy()

    return value_and_grad if grad else value


def _calls(
    loss: Any, differentiated: Differentiated, y: Array, x: Array, work: str, *, compiled: bool, apart: float = 1e-3
) -> dict[str, Call]:
    """Ours first, and those of PyTorch that agree with it, whose gradient is at most so far `apart`."""
    grad = work != "value"
    ours = partial(loss.value_and_grad, y, x, grad_out=np.empty_like(x)) if grad else partial(loss, y, x)
    calls: dict[str, Call] = {"fastloss": ours}
    wanted = ours()
    for who, with_compiler in {"pytorch": False, "torch_compile": True}.items():
        if with_compiler and not compiled:
            continue
        try:
            call = _pytorch(differentiated, y, x, grad, with_compiler)
            found = call()
        except (ImportError, RuntimeError):
            continue
        np.testing.assert_allclose(found[0] if grad else found, wanted[0] if grad else wanted, rtol=1e-4)
        if grad:
            error, norm = (np.linalg.norm(v.ravel()) for v in (found[1] - wanted[1], wanted[1]))
            assert error <= apart * norm, f"{who}: its gradient is off by {error:.2g}, where the norm is {norm:.2g}"
        calls[who] = call
    return calls


def of_masks(rounds: int, scale: int) -> Iterator[Row]:
    rng = np.random.default_rng(0)
    shape = IMAGES, max(8, SIDE // scale), SIDE
    x = 2 * rng.standard_normal(shape, np.float32)
    y = (rng.random(shape, np.float32) < 0.3).astype(np.float32)
    losses: dict[str, tuple[Any, Differentiated]] = {
        "dice": (fl.Dice(from_logits=True, groups="image"), _dice),
        "tversky": (fl.Tversky(alpha=0.3, beta=0.7, from_logits=True, groups="image"), _tversky),
    }
    threads = available()[0]
    to = bandwidth.aligned_like(x)
    memory = {
        "value": partial(bandwidth.read, y.ravel(), x.ravel(), threads),
        "value and grad": partial(bandwidth.read_and_write, y.ravel(), x.ravel(), to.reshape(-1), threads),
    }
    for name, (loss, differentiated) in losses.items():
        for work, (of_memory, of_compiled, of_eager) in OF_MASKS.items():
            calls = _calls(loss, differentiated, y, x, work, compiled=True) | {"memory": memory[work]}
            times = take_turns(calls, rounds, SETTLE)
            what = f"`{name}` of logits, {' x '.join(map(str, shape))}, {work}"
            for who, least in (("memory", of_memory), ("torch_compile", of_compiled), ("pytorch", of_eager)):
                against = "of reading and writing once" if who == "memory" else f"against {who}"
                ratio = compare(times, "fastloss", [who]) if who in times else None
                yield Row.of(f"{what}, {against}", least, ratio, front=who == "torch_compile" and name == "dice")


def of_classes(rounds: int, scale: int) -> Iterator[Row]:
    rng = np.random.default_rng(0)
    shape = BATCH, CLASSES, max(8, WIDTH // scale), WIDTH
    x, y = 2 * rng.standard_normal(shape, np.float32), rng.integers(0, CLASSES, (BATCH, *shape[2:]))
    what = f"{' x '.join(map(str, shape))}, value and grad"
    dice = fl.Dice(mode="multiclass", from_logits=True, groups="image_class")
    times = take_turns(_calls(dice, _softmax_dice, y, x, "value and grad", compiled=True), rounds, SETTLE)
    for who, least in (("pytorch", 8), ("torch_compile", 4)):
        ratio = compare(times, "fastloss", [who]) if who in times else None
        yield Row.of(f"`dice` of a softmax, {what}, against {who}", least, ratio, front=who == "torch_compile")
    lovasz = fl.LovaszSoftmax(from_logits=True)
    # PyTorch's growth of the Jaccard loss is a difference of float32 numbers, of which little is left.
    calls = _calls(lovasz, _lovasz, y, x, "value and grad", compiled=False, apart=0.2)
    value, grad = twin(lovasz), twin(lovasz, "_grad")
    calls["numpy"] = lambda: (value(y, x), grad(y, x))
    times = take_turns(calls, min(rounds, LONG), SETTLE)
    for who in ("pytorch", "numpy"):
        ratio = compare(times, "fastloss", [who]) if who in times else None
        yield Row.of(f"`lovasz_softmax`, {what}, against {who}", 3, ratio, front=who == "pytorch")


def of_every_loss(rounds: int, scale: int) -> Iterator[Row]:
    for name, cls in registry.items():
        if family(cls()) == "regions":
            load = workload(name, max(4096, EVERY // scale))
            bind = contenders(name, "value_and_grad", limit=False, others=False)
            calls = {who: prepared(bind[who], load, "value_and_grad") for who in ("fastloss_reused", "numpy")}
            ratio = compare(take_turns(calls, min(rounds, LONG)), "fastloss_reused", ["numpy"])
            yield Row.of(f"`{name}`, {load.x.size:,} predictions, value and grad, against numpy", EACH, ratio)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regions", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender (default: 7)")
    parser.add_argument("--scale", type=int, default=1, help="divide the sizes by this (default: 1)")
    parser.add_argument("--only", action="append", help="a part of the table; may be given again (default: all)")
    parser.add_argument("--record", action="store_true", help="keep the results in measured.json")
    options = parser.parse_args(arguments)
    parts = {
        "masks": partial(of_masks, options.rounds, options.scale),
        "classes": partial(of_classes, options.rounds, options.scale),
        "every": partial(of_every_loss, options.rounds, options.scale),
    }
    unknown = set(options.only or ()) - parts.keys()
    if unknown:
        parser.error(f"--only is {', '.join(sorted(unknown))}, must be of {', '.join(parts)}")
    conditions = (
        f"Ratios, fastloss's below; float32, masks too, threads: {available()[0]}; medians of {options.rounds} rounds"
        f" ({LONG} of what takes seconds) in which the contenders take turns, gradients into `grad_out`."
    )
    rows = (row for part in options.only or parts for row in parts[part]())
    return publish("regions", conditions, rows, keep=options.record)


if __name__ == "__main__":
    sys.exit(main())
