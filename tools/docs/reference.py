"""The reference: a page for every loss, and one for every other part of the package, with every public name."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import fastloss
from fastloss import Loss, registry
from tools.docs import ROOT

FOLDER = "reference/api"


@dataclass(frozen=True)
class Part:
    """A page of the reference: its file, its title, a sentence, the module of its names, and these."""

    file: str
    title: str
    about: str
    module: str
    names: tuple[str, ...] = ()  # by default those that the module says are public
    needs: str = ""  # what must be installed for the module to be imported
    also: str = ""  # a module that has the names too


PARTS = (
    Part("loss", "What every loss does",
         "The verbs are documented here once: every loss has them. Losses of other arrays than targets and predictions"
         " take theirs in the place of these, by the names that their pages say, and return a gradient for each.",
         "fastloss", ("Loss", "WeightedSum", "Chained", "registry")),
    Part("states", "States", "Partial results that add up: of a sample, of groups, of regions.", "fastloss",
         ("LossState", "GroupStates", "RegionState")),
    Part("linear", "Linear models", "The mean loss of X w with its derivatives in w, and fits.", "fastloss",
         ("LinearObjective", "LinearFit"), also="fastloss.linear"),
    Part("language", "Language models", "Scores of tokens and sequences, vocabularies in shards, losses of a head.",
         "fastloss", ("token_logprobs", "sequence_logprobs", "segment_sum", "TokenScores", "SequenceScores",
                      "ShardState", "linear_cross_entropy", "linear_cross_entropy_value_and_grad", "linear_loss",
                      "linear_loss_value_and_grad", "LinearGrads")),
    Part("boxes", "Boxes", "Matrices of overlaps, and edges that are distributions.", "fastloss",
         ("box_iou", "box_nwd", "generalized_box_iou", "distance_box_iou", "complete_box_iou", "expected_edges",
          "expected_edges_grad", "slide_weight")),
    Part("miners", "Triplets", "Which triplets of a batch to learn from.", "fastloss.vectors.miners"),
    Part("metrics", "Metrics", "Numbers of a sample that are no losses.", "fastloss",
         ("r2_score", "explained_variance_score", "median_absolute_error"), also="fastloss.metrics"),
    Part("penalties", "Penalties", "Penalties of parameters, and the structural risk.", "fastloss.penalties"),
    Part("config", "Configuration", "What is used on this machine, and why.", "fastloss", ("config", "show_config")),
    Part("testing", "Checks of gradients", "Derivatives against central differences.", "fastloss.testing"),
    Part("arrow", "Record batches", "Losses of Arrow's record batches, of tables and of files.", "fastloss.arrow"),
    Part("dask", "Dask", "Losses of chunked arrays and data frames.", "fastloss.dask", needs="dask"),
    Part("torch", "PyTorch", "Losses of CPU tensors, with their gradients.", "fastloss.integrations.torch",
         ("LossModule", "linear_cross_entropy", "linear_loss"), "torch"),
    Part("torch-functional", "PyTorch's own names", "The losses of torch.nn.functional, argument for argument.",
         "fastloss.integrations.torch.functional", needs="torch"),
    Part("jax", "JAX", "A loss as a function of JAX arrays.", "fastloss.integrations.jax", needs="jax"),
    Part("keras", "Keras", "A loss for compile.", "fastloss.integrations.keras", needs="keras"),
    Part("sklearn", "scikit-learn", "Estimators, scorers, the log loss of examples.", "fastloss.integrations.sklearn"),
    Part("xgboost", "XGBoost", "Objectives and metrics.", "fastloss.integrations.xgboost"),
    Part("lightgbm", "LightGBM", "Objectives and metrics.", "fastloss.integrations.lightgbm"),
    Part("catboost", "CatBoost", "Objectives and metrics.", "fastloss.integrations.catboost"),
    Part("transformers", "transformers", "Perplexity for the Trainer.", "fastloss.integrations.transformers"),
    Part("lm-eval", "lm-evaluation-harness", "Log-likelihoods of continuations.", "fastloss.integrations.lm_eval"),
    Part("ray", "Ray", "Aggregations and batches of Ray Data.", "fastloss.integrations.ray", needs="ray"),
)  # fmt: skip
MODULES = ("arrow", "integrations", "penalties", "testing")  # names of the package that are modules


def named_in(module: str) -> tuple[str, ...]:
    """The public names of a module, read without importing it."""
    path = ROOT.joinpath(*module.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.parse(source.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Name) and target.id == "__all__":
            return tuple(ast.literal_eval(node.value))
    raise ValueError(f"{module} does not say what is public")


def names_of(part: Part) -> tuple[str, ...]:
    """The names that a page documents."""
    return part.names or named_in(part.module)


def public_names() -> set[str]:
    """Every public name, with its module: what the reference must have."""
    names = {f"fastloss.{name}" for name in fastloss.__all__ if name not in MODULES}
    modules = {module for part in PARTS for module in (part.module, part.also) if module}
    for module in sorted(modules - {"fastloss", "fastloss.integrations.torch"}):
        names |= {f"{module}.{name}" for name in named_in(module)}
    tensors = "fastloss.integrations.torch"
    names |= {f"{tensors}.{name}" for name in named_in(tensors) if name != "functional"}
    return names | {f"{tensors}.{name}" for cls in registry.values() for name in _names(cls)}


def documented_names() -> set[str]:
    """Every name that the pages document."""
    names = {
        f"{module}.{name}" for part in PARTS for module in (part.module, part.also) if module for name in names_of(part)
    }
    for cls in registry.values():
        names |= {f"{module}.{name}" for name in _names(cls) for module in ("fastloss", "fastloss.integrations.torch")}
    return names


def pages() -> dict[str, str]:
    """The pages in reStructuredText, by their files below `docs`."""
    made = {f"{FOLDER}/{part.file}.rst": _page(part) for part in PARTS}
    made |= {f"{FOLDER}/{cls.__name__}.rst": _of_loss(cls) for cls in registry.values()}
    made[f"{FOLDER}/torch-losses.rst"] = _of_tensors()
    return made


def write(folder: Path) -> None:
    """Write the pages, those that differ: Sphinx reads again what is newer."""
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    for file, text in pages().items():
        target = folder / file
        if not target.exists() or target.read_text() != text:
            target.write_text(text)


def missing(part: Part) -> bool:
    """Whether a page's library is not installed, so that its docstrings cannot be read."""
    if not part.needs:
        return False
    try:
        importlib.import_module(part.module)
    except ImportError:
        return True
    return False


