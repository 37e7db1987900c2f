"""Bad input: the documented exception with a text that says what is wrong, and outputs as they were."""

import copy
import dataclasses
import datetime
import decimal
import fractions
import math
import re

import numpy as np
import pytest

import fastloss as fl
from fastloss._core.loss import registry
from fastloss._core.parameters import ANY, BINARY, NON_NEGATIVE, OPEN_UNIT, POSITIVE, SIGN, UNIT, Domain
from tests.inputs import draw
from tests.support import DEFAULTS, additive, elements, generator, reductions

N = 5000  # five chunks
SENTINEL = 7.25


def case(loss, n=N, dtype=np.float64):
    return draw(loss, n, dtype, generator(loss))


def refuses(error, text):
    return pytest.raises(error, match=f"^{re.escape(text)}$")


def assert_refused_untouched(loss, y, x, error, text, **options):
    """Every verb raises this, and leaves the arrays that it was given to write."""
    with refuses(error, text):
        loss(y, x, **options)
    with refuses(error, text):
        loss.grad(y, x, **options)
    shape = np.shape(x)
    grad_out, hess_out = np.full(shape, SENTINEL), np.full(shape, SENTINEL, np.float32)
    for reduction in reductions(loss):
        with refuses(error, text):
            loss.value_and_grad(y, x, reduction=reduction, grad_out=grad_out, **options)
        if reduction == "none":
            out = np.full(elements(loss, np.asarray(y), np.asarray(x)), SENTINEL)
            with refuses(error, text):
                loss.value_and_grad(y, x, reduction="none", out=out, grad_out=grad_out, **options)
            with refuses(error, text):
                loss.grad_and_hess(y, x, reduction="none", grad_out=grad_out, hess_out=hess_out, **options)
            with refuses(error, text):
                loss.state(y, x, **options)
            assert (out == SENTINEL).all()
    assert (grad_out == SENTINEL).all()
    assert (hess_out == SENTINEL).all()


@pytest.fixture
def name(any_default):
    return type(any_default).__name__


# Shapes -------------------------------------------------------------------------------------------


def test_shapes_are_never_broadcast(any_default, name):
    y, x = case(any_default, 12)
    for bad in (y[:, np.newaxis], y[np.newaxis], y[:1], y[0], y[:11], y.reshape(3, 4), np.zeros((0,))):
        if bad.shape != y.shape and (bad.ndim, x.ndim) != (2, 1):
            with pytest.raises(ValueError, match=rf"^{name}: y_(true|pred) has shape .*, must "):
                any_default(bad, x)
    with pytest.raises(ValueError, match=rf"^{name}: y_(true|pred) has shape"):
        any_default(y, x[:-1])


def test_the_shape_error_names_both_shapes():
    with refuses(ValueError, "Huber: y_true has shape (3, 70), must match y_pred's (30, 70)"):
        fl.Huber()(np.zeros((3, 70)), np.zeros((30, 70)))
    with refuses(ValueError, "Huber: y_true has shape (4,), must match y_pred's (4, 1)"):
        fl.Huber()(np.zeros(4), np.zeros((4, 1)))


@pytest.mark.parametrize("argument", ["sample_weight", "mask"])
def test_weights_and_masks_have_the_shape_of_elements_or_of_rows(argument):
    y = np.zeros((3, 4))
    for shape in [(4,), (3, 1), (1, 4), (), (1,), (12,), (3, 4, 1)]:
        text = (
            f"Huber: {argument} has shape {shape}, must have y_pred's (3, 4) or (3,), one for each index of y_pred's "
        )
        with refuses(ValueError, f"{text}first axis"):
            fl.Huber()(y, y, **{argument: np.ones(shape, bool)})
    with refuses(ValueError, f"Huber: {argument} has shape (2,), must have y_pred's (3,)"):
        fl.Huber()(y[:, 0], y[:, 0], **{argument: np.ones(2, bool)})


# Types --------------------------------------------------------------------------------------------

UNREAL = {
    "complex128": np.zeros(5, complex),
    "complex64": np.zeros(5, np.complex64),
    "object": np.zeros(5, object),
    "<U3": np.array(["1.0"] * 5),
    "|S3": np.array([b"1.0"] * 5),
    "datetime64[s]": np.zeros(5, "M8[s]"),
    "timedelta64[D]": np.zeros(5, "m8[D]"),
    "[('a', '<f8')]": np.zeros(5, [("a", "<f8")]),
    "|V8": np.zeros(5, "V8"),
}
if np.dtype(np.longdouble).itemsize > 8:
    UNREAL[str(np.dtype(np.longdouble))] = np.zeros(5, np.longdouble)


