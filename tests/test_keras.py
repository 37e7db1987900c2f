"""Losses in Keras: its own numbers under every reduction, training, saving; on each of its backends."""

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

import fastloss as fl
from tests.support import ROOT, fresh

keras = pytest.importorskip("keras", reason="Keras is not installed: its integration is not tested")

from fastloss.integrations.keras import BACKENDS, KerasLoss  # noqa: E402

BACKEND = keras.config.backend()
training = pytest.mark.skipif(BACKEND == "numpy", reason="Keras's NumPy backend does not train; others are run below")
pytestmark = [  # of theirs, which NumPy and Python have since
    pytest.mark.filterwarnings("ignore::DeprecationWarning:keras"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),
]
REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None)

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(2, 6, 4, 3)).astype(np.float32)
LABELS = RNG.integers(0, 3, (6, 4))
SHARES = np.exp(VALUES[0]) / np.exp(VALUES[0]).sum(-1, keepdims=True)
ROWS, CLASSES = RNG.normal(size=(64, 8)).astype(np.float32), RNG.integers(0, 3, 64)

COMPARED = {
    "MeanSquaredError": (fl.SquaredError(), {}, VALUES[0]),
    "MeanAbsoluteError": (fl.AbsoluteError(), {}, VALUES[0]),
    "Huber": (fl.Huber(delta=0.7), {"delta": 0.7}, VALUES[0]),
    "LogCosh": (fl.LogCosh(), {}, VALUES[0]),
    "Hinge": (fl.Hinge(), {}, np.sign(VALUES[0])),
    "BinaryCrossentropy": (fl.BinaryCrossEntropyWithLogits(), {"from_logits": True}, VALUES[0] > 0),
    "CategoricalCrossentropy": (fl.CrossEntropy(), {"from_logits": True}, SHARES),
    "SparseCategoricalCrossentropy": (fl.CrossEntropy(), {"from_logits": True}, LABELS),
}


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", COMPARED)
def test_a_loss_that_keras_has_is_its_number(name, reduction):
    loss, parameters, y = COMPARED[name]
    ours, theirs = KerasLoss(loss, reduction=reduction), getattr(keras.losses, name)(reduction=reduction, **parameters)
    weights = (None, np.float32([0, 1, 2, 0.5, 1, 3])[:, None], np.linspace(0, 2, 24, dtype=np.float32).reshape(6, 4))
    for sample_weight in weights:
        found = keras.ops.convert_to_numpy(ours(y, VALUES[1], sample_weight=sample_weight))
        wanted = keras.ops.convert_to_numpy(theirs(y, VALUES[1], sample_weight=sample_weight))
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=1e-7)


def test_masks_are_those_of_keras():
    mask = np.arange(24).reshape(6, 4) % 3 > 0
    for reduction in REDUCTIONS:
        numbers = []
        for loss in (KerasLoss(fl.Huber(), reduction=reduction), keras.losses.Huber(reduction=reduction)):
            prediction = keras.ops.convert_to_tensor(VALUES[1])
            keras.src.backend.set_keras_mask(prediction, keras.ops.convert_to_tensor(mask))
            numbers.append(keras.ops.convert_to_numpy(loss(VALUES[0], prediction)))
        np.testing.assert_allclose(*numbers, rtol=2e-6, atol=1e-7)


def test_targets_with_an_axis_too_many_or_too_few():
    column = VALUES[1][:, 0, :1]
    for y in (column, column[:, 0]):
        assert KerasLoss(fl.SquaredError())(y, column) == 0
    assert KerasLoss(fl.SquaredError())(column, column[:, 0]) == 0
    wanted = float(np.float32(fl.CrossEntropy()(LABELS, VALUES[0])))
    for y in (LABELS, LABELS[..., None]):
        assert float(KerasLoss(fl.CrossEntropy())(y, VALUES[0])) == pytest.approx(wanted, rel=1e-6)
    pair = np.exp(VALUES[1][:, 0, :2])
    wanted = fl.GaussianNLL()(column[:, 0], pair)
    for y in (column, column[:, 0]):
        assert float(KerasLoss(fl.GaussianNLL())(y, pair)) == pytest.approx(wanted, rel=1e-6)
    wanted = fl.MultiQuantile()(column[:, 0], VALUES[0][:, 0])
    assert float(KerasLoss(fl.MultiQuantile())(column, VALUES[0][:, 0])) == pytest.approx(wanted, rel=1e-6)


def network(seed=0):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((8,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(3)])


MODES = {
    "eager": {"run_eagerly": True, "jit_compile": False},
    "graph": {"run_eagerly": False, "jit_compile": False},
    "compiled": {"jit_compile": True},
}


