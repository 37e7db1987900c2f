"""Random calls of everything, junk in place of arguments, and that the fuzz finds what is wrong."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastloss as fl
from tests.fuzz import draws, families, layouts, losses, oracle
from tests.fuzz.bounds import DOUBLE, SINGLE, Bounded, Dual, bounded
from tests.fuzz.runner import attempt
from tests.inputs import draw, draw_rows
from tests.reference import twin
from tests.support import DRAWN, EVERY, LOSSES, ROOT, additive

ORDINARY = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))


def found(numbers, classes=None, seed=0):
    return [failure for number in numbers if (failure := attempt(seed, number, classes)[2])]


# The fuzz -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [*draws.CLASSES, *families.CLASSES], ids=lambda cls: cls.__name__)
def test_random_calls_are_right_or_refused(cls):
    assert not found(range(1), [cls])


def test_random_calls_of_what_is_made_of_losses_are_right():
    kinds = {number: np.random.default_rng([0, number]).random() for number in range(400)}
    assert not found([number for number, kind in kinds.items() if kind < 0.05 or 0.65 < kind < 0.75])


@pytest.mark.slow
def test_very_many_random_calls_are_right_or_refused():
    command = [sys.executable, "-m", "tests.fuzz", "--calls", "1000000", "--jobs", "2"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout


# It finds what is wrong ---------------------------------------------------------------------------


def spoiled(monkeypatch, cls, verb, change):
    """Let a verb of a loss return something else."""
    right = getattr(cls, verb)
    monkeypatch.setattr(cls, verb, lambda self, *args, **options: change(right(self, *args, **options), args, options))


def test_a_wrong_number_is_found(monkeypatch):
    spoiled(monkeypatch, fl.Huber, "__call__", lambda value, *_: value * (1 + 1e-5))
    assert found(range(3), [fl.Huber])


def test_a_wrong_number_in_one_layout_is_found(monkeypatch):
    def change(grad, args, options):
        return grad * (1 + 1e-4) if args[1].strides and min(args[1].strides) < 0 else grad

    spoiled(monkeypatch, fl.LogCosh, "grad", change)
    assert found(range(10), [fl.LogCosh])


def test_a_wrong_curvature_is_found(monkeypatch):
    spoiled(monkeypatch, fl.Savage, "grad_and_hess", lambda both, *_: (both[0], both[1] * 1.001))
    assert found(range(5), [fl.Savage])


def test_a_changed_input_is_found(monkeypatch):
    def change(value, args, options):
        args[1].flags.writeable and args[1].fill(0)
        return value

    spoiled(monkeypatch, fl.Cauchy, "__call__", change)
    assert found(range(5), [fl.Cauchy])


def test_what_is_not_refused_is_found(monkeypatch):
    right = fl.Hinge.value_and_grad

    def lenient(self, *args, **options):
        try:
            return right(self, *args, **options)
        except ValueError:
            return 0.0, np.zeros(3)

    monkeypatch.setattr(fl.Hinge, "value_and_grad", lenient)
    assert found(range(5), [fl.Hinge])


def test_what_is_wrong_with_several_arrays_is_found(monkeypatch):
    def change(value, args, options):
        return value * 1.001 if options.get("num_threads") == 2 else value

    spoiled(monkeypatch, fl.TripletMargin, "__call__", change)
    spoiled(monkeypatch, fl.Dice, "__call__", lambda value, *_: value * (1 + 1e-5))
    assert found(range(5), [fl.TripletMargin])
    assert found(range(8), [fl.Dice])


def test_a_write_beside_an_output_is_found():
    output = layouts.Taken(np.random.default_rng(0), (3, 4), np.dtype("f4"))
    output.array[...] = 1
    assert (output.read() == 1).all()
    output._memory[-1] = 0
    with pytest.raises(AssertionError, match="outside"):
        output.read()


@pytest.mark.parametrize("dtype", draws.FLOATS, ids=str)
def test_results_are_rounded_once(dtype):
    values = np.random.default_rng(0).normal(size=5000) * np.exp2(np.random.default_rng(1).uniform(-30, 15, 5000))
    around = np.float64(1) + np.arange(-9, 10)[:, np.newaxis] * np.exp2(-np.arange(5, 53))
    values = np.concatenate([values, around.ravel(), -around.ravel()])
    rounded = losses.rounded(values, dtype).astype(np.float64)
    step = np.abs(rounded) * float(oracle.bounds.LIMITS[dtype].eps)
    assert (np.abs(rounded - values) <= step / 2 + float(oracle.bounds.LIMITS[dtype].least)).all()


# Its bounds ---------------------------------------------------------------------------------------


def arrays(loss, precision):
    """Targets and predictions of a working precision."""
    rng = np.random.default_rng(3)
    if not loss.signature.rowwise:
        return draw(loss, 40, precision.dtype, rng)
    return draw_rows(loss, 9, 5, precision.dtype, rng, dense=not loss.signature.labels)


@pytest.mark.parametrize("loss", DRAWN, ids=repr)
@pytest.mark.parametrize("precision", [SINGLE, DOUBLE], ids=["float32", "float64"])
@pytest.mark.parametrize("suffix", ["", "_grad"], ids=["value", "grad"])
def test_a_bound_holds_for_its_formula_in_its_precision(loss, precision, suffix):
    """The twin evaluated in float32 or float64 is as near to that in long double as twice the bound says."""
    y, x = arrays(loss, precision)
    with np.errstate(all="ignore"), precision:
        plain = np.asarray(twin(loss, suffix)(y, x))
        wide = bounded(twin(loss, suffix)(y if y.dtype.kind == "i" else Bounded.exact(y), Bounded.exact(x)))
    assert (np.abs(plain - wide.value) <= 2 * wide.error + precision.eps * np.abs(wide.value)).all()
    assert np.isfinite(wide.error).all()


@pytest.mark.parametrize("loss", additive(LOSSES), ids=repr)
def test_a_slope_is_the_gradient(loss):
    """The derivative of a twin's value is what its gradient says."""
    y, x = arrays(loss, DOUBLE)
    with np.errstate(all="ignore"):
        for k in range(2 if loss.signature.pair else 1):
            direction = np.broadcast_to(np.eye(2)[k], x.shape) if loss.signature.pair else np.ones(x.shape)
            value = twin(loss)(Bounded.exact(y), Dual(Bounded.exact(x), Bounded.exact(direction)))
            grad = bounded(twin(loss, "_grad")(Bounded.exact(y), Bounded.exact(x)))
            if not isinstance(value, Dual):  # constant
                assert not grad.value.any()
                continue
            wanted, error = (part[..., k] if loss.signature.pair else part for part in (grad.value, grad.error))
            assert (
                np.abs(value.slope.value - wanted) <= 1e-15 * (np.abs(wanted) + 1) + value.slope.error + error
            ).all()


