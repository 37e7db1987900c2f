"""
How a box finds its target
==========================

How a box finds its target under each loss of boxes: the paths of gradient descent, drawn.

A box starts far from its target, smaller and of another shape, and descends the gradient of one loss. Plain IoU has no
gradient where boxes do not meet; GIoU grows the box until they do; DIoU and its relatives move the centre.

``python examples/boxes.py [FILE]`` writes to ``boxes.png`` unless told otherwise.
"""

from __future__ import annotations

import sys

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from threadpoolctl import threadpool_limits

import fastloss as fl
from fastloss import Loss

TARGET = np.array([6.0, 5.0, 9.0, 9.0])
START = np.array([0.0, 0.0, 3.0, 1.5])
STEPS, RATE = 600, 0.05
LOSSES: dict[str, Loss] = {
    "IoU": fl.IoU(),
    "GIoU": fl.GIoU(),
    "DIoU": fl.DIoU(),
    "CIoU": fl.CIoU(),
    "EIoU": fl.EIoU(),
    "SIoU": fl.SIoU(),
    "MPDIoU": fl.MPDIoU(width=10.0, height=10.0),
    "NWD": fl.NWD(constant=4.0),
}


def descend(loss: Loss) -> np.ndarray:
    """The boxes of all steps, whose length is the same whatever the gradient's is."""
    path = np.empty((STEPS + 1, 4))
    path[0] = START
    for step in range(STEPS):
        grad = loss.grad(TARGET, path[step])
        length = np.abs(grad).max()
        rate = RATE * min(1.0, 2 - 2 * step / STEPS)
        path[step + 1] = path[step] - (rate * grad / length if length else 0.0)
    return path


def plot(file: str) -> None:
    figure, axes = plt.subplots(2, 4, figsize=(13, 6.6), layout="constrained")
    for axis, (name, loss) in zip(axes.flat, LOSSES.items(), strict=True):
        path = descend(loss)
        overlap = 1 - fl.iou(TARGET, path[-1])
        print(f"{name}: overlaps its target by {overlap:.3f} after {STEPS} steps")
        for k, (x1, y1, x2, y2) in enumerate(path[:: STEPS // 12]):
            box = Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, color=plt.cm.viridis(k / 12), lw=1)
            axis.add_patch(box)
        x1, y1, x2, y2 = TARGET
        axis.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, color="red", lw=2))
        axis.plot(path[:, [0, 2]].mean(axis=1), path[:, [1, 3]].mean(axis=1), color="gray", lw=1)
        axis.set(title=f"{name}: IoU {overlap:.2f} at last", xlim=(-2, 11), ylim=(-2, 11), aspect="equal")
        axis.set(xticks=[], yticks=[])
    figure.savefig(file)
    print(f"wrote {file}")


if __name__ == "__main__":
    with threadpool_limits(1):
        plot(sys.argv[1] if len(sys.argv) > 1 else "boxes.png")
