"""
Few pixels of a photograph
==========================

Segment a photograph: which pixels are the flower, with losses of pixels and with losses of regions.

scikit-learn brings a photograph of a flower. What is to be found is a small part of it, its red heart, which is
there by its colour; the model sees no colour, but the brightness of what surrounds each pixel at several scales. It
is linear, and trained by gradient descent with each loss from the same start. Where few pixels are of the region,
cross-entropy prefers to find none; losses of regions ask for the overlap itself.

``python examples/segmentation.py [FILE]`` writes to ``segmentation.png`` unless told otherwise.
"""

from __future__ import annotations

import sys

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude
from sklearn.datasets import load_sample_image
from threadpoolctl import threadpool_limits

import fastloss as fl
from fastloss import Loss

SCALES = (1, 2, 4, 8, 16)
STEPS, RATE = 150, 0.2
LOSSES: dict[str, Loss] = {
    "cross-entropy": fl.BinaryCrossEntropyWithLogits(),
    "Dice": fl.Dice(from_logits=True),
    "Lovasz hinge": fl.LovaszHinge(),
}


def picture() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The photograph, the mask of what is to be found, and what the model sees of each pixel."""
    image = load_sample_image("flower.jpg")[::2, ::2] / 255.0
    red, green, _ = np.moveaxis(image, -1, 0)
    mask = gaussian_filter((red - green > 0.45).astype(float), 3) > 0.5
    gray = image.mean(axis=-1)
    seen = [gray, *(gaussian_filter(gray, scale) for scale in SCALES)]
    seen += [gaussian_gradient_magnitude(gray, scale) for scale in SCALES]
    seen += [a * b for k, a in enumerate(seen) for b in seen[k:]]
    features = np.stack([(a - a.mean()) / a.std() for a in seen], axis=-1)
    return image, mask, np.concatenate([features, np.ones((*mask.shape, 1))], axis=-1).astype(np.float32)


def learn(loss: Loss, mask: np.ndarray, features: np.ndarray) -> np.ndarray:
    """The logits of all pixels after training by Adam."""
    weight = np.zeros(features.shape[-1], np.float32)
    mean, square = np.zeros_like(weight), np.zeros_like(weight)
    for step in range(1, STEPS + 1):
        logits = features @ weight
        grad = np.tensordot(loss.grad(mask[np.newaxis], logits[np.newaxis])[0], features, 2)
        mean += 0.1 * (grad - mean)
        square += 0.01 * (grad**2 - square)
        weight -= RATE * np.sqrt(1 - 0.99**step) / (1 - 0.9**step) * mean / (np.sqrt(square) + 1e-12)
    return features @ weight


def plot(file: str) -> None:
    image, mask, features = picture()
    print(f"{mask.mean():.4f} of the pixels are of the region")
    figure, axes = plt.subplots(1, 1 + len(LOSSES), figsize=(14, 3), layout="constrained")
    axes[0].imshow(image)
    axes[0].contour(mask, [0.5], colors="cyan", linewidths=1)
    axes[0].set(title="photograph, and what is to be found")
    for axis, (name, loss) in zip(axes[1:], LOSSES.items(), strict=True):
        found = learn(loss, mask, features) > 0
        overlap = (found & mask).sum() / max(1, (found | mask).sum())
        print(f"{name}: {overlap:.3f} is the intersection over the union")
        axis.imshow(image.mean(axis=-1), cmap="gray")
        axis.imshow(np.where(found, 1.0, np.nan), cmap="autumn", alpha=0.6)
        axis.contour(mask, [0.5], colors="cyan", linewidths=1)
        axis.set(title=f"{name}: IoU {overlap:.2f}")
    for axis in axes:
        axis.set(xticks=[], yticks=[])
    figure.savefig(file)
    print(f"wrote {file}")


if __name__ == "__main__":
    with threadpool_limits(1):
        plot(sys.argv[1] if len(sys.argv) > 1 else "segmentation.png")
