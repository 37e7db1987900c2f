"""What every loss declares: a kernel, a reference, documentation, valid variants; and how its objects behave."""

import ast
import copy
import dataclasses
import doctest
import importlib
import inspect
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

import fastloss as fl
from fastloss import registry
from fastloss._core.isa import kernels
from fastloss._core.loss import Loss
from fastloss._core.multi_input import MultiInputSum
from tests.exact import FORMULAS
from tests.inputs import OF_ELEMENTS, family
from tests.reference import twin
from tests.support import DRAWN, EVERY

CLASSES = list(registry.values())
FAMILIES = ("elementwise", "rowwise", "vectors", "boxes", "regions", "alignment")  # of compiled formulas
SHARED = {"axis", "class_weight", "ignore_index"}  # parameters of rowwise losses that have tests of their own


@pytest.fixture(params=CLASSES, ids=lambda cls: cls.__name__)
def cls(request):
    return request.param


def sections(cls):
    """The parts of a docstring by their titles, the summary under ''."""
    parts = re.split(r"^([A-Z][A-Za-z ]+)\n-{3,}\n", inspect.getdoc(cls) or "", flags=re.M)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


# Declarations -------------------------------------------------------------------------------------


def test_every_kernel_has_a_class_and_every_class_a_kernel():
    compiled = {name for compiled_for in FAMILIES for name in kernels(compiled_for).KERNELS}
    used = {loss._kernel()[0] for loss in EVERY if family(loss) in OF_ELEMENTS}
    used |= {name for loss in EVERY if loss.signature.rowwise for name in loss._kernels() if name is not None}
    assert used <= compiled
    used |= {loss.kernel for loss in EVERY if family(loss) == "alignment"}
    named = "".join(path.read_text() for path in Path(fl.__file__).parent.rglob("*.py"))
    used |= {name for name in compiled if f'"{name}"' in named}  # a loss may use a second kernel
    assert compiled - used == set(), "kernels without a class"


def test_constants_go_to_kernels_by_name():
    kernel = kernels("elementwise").KERNELS["wing"]
    assert kernel.parameters == ("width", "curvature", "height")
    assert kernel.constants({"height": 3, "width": 1, "curvature": 2}) == (1.0, 2.0, 3.0)
    for wrong in ({}, {"width": 1.0, "curvature": 2.0}, {"width": 1, "curvature": 2, "height": 3, "depth": 4}):
        with pytest.raises(TypeError, match=r"wing: constants are .*must be width, curvature, height"):
            kernel.constants(wrong)


def test_every_loss_of_the_package_is_registered():
    def concrete(base):
        children = [child for child in base.__subclasses__() if child.__module__.startswith("fastloss.")]
        return {leaf for child in children for leaf in concrete(child)} or {base}

    made_of_others = {fl.Chained, fl.WeightedSum, MultiInputSum}
    assert {cls for cls in concrete(Loss) if not cls.__name__.startswith("_")} <= made_of_others | set(CLASSES)


def test_no_two_names_are_the_same():
    names = [name for cls in CLASSES for name in (cls.__name__, cls.function_name, *cls.aliases)]
    assert len(set(names)) == len(names)
    assert all(registry[cls.function_name] is cls for cls in CLASSES)
    assert all(name.isidentifier() for name in names)


def test_every_name_is_public(cls):
    for name in (cls.__name__, cls.function_name, *cls.aliases):
        assert hasattr(fl, name), name
    assert getattr(fl, cls.__name__) is cls


def test_variants_are_valid_and_differ_from_the_defaults(cls):
    made = [cls(**parameters) for parameters in cls.variants]
    assert len(set(made)) == len(made)
    assert all(loss != cls() for loss, parameters in zip(made, cls.variants, strict=True) if parameters)
    varied = {name for parameters in cls.variants for name in parameters}
    assert varied - SHARED == {f.name for f in dataclasses.fields(cls)} - SHARED