@pytest.mark.parametrize("kind", UNREAL)
def test_types_that_are_not_real_numbers_are_refused(any_default, name, kind):
    y, x = case(any_default, 5)
    array = UNREAL[kind]
    for argument in ("y_true", "y_pred", "sample_weight", "mask"):
        arrays = {"y_true": y, "y_pred": x, argument: array}
        text = f"{name}: {argument} has dtype {kind}, must be a real number type of at most 64 bits"
        with refuses(TypeError, text):
            any_default(**arrays)
        with refuses(TypeError, text):
            any_default.grad(**arrays)


@pytest.mark.parametrize("kind", ["f8", "i8", "u1"])
def test_a_mask_is_bool(kind):
    with refuses(TypeError, f"Huber: mask has dtype {np.dtype(kind)}, must be bool"):
        fl.Huber()([1.0], [1.0], mask=np.ones(1, kind))


@pytest.mark.parametrize(
    "given",
    [[[1.0], [1.0, 2.0]], None, "abc", {"a": 1}, {1.0}, object(), datetime.date(2000, 1, 1), [10**400], lambda: 0],
)
def test_what_is_no_array_of_numbers_is_refused(given):
    with pytest.raises(TypeError, match=r"^Huber: y_pred "):
        fl.Huber()([1.0], given)


def test_an_array_that_cannot_be_viewed_says_why():
    with pytest.raises(
        TypeError, match=r"^Huber: y_pred is a list that NumPy cannot view as an array: .*inhomogeneous"
    ):
        fl.Huber()([1.0], [[1.0], [1.0, 2.0]])


# Values -------------------------------------------------------------------------------------------

BLOCK_EDGES = (0, 511, 512, N - 1)


def outside(domain):
    """Numbers just and far outside a domain."""
    if domain is ANY:
        return []
    found = [0.5, -0.5, 2.0, -2.0, 1e-200] if domain.ternary else []
    if domain.low > -math.inf:
        found += [domain.low if domain.low_open else np.nextafter(domain.low, -math.inf), domain.low - 1, -math.inf]
    if domain.high < math.inf:
        found += [domain.high if domain.high_open else np.nextafter(domain.high, math.inf), domain.high + 1, math.inf]
    return [float(v) for v in found]


def test_targets_outside_the_domain_are_refused_wherever_they_are(any_default, name):
    domain = any_default._target_domain()
    for dtype in (np.float64, np.float32):
        y, x = case(any_default, dtype=dtype)
        for bad in outside(domain):
            if float(dtype(bad)) in domain:
                continue
            for index in BLOCK_EDGES:
                wrong = y.copy()
                wrong[index] = bad
                at = ", ".join(str(i) for i in np.argwhere(wrong == bad)[0]) if y.ndim > 1 else index
                text = f"{name}: y_true[{at}] is {wrong[index].flat[0]}, must be {domain}"
                assert_refused_untouched(any_default, wrong, x, ValueError, text)


def test_predictions_outside_the_domain_are_refused_wherever_they_are(any_default):
    y, x = case(any_default)
    if x.ndim > 1:
        domains = [any_default._prediction_domain(), any_default.second_prediction]
    else:
        domains = [any_default._prediction_domain()]
    for column, domain in enumerate(domains):
        for bad in outside(domain):
            for index in BLOCK_EDGES:
                wrong = x.copy()
                at = (index, column) if x.ndim > 1 else (index,)
                wrong[at] = bad
                where = ", ".join(map(str, at))
                text = f"{type(any_default).__name__}: y_pred[{where}] is {bad}, must be {domain}"
                assert_refused_untouched(any_default, y, wrong, ValueError, text)


@pytest.mark.parametrize("bad", [-1.0, -5e-324, math.nan, math.inf, -math.inf])
def test_weights_are_finite_and_not_negative(any_default, name, bad):
    y, x = case(any_default)
    for index in BLOCK_EDGES:
        weight = np.ones(len(y))
        weight[index] = bad
        where = ", ".join(["0"] * (np.ndim(elements(any_default, y, x)) and 0) + [str(index)])
        if len(elements(any_default, y, x)) > 1:
            where += ", 0"
        text = f"{name}: sample_weight[{where}] is {bad}, must be finite and not negative"
        assert_refused_untouched(any_default, y, x, ValueError, text, sample_weight=weight)


