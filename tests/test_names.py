"""Names: those of other libraries are one number here and there, all say what they take, mistyped ones are answered."""

import ast
import importlib
import inspect
import re
import types
import warnings
from pathlib import Path

import numpy as np
import pytest

import fastloss as fl
from fastloss import registry
from fastloss._core.loss import PREDICTIONS, prediction
from fastloss._core.multi_input import MultiInputLoss
from fastloss._core.parameters import ANY, UNIT
from fastloss._core.parity import (
    KERAS,
    LIGHTGBM,
    MONAI,
    OPTAX,
    OTHER_THINGS,
    PYTORCH,
    ROWS,
    SCIPY,
    SKLEARN,
    TORCHVISION,
    XGBOOST,
)
from tests.support import fresh

CLASSES = list(registry.values())
N, CLASSES_OF_ROWS = 40, 5


@pytest.fixture(params=CLASSES, ids=lambda cls: cls.__name__)
def cls(request):
    return request.param


# Parity with other libraries -----------------------------------------------------------------------


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


def drawn(arrays):
    """What a row's expressions find by name."""
    rng = np.random.default_rng(11)
    value, row = rng.standard_normal(N), rng.standard_normal((N, CLASSES_OF_ROWS))
    sign, label = rng.choice([-1.0, 1.0], N), rng.integers(0, CLASSES_OF_ROWS, N)
    share = softmax(rng.standard_normal((N, CLASSES_OF_ROWS)))
    corner = rng.uniform(0, 4, (N, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(2, 4, (N, 2))], axis=1)
    column = rng.standard_normal(row.shape)
    y_true, y_pred, more = {
        "values": (value, 2 * rng.standard_normal(N), {}),
        "columns": (row, 2 * rng.standard_normal((N, CLASSES_OF_ROWS)), {}),
        "amounts": (rng.gamma(2.0, 1.5, N), rng.gamma(2.0, 1.5, N), {}),
        "log_means": (rng.poisson(2.0, N).astype(float), value, {}),
        "means_and_variances": (value, np.stack([rng.standard_normal(N), rng.random(N) + 0.1], -1), {}),
        "probabilities": ((sign > 0).astype(float), rng.uniform(0.01, 0.99, N), {}),
        "logits": ((sign > 0).astype(float), 2 * value, {}),
        "signs": (sign, 2 * value, {}),
        "pairs": (sign, row[:, :2], {}),
        "classes": (label, row, {}),
        "class_probabilities": (label, softmax(row), {}),
        "one_hot_probabilities": (np.eye(CLASSES_OF_ROWS)[label], softmax(row), {}),
        "distributions": (share, row, {}),
        "two_distributions": (share, softmax(row), {}),
        "log_distributions": (share, np.log(softmax(row)), {}),
        "boxes": (boxes, boxes + rng.normal(0, 0.3, boxes.shape), {}),
        "masks": (
            (np.random.default_rng(3).random((4, 1, 8, 8)) < 0.3).astype(float),
            rng.standard_normal((4, 1, 8, 8)),
            {},
        ),
        "labels": ((row > 0.3).astype(float), rng.standard_normal(row.shape), {}),
        "sequences": (1 + label.reshape(4, 10)[:, :3] % 4, np.tile(row, (4, 1, 1)) * value[:4, None, None], {}),
        "vectors": (None, None, {"left": row, "right": column}),
        "labelled_vectors": (sign, None, {"left": row, "right": column}),
        "triplets": (None, None, {"anchor": row, "positive": column, "negative": share}),
        "batches": (np.arange(N) % (N // 2), row / np.linalg.norm(row, axis=1, keepdims=True), {}),
        "linear": (label, None, {"hidden": row, "weight": rng.standard_normal((CLASSES_OF_ROWS, CLASSES_OF_ROWS))}),
    }[arrays]
    return {"y_true": y_true, "y_pred": y_pred, **more}


def xgboost_metric(name, y, x):
    import xgboost

    data = xgboost.DMatrix(np.zeros((len(y), 1)), y, base_margin=x)
    parameters = {"base_score": 0.0, "eval_metric": name, "disable_default_eval_metric": 1}
    return float(xgboost.train(parameters, data, 0).eval(data).rpartition(":")[2])


def lightgbm_metric(name, y, x, objective="regression"):
    import lightgbm

    data = lightgbm.Dataset(np.zeros((len(y), 1)), y, init_score=x, params={"verbose": -1})  # of which no tree is made
    parameters = {"objective": objective, "metric": name, "boost_from_average": False, "verbose": -1, "num_threads": 1}
    found = {}
    lightgbm.train(parameters, data, 1, valid_sets=[data], callbacks=[lightgbm.record_evaluation(found)])
    (((value,),),) = (of.values() for of in found.values())
    return value


def indices_of(labels):
    """The indices of true classes, ended by -1, as PyTorch's multilabel_margin_loss has them."""
    indices = labels.new_full(labels.shape, -1).long()
    for i, row in enumerate(labels):
        true = row.nonzero()[:, 0]
        indices[i, : len(true)] = true
    return indices


# What expressions of a library need: the module that must be there, the names they use, where its names are.
LIBRARIES = {
    PYTORCH: ("torch", {"F": "torch.nn.functional", "nn": "torch.nn"}, ["torch.nn.functional", "torch.nn"]),
    KERAS: ("keras", {"keras": "keras"}, ["keras.losses", "keras.metrics"]),
    SKLEARN: ("sklearn", {"metrics": "sklearn.metrics"}, ["sklearn.metrics"]),
    SCIPY: (
        "scipy",
        {"special": "scipy.special", "distance": "scipy.spatial.distance"},
        ["scipy.special", "scipy.stats", "scipy.spatial.distance"],
    ),
    OPTAX: ("optax", {"optax": "optax"}, ["optax", "optax.losses"]),
    XGBOOST: ("xgboost", {}, []),
    LIGHTGBM: ("lightgbm", {}, []),
    MONAI: ("monai", {"losses": "monai.losses"}, []),
    TORCHVISION: ("torchvision", {"ops": "torchvision.ops"}, ["torchvision.ops"]),
}
SINGLE = {KERAS, LIGHTGBM, MONAI, XGBOOST}  # compute in float32, or smooth by a little


def needed(library):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(LIBRARIES[library][0])
    except (ImportError, RuntimeError):  # or it is made for another PyTorch
        pytest.skip(f"{library} is not installed: its names are not compared")


def their_number(row):
    arrays = drawn(row.arrays)
    scope = {name: importlib.import_module(module) for name, module in LIBRARIES[row.library][1].items()}
    scope |= {"np": np, "xgboost_metric": xgboost_metric, "lightgbm_metric": lightgbm_metric, "indices_of": indices_of}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if row.library in (PYTORCH, TORCHVISION, MONAI):
            import torch

            arrays = {name: None if array is None else torch.from_numpy(array) for name, array in arrays.items()}
        if row.library == OPTAX:
            import jax

            with jax.enable_x64(True):
                return float(np.mean(eval(row.theirs, scope | arrays)))
        return float(np.mean(np.asarray(eval(row.theirs, scope | arrays))))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.library}-{row.name}-{row.arrays}")
def test_a_name_of_another_library_is_its_number(row):
    needed(row.library)
    ours = float(eval(row.here, {"fl": fl, "np": np, **drawn(row.arrays)}))
    assert ours == pytest.approx(their_number(row), rel=3e-6 if row.library in SINGLE else 1e-11)


def test_nll_loss_is_pytorchs_of_any_scores():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nll_loss is not compared")
    label, scores = np.array([0, 1]), np.array([[0.7, 0.3], [0.2, 0.8]])
    assert fl.nll_loss(label, scores) == float(torch.nn.functional.nll_loss(*map(torch.from_numpy, (scores, label))))


@pytest.mark.parametrize("library", [PYTORCH, KERAS, SKLEARN, SCIPY, OPTAX, TORCHVISION])
def test_every_name_that_a_library_has_is_in_the_table(library):
    needed(library)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        modules = [importlib.import_module(module) for module in LIBRARIES[library][2]]
        theirs = {name for module in modules for name in dir(module)}
    ours = {name for name in fl.__all__ if not isinstance(getattr(fl, name), types.ModuleType)}
    listed = {row.name for row in ROWS if row.library == library and row.public}
    assert ours & theirs - OTHER_THINGS.keys() == listed
    known = {row.name for row in ROWS if row.library == library}
    assert known <= theirs, "names that the library does not have"


@pytest.mark.parametrize("name", sorted({row.name for row in ROWS if not row.public}))
def test_a_name_with_another_meaning_is_not_here_and_says_what_is(name):
    instead = [row.here for row in ROWS if row.name == name]
    with pytest.raises(AttributeError, match=r"^module 'fastloss' has no attribute") as caught:
        getattr(fl, name)
    assert all(here in str(caught.value) for here in instead)


def test_a_name_that_means_another_thing_elsewhere_refuses_its_arguments():
    data = np.arange(6.0)
    for name in OTHER_THINGS.keys() - {"Loss"}:
        with pytest.raises((TypeError, ValueError)):
            getattr(fl, name)(data, 0.5)


def test_an_unknown_name_has_no_advice():
    with pytest.raises(AttributeError, match=r"^module 'fastloss' has no attribute 'hubber'$"):
        fl.hubber  # noqa: B018


# What a prediction is -------------------------------------------------------------------------------


def test_every_loss_says_what_a_prediction_is(cls):
    made = [cls(**parameters) for parameters in ({}, *cls.variants)]
    assert {loss.scores for loss in made} <= PREDICTIONS.keys()
    said = f"A prediction is {prediction(cls)}."
    for documented in (cls, *(getattr(fl, name) for name in (cls.function_name, *cls.aliases))):
        paragraphs = inspect.getdoc(documented).split("\n\n")
        assert [" ".join(paragraph.split()) for paragraph in paragraphs].index(said) == 1


def test_every_kind_of_prediction_is_one_of_a_loss():
    assert PREDICTIONS.keys() == {cls(**parameters).scores for cls in CLASSES for parameters in ({}, *cls.variants)}


def test_the_prediction_agrees_with_its_domain(cls):
    for loss in (cls(**parameters) for parameters in ({}, *cls.variants)):
        domain = loss.domains()[1]
        if loss.scores in ("logits", "scores", "log_means", "log_ratios"):
            assert domain == ANY
        if loss.scores == "probabilities" and not loss.signature.rowwise:
            assert domain == UNIT
        if loss.scores == "means" and loss.parameters().get("power") != 0:  # that of the normal distribution
            assert domain.low == 0


def test_targets_come_first_or_the_documentation_says_where(cls):
    assert next(iter(inspect.signature(cls.__call__).parameters.values())).name == "self"
    signature = cls().signature
    names = [argument.name for argument in (*signature.targets, *signature.predictions) if not argument.keyword]
    assert list(inspect.signature(getattr(fl, cls.function_name)).parameters)[: len(names)] == names
    if not issubclass(cls, MultiInputLoss):
        assert names == list(inspect.signature(cls().__call__).parameters)[:2] == ["y_true", "y_pred"]


@pytest.mark.parametrize("name", ["token_logprobs", "sequence_logprobs", "linear_cross_entropy"])
def test_functions_that_take_targets_last_say_so(name):
    assert "Unlike those of a loss the targets come last" in " ".join(inspect.getdoc(getattr(fl, name)).split())


# Mistyped parameters --------------------------------------------------------------------------------


def swapped(name):
    return name[0] + name[2] + name[1] + name[3:] if len(name) > 3 else name + "s"


def test_a_mistyped_parameter_is_answered_with_the_right_one(cls):
    y, x = np.zeros(2), np.zeros(2)
    for parameter in inspect.signature(cls).parameters:
        wrong = swapped(parameter)
        if len(parameter) == 1:
            continue
        with pytest.raises(
            TypeError, match=f"^{cls.__name__}: unknown parameter '{wrong}', did you mean '{parameter}'"
        ):
            cls(**{wrong: 1})
    function = getattr(fl, cls.function_name)
    with pytest.raises(
        TypeError, match=f"^{cls.function_name}: unknown parameter 'sample_wieght', did you mean 'sample_weight'"
    ):
        function(y, x, sample_wieght=y)


def test_unlike_names_are_answered_with_all():
    with pytest.raises(TypeError, match=r"^Huber: unknown parameter 'foo', must be one of delta$"):
        fl.Huber(foo=1)
    with pytest.raises(TypeError, match=r"^LogCosh: unknown parameter 'foo', there are none$"):
        fl.LogCosh(foo=1)
    with pytest.raises(TypeError, match=r"^huber: unknown parameter 'detla', did you mean 'delta'"):
        fl.huber([0.0], [1.0], detla=2)


def test_a_class_that_is_called_like_its_function_says_what_to_call(cls):
    y = np.zeros(3)
    call = re.escape(f"{cls.__name__}()(y_true, y_pred), or call the function, {cls.function_name}(y_true, y_pred)")
    for arrays in ((y, y), ([0.0], [1.0]), (y, y, y)):
        with pytest.raises(TypeError, match=f"^{cls.__name__}: arrays or options of a call are given.*{call}$"):
            cls(*arrays)
    with pytest.raises(TypeError, match=f"^{cls.__name__}: arrays or options of a call are given"):
        cls(reduction="sum")


def test_the_base_class_makes_no_loss():
    with pytest.raises(TypeError, match=r"^Loss: it has no formula, must be one of fastloss\.registry's classes"):
        fl.Loss()


# What is public -------------------------------------------------------------------------------------


def test_dir_shows_what_is_public_and_nothing_else():
    shown = [name for name in dir(fl) if not name.startswith("__")]
    assert shown == sorted(fl.__all__)
    assert len(set(fl.__all__)) == len(fl.__all__)
    assert all(hasattr(fl, name) and not name.startswith("_") for name in fl.__all__)
    losses = {name for cls in CLASSES for name in (cls.__name__, cls.function_name, *cls.aliases)}
    assert losses <= set(shown)
    modules = {name for name in shown if isinstance(getattr(fl, name), types.ModuleType)}
    assert modules == {"arrow", "integrations", "penalties", "testing"}


def test_the_type_stub_has_the_same_names():
    tree = ast.parse((Path(fl.__file__).parent / "__init__.pyi").read_text())
    names = set()
    for statement in tree.body:
        match statement:
            case ast.ImportFrom(names=imported):
                names |= {alias.asname for alias in imported if alias.asname}
            case ast.FunctionDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]):
                names.add(name)
    assert names - {"__all__", "__version__"} == set(fl.__all__)


def test_without_docstrings_all_is_there():
    shown = fresh("import fastloss as fl; print(fl.huber.__doc__, *dir(fl))", PYTHONOPTIMIZE="2").split()
    assert shown == ["None", *dir(fl)]


def test_everything_can_be_imported_at_once():
    scope = {}
    exec("from fastloss import *", scope)
    assert scope.keys() - {"__builtins__"} == set(fl.__all__)
