"""Measure losses of PyTorch's tensors, forward and backward through autograd, contenders taking turns.

``python -m benchmarks.tensors`` prints a Markdown table and exits with 1 where a target is missed, or with ``--record``
keeps it in `measured.json`. The names are those of `torch.nn.functional`, on both sides.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.record import Row, publish
from benchmarks.targets import SETTLE
from benchmarks.turns import compare, take_turns
from benchmarks.workload import Call, LeftOut
from fastloss._core.threads import available

FEW = 100  # elements of a loss that takes no time itself

# The function, the shape of the predictions, and how many times as fast as PyTorch and torch.compile it must be.
CASES: tuple[tuple[str, tuple[int, ...], float, float | None], ...] = (
    ("cross_entropy", (4096, 32_000), 8, 3),
    ("binary_cross_entropy_with_logits", (1 << 24,), 6, 2),
    ("mse_loss", (FEW,), 0.5, None),
)


def _arrays(name: str, shape: tuple[int, ...]) -> tuple[Any, Any]:
    import torch

    rng = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=rng).requires_grad_()
    if name == "cross_entropy":
        return x, torch.randint(shape[1], shape[:1], generator=rng)
    return x, torch.rand(shape, generator=rng)


def calls(name: str, shape: tuple[int, ...], *, compiled: bool) -> dict[str, Call]:
    """Who computes a loss and its gradient, ours first; they agree."""
    try:
        import torch
        from torch.nn import functional as theirs
    except ImportError as error:
        raise LeftOut("PyTorch is not installed") from error
    from fastloss.integrations.torch import functional as ours

    torch.set_num_threads(available()[0])
    x, y = _arrays(name, shape)
    losses = {"fastloss": getattr(ours, name), "pytorch": getattr(theirs, name)}
    if compiled:
        torch.compiler.reset()
        losses["torch_compile"] = torch.compile(getattr(theirs, name), dynamic=False)

    def step(loss: Any) -> Any:
        x.grad = None
        value = loss(x, y)
        value.backward()
        return value

    wanted = None
    for who, loss in losses.items():
        found = step(loss).item(), x.grad.clone()
        wanted = wanted or found
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4 * float(wanted[1].abs().max()), msg=who)
    return {who: lambda loss=loss: step(loss) for who, loss in losses.items()}  # type: ignore[misc]


def rows(rounds: int, scale: int = 1) -> Iterator[Row]:
    for name, shape, eager, compiled in CASES:
        made = (max(1, shape[0] // scale), *shape[1:])
        what = f"`{name}`, {' x '.join(f'{n:,}' for n in made)}, forward and backward"
        try:
            times = take_turns(calls(name, made, compiled=compiled is not None), rounds, SETTLE)
        except LeftOut as reason:
            yield Row(f"{what}, against pytorch", eager, None, f"left out: {reason}")
            continue
        for who, least in (("pytorch", eager), ("torch_compile", compiled)):
            if who in times:
                yield Row.of(f"{what}, against {who}", least, compare(times, "fastloss", [who]), front=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tensors", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="turns of each contender (default: 9)")
    parser.add_argument("--scale", type=int, default=1, help="divides the sizes (default: 1)")
    parser.add_argument("--record", action="store_true", help="keep the results in measured.json")
    options = parser.parse_args(arguments)
    conditions = (
        f"Ratios of times, fastloss's below; float32, threads: {available()[0]}; medians of {options.rounds} rounds in"
        " which the contenders take turns."
    )
    return publish("tensors", conditions, rows(options.rounds, options.scale), keep=options.record)


if __name__ == "__main__":
    sys.exit(main())