def test_nan_targets_are_refused_where_the_policy_says_so(any_default, name):
    y, x = case(any_default)
    for index in BLOCK_EDGES:
        wrong = y.copy()
        wrong[index] = math.nan
        at = f"{index}, 0" if y.ndim > 1 else index
        text = f"{name}: y_true[{at}] is nan, must be a number with nan_policy='raise'"
        assert_refused_untouched(any_default, wrong, x, ValueError, text, nan_policy="raise")
    for verb in ("__call__", "grad"):
        getattr(any_default, verb)(y, x, nan_policy="raise")


def test_what_is_left_out_is_not_checked(any_default):
    y, x = case(any_default, 20)
    bad = outside(any_default._target_domain())
    y[3] = bad[0] if bad else math.nan
    mask = np.arange(20) != 3
    assert math.isfinite(any_default(y, x, mask=mask, nan_policy="raise"))
    assert math.isfinite(any_default(y, x, sample_weight=mask))
    assert math.isfinite(any_default(y, x, sample_weight=np.where(mask, 1.0, math.nan), mask=mask))


def test_the_first_bad_element_is_named_for_any_number_of_threads():
    weight = np.ones(300_000)
    weight[[70_000, 200_000, 299_999]] = -1
    for threads in (1, 2, 3, 8):
        with pytest.raises(ValueError, match=r"sample_weight\[70000\] is -1.0"):
            fl.Huber()(weight, weight, sample_weight=weight, num_threads=threads)


@pytest.mark.parametrize("order", ["C", "F", "strided", "reversed"])
def test_the_index_is_that_of_the_callers_array(order):
    x = np.zeros((4, 30, 50), order="F" if order == "F" else "C")
    if order == "strided":
        x = np.zeros((4, 30, 100))[..., ::2]
    if order == "reversed":
        x = x[::-1, :, ::-1]
    weight = np.ones(x.shape)
    weight[2, 7, 13] = -2
    with pytest.raises(ValueError, match=r"sample_weight\[2, 7, 13\] is -2.0"):
        fl.Huber()(np.zeros(x.shape), x, sample_weight=weight)
    y = np.zeros(x.shape)
    y[3, 29, 49] = math.nan
    with pytest.raises(ValueError, match=r"y_true\[3, 29, 49\] is nan"):
        fl.Huber()(y, x, nan_policy="raise")


def restricted(**domains):
    """A squared error with these domains, so that the driver's checks do not depend on what is registered."""
    return type("Restricted", (fl.SquaredError,), domains)()


