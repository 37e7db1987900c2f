"""Write what follows from the registry and from what was measured: the type stubs, and parts of the documentation.

``python -m tools.generate`` rewrites them; with ``--check`` it only says whether they are current.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import fastloss
from benchmarks import accuracy, record, report
from fastloss import GroupStates, Loss, LossState, WeightedSum, registry
from fastloss._core.functions import call_signature, signature_of_tensors
from fastloss._core.isa import BUILDS
from fastloss._core.loss import prediction
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
from tests.soak import runner as soak

ROOT = Path(__file__).parent.parent
STUB = ROOT / "fastloss" / "__init__.pyi"
TORCH_STUB = ROOT / "fastloss" / "integrations" / "torch" / "__init__.pyi"
SPEED = ROOT / "docs" / "speed.md"
ACCURACY = ROOT / "docs" / "accuracy.md"
PARITY = ROOT / "docs" / "parity.md"
CATALOGUE = ROOT / "fastloss" / "_catalogue.py"
LOSSES = ROOT / "docs" / "losses.md"
MEASURED = ROOT / "docs" / "measured.md"
RELIABILITY = ROOT / "docs" / "reliability.md"

STUB_HEAD = """\
# Written by tools/generate.py from the registry; do not edit.
from typing import Any, Literal, overload

from numpy.typing import ArrayLike

from fastloss._core.evaluation import Floats, NanPolicy, Reduction
{imports}

__version__: str
__all__ = {names!r}
"""


def _parameters(given: Iterable[inspect.Parameter]) -> str:
    parameters = []
    for parameter in given:
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parameters:
            parameters.append("*")
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        parameters.append(f"{parameter.name}: {parameter.annotation}{default}")
    return ", ".join(parameters)


def _function_stub(cls: type[Loss]) -> str:
    name = cls.function_name
    text = _parameters(call_signature(cls).parameters.values())
    array = text.replace("reduction: Reduction = 'mean'", 'reduction: Literal["none"]')
    number = text.replace("reduction: Reduction = 'mean'", 'reduction: Literal["mean", "batch_mean", "sum"] = ...')
    number = number.replace(", out: Floats | None = None", ", out: None = None")
    return "\n".join(
        [
            f"@overload\ndef {name}({number}) -> float: ...",
            f"@overload\ndef {name}({array}) -> Floats: ...",
            *(f"{alias} = {name}" for alias in cls.aliases),
        ]
    )


def stub() -> str:
    """The type stub of the package."""
    homes = {cls.__name__: cls.__module__ for cls in (Loss, WeightedSum, GroupStates, LossState, *registry.values())}
    homes |= {"registry": "fastloss._core.loss"} | dict.fromkeys(fastloss._MODULES, "fastloss")
    homes |= {name: f"fastloss.{module}" for name, module in fastloss._LATER.items()}
    imports = "\n".join(f"from {module} import {name} as {name}" for name, module in homes.items())
    return (
        STUB_HEAD.format(imports=imports, names=fastloss.__all__)
        + "\n"
        + "\n".join(map(_function_stub, registry.values()))
        + "\n"
    )


TORCH_STUB_HEAD = """\
# Written by tools/generate.py from the registry; do not edit.
from typing import Literal

from torch import Tensor

from fastloss._core.evaluation import NanPolicy, Reduction
from fastloss.integrations.torch import functional as functional
from fastloss.integrations.torch._layer import linear_cross_entropy as linear_cross_entropy
from fastloss.integrations.torch._layer import linear_loss as linear_loss
from fastloss.integrations.torch._modules import LossModule as LossModule

__all__ = {names!r}
"""


def torch_stub() -> str:
    """The type stub of the functions and modules of tensors."""
    names, lines = ["LossModule", "functional", "linear_cross_entropy", "linear_loss"], []
    for cls in registry.values():
        names += [cls.__name__, cls.function_name, *cls.aliases]
        of_call = signature_of_tensors(cls).parameters
        own = [
            of_call[name].replace(kind=parameter.kind) for name, parameter in inspect.signature(cls).parameters.items()
        ]
        made = _parameters([*own, of_call["reduction"], of_call["nan_policy"]])
        lines.append(f"class {cls.__name__}(LossModule):\n    def __init__(self, {made}) -> None: ...")
        lines.append(f"def {cls.function_name}({_parameters(of_call.values())}) -> Tensor: ...")
        lines += [f"{alias} = {cls.function_name}" for alias in cls.aliases]
    return TORCH_STUB_HEAD.format(names=names) + "\n" + "\n".join(lines) + "\n"


CATALOGUE_HEAD = '''\
"""The losses that are imported when they are first asked for, by every name: the module, and the class.