def test_at_most_four_constants_go_to_the_kernel():
    for loss in DRAWN:
        constants = loss._constants(5) if loss.signature.rowwise else loss._kernel()[1]
        assert len(constants) <= (3 if loss.signature.rowwise else 4)
        assert all(not np.isnan(c) for c in constants.values()), loss


# Twins --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", "_grad"])
def test_every_loss_has_a_reference_with_its_parameters(cls, suffix):
    module = importlib.import_module(cls.__module__.replace("fastloss", "tests.reference", 1))
    function = getattr(module, cls.function_name + suffix)
    assert callable(twin(cls(), suffix))
    names = list(inspect.signature(function).parameters)[len(cls().signature.names) :]
    assert set(names) >= {f.name for f in dataclasses.fields(cls)} - {"axis", "ignore_index"}


def test_every_loss_has_an_exact_twin(cls):
    assert cls.function_name in {"multi_quantile", *FORMULAS}  # which is made of quantiles


# Documentation ------------------------------------------------------------------------------------


def test_the_docstring_has_its_parts(cls):
    found = sections(cls)
    summary = found[""].splitlines()[0]
    assert summary.endswith("."), summary
    assert ".. math::" in found[""] or ":math:" in found[""], "no formula"
    assert re.search(r"\\ell(_\w+)?'|\\partial|\\nabla|derivative", found[""]), "no derivative"
    assert "Domain:" in found.get("Notes", ""), "no Domain: in the notes"
    assert "Numerics:" in found.get("Notes", ""), "no Numerics: in the notes"
    assert ">>>" in found.get("Examples", ""), "no example"
    documented = re.findall(r"^(\w+) : ", found.get("Parameters", ""), re.M)
    assert sorted(documented) == sorted(f.name for f in dataclasses.fields(cls))


def test_the_defaults_are_documented(cls):
    text = sections(cls).get("Parameters", "")
    for field in dataclasses.fields(cls):
        line = re.search(rf"^{field.name} : (.*)$", text, re.M)
        assert line, field.name
        stated = re.search(r"default=(.*)$", line[1])
        if stated:
            assert ast.literal_eval(stated[1].strip()) == field.default


def test_the_example_runs(cls):
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    (test,) = finder.find(cls, cls.__name__, globs={"fl": fl, "np": np})
    assert test.examples
    assert runner.run(test).failed == 0


def test_names_in_see_also_exist(cls):
    for name in re.findall(r"^(\w+) : ", sections(cls).get("See Also", ""), re.M):
        assert hasattr(fl, name), name


# Objects ------------------------------------------------------------------------------------------


@pytest.fixture(params=EVERY, ids=repr)
def made(request):
    return request.param


def test_the_repr_makes_an_equal_loss(made):
    assert eval(repr(made), {cls.__name__: cls for cls in CLASSES} | {"inf": np.inf}) == made


def test_equal_losses_have_one_hash(made):
    other = type(made)(**made.parameters())
    assert other == made
    assert hash(other) == hash(made)
    assert made != "other"
    assert sum(made == loss for loss in EVERY) == 1


def test_pickles_and_copies_are_equal_and_work(made):
    clones = [pickle.loads(pickle.dumps(made, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    clones += [copy.copy(made), copy.deepcopy(made), dataclasses.replace(made)]
    for clone in clones:
        assert clone == made
        assert type(clone) is type(made)
        assert repr(clone._spec) == repr(made._spec)


def test_a_tampered_pickle_is_checked(made):
    rebuild, (cls, parameters) = made.__reduce__()
    for name, value in parameters.items():
        if type(value) is float:
            with pytest.raises(ValueError, match=f"{cls.__name__}: {name} is nan"):
                rebuild(cls, {**parameters, name: float("nan")})


def test_a_loss_is_frozen(made):
    for name in (*made.parameters(), "_spec", "another"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, name, 1.0)
    for name in made.parameters():
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(made, name)


def test_domains_are_stated_in_words(made):
    for domain in made.domains():
        assert str(domain)
        assert domain.low < domain.high