@pytest.mark.parametrize("domain", [UNIT, OPEN_UNIT, BINARY, SIGN, POSITIVE, NON_NEGATIVE, Domain(high=3.0)], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_domain_is_enforced_on_both_arrays(domain, dtype):
    inside = dtype(1.0) if 1.0 in domain else dtype(0.5)
    for argument in ("target", "prediction"):
        loss = restricted(**{argument: domain})
        good = np.full(2500, inside, dtype)
        assert loss(good, good) == 0.0
        for bad in outside(domain):
            if float(dtype(bad)) in domain:
                continue
            wrong = good.copy()
            wrong[2400] = bad
            y, x = (wrong, good) if argument == "target" else (good, wrong)
            array = {"target": "y_true", "prediction": "y_pred"}[argument]
            assert_refused_untouched(
                loss, y, x, ValueError, f"Restricted: {array}[2400] is {dtype(bad)}, must be {domain}"
            )


@pytest.mark.parametrize("kind", ["i1", "i8", "u8", "f2", ">f4", ">i4"])
def test_labels_of_every_type_are_checked(kind):
    y = np.array([0, 1, 1, 2], kind)
    with refuses(ValueError, f"Restricted: y_true[3] is {y[3]}, must be 0 or 1"):
        restricted(target=BINARY)(y, np.zeros(4, np.float32))
    signs = restricted(target=SIGN)
    assert signs(np.array([-1, 0, 1], kind.replace("u", "i")), np.zeros(3)) == 2 / 3


def test_labels_beyond_float32_are_checked_as_they_are():
    for bad in (2**62, 2**24 + 1, -(2**63)):
        with refuses(ValueError, f"Restricted: y_true[0] is {bad}, must be 0 or 1"):
            restricted(target=BINARY)(np.array([bad]), np.zeros(1, np.float32))
    with refuses(ValueError, f"Restricted: y_true[0] is {2**64 - 1}, must be 0 or 1"):
        restricted(target=BINARY)(np.array([2**64 - 1], np.uint64), np.zeros(1, np.float32))


# Outputs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["out", "grad_out", "hess_out"])
def test_outputs_are_writeable_floating_point_arrays_of_the_right_shape(output):
    y = np.zeros(6)

    def write(array):
        if output == "hess_out":
            fl.Huber().grad_and_hess(y, y, hess_out=array)
        else:
            fl.Huber().value_and_grad(y, y, reduction="none", **{output: array})

    frozen = np.zeros(6)
    frozen.flags.writeable = False
    with refuses(ValueError, f"Huber: {output} is read-only, must be writeable"):
        write(frozen)
    for shape in [(5,), (6, 1), (1, 6), (2, 3), ()]:
        with refuses(ValueError, f"Huber: {output} has shape {shape}, must be (6,)"):
            write(np.zeros(shape))
    for kind in ("i8", "i4", "?", "u1"):
        with refuses(TypeError, f"Huber: {output} has dtype {np.dtype(kind)}, must be a floating-point type"):
            write(np.zeros(6, kind))
    for kind in ("c16", "O", "M8[s]"):
        with pytest.raises(TypeError, match=f"Huber: {output} has dtype .*, must be a"):
            write(np.zeros(6, kind))
    for other in ([0.0] * 6, "abc", 3.0, memoryview(np.zeros(6))):
        with refuses(TypeError, f"Huber: {output} is a {type(other).__name__}, must be a NumPy array"):
            write(other)


@pytest.mark.parametrize("reduction", ["mean", "batch_mean", "sum"])
def test_a_number_is_not_written_to_an_array(reduction):
    text = f"Huber: out is given with reduction={reduction!r}, must be None unless that is 'none'"
    with refuses(ValueError, text):
        fl.Huber()([1.0], [1.0], reduction=reduction, out=np.zeros(1))


def test_a_bad_output_leaves_the_good_ones():
    good = np.full(6, SENTINEL)
    for bad in (np.zeros(5), np.zeros(6, int), [0.0] * 6):
        with pytest.raises((ValueError, TypeError)):
            fl.Huber().grad_and_hess(np.zeros(6), np.ones(6), grad_out=good, hess_out=bad)
        with pytest.raises((ValueError, TypeError)):
            fl.Huber().value_and_grad(np.zeros(6), np.ones(6), reduction="none", out=good, grad_out=bad)
    assert (good == SENTINEL).all()


# Options ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["average", "", "Mean", None, 1, b"mean"])
def test_a_reduction_is_one_of_the_words(any_default, name, bad):
    y, x = case(any_default, 4)
    with pytest.raises(ValueError, match=rf"^{name}: reduction is {bad!r}, must be "):
        any_default(y, x, reduction=bad)
    with pytest.raises(ValueError, match=rf"^{name}: reduction is {bad!r}, must be "):
        any_default.grad(y, x, reduction=bad)


@pytest.mark.parametrize("bad", ["ignore", "", None, True])
def test_a_nan_policy_is_one_of_the_words(any_default, name, bad):
    y, x = case(any_default, 4)
    with refuses(ValueError, f"{name}: nan_policy is {bad!r}, must be one of 'propagate', 'omit', 'raise'"):
        any_default(y, x, nan_policy=bad)


@pytest.mark.parametrize("bad", [0, -1, 1.0, "2", math.nan, [2], -(2**70)])
def test_the_number_of_threads_is_a_positive_integer(any_default, name, bad):
    y, x = case(any_default, 4)
    with refuses(ValueError, f"{name}: num_threads is {bad!r}, must be a positive integer"):
        any_default(y, x, num_threads=bad)


def test_everything_after_the_arrays_is_a_known_keyword(any_default):
    y, x = case(any_default, 4)
    with pytest.raises(TypeError, match="positional argument"):
        any_default(y, x, None)
    with pytest.raises(TypeError, match="unexpected keyword argument 'weight'"):
        any_default(y, x, weight=y)
    with pytest.raises(TypeError, match="unexpected keyword argument 'out'"):
        any_default.grad(y, x, out=y)


def test_a_swap_that_can_be_seen_is_named(any_default, name):
    y, x = case(any_default, 4)
    if not any_default._target_domain().bounded or x.shape != y.shape:
        pytest.skip("targets and predictions look alike")
    with pytest.raises(ValueError, match=rf"^{name}: .*did you swap y_true and y_pred\?$"):
        any_default(x, y.astype(int))


# Parameters ---------------------------------------------------------------------------------------

FIELDS = [
    (cls, field) for cls in registry.values() for field in dataclasses.fields(cls) if "several" not in field.metadata
]
SEQUENCES = [
    (cls, field)
    for cls in registry.values()
    for field in dataclasses.fields(cls)
    if field not in [other for _, other in FIELDS]
]


@pytest.fixture(params=FIELDS, ids=lambda pair: f"{pair[0].__name__}.{pair[1].name}")
def field(request):
    return request.param


def test_a_parameter_outside_its_domain_is_refused(field):
    cls, parameter = field
    owner, name = cls.__name__, parameter.name
    domain = parameter.metadata.get("domain")
    if domain is not None:
        infinite = parameter.metadata["infinite"]
        for bad in (math.nan,) if infinite else (math.nan, math.inf, -math.inf):
            with refuses(ValueError, f"{owner}: {name} is {bad}, must be finite"):
                cls(**{name: bad})
        for bad in outside(domain):
            if math.isfinite(bad):
                with refuses(ValueError, f"{owner}: {name} is {bad:g}, must be {domain}"):
                    cls(**{name: bad})
        with refuses(ValueError, f"{owner}: {name} is too large, must be finite"):
            cls(**{name: 10**400})
        for bad in ("1", b"1", bytearray(b"1"), None, True, np.True_, 1j, [1.0], object):
            with refuses(TypeError, f"{owner}: {name} is {bad!r}, must be a number"):
                cls(**{name: bad})
    elif "integer" in parameter.metadata:
        for bad in (1.5, "1", True, *([] if parameter.metadata["optional"] else [None])):
            with refuses(TypeError, f"{owner}: {name} is {bad!r}, must be an integer"):
                cls(**{name: bad})
    elif "options" in parameter.metadata:
        for bad in ("no such option", "", None, 1, ["x"]):
            with pytest.raises(ValueError, match=f"^{owner}: {name} is {re.escape(repr(bad))}, must be one of "):
                cls(**{name: bad})
    elif isinstance(parameter.default, bool):
        for bad in (1, 0, "True", None, [True]):
            with refuses(TypeError, f"{owner}: {name} is {bad!r}, must be True or False"):
                cls(**{name: bad})


def test_a_parameter_may_be_any_kind_of_number(field):
    cls, parameter = field
    if "domain" not in parameter.metadata:
        return
    default = parameter.default
    for kind in (np.float64, np.float32, np.array, fractions.Fraction, decimal.Decimal):
        loss = cls(**{parameter.name: kind(default)})
        assert type(getattr(loss, parameter.name)) is float
        if kind is not np.float32:
            assert loss == cls()


@pytest.mark.parametrize(("cls", "parameter"), SEQUENCES)
def test_a_sequence_outside_its_domain_is_refused(cls, parameter):
    owner, name, domain = cls.__name__, parameter.name, parameter.metadata["domain"]
    default = parameter.default or (1.0, 2.0)
    good = default[0]
    for bad in [v for v in outside(domain) if math.isfinite(v)]:
        with refuses(ValueError, f"{owner}: {name}[1] is {bad:g}, must be {domain}"):
            cls(**{name: [good, bad]})
    for bad in (math.nan, math.inf):
        with refuses(ValueError, f"{owner}: {name}[0] is {bad}, must be finite"):
            cls(**{name: (bad, good)})
    for bad in (*([] if parameter.metadata.get("optional") else [None]), 0.5, "0.5", ["0.5"], [None], [[0.5]], [True]):
        with pytest.raises(TypeError, match=rf"^{owner}: {name}(\[0\])? is .*, must be a "):
            cls(**{name: bad})
    with refuses(ValueError, f"{owner}: {name} is empty, must hold at least one number"):
        cls(**{name: []})
    assert cls(**{name: np.array(default)}) == cls(**{name: list(default)}) == cls(**{name: default})


def test_an_unknown_parameter_is_refused():
    for cls in registry.values():
        with pytest.raises(TypeError, match=f"^{cls.__name__}: unknown parameter 'no_such_parameter'"):
            cls(no_such_parameter=1)


def test_a_refused_copy_leaves_the_original(any_default):
    twin = copy.deepcopy(any_default)
    with pytest.raises(TypeError):
        dataclasses.replace(any_default, no_such_parameter=1)
    assert any_default == twin


def test_additive_losses_exist():
    assert additive(DEFAULTS)