def _names(cls: type[Loss]) -> tuple[str, ...]:
    return (cls.__name__, cls.function_name, *cls.aliases)


def _titled(title: str, mark: str = "=") -> str:
    return f"{title}\n{mark * len(title)}\n"


def _indented(text: str) -> str:
    return "\n".join(f"   {line}" if line else "" for line in text.splitlines())


def _page(part: Part) -> str:
    parts = [_titled(part.title), part.about, f".. currentmodule:: {part.module}"]
    absent = missing(part)
    if absent:
        parts.append(f".. note:: {part.title} was not installed where this page was made: it has the names alone.")
    for name in names_of(part):
        parts.append(f".. py:function:: {name}\n" if absent else _entry(part.module, name))
    if part.also:
        parts.append(f".. currentmodule:: {part.also}")
        parts += [f".. py:function:: {name}\n\n   The same as `fastloss.{name}`." for name in names_of(part)]
    return "\n\n".join(parts) + "\n"


def _entry(module: str, name: str) -> str:
    try:
        member = getattr(importlib.import_module(module), name)
    except (AttributeError, ImportError):
        return f".. py:class:: {name}\n\n   Its library was not installed where this page was made."
    if name == "registry":
        text = "The classes of all losses by the names of their functions, in the order of their families."
        return f".. py:data:: registry\n\n   {text}"
    if not inspect.isclass(member):
        return f".. autofunction:: {name}"
    # The fields of a tuple are described as attributes already, and the verbs of a loss on the page of `Loss`.
    if issubclass(member, tuple) or (issubclass(member, Loss) and member is not Loss):
        return f".. autoclass:: {name}"
    return f".. autoclass:: {name}\n   :members:\n   :special-members: __call__"


def _of_loss(cls: type[Loss]) -> str:
    name, function = cls.__name__, cls.function_name
    signature = inspect.signature(getattr(fastloss, function))
    short = signature.replace(
        parameters=[p.replace(annotation=p.empty) for p in signature.parameters.values()],
        return_annotation=signature.empty,
    )
    verbs = [verb for verb in ("grad", "value_and_grad", "grad_and_hess", "state", "states") if _has(cls, verb)]
    parts = [
        _titled(name),
        ".. currentmodule:: fastloss",
        f".. image:: /reference/pictures/{name}.svg\n   :alt: {name}, its slope and its curvature\n"
        "   :class: loss-picture",
        f".. autoclass:: {name}",
        f".. py:function:: {function}{short}\n\n{_indented(_of_function(cls))}",
    ]
    if cls.aliases:
        listed = "\n                 ".join(cls.aliases)
        parts.append(f".. py:function:: {listed}\n\n   Other names of :py:func:`{function}`.")
    arrays = [argument for argument in cls().signature.arguments if argument.description]
    if arrays:
        parts += [_titled("Arrays", "-"), "\n".join(f"- ``{one.name}``: {one.description}" for one in arrays)]
    links = ", ".join(f":py:meth:`~fastloss.Loss.{verb}`" for verb in verbs)
    parts.append(f".. rubric:: Methods\n\n{links}: :doc:`as of every loss <loss>`.")
    return "\n\n".join(parts) + "\n"


def _of_function(cls: type[Loss]) -> str:
    arrays = ", ".join(argument.name for argument in cls().signature.arguments if not argument.keyword)
    parameters = ", ".join(cls._fields) or ""
    return (
        f"The same as ``{cls.__name__}({parameters})({arrays})``, with the options of a call:"
        " :py:meth:`Loss.__call__` describes them."
    )


def _has(cls: type[Loss], verb: str) -> bool:
    of_numbers = cls.__module__.split(".")[1] in ("elementwise", "columns", "aggregate", "rowwise")
    return hasattr(cls, verb) and (verb != "grad_and_hess" or of_numbers)


def _of_tensors() -> str:
    lines = [
        _titled("Losses of tensors"),
        "Every loss is a module and a function of :doc:`CPU tensors <torch>`, with the parameters of the class and the"
        " function of arrays.",
        ".. currentmodule:: fastloss.integrations.torch",
    ]
    for cls in registry.values():
        functions = "\n                 ".join((cls.function_name, *cls.aliases))
        lines.append(f".. py:class:: {cls.__name__}\n\n   A module of :py:class:`fastloss.{cls.__name__}`.")
        lines.append(f".. py:function:: {functions}\n\n   :py:func:`fastloss.{cls.function_name}` of tensors.")
    return "\n\n".join(lines) + "\n"


def summary(documented: object) -> str:
    """The first line of a docstring without its period."""
    return (inspect.getdoc(documented) or "").partition("\n")[0].rstrip(".")


def lacking(inventory: Iterable[str]) -> list[str]:
    """The public names that are not in an inventory of a built site."""
    return sorted(public_names() - set(inventory))
