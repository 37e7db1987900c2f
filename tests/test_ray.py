"""States and losses of datasets of Ray."""

import logging
import os

import numpy as np
import pytest

import fastloss as fl
from tests.support import fresh, generator

pytest.importorskip("ray", reason="Ray is not installed")
pytest.importorskip("pyarrow")
import pandas
import pyarrow
import ray
import ray.data

from fastloss.integrations.ray import StateAggregate, add_losses

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Ray's own names, where it uses them itself
    pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning"),  # JAX's, if other tests imported it
]
N = 500
LOGITS = ["p0", "p1", "p2"]


@pytest.fixture(scope="module", autouse=True)
def processes():
    """Two worker processes, and no progress of theirs."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # or it warns of a default that will change
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    logging.getLogger("ray.data").setLevel("ERROR")
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars, context.execution_options.preserve_order = False, True
    yield
    ray.shutdown()


def table():
    rng = generator("ray")
    columns = {"y": rng.standard_normal(N), "p": rng.standard_normal(N), "w": rng.random(N)}
    columns |= {"label": rng.integers(0, 3, N), "site": rng.choice(["a", "b", "c"], N), "day": rng.integers(0, 4, N)}
    return pandas.DataFrame(columns | {name: rng.standard_normal(N).astype(np.float32) for name in LOGITS})


def dataset():
    return ray.data.from_arrow([pyarrow.table(table()[k : k + 73]) for k in range(0, N, 73)])


def test_states():
    local = table()
    found = dataset().aggregate(
        StateAggregate(fl.Huber(), y_true="y", y_pred="p", weight="w", alias_name="huber"),
        StateAggregate(fl.CrossEntropy(), y_true="label", y_pred=LOGITS),
    )
    wanted = fl.Huber().state(local.y, local.p, sample_weight=local.w)
    assert (found["huber"].count, found["huber"].mean) == (N, pytest.approx(wanted.mean, rel=1e-15))
    assert found["huber"].standard_error == pytest.approx(wanted.standard_error)
    assert found["state"].mean == pytest.approx(fl.CrossEntropy()(local.label, local[LOGITS]), rel=1e-15)


def test_a_table_of_groups():
    local = table()
    found = dataset().aggregate(StateAggregate(fl.Huber(), y_true="y", y_pred="p", groups=["site", "day"]))["state"]
    wanted = fl.Huber().states(local.y, local.p, groups=local[["site", "day"]])
    assert (found.names, found.labels) == (wanted.names, wanted.labels)
    np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-14)


def test_a_state_for_each_key():
    local = table()
    by_site = dataset().groupby("site").aggregate(StateAggregate(fl.Huber(), y_true="y", y_pred="p", weight="w"))
    wanted = fl.Huber().states(local.y, local.p, groups=local.site, sample_weight=local.w)
    found = {row["site"]: row["state"] for row in by_site.take_all()}
    assert {site: state.count for site, state in found.items()} == {site: s.count for site, s in wanted.items()}
    for site, state in found.items():
        assert state.mean == pytest.approx(wanted[site].mean, rel=1e-15)


def test_nulls_are_left_out():
    y = pyarrow.array([1.0, None, 3.0, 4.0])
    data = ray.data.from_arrow(pyarrow.table({"y": y, "p": [0.0, 0.0, 0.0, 0.0]}))
    found = data.aggregate(StateAggregate(fl.AbsoluteError(), y_true="y", y_pred="p", null_policy="omit"))["state"]
    assert (found.count, found.mean) == (3, pytest.approx(8 / 3))


def test_losses_and_gradients_of_each_example():
    local = table()
    add = add_losses(fl.Huber(), y_true="y", y_pred="p", weight="w", outputs=["loss", "grad", "hess"])
    found = dataset().map_batches(add, batch_format="pyarrow", batch_size=None).to_pandas()
    assert list(found.columns) == [*local.columns, "loss", "grad", "hess"]
    np.testing.assert_array_equal(found["y"], local["y"])
    options = {"sample_weight": local.w, "reduction": "none"}
    np.testing.assert_array_equal(found["loss"], fl.Huber()(local.y, local.p, **options))
    for name, wanted in zip(("grad", "hess"), fl.Huber().grad_and_hess(local.y, local.p, **options), strict=True):
        np.testing.assert_array_equal(found[name], wanted)


def test_tensors_are_rows_of_logits():
    local = table()
    logits, label = local[LOGITS].to_numpy(), local["label"].to_numpy()
    data = ray.data.from_items([{"x": x, "label": y} for x, y in zip(logits, label, strict=True)])
    state = data.aggregate(StateAggregate(fl.CrossEntropy(), y_true="label", y_pred="x"))["state"]
    assert state.mean == pytest.approx(fl.CrossEntropy()(label, logits), rel=1e-15)
    add = add_losses(fl.CrossEntropy(), y_true="label", y_pred="x", outputs="grad")
    grad = data.map_batches(add, batch_format="pyarrow", batch_size=None).to_pandas()["grad"]
    np.testing.assert_array_equal(np.stack(grad), fl.CrossEntropy().grad(label, logits, reduction="sum"))


def test_blocks_without_rows():
    kept = dataset().filter(expr="y > 2")
    local = table()
    local = local[local.y > 2]
    assert 0 < len(local) < 20
    state = kept.aggregate(StateAggregate(fl.CrossEntropy(), y_true="label", y_pred=LOGITS))["state"]
    assert state.mean == pytest.approx(fl.CrossEntropy()(local.label, local[LOGITS]), rel=1e-14)
    add = add_losses(fl.CrossEntropy(), y_true="label", y_pred=LOGITS)
    losses = kept.map_batches(add, batch_format="pyarrow", batch_size=None).to_pandas()["loss"]
    assert losses.sum() == pytest.approx(fl.CrossEntropy()(local.label, local[LOGITS], reduction="sum"), rel=1e-5)


def test_what_is_refused():
    with pytest.raises(ValueError, match="RootMeanSquaredError: it is one number for the whole sample"):
        StateAggregate(fl.RootMeanSquaredError(), y_true="y", y_pred="p")
    with pytest.raises(ValueError, match="null_policy is 'skip'"):
        add_losses(fl.Huber(), y_true="y", y_pred="p", null_policy="skip")
    with pytest.raises(ValueError, match="the batch has a column 'loss'"):
        add_losses(fl.Huber(), y_true="loss", y_pred="p")(pyarrow.table({"loss": [1.0], "p": [1.0]}))
    with pytest.raises(Exception, match="has no column 'q'"):  # Ray's own, of the task's
        dataset().aggregate(StateAggregate(fl.Huber(), y_true="y", y_pred="q"))


def test_without_ray_the_error_says_what_to_install():
    said = fresh(
        "import sys; sys.modules['ray'] = None\n"
        "try:\n    import fastloss.integrations.ray\nexcept ImportError as error:\n    print(error)"
    )
    assert said == "fastloss.integrations.ray needs Ray Data: run `pip install '.[ray]'` in a clone of fastloss\n"
