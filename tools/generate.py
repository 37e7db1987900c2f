"""Write what follows from the registry: the type stub of the package and the README's table of losses.

``python -m tools.generate`` rewrites both; with ``--check`` it only says whether they are current.
"""

from __future__ import annotations

import inspect
import re
import sys
from dataclasses import fields
from pathlib import Path

import fastloss
from fastloss import Loss, registry
from fastloss._functions import signature

ROOT = Path(__file__).parent.parent
STUB = ROOT / "fastloss" / "__init__.pyi"
README = ROOT / "README.md"

STUB_HEAD = """\
# Written by tools/generate.py from the registry; do not edit.
from typing import Any, Literal, overload

from numpy.typing import ArrayLike

from fastloss import penalties as penalties
from fastloss import testing as testing
from fastloss._base import Loss as Loss
from fastloss._base import registry as registry
from fastloss._call import Floats, NanPolicy, Reduction
from fastloss._config import config as config
from fastloss._config import show_config as show_config
from fastloss._linear_cross_entropy import LinearGrads as LinearGrads
from fastloss._linear_cross_entropy import linear_cross_entropy as linear_cross_entropy
from fastloss._linear_cross_entropy import linear_cross_entropy_value_and_grads as linear_cross_entropy_value_and_grads
{imports}
from fastloss.linear import LinearFit as LinearFit
from fastloss.linear import LinearObjective as LinearObjective
from fastloss.sequence import SequenceScores as SequenceScores
from fastloss.sequence import TokenScores as TokenScores
from fastloss.sequence import segment_sum as segment_sum
from fastloss.sequence import sequence_logprobs as sequence_logprobs
from fastloss.sequence import token_logprobs as token_logprobs
from fastloss.shards import ShardState as ShardState
from fastloss.state import LossState as LossState

__version__: str
"""


def _function_stub(cls: type[Loss]) -> str:
    parameters = []
    for parameter in signature(cls).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parameters:
            parameters.append("*")
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        parameters.append(f"{parameter.name}: {parameter.annotation}{default}")
    name = cls.function_name
    text = ", ".join(parameters)
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
    imports = "\n".join(f"from {cls.__module__} import {cls.__name__} as {cls.__name__}" for cls in registry.values())
    return STUB_HEAD.format(imports=imports) + "\n" + "\n".join(map(_function_stub, registry.values())) + "\n"


def loss_table() -> str:
    """The losses in Markdown, by family: class, function and aliases, parameters, first line of the docstring."""
    lines = ["| loss | functions | parameters | what it is |", "|---|---|---|---|"]
    for cls in registry.values():
        summary = (inspect.getdoc(cls) or "").partition("\n")[0].rstrip(".")
        names = ", ".join(f"`{name}`" for name in (cls.function_name, *cls.aliases))
        parameters = ", ".join(f"`{f.name}={f.default!r}`" for f in fields(cls))  # type: ignore[arg-type]
        lines.append(f"| `{cls.__name__}` | {names} | {parameters} | {summary} |")
    return "\n".join(lines)


def replaced(text: str, section: str, content: str) -> str:
    """The text with what stands between the markers of a section replaced."""
    begin, end = f"<!-- {section} -->", f"<!-- end of {section} -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"README has no section {section!r}")
    return pattern.sub(lambda _: f"{begin}\n{content}\n{end}", text)


def main(arguments: list[str]) -> int:
    wanted = {STUB: stub(), README: replaced(README.read_text(), "losses", loss_table())}
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