@training
@pytest.mark.filterwarnings("ignore::UserWarning")  # of PyTorch's compiler
@pytest.mark.parametrize("mode", MODES)
def test_training_is_that_with_the_loss_of_keras(mode):
    if mode == "compiled" and BACKEND == "tensorflow":
        pytest.skip("XLA has no calls to Python there")
    losses, weights = [], np.linspace(0, 1, 64, dtype=np.float32)
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for loss, options in ((KerasLoss(fl.CrossEntropy()), MODES[mode]), (theirs, MODES["graph"])):
        model = network()
        model.compile("adam", loss=loss, **options)
        history = model.fit(ROWS, CLASSES, 32, epochs=2, sample_weight=weights, shuffle=False, verbose=0).history
        losses.append(history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)
    assert losses[0][0] > losses[0][-1]


@training
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy):
    keras.mixed_precision.set_global_policy(policy)
    try:
        model = network()
        model.compile("adam", loss=KerasLoss(fl.CrossEntropy()), run_eagerly=BACKEND == "torch")
        history = model.fit(ROWS, CLASSES, epochs=4, batch_size=16, verbose=0).history["loss"]
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert history[0] > history[-1] > 0


@training
def test_a_model_is_saved_with_its_loss(tmp_path):
    model = network()
    loss = fl.CrossEntropy(class_weight=(1, 2, 3)) + 0.5 * fl.SoftmaxFocal(gamma=1.5)
    model.compile("adam", loss=KerasLoss(loss, reduction="sum", name="both"))
    model.fit(ROWS, CLASSES, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert (loaded.loss.loss, loaded.loss.reduction, loaded.loss.name) == (loss, "sum", "both")
    found, wanted = (one.evaluate(ROWS, CLASSES, verbose=0) for one in (loaded, model))
    assert found == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize(
    "loss",
    [
        fl.Huber(delta=2.0),
        fl.MultiQuantile(quantiles=(0.2, 0.8)),
        -1.0 * fl.Hinge() + 2.0 * fl.SquaredHinge(),
        fl.Chained(fl.SquaredError(half=True), "sigmoid"),
        fl.Dice(from_logits=True, groups="image"),
    ],
    ids=repr,
)
def test_serialization(loss):
    ours = KerasLoss(loss, reduction="sum", dtype="float64")
    config = keras.saving.serialize_keras_object(ours)
    assert config["registered_name"] == "fastloss>KerasLoss"
    back = keras.saving.deserialize_keras_object(config)
    assert (back.loss, back.reduction, back.name, back.dtype) == (loss, "sum", ours.name, "float64")


@pytest.mark.parametrize(
    ("error", "message", "make"),
    [
        (TypeError, "KerasLoss: loss is 'huber', must be a loss object", lambda: KerasLoss("huber")),
        (TypeError, "RootMean.*, must be a mean over samples", lambda: KerasLoss(fl.RootMeanSquaredError())),
        (TypeError, "TripletMargin.*, must be .* of targets and predictions", lambda: KerasLoss(fl.TripletMargin())),
        (TypeError, "Dice.*must be a mean over samples.*; groups='image' makes it one", lambda: KerasLoss(fl.Dice())),
        (TypeError, "must have groups='image'", lambda: KerasLoss(fl.Dice(groups="image_class"))),
        (ValueError, "reduction", lambda: KerasLoss(fl.Huber(), reduction="average")),
        (
            ValueError,
            "KerasLoss: dtype is 'bfloat16', must be float32 or wider for labels of classes, .* up to 256 only",
            lambda: KerasLoss(fl.CrossEntropy(), dtype="bfloat16")(LABELS, VALUES[0]),
        ),
        (ValueError, "Huber: y_true has shape", lambda: KerasLoss(fl.Huber())(VALUES[0][:3], VALUES[1])),
    ],
)
def test_refusals(error, message, make):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.skipif(BACKEND != "torch", reason="of PyTorch's automatic differentiation")
def test_what_pytorch_is_refused():
    import torch

    y, x = torch.zeros(3, 1), torch.ones(3, 1, requires_grad=True)
    with pytest.raises(
        TypeError, match=r"Huber: there is no derivative in y_true, must be constant: y_true.detach\(\)"
    ):
        KerasLoss(fl.Huber())(y.clone().requires_grad_(), x)
    (grad,) = torch.autograd.grad(KerasLoss(fl.Huber())(y, x), x, create_graph=True)
    with pytest.raises(TypeError, match="Huber: there is no second derivative"):
        torch.autograd.grad(grad.sum(), x)


def test_a_backend_that_cannot_call_python_is_refused(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "openvino")
    with pytest.raises(RuntimeError, match="KerasLoss: Keras's backend is 'openvino', must be one of 'jax', 'torch',"):
        KerasLoss(fl.Huber())


def test_without_keras_the_import_says_what_to_install():
    code = """
import sys
sys.modules["keras"] = None
try:
    import fastloss.integrations.keras
except ImportError as error:
    print(error)
"""
    assert fresh(code).startswith("fastloss.integrations.keras needs Keras 3: run `pip install '.[keras]'`")


@pytest.mark.skipif(BACKEND != "numpy", reason="this is one of them")
@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "numpy"])
def test_other_backends(backend):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: Keras's backend of it is not tested")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__],
        env=os.environ | {"KERAS_BACKEND": backend}, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