Written by tools/generate.py from the registry; do not edit.
"""

LATER: dict[str, tuple[str, str]] = {
'''


def catalogue() -> str:
    """The names of the losses of families that the package does not import at once."""
    lines = []
    for cls in registry.values():
        family, module = cls.__module__.split(".")[1], cls.__module__.removeprefix("fastloss.")
        if family in fastloss._FAMILIES[fastloss._AT_ONCE :]:
            names = (cls.__name__, cls.function_name, *cls.aliases)
            lines += [f'    "{name}": ("{module}", "{cls.__name__}"),' for name in names]
    return CATALOGUE_HEAD + "\n".join(lines) + "\n}\n"


def losses() -> str:
    """A page of all losses, by what they have in common."""
    found: dict[str, list[type[Loss]]] = {}
    for cls in registry.values():
        found.setdefault(cls.__module__, []).append(cls)
    parts = [
        "# All losses",
        "`fl.registry` holds these classes by the names of their functions; `help(fl.Huber)` has the formula, the\n"
        "domain, the errors, the source and an example of each.",
    ]
    for module, classes in found.items():
        parts += [f"## {_summary(sys.modules[module])}", loss_table(classes)]
    return "\n\n".join(parts) + "\n"


def loss_table(classes: Iterable[type[Loss]]) -> str:
    """Losses in Markdown: class, function and aliases, parameters, first line of the docstring."""
    lines = ["| loss | functions | parameters | a prediction is | what it is |", "|---|---|---|---|---|"]
    for cls in classes:
        names = ", ".join(f"`{name}`" for name in (cls.function_name, *cls.aliases))
        parameters = ", ".join(f"`{f.name}={f.default!r}`" for f in fields(cls))  # type: ignore[arg-type]
        lines.append(f"| `{cls.__name__}` | {names} | {parameters} | {prediction(cls)} | {_summary(cls)} |")
    return "\n".join(lines)


PARITY_HEAD = """\
# Names of other libraries

A name that another library has for a loss or metric computes that library's number here, for that library's usual call
with the targets first; or it is not here, and `fastloss.<name>` says what computes the number. Every row is tested: the
two expressions are one number.

- **Order**: targets come first in every loss and metric. They come last in `token_logprobs`, `sequence_logprobs` and
  `linear_cross_entropy`, as in PyTorch's; `LinearObjective(loss, X, y)` has the order of scikit-learn's `fit`.
- **A number for each**: where a library returns a number for each element or row, the tables compare the mean;
  `reduction="none"` gives them here too.
- **The mean** is over elements, for losses of rows over rows, and with `sample_weight` it is divided by the sum of the
  weights, as in scikit-learn. PyTorch's and Keras's means divide by the count: `reduction="batch_mean"`. PyTorch's
  `"batchmean"` is of `kl_div` alone, and no word of this package.
- **Tensors**: `fastloss.integrations.torch.functional` has the losses of `torch.nn.functional` argument for argument.
- **Barlow Twins**: MONAI's `BarlowTwinsLoss` takes the deviation of n - 1 samples, where the authors and `barlow_twins`
  take that of n. No call here computes its number.
- **Boosters**: names of their metrics are words of their configuration, whose defaults differ. LightGBM's
  `cross_entropy` is that of two classes, `binary_cross_entropy_with_logits`; its `mape` divides by 1 where the target
  is smaller. `xgboost_metric` and `lightgbm_metric` stand for a call of the metric of that name.

