"""
Training with Keras
===================

A third of the digits have a wrong label. Cross-entropy learns them by heart; a loss that bounds what a label can cost
does not. `KerasLoss` makes one for `compile` of any loss.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")  # or "torch"

import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import fastloss as fl
from fastloss.integrations.keras import KerasLoss

X, digits = load_digits(return_X_y=True)
X = (X / 16).astype("float32")
X, X_test, digits, digits_test = train_test_split(X, digits, random_state=0)
rng = np.random.default_rng(0)
labels = np.where(rng.random(len(digits)) < 1 / 3, rng.integers(0, 10, len(digits)), digits)


def train(loss, epochs=60):
    """The accuracy on right labels after each epoch."""
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((64,)), keras.layers.Dense(128, "relu"), keras.layers.Dense(10)])
    network.compile(keras.optimizers.Adam(0.003), KerasLoss(loss), metrics=["accuracy"])
    fitted = network.fit(X, labels, batch_size=64, epochs=epochs, validation_data=(X_test, digits_test), verbose=0)
    return fitted.history["val_accuracy"]


# %%
# Two losses
# ----------

losses = {"cross-entropy": fl.CrossEntropy(), "generalized cross-entropy": fl.GeneralizedCrossEntropy()}
accuracies = {name: train(loss) for name, loss in losses.items()}
for name, accuracy in accuracies.items():
    print(f"{name}: {accuracy[-1]:.1%} of the digits that were not seen")

# %%
# While they learn

figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
for name, accuracy in accuracies.items():
    axis.plot(np.arange(1, len(accuracy) + 1), accuracy, label=name)
axis.set(xlabel="epoch", ylabel="accuracy on right labels", ylim=(0.6, 1))
axis.legend()
plt.show()