# Junk ---------------------------------------------------------------------------------------------

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.lists(st.one_of(st.none(), st.floats(), st.text(max_size=1), st.lists(st.floats(), max_size=2)), max_size=3),
    st.dictionaries(st.text(max_size=1), st.floats(), max_size=1),
    st.sampled_from([object(), np.zeros(3, "O"), np.zeros((2, 0)), np.zeros(3, "M8[D]"), np.array(1j), type, ...]),
)
ARGUMENTS = ("y_true", "y_pred", "sample_weight", "mask", "reduction", "nan_policy", "out", "grad_out", "num_threads")


@settings(ORDINARY, max_examples=600)
@given(st.sampled_from(DRAWN), st.dictionaries(st.sampled_from(ARGUMENTS), JUNK, min_size=1, max_size=3))
def test_junk_is_refused_or_right(loss, junk):
    rng = np.random.default_rng(0)
    if loss.signature.rowwise:
        y, x = draw_rows(loss, 3, 4, np.float64, rng, dense=not loss.signature.labels)
    else:
        y, x = draw(loss, 3, np.float64, rng)
    arguments = {"y_true": y, "y_pred": x, "reduction": "mean"} | junk
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            value, gradient = loss.value_and_grad(arguments.pop("y_true"), arguments.pop("y_pred"), **arguments)
        except (TypeError, ValueError, IndexError):
            return
    assert isinstance(value, (float, np.ndarray))
    assert isinstance(gradient, np.ndarray)


@settings(ORDINARY, max_examples=300)
@given(st.data())
def test_junk_parameters_are_refused_or_a_loss(data):
    cls = type(data.draw(st.sampled_from([loss for loss in EVERY if loss.parameters()])))
    name = data.draw(st.sampled_from(list(cls().parameters())))
    try:
        made = cls(**{name: data.draw(JUNK)})
    except (TypeError, ValueError):
        return
    hash(made)
    assert made == cls(**made.parameters())