"""


LIBRARIES = (PYTORCH, KERAS, OPTAX, SKLEARN, SCIPY, XGBOOST, LIGHTGBM, TORCHVISION, MONAI)  # in the order of the page


def parity() -> str:
    """The names of other libraries in Markdown: what computes the number of each here, and what differs."""
    lines = [PARITY_HEAD]
    for library in sorted({row.library for row in ROWS}, key=LIBRARIES.index):
        rows = sorted((row for row in ROWS if row.library == library), key=lambda row: row.name.lower())
        for title, public in (("", True), (": another name here", False)):
            if chosen := [row for row in rows if row.public == public]:
                lines += [f"## {library}{title}", "", "| there | here | what differs |", "|---|---|---|"]
                lines += [f"| `{row.theirs}` | `{row.here}` | {row.note} |" for row in chosen]
                lines.append("")
    lines += ["## Another thing", "", "These names are no losses there, and a call of theirs is an error here.", ""]
    lines += [f"- `{name}`: {what}." for name, what in OTHER_THINGS.items()]
    return "\n".join(lines) + "\n"


def _summary(documented: object) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0].rstrip(".")


# What was measured --------------------------------------------------------------------------------

TITLES = {
    "targets": "Losses and integrations",
    "rowwise": "Rows of classes, and language models",
    "vectors": "Pairs and triplets of vectors",
    "batches": "Batches of vectors",
    "boxes": "Boxes",
    "regions": "Regions",
    "alignment": "Sequences",
    "linear": "Linear models",
    "groups": "States of groups",
    "language_models": "Evaluations of language models",
    "dask": "Worker processes of Dask",
    "merging": "Merging tables of states",
    "files": "Scoring files",
    "tensors": "Losses of PyTorch's tensors",
    "company": "The first call after other work",
    "scaling": "Sharing a call among many threads",
}


def speed(sections: dict[str, Any]) -> str:
    """The table of the main targets, and of every one that was missed."""
    parts = {name: record.rows_of(sections[name]) for name in TITLES if name in sections}
    rows = [row for rows in parts.values() for row in rows]
    asked = [row for row in rows if row.reached]
    missed = [row for row in asked if row.reached == "no"]
    front = [row for row in rows if row.front or row in missed]
    machine = next((sections[name]["machine"] for name in parts), None)
    if machine is None:
        return "Not measured yet."
    return f"""\
{record.table(front)}

Of {len(asked)} targets {len(missed)} are missed, all of which are in this table; [one page](measured.md) has
everything. Ratios of times, medians of rounds in which the contenders take turns: {record.described(machine)}."""


def errors(sections: dict[str, Any]) -> str:
    """The table of accuracy."""
    if "accuracy" not in sections:
        return "Not measured yet."
    section = sections["accuracy"]
    return f"""\
{accuracy.table([accuracy.Error(**row) for row in section["rows"]])}

{section["conditions"]}"""


def measured(sections: dict[str, Any]) -> str:
    """A page of everything that was measured."""
    parts = [
        "# Measured",
        "Every table is of numbers that the benchmarks wrote; the commands are in"
        " [CONTRIBUTING](../CONTRIBUTING.md#measuring).",
    ]
    if "losses" in sections:
        section = sections["losses"]
        lines = [report.line_of(line) for line in section["lines"]]
        header = ("loss", *(f"{work}{of}" for work in ("value", "and gradient") for of in ("", ", NumPy", ", limit")))
        rows = [(f"`{name}`", *report.cells(works)) for name, works in report.worst_first(lines)]
        doubts = [f"- {doubt}" for doubt in report.doubts(lines)]
        parts += ["## Every loss", "![Every loss against NumPy and the memory](speed.svg)"]
        parts += [section["conditions"], record.markdown(header, rows), *_machine(section)]
        parts += ["Not to be believed, and shown as ?:", "\n".join(doubts)] if doubts else []
    for name, title in TITLES.items():
        for key in (name, *(f"{name} {build}" for build in BUILDS)):
            if key in sections:
                section, of = sections[key], key.removeprefix(name)
                parts += [f"## {title}{of and f', kernels for{of}'}", section["conditions"]]
                parts += [record.table(record.rows_of(section)), *_machine(section)]
    parts += ["## Accuracy", errors(sections), *_machine(sections.get("accuracy"))]
    return "\n\n".join(parts) + "\n"


def _machine(section: dict[str, Any] | None) -> list[str]:
    return [f"{record.described(section['machine'])}."] if section else []


def replaced(text: str, section: str, content: str) -> str:
    """The text with what stands between the markers of a section replaced."""
    begin, end = f"<!-- {section} -->", f"<!-- end of {section} -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"the page has no section {section!r}")
    return pattern.sub(lambda _: f"{begin}\n{content}\n{end}", text)


def main(arguments: list[str]) -> int:
    sections = record.load()
    wanted = {
        CATALOGUE: catalogue(),
        STUB: stub(),
        TORCH_STUB: torch_stub(),
        SPEED: replaced(SPEED.read_text(), "speed", speed(sections)),
        ACCURACY: replaced(ACCURACY.read_text(), "accuracy", errors(sections)),
        RELIABILITY: replaced(RELIABILITY.read_text(), "soak", soak.table()),
        LOSSES: losses(),
        MEASURED: measured(sections),
        PARITY: parity(),
    }
    stale = [path.name for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if "--check" in arguments:
        print(f"stale: {', '.join(stale)}; run python -m tools.generate" if stale else "current")
        return bool(stale)
    for path, text in wanted.items():
        path.write_text(text)
    print(f"{len(registry)} losses of fastloss {fastloss.__version__}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
